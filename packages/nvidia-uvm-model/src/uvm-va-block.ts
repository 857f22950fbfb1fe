import { Mutex } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  MASK_WORDS,
  maskClip,
  maskOf,
  maskShiftDown,
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
}

/**
 * Where the masks of a block begin in {@link UvmVaBlock.row}, in words: of the CPU, of the GPU, of both. What runs for each
 * service reads them there, and so touches one object and not one for each mask.
 */
export const ROW_CPU_RESIDENT = 0;
export const ROW_CPU_READ = 16;
export const ROW_CPU_WRITE = 32;
export const ROW_GPU_RESIDENT = 48;
export const ROW_GPU_READ = 64;
export const ROW_GPU_WRITE = 80;
export const ROW_GPU_ATOMIC = 96;
export const ROW_EVICTED = 112;
export const ROW_READ_DUPLICATED = 128;
export const ROW_DISCARDED = 144;
const ROW_WORDS = 160;

/** Mask of a row. */
function maskAt(row: Int32Array<ArrayBuffer>, first: number): UvmPageMask {
  return maskOf(row, first / MASK_WORDS);
}

function cpuMasks(row: Int32Array<ArrayBuffer>): UvmProcessorMasks {
  const write = maskAt(row, ROW_CPU_WRITE);
  return { resident: maskAt(row, ROW_CPU_RESIDENT), read: maskAt(row, ROW_CPU_READ), write, atomic: write };
}

