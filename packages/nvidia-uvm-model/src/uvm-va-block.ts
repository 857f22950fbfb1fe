import { HmmError, Mutex } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  MASK_WORDS,
  maskClip,
  maskEmpty,
  maskOf,
  maskShiftDown,
  newMask,
  PAGES_PER_BLOCK,
  type UvmPageMask,
  maskTest,
} from './uvm-page-mask.js';
import type { UvmThrashingInfo } from './uvm-perf-thrashing.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_ID_INVALID,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  type UvmOptionalId,
  type UvmProcessorId,
  type UvmProcessorMask,
} from './uvm-types.js';
import type { UvmHmmBlock } from './uvm-hmm.js';
import type { UvmVaRange } from './uvm-va-range.js';

/** Masks kept for each processor. */
export interface UvmProcessorMasks {
  /** Valid data lives here. */
  readonly resident: UvmPageMask;
  /** Mapped at all; `write` and `atomic` include it. */
  readonly read: UvmPageMask;
  readonly write: UvmPageMask;
  /** Mapped with system-scope atomics. The CPU's writable mappings count, so there it is `write` itself. */
  readonly atomic: UvmPageMask;
  /** Pages that eviction took from the GPU. */
  readonly evicted: UvmPageMask;
}

/** What a block has of the memory of one GPU. @uvm uvm_va_block.h uvm_va_block_gpu_state_t */
export class UvmVaBlockGpuState {
  /** What of it is state. */
  static readonly state = declareState({ base: 'value', frames: 'value' });

  /** First device frame of the block's own root chunk, or -1. */
  base = -1;
  /** Device frame of each page plus one (0 for none), for blocks without a root chunk of their own. */
  frames: Int32Array | undefined;

  /** The device frame of a page, or -1. */
  frame(page: number): number {
    if (this.base >= 0) return this.base + page;
    return (this.frames?.[page] ?? 0) - 1;
  }
}

/**
 * Where the masks of a block begin in {@link UvmVaBlock.row}, in words. What runs for each service reads them there, and so
 * touches one object and not one for each mask. Those of a processor lie together, at {@link rowOf}.
 */
export const ROW_READ_DUPLICATED = 0;
export const ROW_DISCARDED = 16;
const ROW_PROCESSORS = 32;
/** Masks of a processor, from {@link rowOf} on. */
export const ROW_RESIDENT = 0;
export const ROW_READ = 16;
export const ROW_WRITE = 32;
const ROW_ATOMIC = 48;
export const ROW_EVICTED = 64;
const ROW_PROCESSOR_WORDS = 80;

/** Where the masks of a processor begin. */
export function rowOf(id: UvmProcessorId): number {
  return ROW_PROCESSORS + id * ROW_PROCESSOR_WORDS;
}

/** Where the pages are that a processor maps with system-scope atomics: those that it may write, for the CPU. */
export function rowAtomic(id: UvmProcessorId): number {
  return rowOf(id) + (id === UVM_ID_CPU ? ROW_WRITE : ROW_ATOMIC);
}

/** Mask of a row. */
function maskAt(row: Int32Array, first: number): UvmPageMask {
  return maskOf(row, first / MASK_WORDS);
}

function processorMasks(row: Int32Array, id: UvmProcessorId): UvmProcessorMasks {
  const first = rowOf(id);
  return {
    resident: maskAt(row, first + ROW_RESIDENT),
    read: maskAt(row, first + ROW_READ),
    write: maskAt(row, first + ROW_WRITE),
    atomic: maskAt(row, rowAtomic(id)),
    evicted: maskAt(row, first + ROW_EVICTED),
  };
}

/**
 * A VA block: at most 2 MiB, the unit of locking, residency and eviction. Pages are counted from its
 * start. State only; what is done to it is in `uvm-va-block-*.ts`.
 * @uvm uvm_forward_decl.h uvm_va_block_t
 */
