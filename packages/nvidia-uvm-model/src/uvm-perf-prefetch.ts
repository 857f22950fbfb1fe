import { hweight32 } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
import {
  MASK_WORDS,
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFill,
  maskNext,
  maskTest,
  maskZero,
  newMask,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { UVM_ID_CPU, type UvmProcessorId } from './uvm-types.js';
import { ROW_CPU_RESIDENT, ROW_GPU_RESIDENT, type UvmVaBlock } from './uvm-va-block.js';

/** From this release on nothing is taken along away from the preferred location. */
export const UVM_RELEASE_PREFETCH_STAYS = 590;

/** Pages of the regions that are always fetched whole: 64 KiB. */
const BIG_PAGES = 16;

/** The parameters of the density prefetcher in force (`uvm_perf_prefetch_*`). */
export interface UvmPrefetchParams {
  readonly enabled: boolean;
  /** Percent of a tree node that must be exceeded. */
  readonly threshold: number;
  readonly minFaults: number;
}

/**
 * The bitmap tree over the pages of a region. Leaf `i` is page `i - offset` of the region: a region that does not begin
 * on a 64 KiB boundary is shifted so that 64 KiB regions are nodes.
 */
export class UvmPrefetchTree {
  /** Leaves, the padding in front included; it may exceed 512 by 15. */
  leaves = 0;
  private readonly bits = new Int32Array(MASK_WORDS + 1);
  private readonly before = new Int32Array(MASK_WORDS + 2);

  /** Loads leaf bits 0 … `pages - 1` from `mask`, moved up by `offset`. */
  load(mask: UvmPageMask, pages: number, offset: number): void {
    this.leaves = pages + offset;
    const { bits, before } = this;
    for (let word = 0; word <= MASK_WORDS; word++) {
      const low = mask[word] ?? 0;
      const carry = offset === 0 ? 0 : (mask[word - 1] ?? 0) >>> (32 - offset);
      bits[word] = (low << offset) | carry;
      before[word + 1] = (before[word] ?? 0) + hweight32(bits[word] ?? 0);
    }
  }

  /**
   * The largest node above leaf `leaf` that is denser than `threshold` percent, as [first leaf, leaf after the last]
   * packed as `first * 1024 + outer`; -1 when none is.
   */
  dense(leaf: number, threshold: number): number {
    const ones = 100 * (this.before[MASK_WORDS + 1] ?? 0);
    // From the largest node down: those above 512 leaves are cut off at the last leaf, and all the same.
    for (
      let size = this.leaves > PAGES_PER_BLOCK ? 2 * PAGES_PER_BLOCK : PAGES_PER_BLOCK;
      size > 0;
      size >>= 1
    ) {
      const first = leaf & -size;
      const outer = Math.min(first + size, this.leaves);
      const least = (outer - first) * threshold;
      // With all ones in it, it would not be dense enough: nothing to count.
      if (ones <= least) continue;
      if (this.ones(first, outer) * 100 > least) return first * 1024 + outer;
    }
    return -1;
  }

  /** Ones among leaves `first` … `outer - 1`. */
  ones(first: number, outer: number): number {
    return this.count(outer) - this.count(first);
  }

  /** Ones among leaves 0 … `leaf - 1`. */
  private count(leaf: number): number {
    const word = leaf >>> 5;
    const rest = leaf & 31;
    const part = rest === 0 ? 0 : hweight32((this.bits[word] ?? 0) << (32 - rest));
    return (this.before[word] ?? 0) + part;
  }
}

const tree = new UvmPrefetchTree();
const grown = newMask();

/**
 * Pages to take along with `faulted`, which all go to `destination`. `first` …
 * `outer - 1` is the region that may be touched: the whole block for managed memory, less for system memory. The result
 * is stored in `prefetch`.
 * @uvm uvm_perf_prefetch.c uvm_perf_prefetch_get_hint_va_block
 */
export function uvmPerfPrefetchGetHint(
  driver: UvmDriver,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  faulted: UvmPageMask,
  first: number,
  outer: number,
  prefetch: UvmPageMask,
): void {
  const params = driver.prefetchParams;
  maskZero(prefetch);
  if (!params.enabled) return;
  if (block.lastMigrationProc !== destination) {
    block.lastMigrationProc = destination;
    block.faultMigrations = 0;
  }
  if (driver.policy.prefetch?.(block, destination, faulted, prefetch) !== true) {
    driverHint(driver, block, destination, faulted, first, outer, prefetch);
  }
  const pages = takeOut(prefetch, faulted);
  if (destination === UVM_ID_CPU && block.hmm === undefined) dropMappedCpuPages(block, prefetch);
  const thrashing = thrashingOf(block);
  if (thrashing !== undefined) maskAndNot(prefetch, thrashing);
  block.faultMigrations += pages;
  if (block.faultMigrations < params.minFaults) maskZero(prefetch);
}

/**
 * Pages to take along with `faulted` in memory that the GPU translates by the CPU's page table: of aligned 2 MiB, the pages `first` …
 * `outer - 1`, of which those of `resident` are in device memory. Faults do not grow to 64 KiB there, and nothing is counted. The
 * result is stored in `prefetch`.
 * @uvm uvm_perf_prefetch.c uvm_perf_prefetch_compute_ats
 */
export function uvmPerfPrefetchComputeAts(
  driver: UvmDriver,
  faulted: UvmPageMask,
  resident: UvmPageMask,
  first: number,
  outer: number,
  prefetch: UvmPageMask,
): void {
  const { enabled, threshold } = driver.prefetchParams;
  maskZero(prefetch);
  if (!enabled) return;
  for (let i = 0; i < MASK_WORDS; i++) grown[i] = (resident[i] ?? 0) | (faulted[i] ?? 0);
  treeHint(threshold, 0, undefined, faulted, first, outer, prefetch);
}

/** Clears the bits of `faulted` in `prefetch`. @returns the pages of `faulted`. */
function takeOut(prefetch: UvmPageMask, faulted: UvmPageMask): number {
  let pages = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const bits = faulted[i] ?? 0;
    if (bits === 0) continue;
    prefetch[i] = (prefetch[i] ?? 0) & ~bits;
    pages += hweight32(bits);
  }
  return pages;
}

