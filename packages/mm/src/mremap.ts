import { EAGAIN, EFAULT, EINVAL, ENOMEM, HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import { anonVmaClone, unlinkAnonVmas } from './anon-vma.js';
import { mmPopulate } from './mlock.js';
import type { MmStruct } from './mm-struct.js';
import { getUnmappedArea } from './mmap.js';
import { movePageTables } from './move-page-tables.js';
import { doMunmap } from './munmap.js';
import { badRange, taskSize } from './task-size.js';
import { userfaultfdResetCtx } from './userfaultfd.js';
import { vmaLinkFile } from './vma-adjust.js';
import { vmaMergeNewRange } from './vma-merge.js';
import { findVma, vmaLookup, vmaNext, vmaSetInsert } from './vma-set.js';
import { VM_ACCOUNT, VM_DONTEXPAND, VM_HUGETLB, VM_LOCKED, VM_PFNMAP, VM_SHARED, type Vma } from './vma.js';

export const MREMAP_MAYMOVE = 1;
export const MREMAP_FIXED = 2;
export const MREMAP_DONTUNMAP = 4;

/** What is moved where, pages. */
interface Move {
  readonly addr: number;
  readonly oldPages: number;
  readonly newPages: number;
  readonly newAddr: number;
  readonly flags: number;
}

/**
 * Moves and resizes a mapping. @returns its new first page, or a negative errno: `-EFAULT` (no VMA, or the range leaves it),
 * `-EINVAL` (bad flags, overlap, nothing wanted), `-ENOMEM` (no room). With `MREMAP_FIXED` the target is unmapped even
 * if the move then fails.
 * @kernel mm/mremap.c mremap (without: userfaultfd, sealed mappings, limits, tagged addresses)
 */
export function* sysMremap(
  mm: MmStruct,
  addr: number,
  oldPages: number,
  newPages: number,
  flags: number,
  newAddr = 0,
): Task<number> {
  if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) return -EINVAL;
  const maymove = (flags & MREMAP_MAYMOVE) !== 0;
  if ((flags & MREMAP_FIXED) !== 0 && !maymove) return -EINVAL;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && (!maymove || oldPages !== newPages)) return -EINVAL;
  if (newPages === 0) return -EINVAL;
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const ret = yield* mremapLocked(mm, { addr, oldPages, newPages, newAddr, flags });
  const vma = ret >= 0 ? vmaLookup(mm, ret) : undefined;
  mm.mmapLock.unlockWrite();
  if (vma !== undefined && (vma.flags & VM_LOCKED) !== 0 && newPages > oldPages)
    yield* mmPopulate(mm, ret + oldPages, ret + newPages, true);
  return ret;
}