export class UvmVaBlock {
  /** What of it is state. */
  static readonly state = declareState({
    range: 'value',
    start: 'constant',
    pages: 'value',
    row: 'constant',
    processors: 'constant',
    cpu: 'constant',
    gpu: 'constant',
    gpus: 'constant',
    readDuplicated: 'constant',
    discarded: 'constant',
    cpuBase: 'value',
    lastMigrationProc: 'value',
    faultMigrations: 'value',
    thrashing: 'value',
    hmm: 'value',
    unevictable: 'value',
    pinned: 'value',
    warnedOfPins: { saved: 'what was said, which decides nothing' },
    lock: 'constant',
  });

  /** The range it belongs to. */
  range: UvmVaRange;
  /** First page. */
  readonly start: number;
  /** Pages, 1 … 512. */
  pages: number;
  /** All its masks, side by side, at `ROW_*`. */
  readonly row: Int32Array;
  /** The masks of each processor, by id; the CPU's, and the first GPU's. */
  private readonly processors: readonly UvmProcessorMasks[];
  readonly cpu: UvmProcessorMasks;
  readonly gpu: UvmProcessorMasks;
  /** What it has of each GPU's memory, by id less one. */
  readonly gpus: readonly UvmVaBlockGpuState[];
  /** Pages resident on several processors. */
  readonly readDuplicated: UvmPageMask;
  /** Pages whose contents are needed no more. */
  readonly discarded: UvmPageMask;
  /** First host frame, or -1 while the block has none; frames stay allocated as a cache when the data moves away. */
  cpuBase = -1;
  /** Where the last fault migration went, and faults counted since that changed (the prefetcher's state). */
  lastMigrationProc: UvmOptionalId = UVM_ID_INVALID;
  faultMigrations = 0;
  /** The detector's state, made by the first event. */
  thrashing: UvmThrashingInfo | undefined;
  /** Set for a block of system memory (HMM); undefined for managed memory. */
  hmm: UvmHmmBlock | undefined;
  /** What it has of device memory is never evicted for others. */
  unevictable = false;
  /** Pages whose host frames somebody has pinned for long; undefined for none. */
  pinned: UvmPageMask | undefined;
  /** That pinned pages left for the GPU was said. */
  warnedOfPins = false;
  readonly lock: Mutex;

  constructor(range: UvmVaRange, start: number, pages: number) {
    this.range = range;
    this.start = start;
    this.pages = pages;
    const { kernel, driver } = range.space;
    const count = driver.links.processors;
    const row = new Int32Array(ROW_PROCESSORS + count * ROW_PROCESSOR_WORDS);
    this.row = row;
    this.cpu = processorMasks(row, UVM_ID_CPU);
    this.gpu = processorMasks(row, UVM_ID_GPU);
    const processors = [this.cpu, this.gpu];
    const gpus = [new UvmVaBlockGpuState()];
    for (let id = processors.length; id < count; id++) {
      processors.push(processorMasks(row, id));
      gpus.push(new UvmVaBlockGpuState());
    }
    this.processors = processors;
    this.gpus = gpus;
    this.readDuplicated = maskAt(row, ROW_READ_DUPLICATED);
    this.discarded = maskAt(row, ROW_DISCARDED);
    this.lock = new Mutex(kernel.sched, kernel.allocIds(1), 'VA_BLOCK');
  }

  /** The masks of a processor. */
  masks(id: UvmProcessorId): UvmProcessorMasks {
    const masks = this.processors[id];
    if (masks === undefined) throw new HmmError('PROCESSOR', 'no such processor is registered', { id });
    return masks;
  }

  /** What it has of the memory of GPU `id`. */
  gpuState(id: UvmProcessorId): UvmVaBlockGpuState {
    const state = this.gpus[id - 1];
    if (state === undefined) throw new HmmError('PROCESSOR', 'no such GPU is registered', { id });
    return state;
  }

  /** Processors of the driver: the CPU, and its GPUs. */
  get processorCount(): number {
    return this.processors.length;
  }

