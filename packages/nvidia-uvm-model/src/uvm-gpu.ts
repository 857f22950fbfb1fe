import type { Gpu } from '@hmm/gpu';
import { type Kernel, Mutex } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { UvmClock } from './uvm-clock.js';
import type { UvmDriver } from './uvm-driver.js';
import { evictOne } from './uvm-eviction.js';
import { UvmAccessCounters } from './uvm-gpu-access-counters.js';
import { UvmNonReplayableFaults } from './uvm-gpu-non-replayable-faults.js';
import { UvmReplayableFaults } from './uvm-gpu-replayable-faults.js';
import type { UvmHmmDevmem } from './uvm-hmm-devmem.js';
import { UvmPmmGpu } from './uvm-pmm-gpu.js';
import { UvmServiceBlockContext } from './uvm-service-block-context.js';
import type { UvmTools } from './uvm-tools.js';
import type { UvmProcessorId } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import type { UvmVaSpace } from './uvm-va-space.js';
import type { UvmWork } from './uvm-work.js';

/**
 * A GPU that the driver has registered: its memory, its fault buffers and access counters with their locks, and the VA spaces behind its
 * instance pointers.
 * @uvm uvm_forward_decl.h uvm_parent_gpu_t
 */
export class UvmParentGpu {
  /** What of it is state. */
  static readonly state = declareState({
    id: 'constant',
    kernel: 'constant',
    tools: { saved: 'totals, which decide nothing' },
    clock: 'constant',
    work: 'constant',
    hw: 'constant',
    pmm: 'constant',
    replayable: 'constant',
    nonReplayable: 'constant',
    accessCounters: 'constant',
    mapRemoteOnEviction: 'constant',
    evictionContext: { saved: 'scratch of one service, written before it is read' },
    reclaimContext: { saved: 'scratch of one service, written before it is read' },
    serviceLock: 'constant',
    nonReplayableLock: 'constant',
    counterLock: 'constant',
    driver: 'constant',
    spaces: 'constant',
    oversubscription: 'constant',
  });

  /** Its processor id. */
  readonly id: UvmProcessorId;
  readonly kernel: Kernel;
  readonly tools: UvmTools;
  readonly clock: UvmClock;
  readonly work: UvmWork;
  /** The card. */
  readonly hw: Gpu;
  readonly pmm: UvmPmmGpu;
  readonly replayable: UvmReplayableFaults;
  readonly nonReplayable: UvmNonReplayableFaults;
  readonly accessCounters: UvmAccessCounters;
  /** `uvm_perf_map_remote_on_eviction`, in force where access counters can take the data back. */
  readonly mapRemoteOnEviction: boolean;
  /** What an eviction works on, while the service that needs the memory is under way. */
  readonly evictionContext: UvmServiceBlockContext;
  /** What an eviction works on that no service asks for. */
  readonly reclaimContext: UvmServiceBlockContext;
  /** Held by who services faults (the ISR's service lock). */
  readonly serviceLock: Mutex;
  /** Held by who serves faults that cannot be replayed. */
  readonly nonReplayableLock: Mutex;
  /** Held by who serves notifications of access counters. */
  readonly counterLock: Mutex;
  private readonly driver: UvmDriver;
  /** VA spaces by GPU address space. */
  private readonly spaces: (UvmVaSpace | undefined)[] = [];
  private readonly oversubscription: boolean;

  constructor(driver: UvmDriver, hw: Gpu, id: UvmProcessorId) {
    const { kernel, global } = driver;
    this.id = id;
    this.driver = driver;
    this.kernel = kernel;
    this.tools = driver.tools;
    this.clock = driver.clock;
    this.work = driver.work;
    this.hw = hw;
    this.oversubscription = global.oversubscription;
    this.pmm = new UvmPmmGpu(hw.memoryPages, global.policy);
    this.replayable = new UvmReplayableFaults(
      global.params,
      hw.preset.capability,
      new UvmServiceBlockContext(driver),
    );
    hw.prefetchFaults = this.replayable.prefetchFaultsSupported;
    this.nonReplayable = new UvmNonReplayableFaults(new UvmServiceBlockContext(driver));
    this.accessCounters = new UvmAccessCounters(hw, global, new UvmServiceBlockContext(driver));
    this.mapRemoteOnEviction =
      this.accessCounters.enabled && global.params.get('uvm_perf_map_remote_on_eviction') === 1;
    this.evictionContext = new UvmServiceBlockContext(driver);
    this.reclaimContext = new UvmServiceBlockContext(driver);
    this.serviceLock = new Mutex(kernel.sched, kernel.allocIds(1), 'ISR');
    this.nonReplayableLock = new Mutex(kernel.sched, kernel.allocIds(1), 'ISR_NON_REPLAYABLE');
    this.counterLock = new Mutex(kernel.sched, kernel.allocIds(1), 'ISR_ACCESS_COUNTERS');
  }

  /** The VA space behind an instance pointer; undefined when its channels are gone. */
  spaceOf(instance: number): UvmVaSpace | undefined {
    const space = this.spaces[instance];
    return space === undefined || space.isDead ? undefined : space;
  }

  /** Makes `space`, or nothing, the VA space behind an instance pointer. */
  setSpace(instance: number, space: UvmVaSpace | undefined): void {
    this.spaces[instance] = space;
  }

  /** Device memory as pages of the kernel; undefined while no process uses system memory. */
  get devmem(): UvmHmmDevmem | undefined {
    return this.driver.devmem;
  }

  /** A root chunk for `block`, evicting if need be; its first frame, or -1. */
  allocRoot(ctx: UvmServiceBlockContext, block: UvmVaBlock): number {
    for (;;) {
      const pfn = this.pmm.allocRoot(block, ctx.hintTime);
      if (pfn >= 0 || !this.evict(ctx, block)) return pfn;
    }
  }

  /** A chunk of `pages` frames for `block`, evicting if need be; its first frame, or -1. */
  allocChunk(ctx: UvmServiceBlockContext, block: UvmVaBlock, pages: number): number {
    for (;;) {
      const pfn = this.pmm.allocChunk(block, pages, ctx.hintTime);
      if (pfn >= 0 || !this.evict(ctx, block)) return pfn;
    }
  }

  /** Evicts a root chunk of managed memory that `keep` has no part of; false where that may not, or cannot, be. */
  evict(ctx: UvmServiceBlockContext, keep: UvmVaBlock | undefined): boolean {
    return this.oversubscription && evictOne(ctx, this, keep);
  }
}
