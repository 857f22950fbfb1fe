import { EOPNOTSUPP, SP_PREEMPT, type Task } from '@hmm/kernel';
import {
  MMU_NOTIFY_EXCLUSIVE,
  mmHasNotifiers,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInitOwner,
  type MmuNotifierRange,
} from '@hmm/mmu-notifier';
import {
  FOLL_GET,
  FOLL_REMOTE,
  FOLL_SPLIT_PMD,
  FOLL_TOUCH,
  FOLL_WRITE,
  getUserPages,
  type MmStruct,
  type Vma,
  vmaLookup,
} from '@hmm/mm';
import {
  accessPte,
  folioLock,
  folioMapped,
  folioNrPages,
  folioPut,
  folioRemoveRmapPte,
  isDeviceExclusivePte,
  isDevicePrivatePte,
  NO_PFN,
  PG_anon,
  PG_dirty,
  PG_hugetlb,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_WRITE,
  rmapWalk,
} from '@hmm/mm/internal';

const WRITABLE = PTE_PRESENT | PTE_WRITE;

/** What a device is to get for itself. */
interface Target {
  readonly mm: MmStruct;
  readonly vpn: number;
  readonly owner: number;
  /** Whether the page was found at its address, writable. */
  valid: boolean;
}

/**
 * Makes the pages [start, end) of `mm` accessible to one device only: the CPU's entries become device-exclusive ones. The
 * caller holds `mmap_lock` at least for reading. Pages are made writable and this process's own first.
 *
 * @param pages gets for each page its frame, locked and with a reference, for the driver to map, then unlock and put;
 * or 0 where it could not be made exclusive (a file's, the tail of a large folio, locked by somebody else …).
 * @param owner of the device, for the notifiers; 0 for none.
 * @returns how many pages were looked at, or a negative errno when not even the first could be had.
 * @kernel mm/rmap.c make_device_exclusive_range (without: waits that a signal ends)
 */
export function* makeDeviceExclusiveRange(
  mm: MmStruct,
  start: number,
  end: number,
  pages: number[],
  owner: number,
): Task<number> {
  const { system } = mm;
  const { map } = system;
  const flags = FOLL_GET | FOLL_WRITE | FOLL_SPLIT_PMD | FOLL_REMOTE | FOLL_TOUCH;
  const got = yield* getUserPages(mm, start, end - start, flags, pages);
  if (got < 0) return got;
  for (let i = 0; i < got; i++) {
    // All pages were looked up before: meanwhile another device may lock the next ones, or make them its own.
    if (system.kernel.sched.exploring) yield SP_PREEMPT;
    const page = pages[i] ?? NO_PFN;
    const folio = map.folio(page);
    if (page !== folio || !map.tryLock(folio)) {
      folioPut(system, folio);
      pages[i] = NO_PFN;
      continue;
    }
    if (!(yield* folioMakeDeviceExclusive(folio, mm, start + i, owner))) {
      map.unlock(folio);
      folioPut(system, folio);
      pages[i] = NO_PFN;
    }
  }
  if (system.kernel.sched.exploring) yield SP_PREEMPT;
  return got;
}

/** @kernel mm/rmap.c folio_make_device_exclusive (all) */
function* folioMakeDeviceExclusive(folio: number, mm: MmStruct, vpn: number, owner: number): Task<boolean> {
  const { system } = mm;
  const fit = system.map.test(folio, PG_anon) && !system.map.test(folio, PG_hugetlb);
  if (!fit) return false;
  const target: Target = { mm, vpn, owner, valid: false };
  yield* rmapWalk(system, folio, function* (vma, first): Task<boolean> {
    const going = yield* pageMakeDeviceExclusiveOne(vma, folio, first, target);
    return going && folioMapped(system, folio);
  });
  return target.valid && !folioMapped(system, folio);
}

/**
 * All of the folio's entries in one VMA.
 * @kernel mm/rmap.c page_make_device_exclusive_one (without: TLB flushes, soft-dirty, userfaultfd's write
 * protection, caches of other architectures)
 */
function* pageMakeDeviceExclusiveOne(vma: Vma, folio: number, vpn: number, target: Target): Task<boolean> {
  const { mm } = vma;
  const { system } = mm;
  const { tables, map } = system;
  const nr = folioNrPages(system, folio);
  let range: MmuNotifierRange | undefined;
  if (mmHasNotifiers(mm)) {
    range = mmuNotifierRangeInitOwner(
      MMU_NOTIFY_EXCLUSIVE,
      mm,
      vpn,
      Math.min(vma.end, vpn + nr),
      target.owner,
    );
    const started = mmuNotifierInvalidateRangeStart(range);
    if (typeof started !== 'number') yield* started;
  }
  const first = folio + ((vma.pgoff + (vpn - vma.start) - (map.index[folio] ?? 0)) | 0);
  const end = Math.min(vma.end, vpn + folio + nr - first);
  let ok = true;
  for (let at = vpn; at < end && ok; at++) {
    const entry = tables.findPte(mm.root, at);
    if (entry >= 0) ok = makeExclusive(vma, entry, first + (at - vpn), at, target);
  }
  if (range !== undefined) mmuNotifierInvalidateRangeEnd(range);
  return ok;
}

