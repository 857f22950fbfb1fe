import { declareState } from '@hmm/kernel/internal';
import type { PhysicalMemory } from '@hmm/gpu';
import { HmmError } from '@hmm/kernel';
import type { UvmClock, UvmMoments } from './uvm-clock.js';
import type { UvmCpuChunks } from './uvm-cpu-chunks.js';
import type { UvmGlobal } from './uvm-global.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import {
  MASK_WORDS,
  maskEmpty,
  maskOf,
  newMask,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { UvmPrefetchTree } from './uvm-perf-prefetch-tree.js';
import { UVM_PERF_THRASHING_HINT_TYPE_NONE } from './uvm-perf-policy.js';
import type { UvmProcessorLinks } from './uvm-processor-links.js';
import type { UvmTools } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UvmEventMapRemoteCausePolicy,
  type UvmMakeResidentCause,
  type UvmProcessorId,
  type UvmProcessorMask,
} from './uvm-types.js';
import { UvmBlockWork, type UvmWork } from './uvm-work.js';

/** Most runs of pages in one block: every other page, twice where copies go by way of the CPU. */
const MAX_RUNS = 2 * PAGES_PER_BLOCK;
/** Masks of a service beside those of where pages go. */
const COMMON_MASKS = 7;

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
    left: 'constant',
    fromOne: 'constant',
    staged: 'constant',
    mappedBy: 'value',
    heldBy: 'value',
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
  /** Of these: what no source has given yet, what one source gives, what goes by way of the CPU. */
  readonly left = newMask();
  readonly fromOne = newMask();
  readonly staged = newMask();
  /** The processors that map, and that have the data of, pages that come. */
  mappedBy: UvmProcessorMask = 0;
  heldBy: UvmProcessorMask = 0;
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
  readonly links: UvmProcessorLinks;
  readonly clock: UvmClock;
  readonly work: UvmWork;
  readonly gpus: readonly UvmParentGpu[];
  readonly sysmem: PhysicalMemory;
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
    links: { outside: 'what the cards are' },
    clock: 'constant',
    work: 'constant',
    gpus: 'constant',
    sysmem: 'constant',
    scratch: 'constant',
    perService: 'constant',
    to: 'constant',
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
    runEnds: 'constant',
    runs: 'value',
    remoteFirst: 'constant',
    remotePages: 'constant',
    remoteValues: 'constant',
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
  readonly links: UvmProcessorLinks;
  readonly clock: UvmClock;
  readonly work: UvmWork;
  /** The driver's GPUs, by id less one, and the contents of host memory. */
  private readonly gpus: readonly UvmParentGpu[];
  private readonly sysmem: PhysicalMemory;
  /** Scratch of its steps. */
  readonly scratch = new UvmVaBlockContext();
  /** The masks that each service begins empty, side by side. */
  private readonly perService: Int32Array;
  /** Pages that faulted at all. */
  readonly faulted: UvmPageMask;
  /** Of these, those whose access writes, and those that are system-scope atomics. */
  readonly writes: UvmPageMask;
  readonly atomics: UvmPageMask;
  /** Pages that get a copy instead of moving. */
  readonly duplicate: UvmPageMask;
  /** Pages that the detector pinned in this service. */
  readonly pinned: UvmPageMask;
  /** Pages that the prefetcher takes along. */
  readonly prefetch: UvmPageMask;
  /** Pages that changed residency in this service. */
  readonly migrated: UvmPageMask;
  /** Pages that faulted, by the processor that they go to. */
  private readonly to: readonly UvmPageMask[];
  /** Copied runs of one make-resident step: first page, page after the last, migration cause. */
  readonly runFirst: Int32Array = new Int32Array(MAX_RUNS);
  readonly runOuter: Int32Array = new Int32Array(MAX_RUNS);
  readonly runCause: Int32Array = new Int32Array(MAX_RUNS);
  /** Source and destination of each: `source | destination << 8`. */
  readonly runEnds: Int32Array = new Int32Array(MAX_RUNS);
  runs = 0;
  /** Runs mapped remotely and not told of yet: first page of the address space, pages, cause. */
  readonly remoteFirst: Float64Array = new Float64Array(MAX_RUNS);
  readonly remotePages: Int32Array = new Int32Array(MAX_RUNS);
  readonly remoteValues: Int32Array = new Int32Array(MAX_RUNS);
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

  constructor(host: UvmContextHost) {
    this.global = host.global;
    this.tools = host.tools;
    this.cpuChunks = host.cpuChunks;
    this.links = host.links;
    this.clock = host.clock;
    this.work = host.work;
    this.gpus = host.gpus;
    this.sysmem = host.sysmem;
    const row = new Int32Array((COMMON_MASKS + host.links.processors) * MASK_WORDS);
    this.perService = row;
    this.faulted = maskOf(row, 0);
    this.writes = maskOf(row, 1);
    this.atomics = maskOf(row, 2);
    this.duplicate = maskOf(row, 3);
    this.pinned = maskOf(row, 4);
    this.prefetch = maskOf(row, 5);
    this.migrated = maskOf(row, 6);
    this.to = Array.from({ length: host.links.processors }, (_, id) => maskOf(row, COMMON_MASKS + id));
  }

  /** Pages that faulted and go to processor `id`. */
  goingTo(id: UvmProcessorId): UvmPageMask {
    const mask = this.to[id];
    if (mask === undefined) throw new HmmError('PROCESSOR', 'no such processor is registered', { id });
    return mask;
  }

  /** The processors that some page goes to. */
  destinations(): UvmProcessorMask {
    let mask = 0;
    for (const [id, pages] of this.to.entries()) if (!maskEmpty(pages)) mask |= 1 << id;
    return mask;
  }

  /** The GPU with id `id`. */
  gpuOf(id: UvmProcessorId): UvmParentGpu {
    const gpu = this.gpus[id - 1];
    if (gpu === undefined) throw new HmmError('PROCESSOR', 'no such GPU is registered', { id });
    return gpu;
  }

  /** The contents of the memory of processor `id`. */
  memoryOf(id: UvmProcessorId): PhysicalMemory {
    return id === UVM_ID_CPU ? this.sysmem : this.gpuOf(id).hw.vidmem;
  }

  /** Adds a run of pages that are copied, `first` … `outer - 1`. */
  addRun(first: number, outer: number, cause: number): void {
    const { runs } = this;
    this.runFirst[runs] = first;
    this.runOuter[runs] = outer;
    this.runCause[runs] = cause;
    this.runs = runs + 1;
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