  /** Whether the block is a whole 2 MiB, and so has a root chunk of its own. */
  get whole(): boolean {
    return this.pages === PAGES_PER_BLOCK;
  }

  /** The host frame of a page that has one. */
  cpuFrame(page: number): number {
    return this.cpuBase + page;
  }

  /** What a processor's mapping of a page allows: one of `UVM_PROT_*`. */
  prot(id: UvmProcessorId, page: number): number {
    const masks = this.masks(id);
    if (maskTest(masks.atomic, page)) return UVM_PROT_READ_WRITE_ATOMIC;
    if (maskTest(masks.write, page)) return UVM_PROT_READ_WRITE;
    return maskTest(masks.read, page) ? UVM_PROT_READ_ONLY : UVM_PROT_NONE;
  }

  /** The processors that have a page's data: one bit per id. */
  residentProcessors(page: number): UvmProcessorMask {
    const { row, processorCount } = this;
    const word = page >>> 5;
    const bit = page & 31;
    let mask = 0;
    for (
      let id = 0, at = rowOf(0) + ROW_RESIDENT + word;
      id < processorCount;
      id++, at += ROW_PROCESSOR_WORDS
    )
      mask |= (((row[at] ?? 0) >>> bit) & 1) << id;
    return mask;
  }

  /** Where a page's data is, seen from `id`: there if possible; -1 for a page never populated. */
  closestResident(id: UvmProcessorId, page: number): UvmOptionalId {
    return this.range.space.driver.links.closest(this.residentProcessors(page), id);
  }

  /** Whether nothing of it is resident on processor `id`. */
  holdsNothing(id: UvmProcessorId): boolean {
    return maskEmpty(this.masks(id).resident);
  }

  /** Whether every page is resident on some GPU. */
  get isFullyOnGpus(): boolean {
    for (let i = 0; i < MASK_WORDS; i++) {
      let held = 0;
      for (let id = UVM_ID_GPU; id < this.processorCount; id++)
        held |= this.row[rowOf(id) + ROW_RESIDENT + i] ?? 0;
      if (held !== -1) return false;
    }
    return true;
  }

  /** Whether nothing of it is resident anywhere. */
  get isUnpopulated(): boolean {
    for (let id = 0; id < this.processorCount; id++) if (!this.holdsNothing(id)) return false;
    return true;
  }

  /**
   * Cuts the block at page `at` and returns the upper part as a block of `range`. Frames stay where they are; the
   * thrashing state of both is dropped.
   */
  split(range: UvmVaRange, at: number): UvmVaBlock {
    const upper = new UvmVaBlock(range, this.start + at, this.pages - at);
    for (let first = 0; first < this.row.length; first += MASK_WORDS) {
      const mine = maskAt(this.row, first);
      maskShiftDown(maskAt(upper.row, first), mine, at);
      maskClip(mine, 0, at);
    }
    if (this.pinned !== undefined) {
      upper.pinned = newMask();
      maskShiftDown(upper.pinned, this.pinned, at);
      maskClip(this.pinned, 0, at);
    }
    if (this.cpuBase >= 0) upper.cpuBase = this.cpuBase + at;
    for (let id = UVM_ID_GPU; id < this.processorCount; id++) this.splitGpuFrames(upper, id, at);
    this.pages = at;
    this.thrashing = undefined;
    return upper;
  }

  private splitGpuFrames(upper: UvmVaBlock, id: UvmProcessorId, at: number): void {
    const mine = this.gpuState(id);
    const { base } = mine;
    if (base >= 0) {
      this.range.space.driver.gpuOf(id).pmm.splitRoot(base, upper);
      mine.frames = Int32Array.from({ length: this.pages }, (_, page) => base + page + 1);
      mine.base = -1;
    }
    if (mine.frames !== undefined) {
      upper.gpuState(id).frames = mine.frames.slice(at);
      mine.frames = mine.frames.slice(0, at);
    }
  }
}