/** CPU pages that are here and mapped already have nothing to gain. */
function dropMappedCpuPages(block: UvmVaBlock, prefetch: UvmPageMask): void {
  maskCopy(grown, block.cpu.resident);
  maskAnd(grown, block.cpu.read);
  maskAndNot(prefetch, grown);
}

function driverHint(
  driver: UvmDriver,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  faulted: UvmPageMask,
  first: number,
  outer: number,
  prefetch: UvmPageMask,
): void {
  const preferred = block.range.policy.preferredLocation === destination;
  if (
    preferred &&
    block.hmm === undefined &&
    maskEmpty(block.cpu.resident) &&
    maskEmpty(block.gpu.resident)
  ) {
    maskFill(prefetch, first, outer);
    return;
  }
  if (leavesPreferred(driver, block, destination)) return;
  const { row } = block;
  const there = destination === UVM_ID_CPU ? ROW_CPU_RESIDENT : ROW_GPU_RESIDENT;
  for (let i = 0; i < MASK_WORDS; i++) grown[i] = (row[there + i] ?? 0) | (faulted[i] ?? 0);
  growFaultGranularity(block, faulted, first, outer, grown);
  const offset = (block.start + first) % BIG_PAGES;
  treeHint(driver.prefetchParams.threshold, offset, thrashingOf(block), faulted, first, outer, prefetch);
}

/** Newer releases take nothing along away from the preferred location. */
function leavesPreferred(driver: UvmDriver, block: UvmVaBlock, destination: UvmProcessorId): boolean {
  if (driver.release < UVM_RELEASE_PREFETCH_STAYS || block.hmm !== undefined) return false;
  const { preferredLocation } = block.range.policy;
  return preferredLocation >= 0 && preferredLocation !== destination;
}

/** Fills every aligned 64 KiB region that holds a faulted page and no thrashing one. @uvm uvm_perf_prefetch.c grow_fault_granularity */
function growFaultGranularity(
  block: UvmVaBlock,
  faulted: UvmPageMask,
  first: number,
  outer: number,
  bitmap: UvmPageMask,
): void {
  const shift = block.start % BIG_PAGES;
  const aligned = Math.ceil((first + shift) / BIG_PAGES) * BIG_PAGES - shift;
  const holdsBig = aligned + BIG_PAGES <= outer;
  const thrashing = thrashingOf(block);
  for (let page = maskNext(faulted, first); page < outer;) {
    let from = Math.max(first, page - ((page + shift) % BIG_PAGES));
    let to = Math.min(outer, page - ((page + shift) % BIG_PAGES) + BIG_PAGES);
    if (!holdsBig) {
      from = first;
      to = outer;
    }
    if (thrashing === undefined || maskNext(thrashing, from) >= to) maskFill(bitmap, from, to);
    page = maskNext(faulted, to);
  }
}

/** The pages of the block that thrash; undefined where none can. */
function thrashingOf(block: UvmVaBlock): UvmPageMask | undefined {
  return block.thrashing?.pages === undefined ? undefined : block.thrashing.thrashingPages;
}

function treeHint(
  threshold: number,
  offset: number,
  thrashing: UvmPageMask | undefined,
  faulted: UvmPageMask,
  first: number,
  outer: number,
  prefetch: UvmPageMask,
): void {
  if (first === 0) tree.load(grown, outer, offset);
  else tree.load(shiftedDown(first, outer), outer - first, offset);
  for (let page = maskNext(faulted, first); page < outer;) {
    const node =
      thrashing !== undefined && maskTest(thrashing, page)
        ? -1
        : tree.dense(page - first + offset, threshold);
    if (node < 0) {
      page = maskNext(faulted, page + 1);
      continue;
    }
    const low = Math.max(0, Math.floor(node / 1024) - offset) + first;
    const high = Math.min(outer, (node % 1024) - offset + first);
    maskFill(prefetch, low, high);
    // The other pages of the largest dense node have no larger one either.
    page = maskNext(faulted, high);
  }
}

const shifted = newMask();

function shiftedDown(first: number, outer: number): UvmPageMask {
  maskZero(shifted);
  for (
    let page = maskNext(grown, first);
    page < Math.min(outer, PAGES_PER_BLOCK);
    page = maskNext(grown, page + 1)
  ) {
    shifted[(page - first) >>> 5] = (shifted[(page - first) >>> 5] ?? 0) | (1 << ((page - first) & 31));
  }
  return shifted;
}
