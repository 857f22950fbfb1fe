import { MASK_WORDS, maskOf, newMask, PAGES_PER_BLOCK } from './uvm-page-mask.js';
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
  /** The masks that each service begins empty, side by side. */
  private readonly perService = new Int32Array(9 * MASK_WORDS);
  /** Pages that faulted and go to the CPU, to the GPU. */
  readonly toCpu = maskOf(this.perService, 0);
  readonly toGpu = maskOf(this.perService, 1);
  /** Pages that faulted at all. */
  readonly faulted = maskOf(this.perService, 2);
  /** Of these, those whose access writes, and those that are system-scope atomics. */
  readonly writes = maskOf(this.perService, 3);
  readonly atomics = maskOf(this.perService, 4);
  /** Pages that get a copy instead of moving. */
  readonly duplicate = maskOf(this.perService, 5);
  /** Pages that the detector pinned in this service. */
  readonly pinned = maskOf(this.perService, 6);
  /** Pages that the prefetcher takes along. */
  readonly prefetch = maskOf(this.perService, 7);
  /** Pages that changed residency in this service. */
  readonly migrated = maskOf(this.perService, 8);
  /** Scratch of one step. */
  readonly work = newMask();
  readonly work3 = newMask();
  /** Copied runs of one make-resident step: first page, page after the last, migration cause. */
  readonly runFirst = new Int32Array(MAX_RUNS);
  readonly runOuter = new Int32Array(MAX_RUNS);
  readonly runCause = new Int32Array(MAX_RUNS);
  runs = 0;
  /** Whether `duplicate`, `pinned` may hold a page. */
  anyDuplicate = false;
  anyPinned = false;
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
  /** A root chunk was taken for the block: on the list of used ones until the service is over, whatever happens. */
  newRoot = false;

  /** Begins a service at virtual time `now`. */
  begin(cause: UvmMakeResidentCause, now: number): void {
    this.cause = cause;
    this.startTime = now;
    this.hintTime = now;
    this.migrationTime = now;
    this.mapTime = now;
    this.perService.fill(0);
    this.anyDuplicate = false;
    this.anyPinned = false;
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
    this.newRoot = false;
  }
}
