import { EINVAL, ENOMEM, HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import { madviseColdOrPageout } from './madvise-pageout.js';
import { madviseFree } from './madvise-free.js';
import { madviseGuardInstall, madviseGuardRemove } from './madvise-guard.js';
import { madvisePopulate } from './madvise-populate.js';
import { madviseCollapse } from './khugepaged.js';
import type { MmStruct } from './mm-struct.js';
import { MmuGather } from './mmu-gather.js';
import { wraps } from './task-size.js';
import { truncateRange } from './truncate.js';
import { vmaModify } from './vma-merge.js';
import { findVma } from './vma-set.js';
import {
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
  type Vma,
} from './vma.js';
import { zapPageRangeSingleBatched } from './zap.js';

/** Advice. @kernel include/uapi/asm-generic/mman-common.h MADV_NORMAL */
export const MADV_NORMAL = 0;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_REMOVE = 9;
export const MADV_DONTFORK = 10;
export const MADV_DOFORK = 11;
export const MADV_HUGEPAGE = 14;
export const MADV_NOHUGEPAGE = 15;
export const MADV_WIPEONFORK = 18;
export const MADV_KEEPONFORK = 19;
export const MADV_COLD = 20;
export const MADV_PAGEOUT = 21;
export const MADV_POPULATE_READ = 22;
export const MADV_POPULATE_WRITE = 23;
export const MADV_COLLAPSE = 25;
export const MADV_GUARD_INSTALL = 102;
export const MADV_GUARD_REMOVE = 103;

/**
 * Advice that works on what is mapped, and needs mmap_lock only for reading.
 * @kernel mm/madvise.c madvise_need_mmap_write (without: advice that the model does not have, such as
 * MADV_DONTNEED_LOCKED)
 */
const READ_LOCKED: readonly number[] = [
  MADV_REMOVE,
  MADV_WILLNEED,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_COLLAPSE,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
];
const WRITE_LOCKED: readonly number[] = [
  MADV_NORMAL,
  MADV_DONTFORK,
  MADV_DOFORK,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_WIPEONFORK,
  MADV_KEEPONFORK,
];

/**
 * Gives advice about the pages [start, start + pages).
 * @returns 0; `-EINVAL` for advice that is unknown or does not fit a VMA (VMAs before it are done); `-ENOMEM` when part of
 * the range is in no VMA (all VMAs are done).
 * @kernel mm/madvise.c do_madvise (without: reading ahead, advice about dumps, KSM, VMA names and failing
 * memory, tagged addresses)
 */
export function* sysMadvise(mm: MmStruct, start: number, pages: number, advice: number): Task<number> {
  if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE)
    return yield* madvisePopulate(mm, start, pages, advice === MADV_POPULATE_WRITE);
  const read = READ_LOCKED.includes(advice);
  if (!read && !WRITE_LOCKED.includes(advice)) return -EINVAL;
  if (advice >= MADV_GUARD_INSTALL && !mm.kernel.does.guardMarkers) return -EINVAL;
  if (pages === 0) return 0;
  if (wraps(start, pages)) return -EINVAL;
  const lock = mm.mmapLock;
  if (read) {
    if (!lock.tryReadFast()) yield* lock.read();
  } else if (!lock.tryWriteFast()) yield* lock.write();
  const tlb = new MmuGather(mm, true, mm.kernel.does.reclaimsEmptyTables);
  const ret = yield* madviseWalkVmas(tlb, start, start + pages, advice);
  tlb.finish();
  if (read) lock.unlockRead();
  else lock.unlockWrite();
  return ret;
}

/** @kernel mm/madvise.c madvise_walk_vmas (all) */
function* madviseWalkVmas(tlb: MmuGather, start: number, end: number, advice: number): Task<number> {
  const { mm } = tlb;
  let unmapped = 0;
  for (let at = start; at < end;) {
    const vma = findVma(mm, at);
    if (vma === undefined) return -ENOMEM;
    if (at < vma.start) {
      unmapped = -ENOMEM;
      at = vma.start;
      if (at >= end) break;
    }
    const stop = Math.min(vma.end, end);
    const done = yield* madviseVmaBehavior(tlb, vma, at, stop, advice);
    if (typeof done === 'number' && done !== 0) return done;
    // A VMA that the change merged with is passed over with it.
    at = typeof done === 'number' ? stop : Math.max(stop, done.end);
  }
  return unmapped;
}

