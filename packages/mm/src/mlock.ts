import { EAGAIN, EFAULT, EINVAL, ENOMEM, type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { FOLL_FORCE, FOLL_TOUCH, FOLL_WRITE, getUserPages } from './gup.js';
import { HUGE_ZERO_PFN, PG_head, PG_zone_device } from './mem-map.js';
import { mlockFolio, munlockFolio } from './mlock-folio.js';
import type { MmStruct } from './mm-struct.js';
import { findPmd, nextPmd, pmdAddrEnd } from './page-walk.js';
import { PTE_PRESENT, PTE_SPECIAL } from './pte.js';
import { lruAddDrain } from './swap.js';
import { wraps } from './task-size.js';
import { vmaModify } from './vma-merge.js';
import { findVma, findVmaIntersection } from './vma-set.js';
import {
  VM_EXEC,
  VM_IO,
  VM_LOCKED,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_SPECIAL,
  VM_WRITE,
  type Vma,
} from './vma.js';

/**
 * Locks the pages [start, start + pages) into memory and faults them in.
 * @returns 0; `-ENOMEM` where a page is in no VMA (VMAs before it are locked, nothing is faulted in) or cannot be
 * accessed; `-EAGAIN` when memory is used up.
 * @kernel mm/mlock.c do_mlock (without: RLIMIT_MEMLOCK, MLOCK_ONFAULT, killable waits)
 */
export function* sysMlock(mm: MmStruct, start: number, pages: number): Task<number> {
  const ret = yield* applyVmaLockFlags(mm, start, pages, VM_LOCKED);
  if (ret !== 0 || pages === 0) return ret;
  const populated = yield* mmPopulate(mm, start, start + pages, false);
  if (populated === -EFAULT) return -ENOMEM;
  return populated === -ENOMEM ? -EAGAIN : populated;
}

/**
 * Unlocks the pages [start, start + pages). @returns 0, or `-ENOMEM` for a hole.
 * @kernel mm/mlock.c munlock (without: tagged addresses, killable waits)
 */
export function* sysMunlock(mm: MmStruct, start: number, pages: number): Task<number> {
  return yield* applyVmaLockFlags(mm, start, pages, 0);
}

/** @kernel mm/mlock.c apply_vma_lock_flags (all) */
function* applyVmaLockFlags(mm: MmStruct, start: number, pages: number, locked: number): Task<number> {
  if (pages === 0) return 0;
  if (wraps(start, pages)) return -EINVAL;
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const ret = yield* lockRange(mm, start, start + pages, locked);
  mm.mmapLock.unlockWrite();
  return ret;
}

function* lockRange(mm: MmStruct, start: number, end: number, locked: number): Task<number> {
  let at = start;
  for (let vma = findVma(mm, start); vma !== undefined && vma.start < end; vma = findVma(mm, at)) {
    if (vma.start > at) return -ENOMEM;
    const fixed = yield* mlockFixup(vma, at, Math.min(vma.end, end), locked);
    if (typeof fixed === 'number') return fixed;
    at = fixed.end;
    if (at >= end) return 0;
  }
  return -ENOMEM;
}

/** @kernel mm/mlock.c mlock_fixup (without: MLOCK_ONFAULT, DAX, secret memory, the gate VMA) */
function* mlockFixup(vma: Vma, start: number, end: number, locked: number): Task<Vma | number> {
  const old = vma.flags;
  const flags = (old & ~VM_LOCKED) | locked;
  if (flags === old || (old & VM_SPECIAL) !== 0) return vma;
  const part = yield* vmaModify(vma, start, end, flags);
  if (typeof part === 'number') return part;
  part.mm.lockedVm += locked === 0 ? start - end : end - start;
  mlockVmaPagesRange(part, start, end, flags);
  return part;
}

/**
 * @kernel mm/mlock.c mlock_vma_pages_range (without: the mark that keeps other faults from locking meanwhile)
 */
function mlockVmaPagesRange(vma: Vma, start: number, end: number, flags: number): void {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  vma.flags = flags;
  lruAddDrain(system);
  for (let at = nextPmd(mm, start, end); at < end; at = nextPmd(mm, pmdAddrEnd(at, end), end)) {
    const pmd = findPmd(mm, at);
    const next = pmdAddrEnd(at, end);
    if (lanes[pmd] === ENTRY_TABLE) mlockPteRange(vma, (lanes[pmd + 1] ?? 0) + 2 * (at & 511), next - at);
    else if (((lanes[pmd] ?? 0) & PTE_PRESENT) !== 0) mlockHugePmd(vma, lanes[pmd + 1] ?? 0, next - at);
  }
  lruAddDrain(system);
}

function mlockHugePmd(vma: Vma, head: number, count: number): void {
  if (head === HUGE_ZERO_PFN) return;
  if ((vma.flags & VM_LOCKED) === 0) munlockFolio(vma.mm.system, head);
  else if (count === 512) mlockFolio(vma.mm.system, head);
}

/** @kernel mm/mlock.c mlock_pte_range (without: folios between a page and 2 MiB) */
function mlockPteRange(vma: Vma, first: number, count: number): void {
  const { system } = vma.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  for (let entry = first; entry < first + 2 * count; entry += 2) {
    const pte = lanes[entry] ?? 0;
    if ((pte & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) continue;
    const pfn = lanes[entry + 1] ?? 0;
    const folio = map.folio(pfn);
    const flags = map.flags[folio] ?? 0;
    if ((flags & PG_zone_device) !== 0) continue;
    const large = (flags & PG_head) !== 0;
    if ((vma.flags & VM_LOCKED) === 0) munlockFolio(system, folio);
    // A large folio counts once, and only where all of it is mapped here.
    else if (!large) mlockFolio(system, folio);
    else if (pfn === folio && wholeFolioMapped(lanes, entry, folio, first + 2 * count))
      mlockFolio(system, folio);
  }
}

function wholeFolioMapped(lanes: Int32Array, entry: number, folio: number, end: number): boolean {
  if (entry + 1024 > end) return false;
  for (let i = 0; i < 512; i++) {
    if (((lanes[entry + 2 * i] ?? 0) & PTE_PRESENT) === 0 || lanes[entry + 2 * i + 1] !== folio + i)
      return false;
  }
  return true;
}

/**
 * Faults in what VMAs have in [start, end). @returns 0, or the error of the first VMA that could not be; with
 * `ignoreErrors` the VMAs behind it are faulted in all the same.
 * @kernel mm/gup.c __mm_populate (without: retries with mmap_lock dropped)
 */
export function* mmPopulate(mm: MmStruct, start: number, end: number, ignoreErrors: boolean): Task<number> {
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  let ret = 0;
  for (let at = start; at < end && ret === 0;) {
    const vma = findVmaIntersection(mm, at, end);
    if (vma === undefined) break;
    const from = Math.max(at, vma.start);
    at = Math.min(vma.end, end);
    if ((vma.flags & (VM_IO | VM_PFNMAP)) === 0) {
      const populated = yield* populateVmaPageRange(vma, from, at);
      if (populated < 0 && !ignoreErrors) ret = populated;
    }
  }
  mm.mmapLock.unlockRead();
  return ret;
}

/**
 * Faults in a part of one VMA; private writable memory as if written to. @returns pages, or a negative errno.
 * @kernel mm/gup.c populate_vma_page_range (without: MLOCK_ONFAULT, retries with mmap_lock dropped)
 */
export function* populateVmaPageRange(vma: Vma, start: number, end: number): Task<number> {
  let flags = FOLL_TOUCH;
  if ((vma.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE) flags |= FOLL_WRITE;
  if ((vma.flags & (VM_READ | VM_WRITE | VM_EXEC)) !== 0) flags |= FOLL_FORCE;
  const ret = yield* getUserPages(vma.mm, start, end - start, flags, undefined);
  lruAddDrain(vma.mm.system);
  return ret;
}
