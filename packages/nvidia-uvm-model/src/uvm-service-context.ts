import { newMask, PAGES_PER_BLOCK, type UvmPageMask, maskZero } from './uvm-page-mask.js';
import {
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UvmEventMapRemoteCausePolicy,
  type UvmMakeResidentCause,
} from './uvm-types.js';

/** Most runs of pages in one block: every other page. */
const MAX_RUNS = PAGES_PER_BLOCK;

/**
 * What one service of one block works on: masks that live as long as the driver, and
 * what the service did, for the cost of it. One service at a time uses a context.
 * @uvm uvm_forward_decl.h uvm_service_block_context_t
 */
export class UvmServiceContext {
  /** Pages that faulted and go to the CPU, to the GPU. */
  readonly toCpu = newMask();
  readonly toGpu = newMask();
  /** Pages that faulted at all. */
  readonly faulted = newMask();
  /** Of these, those whose access writes, and those that are system-scope atomics. */
  readonly writes = newMask();
  readonly atomics = newMask();
  /** Pages that get a copy instead of moving. */
  readonly duplicate = newMask();
  /** Pages that the detector pinned in this service. */
  readonly pinned = newMask();
  /** Pages that the prefetcher takes along. */
  readonly prefetch = newMask();
  /** Pages that changed residency in this service. */
  readonly migrated = newMask();
  /** Scratch of one step. */
  readonly work = newMask();
  readonly work2 = newMask();
  readonly work3 = newMask();
  /** Copied runs of one make-resident step: first page, page after the last, migration cause. */
  readonly runFirst = new Int32Array(MAX_RUNS);
  readonly runOuter = new Int32Array(MAX_RUNS);
  readonly runCause = new Int32Array(MAX_RUNS);
  runs = 0;
  /** Why pages are made resident. */
  cause: UvmMakeResidentCause = UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT;
  /** Virtual times, ns: when the fault's service began, when the hint is asked for, when the migration is noted, when copies begin. */
  startTime = 0;
  hintTime = 0;
  migrationTime = 0;
  /** When mappings are written if nothing was copied; else they follow the copies. */
  mapTime = 0;
  /** Why remote mappings are made, but for pins. */
  remoteCause: number = UvmEventMapRemoteCausePolicy;
  /** End of the throttle period when the hint was THROTTLE. */
  throttleEnd = 0;

  /** Work done, for the cost: transfers, pages copied, pages first populated, pages mapped, remote runs. */
  transfers = 0;
  copiedPages = 0;
  zeroedPages = 0;
  mappedPages = 0;
  remoteRuns = 0;
  /** ns of the copies. */
  copyNs = 0;
  /** 2 MiB host chunks zeroed; whether the GPU lost rights, duplicates were dropped; pages detected, chunks evicted. */
  zeroedChunks = 0;
  revokedGpu = false;
  collapsed = false;
  detected = 0;
  evictions = 0;

  /** Begins a service at virtual time `now`. */
  begin(cause: UvmMakeResidentCause, now: number): void {
    this.cause = cause;
    this.startTime = now;
    this.hintTime = now;
    this.migrationTime = now;
    this.mapTime = now;
    for (const mask of this.perService()) maskZero(mask);
    this.remoteCause = UvmEventMapRemoteCausePolicy;
    this.runs = 0;
    this.transfers = 0;
    this.copiedPages = 0;
    this.zeroedPages = 0;
    this.mappedPages = 0;
    this.remoteRuns = 0;
    this.copyNs = 0;
    this.zeroedChunks = 0;
    this.revokedGpu = false;
    this.collapsed = false;
    this.detected = 0;
    this.evictions = 0;
  }

  private perService(): UvmPageMask[] {
    return [
      this.toCpu,
      this.toGpu,
      this.faulted,
      this.writes,
      this.atomics,
      this.duplicate,
      this.pinned,
      this.prefetch,
      this.migrated,
    ];
  }
}