/** Applies `advice` to one part. @returns 0, a negative errno, or the VMA that the part is in after a change of flags. */
function* madviseVmaBehavior(
  tlb: MmuGather,
  vma: Vma,
  start: number,
  end: number,
  advice: number,
): Task<number | Vma> {
  switch (advice) {
    case MADV_DONTNEED:
      return yield* madviseDontneed(tlb, vma, start, end);
    case MADV_FREE:
      if ((vma.flags & (VM_LOCKED | VM_PFNMAP)) !== 0 || !vma.isAnonymous()) return -EINVAL;
      yield* madviseFree(vma, start, end);
      return 0;
    case MADV_COLD:
    case MADV_PAGEOUT:
      if ((vma.flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB)) !== 0) return -EINVAL;
      yield* madviseColdOrPageout(vma, start, end, advice === MADV_PAGEOUT);
      return 0;
    case MADV_REMOVE:
      return yield* madviseRemove(vma, start, end);
    case MADV_COLLAPSE:
      return yield* madviseCollapse(vma, start, end);
    case MADV_GUARD_INSTALL:
      return yield* madviseGuardInstall(vma, start, end);
    case MADV_GUARD_REMOVE:
      return madviseGuardRemove(vma, start, end);
    case MADV_WILLNEED:
      return 0;
    default:
      return yield* madviseFlags(vma, start, end, advice);
  }
}

/**
 * Of huge pages that were set aside, whole ones are let go.
 * @kernel mm/madvise.c madvise_dontneed_free_valid_vma (without: userfaultfd, MADV_DONTNEED_LOCKED)
 */
function* madviseDontneed(tlb: MmuGather, vma: Vma, start: number, end: number): Task<number> {
  if ((vma.flags & (VM_LOCKED | VM_PFNMAP)) !== 0) return -EINVAL;
  const hugetlb = (vma.flags & VM_HUGETLB) !== 0;
  if (hugetlb && start % HPAGE_PMD_NR !== 0) return -EINVAL;
  const stop = hugetlb ? end - (end % HPAGE_PMD_NR) : end;
  if (stop > start) yield* zapPageRangeSingleBatched(tlb, vma, start, stop);
  if (!vma.mm.kernel.does.gathersWholeMadvise) tlb.finish();
  return 0;
}

/**
 * Frees the file's pages behind a shared writable mapping.
 * @kernel mm/madvise.c madvise_remove (without: userfaultfd, mmap_lock dropped meanwhile, errors of the file
 * system)
 */
function* madviseRemove(vma: Vma, start: number, end: number): Task<number> {
  if ((vma.flags & VM_LOCKED) !== 0 || vma.file === null) return -EINVAL;
  if ((vma.flags & (VM_SHARED | VM_WRITE)) !== (VM_SHARED | VM_WRITE)) return -EINVAL;
  const first = vma.pgoff + (start - vma.start);
  yield* truncateRange(vma.mm.system, vma.file, first, first + (end - start));
  return 0;
}

/** Advice that only changes the VMA's flags. */
function* madviseFlags(vma: Vma, start: number, end: number, advice: number): Task<number | Vma> {
  const flags = advisedFlags(vma, advice);
  if (flags < 0) return flags;
  if (flags === vma.flags) return 0;
  const part = yield* vmaModify(vma, start, end, flags);
  if (typeof part !== 'number') part.flags = flags;
  return part;
}

function advisedFlags(vma: Vma, advice: number): number {
  const { flags } = vma;
  switch (advice) {
    case MADV_DONTFORK:
      return flags | VM_DONTCOPY;
    case MADV_DOFORK:
      return (flags & VM_IO) !== 0 ? -EINVAL : flags & ~VM_DONTCOPY;
    case MADV_WIPEONFORK:
      return vma.file !== null || (flags & VM_SHARED) !== 0 ? -EINVAL : flags | VM_WIPEONFORK;
    case MADV_KEEPONFORK:
      return flags & ~VM_WIPEONFORK;
    case MADV_HUGEPAGE:
      return (flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE;
    case MADV_NOHUGEPAGE:
      return (flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
    default:
      return flags;
  }
}
