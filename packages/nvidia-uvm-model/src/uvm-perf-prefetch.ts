import { hweight32 } from '@hmm/kernel/internal';
import {
  MASK_WORDS,
  maskAnd,
  maskAndNot,
  maskCopy,
  maskFill,
  maskNext,
  maskShiftDown,
  maskTest,
  maskZero,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { UVM_ID_CPU, type UvmProcessorId } from './uvm-types.js';
import { ROW_RESIDENT, rowOf, type UvmVaBlock } from './uvm-va-block.js';

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

/** The pages of a block that a service may touch: `first` … `outer - 1`, at most all that it has. */
export interface UvmVaBlockRegion {
  readonly first: number;
  readonly outer: number;
}

/** A block, whatever its size. */
export const WHOLE_BLOCK: UvmVaBlockRegion = { first: 0, outer: PAGES_PER_BLOCK };

/**
 * Pages to take along with `faulted`, which all go to `destination`, out of `region`: the whole block for managed memory, less for
 * system memory. They are left in the context's `prefetch`.
 * @uvm uvm_perf_prefetch.c uvm_perf_prefetch_get_hint_va_block (all)
 */
export function uvmPerfPrefetchGetHint(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  faulted: UvmPageMask,
  region: UvmVaBlockRegion,
): void {
  const { global, prefetch } = ctx;
  const params = global.prefetch;
  maskZero(prefetch);
  if (!params.enabled) return;
  if (block.lastMigrationProc !== destination) {
    block.lastMigrationProc = destination;
    block.faultMigrations = 0;
  }
  if (global.policy.prefetch?.(block, destination, faulted, prefetch) !== true)
    driverHint(ctx, block, destination, faulted, region);
  const pages = takeOut(prefetch, faulted);
  if (destination === UVM_ID_CPU && block.hmm === undefined) dropMappedCpuPages(ctx, block);
  const thrashing = thrashingOf(block);
  if (thrashing !== undefined) maskAndNot(prefetch, thrashing);
  block.faultMigrations += pages;
  if (block.faultMigrations < params.minFaults) maskZero(prefetch);
}

/**
 * Pages to take along with `faulted` in memory that the GPU translates by the CPU's page table: of aligned 2 MiB, the pages of `region`, of
 * which those of `resident` are in device memory. Faults do not grow to 64 KiB there, and nothing is counted. They are left in the
 * context's `prefetch`.
 * @uvm uvm_perf_prefetch.c uvm_perf_prefetch_compute_ats (without: NUMA nodes)
 */
export function uvmPerfPrefetchComputeAts(
  ctx: UvmServiceBlockContext,
  faulted: UvmPageMask,
  resident: UvmPageMask,
  region: UvmVaBlockRegion,
): void {
  const { grown } = ctx.scratch;
  maskZero(ctx.prefetch);
  if (!ctx.global.prefetch.enabled) return;
  for (let i = 0; i < MASK_WORDS; i++) grown[i] = (resident[i] ?? 0) | (faulted[i] ?? 0);
  treeHint(ctx, 0, undefined, faulted, region);
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
function dropMappedCpuPages({ prefetch, scratch }: UvmServiceBlockContext, block: UvmVaBlock): void {
  const { grown } = scratch;
  maskCopy(grown, block.cpu.resident);
  maskAnd(grown, block.cpu.read);
  maskAndNot(prefetch, grown);
}

function driverHint(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  faulted: UvmPageMask,
  region: UvmVaBlockRegion,
): void {
  const outer = Math.min(region.outer, block.pages);
  const isPreferred = block.range.policy.preferredLocation === destination;
  if (isPreferred && block.hmm === undefined && block.isUnpopulated) {
    maskFill(ctx.prefetch, region.first, outer);
    return;
  }
  if (leavesPreferred(ctx.global.release, block, destination)) return;
  const { row } = block;
  const { grown } = ctx.scratch;
  const there = rowOf(destination) + ROW_RESIDENT;
  for (let i = 0; i < MASK_WORDS; i++) grown[i] = (row[there + i] ?? 0) | (faulted[i] ?? 0);
  growFaultGranularity(block, faulted, region.first, outer, grown);
  const offset = treeOffset(block, region.first, outer);
  const clipped = outer === region.outer ? region : { first: region.first, outer };
  treeHint(ctx, offset, thrashingOf(block), faulted, clipped);
}

/** The first page from `first` on that begins a 64 KiB region, of the address space. */
function bigPageFrom(block: UvmVaBlock, first: number): number {
  const shift = block.start % BIG_PAGES;
  return Math.ceil((first + shift) / BIG_PAGES) * BIG_PAGES - shift;
}

/** Whether a whole 64 KiB region lies among the pages `first` … `outer - 1`. */
function holdsBigPage(block: UvmVaBlock, first: number, outer: number): boolean {
  return bigPageFrom(block, first) + BIG_PAGES <= outer;
}

/** By how many leaves the tree is shifted for its nodes to be 64 KiB regions; not at all where none is whole. */
function treeOffset(block: UvmVaBlock, first: number, outer: number): number {
  return holdsBigPage(block, first, outer) ? (block.start + first) % BIG_PAGES : 0;
}

/** Newer releases take nothing along away from the preferred location. */
function leavesPreferred(release: number, block: UvmVaBlock, destination: UvmProcessorId): boolean {
  if (release < UVM_RELEASE_PREFETCH_STAYS || block.hmm !== undefined) return false;
  const { preferredLocation } = block.range.policy;
  return preferredLocation >= 0 && preferredLocation !== destination;
}

/**
 * Fills every aligned 64 KiB region that holds a faulted page and no thrashing one.
 * @uvm uvm_perf_prefetch.c grow_fault_granularity (all)
 */
function growFaultGranularity(
  block: UvmVaBlock,
  faulted: UvmPageMask,
  first: number,
  outer: number,
  bitmap: UvmPageMask,
): void {
  const shift = block.start % BIG_PAGES;
  const holdsBig = holdsBigPage(block, first, outer);
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

/**
 * The page of the block for a bound of a tree node. What lies in the padding before the first page does not become the first page
 * but the page of the padding's length: of a block that begins within a 64 KiB region some pages are left out. Recordings of an H200
 * show it.
 * @uvm uvm_perf_prefetch.c compute_prefetch_region (all)
 */
function clampedTo(bound: number, offset: number): number {
  return bound < offset ? offset : bound - offset;
}

/** Adds the largest dense node above each page of `faulted`, of the tree over the scratch mask `grown`. */
function treeHint(
  { global, prefetch, scratch }: UvmServiceBlockContext,
  offset: number,
  thrashing: UvmPageMask | undefined,
  faulted: UvmPageMask,
  { first, outer }: UvmVaBlockRegion,
): void {
  const { grown, shifted, tree } = scratch;
  const { threshold } = global.prefetch;
  if (first === 0) tree.load(grown, outer, offset);
  else {
    maskShiftDown(shifted, grown, first);
    tree.load(shifted, outer - first, offset);
  }
  for (let page = maskNext(faulted, first); page < outer;) {
    const node =
      thrashing !== undefined && maskTest(thrashing, page)
        ? -1
        : tree.dense(page - first + offset, threshold);
    if (node < 0) {
      page = maskNext(faulted, page + 1);
      continue;
    }
    const low = Math.max(first, clampedTo(Math.floor(node / 1024) + first, offset));
    const high = Math.min(outer, clampedTo((node % 1024) + first, offset));
    maskFill(prefetch, low, high);
    // The other pages of the largest dense node have no larger one either.
    page = maskNext(faulted, high);
  }
}
