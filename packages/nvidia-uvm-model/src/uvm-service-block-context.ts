import { declareState } from '@hmm/kernel/internal';
import type { Gpu } from '@hmm/gpu';
import type { UvmMoments } from './uvm-clock.js';
import type { UvmCpuChunks } from './uvm-cpu-chunks.js';
import type { UvmGlobal } from './uvm-global.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import { MASK_WORDS, maskOf, newMask, PAGES_PER_BLOCK, type UvmPageMask } from './uvm-page-mask.js';
import { UvmPrefetchTree } from './uvm-perf-prefetch-tree.js';
import { UVM_PERF_THRASHING_HINT_TYPE_NONE } from './uvm-perf-policy.js';
import type { UvmTools } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UvmEventMapRemoteCausePolicy,
  type UvmMakeResidentCause,
  type UvmProcessorId,
} from './uvm-types.js';
import { UvmBlockWork } from './uvm-work.js';

/** Most runs of pages in one block: every other page. */
const MAX_RUNS = PAGES_PER_BLOCK;

/** A hint of the thrashing detector: what to do with a fault, and where to pin or until when to sleep. */
export interface UvmThrashingHint {
  /** One of `UVM_PERF_THRASHING_HINT_TYPE_*`. */
  type: number;
  residency: UvmProcessorId;
  /** End of the throttle period, ns. */
  end: number;
}

/** Scratch masks, one for each purpose; what is in them is good until the function that says so returns. */
export class UvmVaBlockContext {
  /** What of it is state. */
  static readonly state = declareState({
    moving: 'constant',
    copied: 'constant',
    zeroed: 'constant',
    dropped: 'constant',
    change: 'constant',
    revoked: 'constant',
    stayed: 'constant',
    byProt: 'constant',
    pinnedPart: 'constant',
    otherPart: 'constant',
    onePage: 'constant',
    addByProt: 'constant',
    addPart: 'constant',
    region: 'constant',
    part: 'constant',
    discarded: 'constant',
    grown: 'constant',
    shifted: 'constant',
    tree: 'constant',
    touched: 'constant',
    stored: 'constant',
  });

  /** What a make-resident step moves: pages that come to the destination, those that are copied, those that are zero-filled. */
  readonly moving = newMask();
  readonly copied = newMask();
  readonly zeroed = newMask();
  /** Duplicates that are dropped, pages that are prepared for duplication. */
  readonly dropped = newMask();
  /** What a change of mappings changes; the part of it that has a right; the part that did not migrate. */
  readonly change = newMask();
  readonly revoked = newMask();
  readonly stayed = newMask();
  /** Pages by their new protection, weakest first, and the parts of one of them. */
  readonly byProt: readonly [UvmPageMask, UvmPageMask, UvmPageMask] = [newMask(), newMask(), newMask()];
  readonly pinnedPart = newMask();
  readonly otherPart = newMask();
  readonly onePage = newMask();
  /** Pages to add mappings of, by the protection they may get, and those of them that are in one place. */
  readonly addByProt: readonly [UvmPageMask, UvmPageMask, UvmPageMask] = [newMask(), newMask(), newMask()];
  readonly addPart = newMask();
  /** Pages that a call names, those of them that it works on, and those that were discarded before. */
  readonly region = newMask();
  readonly part = newMask();
  readonly discarded = newMask();
  /** Pages that a run of a CPU's accesses touches, and stores to. */
  readonly touched = newMask();
  readonly stored = newMask();
  /** What the prefetcher builds its tree over. */
  readonly grown = newMask();
  readonly shifted = newMask();
  readonly tree = new UvmPrefetchTree();
}

/** What a context works with: the driver that it belongs to. */
export interface UvmContextHost {
  readonly global: UvmGlobal;
  readonly tools: UvmTools;
  readonly cpuChunks: UvmCpuChunks;
}

/**
 * What one service of one block works on: masks that live as long as the driver, and
 * what the service did, for the cost of it. One service at a time uses a context.
 * @uvm uvm_forward_decl.h uvm_service_block_context_t
 */
