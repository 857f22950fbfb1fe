import { SystemFrames } from '@hmm/device';
import type { Gpu } from '@hmm/gpu';
import { type Kernel, Mutex, type Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import { mmuNotifierRegister } from '@hmm/mmu-notifier';
import { UvmAts } from './uvm-ats.js';
import { UVM_RELEASE } from './uvm-capability.js';
import { TRACED_COSTS, type UvmCosts } from './uvm-costs.js';
import { UvmCpuChunks } from './uvm-cpu-chunks.js';
import { evictOne } from './uvm-eviction.js';
import { uvmParentGpuServiceReplayableFaults, UvmReplayableFaults } from './uvm-gpu-replayable-faults.js';
import { UvmAccessCounters, uvmServiceAccessCounters } from './uvm-gpu-access-counters.js';
import { UvmNonReplayableFaults, uvmServiceNonReplayableFaults } from './uvm-gpu-non-replayable-faults.js';
import { UvmHmmDevmem } from './uvm-hmm-devmem.js';
import { UvmHmmVaSpace } from './uvm-hmm.js';
import { UvmModuleParams } from './uvm-module-params.js';
import { maskOr, maskZero, newMask } from './uvm-page-mask.js';
import { DRIVER_POLICY, type UvmPerfPolicy } from './uvm-perf-policy.js';
import type { UvmPrefetchParams } from './uvm-perf-prefetch.js';
import { uvmPerfThrashingResetPage, type UvmThrashingParams } from './uvm-perf-thrashing.js';
import { UvmPmmGpu } from './uvm-pmm-gpu.js';
import { UvmServiceContext } from './uvm-service-context.js';
import { UvmTools } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_EVICTION,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { freeGpuChunks } from './uvm-va-block-make-resident.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';
import { UvmVaSpace } from './uvm-va-space.js';

/** A page that the detector has pinned until a time, ns. */
export interface UvmPin {
  readonly block: UvmVaBlock;
  readonly page: number;
  readonly deadline: number;
}

/** How a driver is loaded. */
export interface UvmDriverOptions {
  /** Module parameters; the driver's defaults when left out. */
  readonly params?: UvmModuleParams;
  /** Decisions that replace the driver's own. */
  readonly policy?: UvmPerfPolicy;
  /** What its work costs on this host. */
  readonly costs?: UvmCosts;
  /** Release branch whose rules apply where branches differ; 580 when left out, as in the recordings. */
  readonly release?: number;
}

/** The loaded driver with its one GPU: module parameters, physical memory, fault service, events. */
export class UvmDriver {
  readonly kernel: Kernel;
  readonly gpu: Gpu;
  readonly params: UvmModuleParams;
  readonly policy: UvmPerfPolicy;
  /** Release branch of the driver: 580 unless chosen otherwise. */
  readonly release: number;
  readonly costs: UvmCosts;
  readonly tools: UvmTools;
  readonly pmm: UvmPmmGpu;
  readonly cpuChunks = new UvmCpuChunks();
  readonly prefetchParams: UvmPrefetchParams;
  readonly thrashingParams: UvmThrashingParams;
  readonly replayable: UvmReplayableFaults;
  /** `uvm_fault_force_sysmem`: faults always end in system memory. */
  readonly forceSysmem: boolean;
  /** `uvm_perf_map_remote_on_native_atomics_fault`. */
  readonly remoteOnNativeAtomics: boolean;
  /** `uvm_perf_map_remote_on_eviction`, in force where access counters can take the data back. */
  readonly mapRemoteOnEviction: boolean;
  readonly accessCounters: UvmAccessCounters;
  readonly nonReplayable = new UvmNonReplayableFaults();
  /** Pages to unpin, by deadline. */
  readonly pins: UvmPin[] = [];
  /** Contexts: of the fault worker, of CPU faults and calls, of eviction. */
  readonly faultContext = new UvmServiceContext();
  readonly cpuContext = new UvmServiceContext();
  readonly evictionContext = new UvmServiceContext();
  /** Device memory as pages of the kernel; undefined while no process uses system memory. */
  devmem: UvmHmmDevmem | undefined;
  /** Everything it would have written to the kernel log. */
  readonly log: string[] = [];
  /** Held by who services faults (the ISR's service lock). */
  readonly serviceLock: Mutex;
  /** Held by who serves faults that cannot be replayed. */
  readonly nonReplayableLock: Mutex;
  /** Held by who serves notifications of access counters. */
  readonly counterLock: Mutex;
  /** VA spaces by GPU address space. */
  private readonly spaces: (UvmVaSpace | undefined)[] = [];
  private readonly unpinned = newMask();

  constructor(kernel: Kernel, gpu: Gpu, options: UvmDriverOptions = {}) {
    this.kernel = kernel;
    this.gpu = gpu;
    this.params = options.params ?? new UvmModuleParams();
    this.policy = options.policy ?? DRIVER_POLICY;
    this.release = options.release ?? UVM_RELEASE;
    this.costs = options.costs ?? TRACED_COSTS;
    this.tools = new UvmTools(kernel);
    this.pmm = new UvmPmmGpu(gpu.memoryPages, this.policy);
    this.prefetchParams = prefetchParams(this.params);
    this.thrashingParams = thrashingParams(this.params);
    this.replayable = new UvmReplayableFaults(this.params, gpu.preset.capability);
    gpu.prefetchFaults = this.replayable.prefetchFaultsSupported;
    this.forceSysmem = this.params.get('uvm_fault_force_sysmem') === 1;
    this.remoteOnNativeAtomics = this.params.get('uvm_perf_map_remote_on_native_atomics_fault') === 1;
    this.accessCounters = new UvmAccessCounters(this);
    this.mapRemoteOnEviction =
      this.accessCounters.enabled && this.params.get('uvm_perf_map_remote_on_eviction') === 1;
    this.serviceLock = new Mutex(kernel.sched, kernel.allocIds(1), 'ISR');
    this.nonReplayableLock = new Mutex(kernel.sched, kernel.allocIds(1), 'ISR_NON_REPLAYABLE');
    this.counterLock = new Mutex(kernel.sched, kernel.allocIds(1), 'ISR_ACCESS_COUNTERS');
    gpu.handler = this;
  }

  /** Opens the device file in a process: a VA space with an address space on the GPU. @uvm uvm.c uvm_open */
  openVaSpace(): UvmVaSpace {
    const instance = this.gpu.openInstance();
    const space = new UvmVaSpace(this, this.kernel, instance);
    this.spaces[instance.id] = space;
    return space;
  }

  /** Lets the GPU use a process's system memory as well, by HMM or, where the hardware can, through the CPU's page tables. */
  *attachMm(space: UvmVaSpace, mm: MmStruct, ats: boolean): Task<number> {
    this.devmem ??= new UvmHmmDevmem(this, mm.system, ats);
    this.gpu.foreign ??= new SystemFrames(mm.system);
    const ready = yield* mmuNotifierRegister(undefined, mm);
    if (ready !== 0) return ready;
    space.hmm = new UvmHmmVaSpace(space, mm, this.devmem);
    if (!ats) return 0;
    space.ats = new UvmAts(space, mm, this.devmem);
    return yield* space.ats.bind();
  }

  /** The VA space behind an instance pointer; undefined when its channels are gone. */
  spaceOf(instance: number): UvmVaSpace | undefined {
    const space = this.spaces[instance];
    return space === undefined || space.instance.dead ? undefined : space;
  }

  /** Closes a VA space: kernels end, what is in device memory goes home, all ranges go. */
  *closeVaSpace(space: UvmVaSpace): Task {
    this.gpu.closeInstance(space.instance);
    if (!this.serviceLock.tryFast()) yield* this.serviceLock.lock();
    const { ats, hmm } = space;
    space.hmm = undefined;
    space.ats = undefined;
    if (ats !== undefined) yield* ats.unbind();
    if (hmm !== undefined) {
      yield* hmm.devmem.evictBlocks((block) => block.hmm?.space === hmm);
      yield* hmm.close();
    }
    for (const start of space.allocationStarts()) space.free(start);
    this.spaces[space.instance.id] = undefined;
    this.serviceLock.unlock();
  }

  /** The GPU's fault interrupt (both halves). */
  *faultsPending(): Task {
    if (!this.serviceLock.tryFast()) yield* this.serviceLock.lock();
    try {
      yield* uvmParentGpuServiceReplayableFaults(this);
    } finally {
      this.serviceLock.unlock();
    }
  }

  /** The interrupt of faults that cannot be replayed (both halves). */
  *nonReplayableFaultsPending(): Task {
    if (!this.nonReplayableLock.tryFast()) yield* this.nonReplayableLock.lock();
    try {
      yield* uvmServiceNonReplayableFaults(this);
    } finally {
      this.nonReplayableLock.unlock();
    }
  }

  /** The access counters' interrupt (both halves). */
  *notificationsPending(): Task {
    if (!this.counterLock.tryFast()) yield* this.counterLock.lock();
    try {
      yield* uvmServiceAccessCounters(this);
    } finally {
      this.counterLock.unlock();
    }
  }

  /** Whether processor `id` can map data that is on `residency`. */
  canAccess(id: UvmProcessorId, residency: UvmProcessorId): boolean {
    if (id === residency || id === UVM_ID_GPU) return true;
    return this.gpu.preset.capability.cpuAccessesVidmem;
  }

  /** Whether processor `id` can do system-scope atomics on data that is on `residency`. */
  nativeAtomics(id: UvmProcessorId, residency: UvmProcessorId): boolean {
    return id === residency || this.gpu.preset.capability.linkAtomics;
  }

  /** A root chunk for `block`, evicting if need be; its first frame, or -1. */
  allocRoot(ctx: UvmServiceContext, block: UvmVaBlock): number {
    for (;;) {
      const pfn = this.pmm.allocRoot(block, ctx.hintTime);
      if (pfn >= 0 || !this.evict(ctx, block)) return pfn;
    }
  }

  /** A chunk of `pages` frames for `block`, evicting if need be; its first frame, or -1. */
  allocChunk(ctx: UvmServiceContext, block: UvmVaBlock, pages: number): number {
    for (;;) {
      const pfn = this.pmm.allocChunk(block, pages, ctx.hintTime);
      if (pfn >= 0 || !this.evict(ctx, block)) return pfn;
    }
  }

  /** Evicts one root chunk of whatever memory, for somebody outside; false when none can be. */
  *evictAny(): Task<boolean> {
    if (this.devmem !== undefined) return yield* this.devmem.evictOne(true);
    this.cpuContext.begin(UVM_MAKE_RESIDENT_CAUSE_EVICTION, this.kernel.sched.now);
    return this.evict(this.cpuContext, undefined);
  }

  /** Undoes everything a block holds. */
  destroyBlock(block: UvmVaBlock): void {
    const all = newMask();
    maskOr(all, block.gpu.read);
    uvmVaBlockUnmap(block, UVM_ID_GPU, all);
    maskZero(block.gpu.resident);
    maskZero(block.cpu.resident);
    freeGpuChunks(this, block);
    if (block.cpuBase >= 0) this.cpuChunks.release(block.cpuBase, block.pages);
    block.cpuBase = -1;
    block.thrashing = undefined;
  }

  /** Unpins what was pinned long enough by `now` (the delayed worker of the detector). */
  unpinUntil(now: number): void {
    while ((this.pins[0]?.deadline ?? Infinity) <= now) {
      const pin = this.pins.shift();
      if (pin === undefined) return;
      const pages = pin.block.thrashing?.pages;
      if (pages?.pinDeadline[pin.page] !== pin.deadline || pages.pinnedAt[pin.page] === 0) continue;
      this.unmapRemote(pin);
      uvmPerfThrashingResetPage(this, pin.block, pin.page, pin.deadline);
    }
  }

  private unmapRemote(pin: UvmPin): void {
    maskZero(this.unpinned);
    this.unpinned[pin.page >>> 5] = 1 << (pin.page & 31);
    for (const id of [UVM_ID_CPU, UVM_ID_GPU] as const) {
      if (pin.block.closestResident(id, pin.page) !== id) uvmVaBlockUnmap(pin.block, id, this.unpinned);
    }
  }

  private evict(ctx: UvmServiceContext, keep: UvmVaBlock | undefined): boolean {
    if (this.params.get('uvm_global_oversubscription') === 0) return false;
    return evictOne(this, ctx, keep);
  }
}

function prefetchParams(params: UvmModuleParams): UvmPrefetchParams {
  return {
    enabled: params.get('uvm_perf_prefetch_enable') === 1,
    threshold: params.get('uvm_perf_prefetch_threshold'),
    minFaults: params.get('uvm_perf_prefetch_min_faults'),
  };
}

function thrashingParams(params: UvmModuleParams): UvmThrashingParams {
  const lapse = params.get('uvm_perf_thrashing_lapse_usec') * 1000;
  return {
    enabled: params.get('uvm_perf_thrashing_enable') === 1,
    threshold: params.get('uvm_perf_thrashing_threshold'),
    pinThreshold: params.get('uvm_perf_thrashing_pin_threshold'),
    lapse,
    nap: lapse * params.get('uvm_perf_thrashing_nap'),
    epoch: lapse * params.get('uvm_perf_thrashing_epoch'),
    pin: lapse * params.get('uvm_perf_thrashing_pin'),
    maxResets: params.get('uvm_perf_thrashing_max_resets'),
  };
}