function gpuMasks(row: Int32Array<ArrayBuffer>): UvmProcessorMasks {
  const [resident, read] = [maskAt(row, ROW_GPU_RESIDENT), maskAt(row, ROW_GPU_READ)];
  return { resident, read, write: maskAt(row, ROW_GPU_WRITE), atomic: maskAt(row, ROW_GPU_ATOMIC) };
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
    cpu: 'constant',
    gpu: 'constant',
    evicted: 'constant',
    readDuplicated: 'constant',
    discarded: 'constant',
    cpuBase: 'value',
    gpuBase: 'value',
    gpuFrames: 'value',
    lastMigrationProc: 'value',
    faultMigrations: 'value',
    thrashing: 'value',
    hmm: 'value',
    unevictable: 'value',
    lock: 'constant',
  });

  /** The range it belongs to. */
  range: UvmVaRange;
  /** First page. */
  readonly start: number;
  /** Pages, 1 … 512. */
  pages: number;
  /** All its masks, side by side, at `ROW_*`. */
  readonly row = new Int32Array(ROW_WORDS);
  readonly cpu = cpuMasks(this.row);
  readonly gpu = gpuMasks(this.row);
  /** Pages that eviction took from the GPU. */
  readonly evicted = maskAt(this.row, ROW_EVICTED);
  /** Pages resident on both processors. */
  readonly readDuplicated = maskAt(this.row, ROW_READ_DUPLICATED);
  /** Pages whose contents are needed no more. */
  readonly discarded = maskAt(this.row, ROW_DISCARDED);
  /** First host frame, or -1 while the block has none; frames stay allocated as a cache when the data moves away. */
  cpuBase = -1;
  /** First device frame of the block's own root chunk, or -1. */
  gpuBase = -1;
  /** Device frame of each page plus one (0 for none), for blocks without a root chunk of their own. */
  gpuFrames: Int32Array | undefined;
  /** Where the last fault migration went, and faults counted since that changed (the prefetcher's state). */
  lastMigrationProc: UvmOptionalId = UVM_ID_INVALID;
  faultMigrations = 0;
  /** The detector's state, made by the first event. */
  thrashing: UvmThrashingInfo | undefined;
  /** Set for a block of system memory (HMM); undefined for managed memory. */
  hmm: UvmHmmBlock | undefined;
  /** What it has of device memory is never evicted for others. */
  unevictable = false;
  readonly lock: Mutex;

  constructor(range: UvmVaRange, start: number, pages: number) {
    this.range = range;
    this.start = start;
    this.pages = pages;
    const { kernel } = range.space;
    this.lock = new Mutex(kernel.sched, kernel.allocIds(1), 'VA_BLOCK');
  }

  /** The masks of a processor. */
  masks(id: UvmProcessorId): UvmProcessorMasks {
    return id === UVM_ID_CPU ? this.cpu : this.gpu;
  }

  /** Whether the block is a whole 2 MiB, and so has a root chunk of its own. */
  get whole(): boolean {
    return this.pages === PAGES_PER_BLOCK;
  }

  /** The host frame of a page that has one. */
  cpuFrame(page: number): number {
    return this.cpuBase + page;
  }

  /** The device frame of a page, or -1. */
  gpuFrame(page: number): number {
    if (this.gpuBase >= 0) return this.gpuBase + page;
    return (this.gpuFrames?.[page] ?? 0) - 1;
  }

  /** What a processor's mapping of a page allows: one of `UVM_PROT_*`. */
  prot(id: UvmProcessorId, page: number): number {
    const masks = this.masks(id);
    if (maskTest(masks.atomic, page)) return UVM_PROT_READ_WRITE_ATOMIC;
    if (maskTest(masks.write, page)) return UVM_PROT_READ_WRITE;
    return maskTest(masks.read, page) ? UVM_PROT_READ_ONLY : UVM_PROT_NONE;
  }

  /** Where a page's data is, seen from `id`: there if possible; -1 for a page never populated. */
  closestResident(id: UvmProcessorId, page: number): UvmOptionalId {
    const word = page >>> 5;
    const bit = 1 << (page & 31);
    const onCpu = ((this.row[ROW_CPU_RESIDENT + word] ?? 0) & bit) !== 0;
    const onGpu = ((this.row[ROW_GPU_RESIDENT + word] ?? 0) & bit) !== 0;
    if (!onCpu) return onGpu ? UVM_ID_GPU : UVM_ID_INVALID;
    return onGpu && id === UVM_ID_GPU ? UVM_ID_GPU : UVM_ID_CPU;
  }

  /**
   * Cuts the block at page `at` and returns the upper part as a block of `range`. Frames stay where they are; the
   * thrashing state of both is dropped.
   */
  split(range: UvmVaRange, at: number): UvmVaBlock {
    const upper = new UvmVaBlock(range, this.start + at, this.pages - at);
    for (const [mine, theirs] of this.maskPairs(upper)) {
      maskShiftDown(theirs, mine, at);
      maskClip(mine, 0, at);
    }
    if (this.cpuBase >= 0) upper.cpuBase = this.cpuBase + at;
    this.splitGpuFrames(upper, at);
    this.pages = at;
    this.thrashing = undefined;
    return upper;
  }

  private splitGpuFrames(upper: UvmVaBlock, at: number): void {
    if (this.gpuBase >= 0) {
      this.range.space.driver.gpu.pmm.splitRoot(this.gpuBase, upper);
      this.gpuFrames = Int32Array.from({ length: this.pages }, (_, page) => this.gpuBase + page + 1);
      this.gpuBase = -1;
    }
    if (this.gpuFrames !== undefined) {
      upper.gpuFrames = this.gpuFrames.slice(at);
      this.gpuFrames = this.gpuFrames.slice(0, at);
    }
  }

  private maskPairs(upper: UvmVaBlock): [UvmPageMask, UvmPageMask][] {
    return [
      [this.cpu.resident, upper.cpu.resident],
      [this.cpu.read, upper.cpu.read],
      [this.discarded, upper.discarded],
      [this.cpu.write, upper.cpu.write],
      [this.gpu.resident, upper.gpu.resident],
      [this.gpu.read, upper.gpu.read],
      [this.gpu.write, upper.gpu.write],
      [this.gpu.atomic, upper.gpu.atomic],
      [this.evicted, upper.evicted],
      [this.readDuplicated, upper.readDuplicated],
    ];
  }
}