/** One entry, if it names `pfn`. False when it does and is not present: the walk ends there. */
function makeExclusive(vma: Vma, entry: number, pfn: number, vpn: number, target: Target): boolean {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const flags = lanes[entry] ?? 0;
  accessPte(system, entry, false);
  if (lanes[entry + 1] !== pfn) return true;
  if ((flags & PTE_PRESENT) === 0) return !isDeviceExclusivePte(flags) && !isDevicePrivatePte(flags);
  if ((flags & PTE_SPECIAL) !== 0) return true;
  accessPte(system, entry, true);
  if ((flags & PTE_DIRTY) !== 0) system.map.set(system.map.folio(pfn), PG_dirty);
  if (target.mm === vma.mm && target.vpn === vpn && (flags & PTE_WRITE) !== 0) target.valid = true;
  storeExclusive(vma, entry);
  return true;
}

/** The mapping's reference becomes the entry's; from 6.15 on so does the mapping, and every entry is of one kind. */
function storeExclusive(vma: Vma, entry: number): void {
  const { does } = vma.mm.kernel;
  const { lanes } = vma.mm.system.tables;
  const kept = does.exclusiveRestoredByVma ? 0 : (lanes[entry] ?? 0) & PTE_WRITE;
  lanes[entry] = PTE_TYPE_DEVICE_EXCLUSIVE | kept;
  if (!does.exclusiveKeepsMapping) folioRemoveRmapPte(lanes[entry + 1] ?? 0, vma);
}

/**
 * Makes one page of `mm` accessible to one device only. The caller holds `mmap_lock` at least for reading. The page is made
 * writable and this process's own first; only its own process is told (EXCLUSIVE).
 *
 * @param owner of the device, for the notifiers; 0 for none.
 * @returns the page's frame, its folio locked and with a reference, for the driver to map, then unlock and put; or a
 * negative errno: `-EFAULT` (no VMA, no permission), `-EOPNOTSUPP` (a file's page), `-ENOMEM`.
 * @kernel mm/rmap.c make_device_exclusive
 */
export function* makeDeviceExclusive(mm: MmStruct, vpn: number, owner: number): Task<number> {
  const { system } = mm;
  const { map } = system;
  const { sched } = system.kernel;
  const flags = FOLL_GET | FOLL_WRITE | FOLL_SPLIT_PMD | FOLL_REMOTE | FOLL_TOUCH;
  for (;;) {
    const pages: number[] = [];
    const got = yield* getUserPages(mm, vpn, 1, flags, pages);
    if (got < 0) return got;
    const page = pages[0] ?? NO_PFN;
    const folio = map.folio(page);
    if (!map.test(folio, PG_anon) || map.test(folio, PG_hugetlb)) {
      folioPut(system, folio);
      return -EOPNOTSUPP;
    }
    if (sched.exploring || !map.tryLock(folio)) yield* folioLock(system, folio);
    if (yield* exclusiveEntry(mm, vpn, page, owner)) return page;
    map.unlock(folio);
    folioPut(system, folio);
  }
}

/** Announces a page and makes its entry an exclusive one, if it still maps the page writable. */
function* exclusiveEntry(mm: MmStruct, vpn: number, page: number, owner: number): Task<boolean> {
  const { system } = mm;
  const { tables, map } = system;
  const vma = vmaLookup(mm, vpn);
  if (vma === undefined) return false;
  let range: MmuNotifierRange | undefined;
  if (mmHasNotifiers(mm)) {
    range = mmuNotifierRangeInitOwner(MMU_NOTIFY_EXCLUSIVE, mm, vpn, vpn + 1, owner);
    const started = mmuNotifierInvalidateRangeStart(range);
    if (typeof started !== 'number') yield* started;
  }
  const entry = tables.findPte(mm.root, vpn);
  if (entry >= 0) accessPte(system, entry, false);
  const pte = entry < 0 ? 0 : (tables.lanes[entry] ?? 0);
  const found = (pte & WRITABLE) === WRITABLE && tables.lanes[entry + 1] === page;
  if (found) {
    accessPte(system, entry, true);
    if ((pte & PTE_DIRTY) !== 0) map.set(map.folio(page), PG_dirty);
    storeExclusive(vma, entry);
  }
  if (range !== undefined) mmuNotifierInvalidateRangeEnd(range);
  return found;
}
