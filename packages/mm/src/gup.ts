import { EFAULT, ENOMEM, SP_PREEMPT, type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import {
  FAULT_FLAG_REMOTE,
  FAULT_REPEAT_NS,
  FAULT_FLAG_UNSHARE,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
} from './fault.js';
import { handleMmFault } from './handle-mm-fault.js';
import { splitHugePmd } from './huge-memory.js';
import { PG_anon, PG_anon_exclusive, PG_dirty, PG_reserved, PG_zone_device_coherent } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import type { MmStruct } from './mm-struct.js';
import { accessFolio, accessPte, accessTables } from './observe.js';
import { migrateLongtermUnpinnableFolio } from './migrate.js';
import { folioPut } from './page-alloc.js';
import { findPmd } from './page-walk.js';
import { PTE_DIRTY, PTE_HUGE, PTE_PRESENT, PTE_PROTNONE, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG } from './pte.js';
import { folioMarkAccessed, lruAddDrain } from './swap.js';
import { vmaLookup } from './vma-set.js';
import { folioIsolateLru, folioPutbackLru } from './vmscan.js';
import { VM_HUGETLB, VM_IO, VM_PFNMAP, VM_READ, VM_SHARED, VM_WRITE, type Vma } from './vma.js';

/** `FOLL_*` flags, with the kernel's values. */
export const FOLL_WRITE = 1 << 0;
/** Take a reference. */
export const FOLL_GET = 1 << 1;
/** Go on where the VMA's permissions would stop an ordinary access. */
export const FOLL_FORCE = 1 << 3;
/** The pin stays for long: device memory has to move first, and private pages must be the mapping's own. */
export const FOLL_LONGTERM = 1 << 8;
/** Mark pages accessed, and dirty with FOLL_WRITE. */
export const FOLL_TOUCH = 1 << 16;
/** Another process's memory. */
export const FOLL_REMOTE = 1 << 18;
/** Pin. */
export const FOLL_PIN = 1 << 19;
/** Split huge PMDs that are met. */
export const FOLL_SPLIT_PMD = 1 << 28;

/** The page needs a fault. */
const NO_PAGE = -1;
/** As in a CPU access: what so many faults cannot serve is being migrated. */
const MAX_FAULTS = 2;
const NO_PAGES: readonly number[] = [];
/** The page must be unshared first: `-EMLINK` in the kernel. */
const UNSHARE = -2;

/**
 * Makes pages from `start` on accessible, page by page, and takes references or pins on them. The caller holds mmap_lock.
 *
 * @param pages gets the frames; undefined to fault in only.
 * @returns pages obtained, which may be fewer than asked for, or a negative errno when there was none.
 * @kernel mm/gup.c __get_user_pages (without: several pages of a large folio at a time, retries with
 * mmap_lock dropped, signals, FOLL_NOWAIT, the gate page)
 */
export function* getUserPages(
  mm: MmStruct,
  start: number,
  count: number,
  flags: number,
  pages: number[] | undefined,
): Task<number> {
  if ((flags & FOLL_PIN) !== 0) mm.hasPinned = true;
  let vma: Vma | undefined;
  let faulted = -1;
  let faults = 0;
  const { sched } = mm.kernel;
  const since = sched.steps + 1;
  for (let done = 0; done < count;) {
    const vpn = start + done;
    if (vma === undefined || vpn >= vma.end) {
      vma = vmaLookup(mm, vpn);
      const error = vma === undefined ? -EFAULT : checkVmaFlags(vma, flags);
      if (error !== 0 || vma === undefined) return done > 0 ? done : error;
    }
    const pfn = yield* followPage(vma, vpn, flags);
    if (pfn < 0) {
      if (vpn !== faulted) faults = 0;
      faulted = vpn;
      if (++faults > MAX_FAULTS) yield* mm.kernel.sched.delay(FAULT_REPEAT_NS);
      if (sched.exploring) sched.forget(since, [done, faults, pfn], pages ?? NO_PAGES);
      const error = yield* faultinPage(vma, vpn, flags, pfn === UNSHARE);
      if (error !== 0) return done > 0 ? done : error;
      if (sched.exploring) {
        // The pages so far are all that is left of what was read.
        sched.forget(since, [done, Math.min(faults, MAX_FAULTS)], pages ?? NO_PAGES);
        yield SP_PREEMPT;
      }
      continue;
    }
    pages?.push(pfn);
    done++;
  }
  return count;
}

/**
 * @kernel mm/gup.c check_vma_flags (without: secret memory, DAX, protection keys, FOLL_ANON, long-term pins
 * of file mappings)
 */
function checkVmaFlags(vma: Vma, flags: number): number {
  if ((vma.flags & (VM_IO | VM_PFNMAP)) !== 0) return -EFAULT;
  const force = (flags & FOLL_FORCE) !== 0;
  if ((flags & FOLL_WRITE) === 0) return (vma.flags & VM_READ) !== 0 || force ? 0 : -EFAULT;
  if ((vma.flags & VM_WRITE) !== 0) return 0;
  return force && (vma.flags & VM_SHARED) === 0 ? 0 : -EFAULT;
}

/** @kernel mm/gup.c faultin_page (without: retries with mmap_lock dropped, FOLL_NOFAULT, FOLL_HWPOISON) */
function* faultinPage(vma: Vma, vpn: number, flags: number, unshare: boolean): Task<number> {
  let fault = unshare ? FAULT_FLAG_UNSHARE : 0;
  if ((flags & FOLL_WRITE) !== 0) fault |= FAULT_FLAG_WRITE;
  if ((flags & FOLL_REMOTE) !== 0) fault |= FAULT_FLAG_REMOTE;
  const served = handleMmFault(vma, vpn, fault);
  const ret = typeof served === 'number' ? served : yield* served;
  if ((ret & VM_FAULT_ERROR) === 0) return 0;
  return (ret & VM_FAULT_OOM) !== 0 ? -ENOMEM : -EFAULT;
}

/**
 * The frame at `vpn` if it can be had as wanted, with the reference or pin taken.
 * @kernel mm/gup.c follow_page_mask (without: huge PUDs, FOLL_DUMP)
 */
function* followPage(vma: Vma, vpn: number, flags: number): Task<number> {
  const { mm } = vma;
  const { tables } = mm.system;
  const { lanes } = tables;
  const pmd = findPmd(mm, vpn);
  if (pmd < 0 || lanes[pmd] === 0) {
    accessTables(mm, false);
    return NO_PAGE;
  }
  if (((lanes[pmd] ?? 0) & PTE_HUGE) !== 0) {
    const present = ((lanes[pmd] ?? 0) & PTE_PRESENT) !== 0;
    const whole = !present || (flags & FOLL_SPLIT_PMD) === 0 || (vma.flags & VM_HUGETLB) !== 0;
    if (whole) return followPte(vma, pmd, vpn & 511, flags);
    yield* splitHugePmd(vma, vpn);
  }
  if (lanes[pmd] !== ENTRY_TABLE) return NO_PAGE;
  return followPte(vma, (lanes[pmd + 1] ?? 0) + 2 * (vpn & 511), 0, flags);
}

/**
 * `inside`: the page within a huge entry.
 * @kernel mm/gup.c follow_page_pte, follow_huge_pmd (without: PFN maps, DAX, FOLL_DUMP, P2PDMA pages)
 */
function followPte(vma: Vma, entry: number, inside: number, flags: number): number {
  const { system } = vma.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  accessPte(system, entry, false);
  const pte = lanes[entry] ?? 0;
  if ((pte & PTE_PRESENT) === 0) return NO_PAGE;
  if ((pte & PTE_PROTNONE) !== 0 && (flags & FOLL_FORCE) === 0) return NO_PAGE;
  const head = lanes[entry + 1] ?? 0;
  const pfn = head + inside;
  const marked = (pte & PTE_HUGE) !== 0 ? head : pfn;
  if ((flags & FOLL_WRITE) !== 0 && !canFollowWrite(vma, pte, marked, flags)) return NO_PAGE;
  if ((pte & PTE_WRITE) === 0 && gupMustUnshare(vma, marked, flags)) return UNSHARE;
  const folio = map.folio(pfn);
  accessFolio(system, folio, true);
  grabFolio(system, folio, flags);
  if ((flags & FOLL_TOUCH) !== 0) {
    if ((pte & PTE_HUGE) !== 0) lanes[entry] = pte | PTE_YOUNG | ((flags & FOLL_WRITE) !== 0 ? PTE_DIRTY : 0);
    else if ((pte & PTE_SPECIAL) === 0) {
      if ((flags & FOLL_WRITE) !== 0 && (pte & PTE_DIRTY) === 0) map.set(folio, PG_dirty);
      folioMarkAccessed(system, folio);
    }
  }
  return pfn;
}

/**
 * @kernel mm/gup.c can_follow_write_pte (without: VM_MAYWRITE, soft-dirty, userfaultfd's write protection)
 */
function canFollowWrite(vma: Vma, pte: number, pfn: number, flags: number): boolean {
  if ((pte & PTE_WRITE) !== 0) return true;
  if ((flags & FOLL_FORCE) === 0 || (vma.flags & (VM_SHARED | VM_WRITE)) !== 0) return false;
  const { map } = vma.mm.system;
  return map.test(map.folio(pfn), PG_anon) && map.test(pfn, PG_anon_exclusive);
}

/**
 * Whether a read-only pin needs the page to become this mapping's own first.
 * @kernel mm/internal.h gup_must_unshare (without: the fast path, which has no VMA; KSM)
 */
function gupMustUnshare(vma: Vma, pfn: number, flags: number): boolean {
  if ((flags & (FOLL_WRITE | FOLL_PIN)) !== FOLL_PIN) return false;
  const { map } = vma.mm.system;
  if (!map.test(map.folio(pfn), PG_anon))
    return (flags & FOLL_LONGTERM) !== 0 && (vma.flags & VM_SHARED) === 0;
  return !map.test(pfn, PG_anon_exclusive);
}

/**
 * @kernel mm/gup.c try_grab_folio (without: 1024 references a pin of a small folio, P2PDMA pages, overflow)
 */
function grabFolio(system: MemorySystem, folio: number, flags: number): void {
  const { map } = system;
  if ((flags & (FOLL_GET | FOLL_PIN)) === 0 || map.test(folio, PG_reserved)) return;
  map.get(folio);
  if ((flags & FOLL_PIN) !== 0) map.pincount[folio] = (map.pincount[folio] ?? 0) + 1;
}

/**
 * Pins pages from `start` on; with `FOLL_LONGTERM` what may not stay where it is moves first (coherent device memory, pages in CMA blocks). The caller holds
 * mmap_lock for reading. @returns pages pinned, or a negative errno.
 * @kernel mm/gup.c pin_user_pages (without: the fast path, the allocation scope of long-term pins)
 */
export function* pinUserPages(
  mm: MmStruct,
  start: number,
  count: number,
  flags: number,
  pages: number[],
): Task<number> {
  const { system } = mm;
  for (;;) {
    const got: number[] = [];
    const ret = yield* getUserPages(mm, start, count, flags | FOLL_PIN, got);
    const moved = (flags & FOLL_LONGTERM) === 0 ? 0 : yield* checkAndMigrateMovablePages(system, got);
    if (moved === 0) {
      for (const pfn of got) pages.push(pfn);
      return ret;
    }
    if (moved < 0) return moved;
  }
}

/**
 * Moves pages out of the way of a long-term pin that may not stay where they are: coherent device memory, and what lies in blocks of the
 * contiguous memory allocator. @returns 0: none had to move; 1: pins were dropped and have to be taken again; or a negative errno.
 * @kernel mm/gup.c check_and_migrate_movable_pages (without: movable zones; folios that another agent has isolated are tried again)
 */
function* checkAndMigrateMovablePages(system: MemorySystem, pages: readonly number[]): Task<number> {
  const { map, migrateDeviceCoherentFolio } = system;
  if (!pages.some((pfn) => isUnpinnable(system, pfn))) return 0;
  lruAddDrain(system);
  let error = 0;
  for (const pfn of pages) {
    const coherent = map.test(pfn, PG_zone_device_coherent);
    const folio = map.folio(pfn);
    const isolated = !coherent && isUnpinnable(system, pfn) && folioIsolateLru(system, folio);
    // The move itself needs the page unpinned, with one reference of its own.
    if (coherent) map.get(pfn);
    unpinUserPage(system, pfn);
    // The move lets go of the page, whether it succeeds or not.
    if (isolated && error === 0) error = yield* migrateLongtermUnpinnableFolio(system, folio);
    else if (isolated) folioPutbackLru(system, folio);
    if (!coherent) continue;
    if (error === 0 && migrateDeviceCoherentFolio !== undefined)
      error = yield* migrateDeviceCoherentFolio(pfn);
    else folioPut(system, pfn);
  }
  return error < 0 ? error : 1;
}

/** @kernel include/linux/mm.h folio_is_longterm_pinnable (without: movable zones) */
function isUnpinnable({ map, pages, config }: MemorySystem, pfn: number): boolean {
  if (map.test(pfn, PG_zone_device_coherent)) return true;
  return pfn >= pages.cmaStart && pfn < config.systemFrames;
}

/** Drops a pin. @kernel mm/gup.c unpin_user_page (without: 1024 references a pin of a small folio) */
export function unpinUserPage(system: MemorySystem, pfn: number): void {
  const { map } = system;
  const folio = map.folio(pfn);
  if (map.test(folio, PG_reserved)) return;
  map.pincount[folio] = (map.pincount[folio] ?? 0) - 1;
  accessFolio(system, folio, true);
  folioPut(system, folio);
}
