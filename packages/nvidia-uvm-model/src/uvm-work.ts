import type { GpuBulk } from '@hmm/gpu';
import { declareState } from '@hmm/kernel/internal';
import type { UvmClock } from './uvm-clock.js';
import type { UvmPageMask } from './uvm-page-mask.js';
import { UVM_ID_GPU, type UvmProcessorId } from './uvm-types.js';

/** What a service of one block did. */
export class UvmBlockWork {
  /** What of it is state. */
  static readonly state = declareState({
    gpu: 'value',
    taken: 'value',
    refused: 'value',
    prefetched: 'value',
    transfers: 'value',
    copiedPages: 'value',
    copyNs: 'value',
    zeroedPages: 'value',
    zeroedChunks: 'value',
    mappedPages: 'value',
    remoteRuns: 'value',
    revokedGpu: 'value',
    collapsed: 'value',
    evictions: 'value',
    newRoot: 'value',
    copiesEnd: 'value',
  });

  /** Whose faults are served, where they are a GPU's. */
  gpu: UvmProcessorId = UVM_ID_GPU;
  /** Faults that were served, and that the thrashing detector refused. */
  taken = 0;
  refused = 0;
  /** Pages that the prefetcher named. */
  prefetched = 0;
  /** Runs copied, their pages, and the link's time for them, ns. */
  transfers = 0;
  copiedPages = 0;
  copyNs = 0;
  /** Pages populated with zeros; 2 MiB host chunks zeroed. */
  zeroedPages = 0;
  zeroedChunks = 0;
  /** Pages whose mapping changed; runs of them mapped remotely. */
  mappedPages = 0;
  remoteRuns = 0;
  /** The GPU lost rights; duplicates were dropped. */
  revokedGpu = false;
  collapsed = false;
  /** Root chunks evicted for it. */
  evictions = 0;
  /** A root chunk was taken for the block. */
  newRoot = false;

  /** When the last copy ends, ns. */
  copiesEnd = 0;

  /** Nothing done. */
  clear(): void {
    this.taken = 0;
    this.refused = 0;
    this.prefetched = 0;
    this.copiesEnd = 0;
    this.transfers = 0;
    this.copiedPages = 0;
    this.copyNs = 0;
    this.zeroedPages = 0;
    this.zeroedChunks = 0;
    this.mappedPages = 0;
    this.remoteRuns = 0;
    this.revokedGpu = false;
    this.collapsed = false;
    this.evictions = 0;
    this.newRoot = false;
  }
}

/** A batch that serves system memory. */
export interface UvmBatchServes {
  readonly entries: number;
  /** It was entered by an interrupt. */
  readonly entered: boolean;
}

/** Pages of system memory moved: all of them, those that were only zeroed, and the link's time for the others, ns. */
export interface UvmPagesMoved {
  readonly pages: number;
  readonly zeroed: number;
  readonly copyNs: number;
}

/** A call that moved managed memory. */
export interface UvmMigrated {
  readonly space: number;
  readonly to: UvmProcessorId;
  /** Pages asked for, copied, zeroed. */
  readonly pages: number;
  readonly copied: number;
  readonly zeroed: number;
  /** 2 MiB host chunks zeroed. */
  readonly chunks: number;
}

/** A copy or a fill of the runtime's, when its kernels have run: `linkNs` is the time of the links for its bytes. */
export interface UvmCopied {
  readonly space: number;
  readonly bulk: GpuBulk;
  readonly pages: number;
  readonly linkNs: number;
}

/** Kinds of advice. */
export type UvmAdviceKind = 'preferred_location' | 'accessed_by' | 'read_duplication';

/** An advice given: what it did to the ranges that it covers. */
export interface UvmAdvised {
  readonly space: number;
  readonly kind: UvmAdviceKind;
  /** Blocks cut in two, and the pages that they had. */
  readonly cut: number;
  readonly cutPages: number;
  /** Pages looked at in CPU memory; pages that the GPU is to map; pages that the CPU may not write any more. */
  readonly looked: number;
  readonly mapped: number;
  readonly protected: number;
}

/**
 * What the driver did, as records. Each is told when the work is done, and the answer is how long it took, ns, which the driver lets
 * pass. The answers decide nothing; time that does comes from the driver's clock.
 */
export interface UvmWork {
  /** A process opened the driver. */
  spaceOpened(space: number): void;
  /** A kernel was launched: the time to its first access. */
  /** It is one of the runtime's where `bulk`. */
  kernelLaunched(space: number, bulk: boolean): number;
  kernelEnded(space: number): number;

  /** A CPU begins a loop of accesses; one of them faults for the first time; the loop ends. */
  cpuLoopBegins(space: number): void;
  cpuLoopFaults(space: number): number;
  cpuLoopEnds(space: number, faulted: boolean): number;
  /** A CPU touches pages of the block at page `start`, which it has mapped, and stores to those of `stored`. */
  cpuTouches(space: number, start: number, touched: UvmPageMask, stored: UvmPageMask): void;
  /** Since this was called last in VA space `space`, its CPU touched `pages` mapped pages, in a loop that `stores`. */
  cpuTouched(space: number, pages: number, stores: boolean): number;
  /** Pages of the block at `start` are mapped on the CPU, or may be written by it from now on. */
  cpuMapped(space: number, start: number, pages: UvmPageMask): void;
  /** A CPU fault has looked its block up; sleeps, `left` ns before the end of its throttling; was served. */
  cpuLookedUp(): number;
  cpuThrottled(left: number): number;
  cpuFaultServed(space: number, blockPages: number, done: UvmBlockWork): number;
  /** So much of a CPU fault, at most, comes when its locks are dropped. */
  cpuReturns(): number;

  /** An interrupt of the GPU entered the driver, whose batch has `entries` faults. */
  interrupted(entries: number): number;
  batchFetched(): void;
  /** A block of managed memory is served, for a batch of `entries` faults. */
  blockServed(space: number, entries: number, done: UvmBlockWork): number;
  /** So much of a refusal comes when its lock is dropped. */
  refusalReturns(): number;
  /** All blocks of a batch are served. */
  batchServed(entries: number, refused: number): number;
  /** System memory is served for `taken` faults of a batch of `entries`; the batch was `entered` by an interrupt. */
  systemServed(space: number, taken: number, batch: UvmBatchServes, moved: UvmPagesMoved): number;
  /** A fault that cannot be replayed was served; a notification of an access counter, with copies of `copyNs`. */
  nonReplayableServed(): number;
  notificationServed(copyNs: number): number;
  /** A CPU fault on system memory was served. */
  systemCpuFaultServed(moved: UvmPagesMoved): number;

  migrated(call: UvmMigrated): number;
  systemMigrated(to: UvmProcessorId, moved: UvmPagesMoved): number;
  advised(call: UvmAdvised): number;
  /** `pages` pages were discarded. */
  discarded(space: number, pages: number): number;
  /** The kernel accessed `pages` pages of a process for itself. */
  kernelAccessed(space: number, pages: number): number;
  copied(call: UvmCopied): number;
  /** The process forked. */
  forked(space: number): number;
}

/** What a driver is timed by. */
export interface UvmTimingPorts {
  readonly clock: UvmClock;
  readonly work: UvmWork;
}
