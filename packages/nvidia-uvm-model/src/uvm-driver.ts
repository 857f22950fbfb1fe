import { SystemFrames } from '@hmm/device';
import { type ClientExploration } from '@hmm/device/internal';
import { type Gpu, gpuPreset, type PhysicalMemory } from '@hmm/gpu';
import { HmmError, type Kernel, type Task } from '@hmm/kernel';
import { declareState, observedTask } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import { mmuNotifierRegister } from '@hmm/mmu-notifier';
import type { UvmFigures } from './timing/uvm-figures.js';
import { UvmNoTime } from './timing/uvm-no-time.js';
import { UvmStandingClock } from './timing/uvm-standing-clock.js';
import { figuresOfGpu, recordedGpu } from './timing/uvm-h200-figures.js';
import { linkPages } from './timing/uvm-link-pages.js';
import { UvmTiming } from './timing/uvm-timing.js';
import { UvmAts } from './uvm-ats.js';
import type { UvmClock } from './uvm-clock.js';
import { UvmCpuChunks } from './uvm-cpu-chunks.js';
import { UvmGlobal } from './uvm-global.js';
import { UvmParentGpu } from './uvm-gpu.js';
import { uvmServiceAccessCounters } from './uvm-gpu-access-counters.js';
import { uvmServiceNonReplayableFaults } from './uvm-gpu-non-replayable-faults.js';
import { uvmParentGpuServiceReplayableFaults } from './uvm-gpu-replayable-faults.js';
import { UvmHmmDevmem } from './uvm-hmm-devmem.js';
import { UvmHmmVaSpace } from './uvm-hmm.js';
import type { UvmModuleParams } from './uvm-module-params.js';
import type { UvmPerfPolicy } from './uvm-perf-policy.js';
import { UvmProcessorLinks } from './uvm-processor-links.js';
import { UvmTools } from './uvm-tools.js';
import {
  UVM_ID_GPU,
  UVM_ID_MAX_PROCESSORS,
  UVM_MAKE_RESIDENT_CAUSE_EVICTION,
  type UvmProcessorId,
} from './uvm-types.js';
import { UvmVaSpace } from './uvm-va-space.js';
import type { UvmTimingPorts, UvmWork } from './uvm-work.js';

/** How a driver is loaded. */
export interface UvmDriverOptions {
  /** Module parameters; the driver's defaults when left out. */
  readonly params?: UvmModuleParams;
  /** Decisions that replace the driver's own. */
  readonly policy?: UvmPerfPolicy;
  /** Release branch whose rules apply where branches differ; 580 when left out, as in the recordings. */
  readonly release?: number;
  /** What times it; when left out, nothing where interleavings are explored, else {@link UvmDriverOptions.figures}. */
  readonly timing?: UvmTimingPorts;
  /** What its work costs; the recorded machine's figures when left out. */
  readonly figures?: UvmFigures;
  /** Given where interleavings are explored. */
  readonly exploration?: ClientExploration | undefined;
}

/** The loaded driver with its GPUs. */
export class UvmDriver {
  /** What of it is state. */
  static readonly state = declareState({
    kernel: 'constant',
    global: { outside: 'chosen when the driver is loaded' },
    tools: { saved: 'totals, which decide nothing' },
    clock: 'constant',
    work: 'constant',
    cpuChunks: 'constant',
    gpus: 'constant',
    gpu: 'constant',
    links: { outside: 'what the cards are' },
    sysmem: 'constant',
    devmem: 'value',
    log: { saved: 'what it said, which decides nothing' },
    spaces: 'value',
    exploration: 'constant',
  });

  readonly kernel: Kernel;
  readonly global: UvmGlobal;
  readonly tools: UvmTools;
  readonly clock: UvmClock;
  readonly work: UvmWork;
  readonly cpuChunks = new UvmCpuChunks();
  /** Its GPUs, by id less one; the first of them. */
  readonly gpus: readonly UvmParentGpu[];
  readonly gpu: UvmParentGpu;
  /** What the processors can do with each other's memory. */
  readonly links: UvmProcessorLinks;
  /** Contents of the host frames of managed memory, which all GPUs share. */
  readonly sysmem: PhysicalMemory;
  /** Device memory as pages of the kernel; undefined while no process uses system memory. */
  devmem: UvmHmmDevmem | undefined;
  /** Everything it would have written to the kernel log. */
  readonly log: string[] = [];
  private readonly exploration: ClientExploration | undefined;
  /** Open VA spaces. */
  private spaces: UvmVaSpace[] = [];

  /** @param cards the GPUs of the machine, linked as they are: one at least, with the host memory of the first. */
  constructor(kernel: Kernel, cards: readonly Gpu[], options: UvmDriverOptions = {}) {
    const [hw] = cards;
    if (hw === undefined || cards.length >= UVM_ID_MAX_PROCESSORS)
      throw new HmmError('PROCESSOR', `a driver has 1 to ${UVM_ID_MAX_PROCESSORS - 1} GPUs`, {
        gpus: cards.length,
      });
    this.kernel = kernel;
    this.exploration = options.exploration;
    this.global = new UvmGlobal(options.params, options.policy, options.release);
    this.tools = new UvmTools(kernel);
    const timing = options.timing ?? timingOf(kernel, hw, options);
    this.clock = timing.clock;
    this.work = timing.work;
    this.links = new UvmProcessorLinks(cards);
    this.sysmem = hw.sysmem;
    const gpus: UvmParentGpu[] = [];
    this.gpus = gpus;
    for (const card of cards) {
      card.handler = this;
      gpus.push(new UvmParentGpu(this, card, gpus.length + UVM_ID_GPU));
    }
    this.gpu = this.gpuOf(UVM_ID_GPU);
  }