export class UvmServiceBlockContext implements UvmMoments {
  /** What of it is state. */
  static readonly state = declareState({
    global: { outside: 'chosen when the driver is loaded' },
    tools: { saved: 'totals, which decide nothing' },
    cpuChunks: 'constant',
    gpu: 'constant',
    hw: 'constant',
    scratch: 'constant',
    perService: 'constant',
    toCpu: 'constant',
    toGpu: 'constant',
    faulted: 'constant',
    writes: 'constant',
    atomics: 'constant',
    duplicate: 'constant',
    pinned: 'constant',
    prefetch: 'constant',
    migrated: 'constant',
    runFirst: 'constant',
    runOuter: 'constant',
    runCause: 'constant',
    runs: 'value',
    remoteFirst: 'constant',
    remotePages: 'constant',
    remoteCauses: 'constant',
    remoteRuns: 'value',
    mapsLate: 'value',
    anyDuplicate: 'value',
    anyPinned: 'value',
    cause: 'value',
    remoteCause: 'value',
    startTime: 'value',
    hintTime: 'value',
    migrationTime: 'value',
    hint: 'constant',
    done: 'constant',
  });

  readonly global: UvmGlobal;
  readonly tools: UvmTools;
  readonly cpuChunks: UvmCpuChunks;
  /** The GPU that the service is of. */
  readonly gpu: UvmParentGpu;
  readonly hw: Gpu;
  /** Scratch of its steps. */
  readonly scratch = new UvmVaBlockContext();
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
  /** Copied runs of one make-resident step: first page, page after the last, migration cause. */
  readonly runFirst = new Int32Array(MAX_RUNS);
  readonly runOuter = new Int32Array(MAX_RUNS);
  readonly runCause = new Int32Array(MAX_RUNS);
  runs = 0;
  /** Runs mapped remotely and not told of yet: first page of the address space, pages, cause. */
  readonly remoteFirst = new Float64Array(MAX_RUNS);
  readonly remotePages = new Int32Array(MAX_RUNS);
  readonly remoteCauses = new Int32Array(MAX_RUNS);
  remoteRuns = 0;
  /** They are told of at the service's end, when the GPU has written their page tables. */
  mapsLate = false;
  /** Whether `duplicate`, `pinned` may hold a page. */
  anyDuplicate = false;
  anyPinned = false;
  /** Why pages are made resident. */
  cause: UvmMakeResidentCause = UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT;
  /** Why remote mappings are made, but for pins. */
  remoteCause: number = UvmEventMapRemoteCausePolicy;
  startTime = 0;
  hintTime = 0;
  migrationTime = 0;
  /** The detector's latest hint; valid until the next is asked for. */
  readonly hint: UvmThrashingHint = {
    type: UVM_PERF_THRASHING_HINT_TYPE_NONE,
    residency: UVM_ID_CPU,
    end: 0,
  };
  /** What the service did. */
  readonly done = new UvmBlockWork();

  constructor(host: UvmContextHost, gpu: UvmParentGpu) {
    this.global = host.global;
    this.tools = host.tools;
    this.cpuChunks = host.cpuChunks;
    this.gpu = gpu;
    this.hw = gpu.hw;
  }

  /** Begins a service at time `now`, ns. */
  begin(cause: UvmMakeResidentCause, now: number): void {
    this.cause = cause;
    this.startTime = now;
    this.hintTime = now;
    this.migrationTime = now;
    this.perService.fill(0);
    this.anyDuplicate = false;
    this.anyPinned = false;
    this.remoteCause = UvmEventMapRemoteCausePolicy;
    this.runs = 0;
    this.remoteRuns = 0;
    this.mapsLate = false;
    this.done.clear();
  }

  /** When the last of its copies so far ends, ns. */
  get copiesEnd(): number {
    return this.migrationTime + this.done.copyNs;
  }
}
