import { EINVAL, type Task } from '@hmm/kernel';
import { MMU_NOTIFY_UNMAP, mmHasNotifiers } from '@hmm/mmu-notifier';
import { addressSpacePut } from './shmem.js';
import { freePgtables } from './free-pgtables.js';
import type { MmStruct } from './mm-struct.js';
import { MmuGather } from './mmu-gather.js';
import { notifyEndStep, notifyStart } from './notify.js';
import { lruAddDrainTask } from './swap.js';
import { badRange } from './task-size.js';
import { splitVma, unlinkVma } from './vma-adjust.js';
import { vmaIndex } from './vma-set.js';
import { VM_LOCKED, type Vma } from './vma.js';
import { unmapPageRange } from './zap.js';

/**
 * Unmaps the pages [start, start + pages). Holes are fine.
 * @returns 0 or `-EINVAL` (no pages, or beyond the address space).
 * @kernel mm/mmap.c munmap (without: userfaultfd, tagged addresses, killable waits)
 */
export function* sysMunmap(mm: MmStruct, start: number, pages: number): Task<number> {
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const detached = yield* detachVmas(mm, start, pages);
  if (typeof detached === 'number') {
    mm.mmapLock.unlockWrite();
    return detached;
  }
  // Nobody can find the VMAs any more: taking down what they map needs the lock for reading only.
  mm.mmapLock.downgradeWrite();
  yield* completeMunmap(detached);
  mm.mmapLock.unlockRead();
  return 0;
}

/**
 * {@link sysMunmap} for a caller that holds mmap_lock for writing.
 * @kernel mm/vma.c do_vmi_munmap (without: sealed mappings, userfaultfd)
 */
export function* doMunmap(mm: MmStruct, start: number, pages: number): Task<number> {
  const detached = yield* detachVmas(mm, start, pages);
  if (typeof detached === 'number') return detached;
  yield* completeMunmap(detached);
  return 0;
}

/** VMAs that are out of the set, with what they map still there. @kernel mm/vma.h vma_munmap_struct */
interface DetachedVmas {
  readonly mm: MmStruct;
  readonly vmas: readonly Vma[];
  readonly start: number;
  readonly end: number;
  readonly previous: Vma | undefined;
  readonly next: Vma | undefined;
}

/**
 * Splits off and takes out of the set the VMAs in a range. @returns 0 when there are none, or a negative errno.
 * @kernel mm/vma.c vms_gather_munmap_vmas (without: sealed mappings, the limit of VMAs, userfaultfd)
 */
function* detachVmas(mm: MmStruct, start: number, pages: number): Task<DetachedVmas | number> {
  if (badRange(mm, start, pages)) return -EINVAL;
  const end = start + pages;
  const first = mm.vmas[vmaIndex(mm, start)];
  if (first === undefined || first.start >= end) return 0;
  if (first.start < start) {
    const error = yield* splitVma(first, start, true);
    if (error !== 0) return error;
  }
  const last = mm.vmas[vmaIndex(mm, end - 1)];
  if (last !== undefined && last.start < end && last.end > end) {
    const error = yield* splitVma(last, end, false);
    if (error !== 0) return error;
  }
  const from = vmaIndex(mm, start);
  let to = from;
  while ((mm.vmas[to]?.start ?? Infinity) < end) to++;
  const vmas = mm.vmas.splice(from, to - from);
  mm.recentVma = undefined;
  return { mm, vmas, start, end, previous: mm.vmas[from - 1], next: mm.vmas[from] };
}

/** @kernel mm/vma.c vms_complete_munmap_vmas (without: accounting by kind of mapping) */
function* completeMunmap({ mm, vmas, start, end, previous, next }: DetachedVmas): Task {
  yield* unmapRegion(mm, vmas, start, end, previous, next);
  for (const vma of vmas) closeVma(vma);
}

/**
 * Zaps VMAs that are out of the set already and frees their page tables. One UNMAP covers all of [start, end).
 * @kernel mm/vma.c vms_clear_ptes (without: hooks of the architecture)
 */
function* unmapRegion(
  mm: MmStruct,
  vmas: readonly Vma[],
  start: number,
  end: number,
  previous: Vma | undefined,
  next: Vma | undefined,
): Task {
  if (mm.kernel.does.unmapDrainsLru) yield* lruAddDrainTask(mm.system);
  const tlb = new MmuGather(mm);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_UNMAP, start, end) : undefined;
  for (const vma of vmas) yield* unmapPageRange(tlb, vma, vma.start, vma.end);
  yield* notifyEndStep(range);
  yield* freeVmaTables(mm, vmas, previous?.end ?? 0, next?.start ?? Infinity);
  tlb.finish();
}

/**
 * Takes VMAs out of rmap and frees their page tables.
 * @kernel mm/memory.c free_pgtables (without: runs of neighbouring VMAs)
 */
export function* freeVmaTables(mm: MmStruct, vmas: readonly Vma[], floor: number, ceiling: number): Task {
  for (const vma of vmas) yield* unlinkVma(vma);
  // A table that several of them share goes with the last one.
  for (const [i, vma] of vmas.entries())
    freePgtables(mm, vma.start, vma.end, floor, vmas[i + 1]?.start ?? ceiling);
}

/**
 * What is left to do for a VMA without mappings.
 * @kernel mm/vma.c remove_vma (without: NUMA policies, drops of the file that come later)
 */
export function closeVma(vma: Vma): void {
  if ((vma.flags & VM_LOCKED) !== 0) vma.mm.lockedVm -= vma.end - vma.start;
  vma.ops?.close?.(vma, vma.start, vma.end);
  if (vma.file !== null) addressSpacePut(vma.mm.system, vma.file);
}
