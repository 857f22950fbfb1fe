import type { Task } from '@hmm/kernel';
import { VM_WRITE, type Vma } from '@hmm/mm';
import type { UvmAts } from './uvm-ats.js';
import { uvmHmmMustUseSysmem, type UvmHmmVaSpace } from './uvm-hmm.js';
import type { UvmHmmMoved } from './uvm-hmm-migrate.js';
import {
  maskClear,
  maskNext,
  maskOr,
  maskSet,
  maskTest,
  newMask,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { uvmPerfPrefetchComputeAts } from './uvm-perf-prefetch.js';
import { uvmMigratePageable, uvmPopulatePageable } from './uvm-migrate-pageable.js';
import { UVM_ID_GPU } from './uvm-types.js';

/** Faults of one VMA in one aligned 2 MiB: what one service works on. */
export interface UvmAtsFaults {
  /** First page of the 2 MiB, which the masks count from. */
  readonly base: number;
  readonly faulted: UvmPageMask;
  readonly writes: UvmPageMask;
  /** Pages that could not be populated: their accesses end. */
  readonly failed: UvmPageMask;
  /** What was done, for its cost. */
  readonly moved: UvmHmmMoved;
}

/** Faults to gather around page `base`, with nothing in them yet. */
export function newAtsFaults(base: number): UvmAtsFaults {
  const moved = { pages: 0, transfers: 0, zeroed: 0, copyNs: 0 };
  return { base, faulted: newMask(), writes: newMask(), failed: newMask(), moved };
}

/**
 * Serves GPU faults on memory that the GPU translates by the CPU's page table: what nobody has touched is placed in device memory,
 * with the pages that the density tree adds; what the CPU has mapped stays where it is, and its entry is made to allow the access. The
 * caller holds `mmap_lock` for reading on `vma`, which allows the accesses. Nothing is mapped: after the replay the hardware walks
 * again.
 * @uvm uvm_ats_faults.c uvm_ats_service_faults (without: other GPUs, NUMA nodes of the CPU, faults that the
 * IOMMU itself must serve)
 */
export function* uvmAtsServiceFaults(ats: UvmAts, vma: Vma, hmm: UvmHmmVaSpace, faults: UvmAtsFaults): Task {
  const { base, faulted, writes, failed, moved } = faults;
  const first = Math.max(0, vma.start - base);
  const outer = Math.min(PAGES_PER_BLOCK, vma.end - base);
  const writable = (vma.flags & VM_WRITE) !== 0;
  const pages = newMask();
  const { context: ctx, driver } = ats.space;
  uvmPerfPrefetchComputeAts(ctx, faulted, residentOf(ats, base, first, outer), { first, outer });
  maskOr(pages, ctx.prefetch);
  maskOr(pages, faulted);
  if (writable && !uvmHmmMustUseSysmem(hmm, vma) && !driver.global.forceSysmem) {
    yield* placeFirstTouches(ats, vma, base, pages, moved);
  }
  for (let page = maskNext(pages, 0); page < PAGES_PER_BLOCK; page = maskNext(pages, page + 1)) {
    const isFault = maskTest(faulted, page);
    const write = isFault ? maskTest(writes, page) : writable;
    if (ats.maps(base + page, write)) continue;
    const errno = yield* uvmPopulatePageable(ats, base + page, write);
    if (errno !== 0 && isFault) maskSet(failed, page);
  }
}

/**
 * The pages of the region that are in device memory.
 * @uvm uvm_ats_faults.c ats_compute_residency_mask (without: a choice among several NUMA nodes)
 */
function residentOf(ats: UvmAts, base: number, first: number, outer: number): UvmPageMask {
  const resident = newMask();
  for (let page = first; page < outer; page++) if (ats.isLocal(base + page)) maskSet(resident, page);
  return resident;
}

/** Pages of `pages` that nobody has touched go to device memory, run by run, as far as there is room. */
function* placeFirstTouches(
  ats: UvmAts,
  vma: Vma,
  base: number,
  pages: UvmPageMask,
  moved: UvmHmmMoved,
): Task {
  const untouched = newMask();
  maskOr(untouched, pages);
  for (let page = maskNext(pages, 0); page < PAGES_PER_BLOCK; page = maskNext(pages, page + 1))
    if (!ats.isUntouched(base + page)) maskClear(untouched, page);
  for (let page = maskNext(untouched, 0); page < PAGES_PER_BLOCK; page = maskNext(untouched, page)) {
    const from = page;
    while (page < PAGES_PER_BLOCK && maskTest(untouched, page)) page++;
    yield* uvmMigratePageable(ats, vma, base + from, base + page, UVM_ID_GPU, moved);
  }
}