  /** The GPU with id `id`. */
  gpuOf(id: UvmProcessorId): UvmParentGpu {
    const gpu = this.gpus[id - 1];
    if (gpu === undefined) throw new HmmError('PROCESSOR', 'no such GPU is registered', { id });
    return gpu;
  }

  /** The kernel has called back: its step uses the driver's state. Costs one test where nothing is explored. */
  calledBack(): void {
    if (this.exploration !== undefined) this.kernel.sched.access(this.exploration.object, true);
  }

  /** `task`, which the kernel has called, whose every step uses the driver's state. */
  calledBackTask<T>(task: Task<T>): Task<T> {
    const { exploration, kernel } = this;
    return exploration === undefined ? task : observedTask(kernel.sched, exploration.object, task);
  }

  /**
   * Opens the device file in a process: a VA space with an address space on the GPU.
   * @uvm uvm.c uvm_open (without: file structures and their modes)
   */
  openVaSpace(): UvmVaSpace {
    const space = new UvmVaSpace(
      this,
      this.kernel,
      this.gpus.map(({ hw }) => hw.openInstance()),
    );
    for (const gpu of this.gpus) gpu.setSpace(space.id, space);
    this.spaces.push(space);
    this.work.spaceOpened(space.id);
    return space;
  }

  /** Lets the GPU use a process's system memory as well, by HMM or, where the hardware can, through the CPU's page tables. */
  *attachMm(space: UvmVaSpace, mm: MmStruct, ats: boolean): Task<number> {
    this.devmem ??= new UvmHmmDevmem(this, mm.system, ats);
    this.gpu.hw.foreign ??= new SystemFrames(mm.system);
    const ready = yield* mmuNotifierRegister(undefined, mm);
    if (ready !== 0) return ready;
    space.hmm = new UvmHmmVaSpace(space, mm, this.devmem);
    if (!ats) return 0;
    space.ats = new UvmAts(space, mm, this.devmem);
    return yield* space.ats.bind();
  }

  /** Closes a VA space: kernels end, what is in device memory goes home, all ranges go. */
  *closeVaSpace(space: UvmVaSpace): Task {
    for (const { hw, id } of this.gpus) hw.closeInstance(space.instanceOn(id));
    for (const { serviceLock } of this.gpus) if (!serviceLock.tryFast()) yield* serviceLock.lock();
    const { ats, hmm } = space;
    space.hmm = undefined;
    space.ats = undefined;
    if (ats !== undefined) yield* ats.unbind();
    if (hmm !== undefined) {
      yield* hmm.devmem.evictBlocks((block) => block.hmm?.space === hmm);
      yield* hmm.close();
    }
    if (!space.lock.tryWriteFast()) yield* space.lock.write();
    for (const start of space.allocationStarts()) space.free(start);
    space.lock.unlockWrite();
    this.spaces = this.spaces.filter((other) => other !== space);
    for (const gpu of this.gpus) {
      gpu.setSpace(space.id, undefined);
      gpu.serviceLock.unlock();
    }
  }

  /** A GPU's fault interrupt (both halves). */
  *faultsPending(hw: Gpu): Task {
    const gpu = this.parentOf(hw);
    const { serviceLock } = gpu;
    if (!serviceLock.tryFast()) yield* serviceLock.lock();
    try {
      this.unpinUntil(this.clock.time());
      yield* uvmParentGpuServiceReplayableFaults(gpu);
    } finally {
      serviceLock.unlock();
    }
  }

  /** The interrupt of faults that cannot be replayed (both halves). */
  *nonReplayableFaultsPending(hw: Gpu): Task {
    const gpu = this.parentOf(hw);
    const { nonReplayableLock } = gpu;
    if (!nonReplayableLock.tryFast()) yield* nonReplayableLock.lock();
    try {
      yield* uvmServiceNonReplayableFaults(gpu);
    } finally {
      nonReplayableLock.unlock();
    }
  }

  /** The access counters' interrupt (both halves). */
  *notificationsPending(hw: Gpu): Task {
    const gpu = this.parentOf(hw);
    const { counterLock } = gpu;
    if (!counterLock.tryFast()) yield* counterLock.lock();
    try {
      yield* uvmServiceAccessCounters(gpu);
    } finally {
      counterLock.unlock();
    }
  }

  /** Evicts one root chunk of `gpu`, of whatever memory, for somebody outside; false when none can be. */
  *evictAny(gpu: UvmParentGpu): Task<boolean> {
    if (this.devmem !== undefined) return yield* this.devmem.evictOne(true);
    const ctx = gpu.reclaimContext;
    ctx.begin(UVM_MAKE_RESIDENT_CAUSE_EVICTION, this.clock.time());
    return gpu.evict(ctx, undefined);
  }

  private parentOf(hw: Gpu): UvmParentGpu {
    return this.gpus.find((gpu) => gpu.hw === hw) ?? this.gpu;
  }

  /** Unpins, in every VA space, what was pinned long enough by `now` (the delayed worker of the detector). */
  unpinUntil(now: number): void {
    for (const space of this.spaces) space.unpinUntil(now);
  }
}

/** What the work costs, and the clock: nothing, and one that stands still, where interleavings are explored. */
function timingOf(kernel: Kernel, hw: Gpu, { exploration, figures }: UvmDriverOptions): UvmTimingPorts {
  if (exploration !== undefined) return { clock: new UvmStandingClock(), work: new UvmNoTime() };
  const { name, serviceScale, link } = hw.preset;
  const pages = linkPages(link, gpuPreset(recordedGpu(name)).link, serviceScale.value);
  return new UvmTiming(kernel.sched, serviceScale.value, figures ?? figuresOfGpu(name), pages);
}