function* mremapLocked(mm: MmStruct, wanted: Move): Task<number> {
  const { does } = mm.kernel;
  const fixed = (wanted.flags & MREMAP_FIXED) !== 0;
  if (does.mremapChecksSourceFirst && fixed && !fixedFits(mm, wanted)) return -EINVAL;
  const first = vmaLookup(mm, wanted.addr);
  if (first === undefined) return -EFAULT;
  const move = (first.flags & VM_HUGETLB) !== 0 ? hugetlbMove(wanted) : wanted;
  if (typeof move === 'number') return move;
  const { addr, oldPages, newPages, flags } = move;
  if (fixed && oldPages === newPages && does.mremapMovesSeveral) return yield* remapMove(mm, move);
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) return yield* mremapTo(mm, move);
  if (oldPages >= newPages) {
    if (oldPages === newPages) return addr;
    const error = yield* doMunmap(mm, addr + newPages, oldPages - newPages);
    return error === 0 ? addr : error;
  }
  const vma = vmaToResize(mm, move);
  if (typeof vma === 'number') return vma;
  if (vma.end === addr + oldPages && (yield* expandInPlace(vma, newPages - oldPages))) return addr;
  if ((flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  const newAddr = getUnmappedArea(mm, 0, newPages, 0);
  return newAddr < 0 ? newAddr : yield* moveVma(vma, { ...move, newAddr });
}

/**
 * Whole huge pages, which cannot become more.
 * @kernel mm/mremap.c mremap (without: userfaultfd, sealed mappings, limits, tagged addresses)
 */
function hugetlbMove(move: Move): Move | number {
  const fixed = (move.flags & MREMAP_FIXED) !== 0;
  if (move.addr % HPAGE_PMD_NR !== 0 || (fixed && move.newAddr % HPAGE_PMD_NR !== 0)) return -EINVAL;
  const oldPages = HPAGE_PMD_NR * Math.ceil(move.oldPages / HPAGE_PMD_NR);
  const newPages = HPAGE_PMD_NR * Math.ceil(move.newPages / HPAGE_PMD_NR);
  return newPages > oldPages ? -EINVAL : { ...move, oldPages, newPages };
}

/** @kernel mm/mremap.c mremap_to (without: sealed mappings, the limit of VMAs, userfaultfd) */
function* mremapTo(mm: MmStruct, move: Move): Task<number> {
  const { addr, newAddr, newPages, flags } = move;
  const fixed = (flags & MREMAP_FIXED) !== 0;
  if (fixed && !fixedFits(mm, move)) return -EINVAL;
  if (mm.kernel.does.mremapChecksSourceFirst) {
    const source = vmaToResize(mm, { ...move, oldPages: Math.min(move.oldPages, newPages) });
    if (typeof source === 'number') return source;
  }
  if (fixed) {
    const error = yield* doMunmap(mm, newAddr, newPages);
    if (error !== 0) return error;
  }
  let { oldPages } = move;
  if (oldPages > newPages) {
    const error = yield* doMunmap(mm, addr + newPages, oldPages - newPages);
    if (error !== 0) return error;
    oldPages = newPages;
  }
  const vma = vmaToResize(mm, { ...move, oldPages });
  if (typeof vma === 'number') return vma;
  const target = fixed ? newAddr : getUnmappedArea(mm, newAddr, newPages, 0);
  return target < 0 ? target : yield* moveVma(vma, { ...move, oldPages, newAddr: target });
}

/** Whether a fixed target is a range of its own within the address space. */
function fixedFits(mm: MmStruct, move: Move): boolean {
  return !badRange(mm, move.newAddr, move.newPages) && !overlaps(move);
}

/**
 * Moves all that is in a range, VMA by VMA, to a fixed place; gaps stay gaps, and what is mapped opposite to them stays.
 * @returns the new first page; `-EFAULT` when the range begins with a gap, or a negative errno of a part: parts before it
 * have been moved. @kernel mm/mremap.c remap_move (from 6.17 on)
 */
function* remapMove(mm: MmStruct, move: Move): Task<number> {
  const { addr, oldPages, newAddr } = move;
  const end = addr + oldPages;
  for (let at = addr; at < end;) {
    const vma = findVma(mm, at);
    if (vma === undefined || vma.start >= end) break;
    const from = Math.max(vma.start, at);
    const to = Math.min(vma.end, end);
    if (at === addr && from > addr) return -EFAULT;
    // What a userfaultfd serves moves by itself only.
    if (vma.uffd !== null && (from > addr || to < end)) return -EFAULT;
    const part = {
      ...move,
      addr: from,
      oldPages: to - from,
      newPages: to - from,
      newAddr: newAddr + (from - addr),
    };
    const ret = yield* mremapTo(mm, part);
    if (ret < 0) return ret;
    at = to;
  }
  return newAddr;
}

function overlaps({ addr, oldPages, newAddr, newPages }: Move): boolean {
  return addr + oldPages > newAddr && newAddr + newPages > addr;
}

/**
 * The VMA, if it can be moved or resized so.
 * @kernel mm/mremap.c vma_to_resize (without: limits of locked and of all memory, commit limits, sealed
 * mappings)
 */
function vmaToResize(mm: MmStruct, { addr, oldPages, newPages, flags }: Move): Vma | number {
  const vma = vmaLookup(mm, addr);
  if (vma === undefined) return -EFAULT;
  if (oldPages === 0 && (vma.flags & VM_SHARED) === 0) return -EINVAL;
  const special = (vma.flags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0;
  if ((flags & MREMAP_DONTUNMAP) !== 0 && special) return -EINVAL;
  if (oldPages > vma.end - addr) return -EFAULT;
  if (newPages === oldPages) return vma;
  if (special) return -EFAULT;
  return newPages > taskSize(mm) ? -EAGAIN : vma;
}

/**
 * Lets a VMA grow by `delta` pages, if nothing is behind it.
 * @kernel mm/vma.c vma_merge_extend (without: commit limits)
 */
function* expandInPlace(vma: Vma, delta: number): Task<boolean> {
  const { mm, end, flags, file, ops, anonVma } = vma;
  if ((vmaNext(vma)?.start ?? Infinity) < end + delta || end + delta > taskSize(mm)) return false;
  const pgoff = vma.pgoff + (end - vma.start);
  const grown = yield* vmaMergeNewRange(mm, {
    start: end,
    end: end + delta,
    flags,
    pgoff,
    file,
    ops,
    anonVma,
    uffd: vma.uffd,
  });
  if (grown === undefined) return false;
  if ((flags & VM_LOCKED) !== 0) mm.lockedVm += delta;
  return true;
}

/**
 * @kernel mm/mremap.c move_vma (without: the limit of VMAs, commit limits, KSM, userfaultfd's messages, drivers' own
 * mremap function)
 */
function* moveVma(source: Vma, move: Move): Task<number> {
  const { mm } = source;
  const { addr, oldPages, newPages, newAddr, flags } = move;
  for (const boundary of [addr, addr + oldPages]) {
    const inside = boundary > source.start && boundary < source.end;
    const refusal = inside ? (source.ops?.maySplit?.(source, boundary) ?? 0) : 0;
    if (refusal !== 0) return refusal;
  }
  const locked = (source.flags & VM_LOCKED) !== 0;
  const account = source.flags & VM_ACCOUNT;
  const target = yield* copyVma(source, newAddr, newPages, source.pgoff + (addr - source.start));
  if (target.uffd !== null) userfaultfdResetCtx(target);
  // The source may have become part of the target by the merge.
  const vma = addr >= target.start && addr < target.end ? target : source;
  if (!(yield* movePageTables(vma, addr, target, newAddr, oldPages))) {
    yield* movePageTables(target, newAddr, vma, addr, oldPages);
    yield* doMunmap(mm, newAddr, newPages);
    return -ENOMEM;
  }
  vma.ops = vma.ops?.moved?.() ?? vma.ops;
  if ((flags & MREMAP_DONTUNMAP) !== 0) {
    vma.flags &= ~VM_LOCKED;
    if (vma !== target && vma.start === addr && vma.end === addr + oldPages) yield* unlinkAnonVmas(vma);
    return newAddr;
  }
  if (oldPages > 0) yield* unmapSource(vma, addr, oldPages, account);
  if (locked) mm.lockedVm += newPages;
  return newAddr;
}

/** Unmaps what was moved away; what is left of its VMA keeps its accounting. */
function* unmapSource(vma: Vma, addr: number, pages: number, account: number): Task {
  const { mm } = vma;
  const before = vma.start < addr;
  const behind = vma.end > addr + pages;
  vma.flags &= ~account;
  yield* doMunmap(mm, addr, pages);
  const lower = before ? vmaLookup(mm, addr - 1) : undefined;
  const upper = behind ? vmaLookup(mm, addr + pages) : undefined;
  if (lower !== undefined) lower.flags |= account;
  if (upper !== undefined) upper.flags |= account;
}

/**
 * The VMA for the new place: part of a neighbour if that fits, else a copy.
 * @kernel mm/vma.c copy_vma (without: NUMA policies, allocations that fail)
 */
function* copyVma(source: Vma, start: number, pages: number, offset: number): Task<Vma> {
  const { mm, flags, file, ops, anonVma } = source;
  const pgoff = source.isAnonymous() && anonVma === null ? start : offset;
  const end = start + pages;
  const merged = yield* vmaMergeNewRange(mm, {
    start,
    end,
    flags,
    pgoff,
    file,
    ops,
    anonVma,
    uffd: source.uffd,
    copiedFrom: source,
  });
  if (merged !== undefined) return merged;
  const copy = source.copy(mm, start, end);
  copy.pgoff = pgoff;
  copy.anonVma = anonVma;
  yield* anonVmaClone(copy, source);
  if (file !== null) file.users++;
  yield* vmaLinkFile(copy);
  vmaSetInsert(copy);
  return copy;
}
