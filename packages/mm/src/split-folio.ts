import { EAGAIN, EBUSY, type Task } from '@hmm/kernel';
import { folioMappedByOthers, pmdTransHuge, splitHugePmdAddress, splitHugePmdLocked } from './huge-memory.js';
import {
  HUGE_ZERO_PFN,
  NO_PFN,
  PG_active,
  PG_anon,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_lru,
  PG_mlocked,
  PG_referenced,
  PG_swapbacked,
  PG_unevictable,
  PG_uptodate,
  PG_zone_device_private,
} from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { pagePgmap } from './memremap.js';
import { folioPut } from './page-alloc.js';
import { PTE_DIRTY, PTE_PRESENT, PTE_YOUNG } from './pte.js';
import {
  RMP_USE_SHARED_ZEROPAGE,
  removeMigrationPtes,
  tryRemoveMigrationPtes,
} from './remove-migration-ptes.js';
import { folioMapcount, folioMapped } from './rmap.js';
import { folioMarkLazyfree } from './swap.js';
import { freeSwapCache } from './swapfile.js';
import { tryToMigrate } from './try-to-migrate.js';
import type { Vma } from './vma.js';

const SPLIT_BEFORE = { before: splitHugePmdAddress };
const SPLIT_IN_WALK = { inside: splitHugePmdLocked };

/** Pages of a large folio. */
const NR = 512;

/**
 * What the parts of a split folio take over from its head.
 * @kernel mm/huge_memory.c __split_huge_page_tail (without: flags of file pages, young and idle marks)
 */
const TAIL_FLAGS =
  PG_referenced |
  PG_swapbacked |
  PG_mlocked |
  PG_uptodate |
  PG_active |
  PG_locked |
  PG_unevictable |
  PG_dirty |
  PG_lru |
  PG_anon |
  PG_zone_device_private;

/**
 * Splits a large folio into small pages, which its mappings then map one by one; parts that are all zeroes are replaced by
 * the zero page (not in device memory). The caller holds the folio's lock and one reference, which stay with the page `keep`.
 * With `list` the other pages go on it, unlocked, each with a reference: reclaim's.
 * @returns 0; `-EAGAIN` when somebody else holds a reference: nothing was done, nothing announced; `-EBUSY` for the huge
 * zero page. @kernel include/linux/huge_mm.h split_folio
 */
export function* splitFolio(
  system: MemorySystem,
  folio: number,
  keep = folio,
  list?: number[],
): Task<number> {
  const { map } = system;
  if (folio === HUGE_ZERO_PFN) return -EBUSY;
  if (folioMapcount(system, folio) !== (map.refcount[folio] ?? 0) - 1) return -EAGAIN;
  const inWalk = system.kernel.does.splitsPmdInWalk;
  yield* tryToMigrate(system, folio, inWalk ? SPLIT_IN_WALK : SPLIT_BEFORE);
  if (folioMapped(system, folio) || map.refcount[folio] !== 1) {
    yield* remap(system, folio, 0);
    return -EAGAIN;
  }
  splitParts(system, folio);
  const remapFlags = map.test(folio, PG_zone_device_private) ? 0 : RMP_USE_SHARED_ZEROPAGE;
  for (let pfn = folio; pfn < folio + NR; pfn++) yield* remap(system, pfn, remapFlags);
  for (let pfn = folio; pfn < folio + NR; pfn++) {
    if (pfn === keep) continue;
    map.unlock(pfn);
    if (list !== undefined) {
      list.push(pfn);
      continue;
    }
    freeSwapCache(system, pfn);
    folioPut(system, pfn);
  }
  return 0;
}

/**
 * Splits a large folio that is locked and mapped nowhere, its mappings being migration entries, into pages that are locked
 * and have one reference each. @param extra references beside the caller's, which stay with the first page.
 * @returns 0, or `-EAGAIN` when somebody else holds a reference. @kernel mm/huge_memory.c folio_split_unmapped (from 6.19 on)
 */
export function folioSplitUnmapped(system: MemorySystem, folio: number, extra: number): number {
  if (folioMapped(system, folio) || system.map.refcount[folio] !== 1 + extra) return -EAGAIN;
  splitParts(system, folio);
  return 0;
}

/**
 * @kernel mm/huge_memory.c __split_huge_page (without: file pages, other orders, memory control groups, parts
 * beyond the end of a file)
 */
function splitParts(system: MemorySystem, head: number): void {
  const { map } = system;
  const flags = map.flags[head] ?? 0;
  const index = map.index[head] ?? 0;
  const mapping = map.mapping[head] ?? 0;
  map.flags[head] = flags & ~PG_head;
  map.private[head + 1] = 0;
  map.private[head + 2] = 0;
  for (let i = 1; i < NR; i++) {
    map.flags[head + i] = flags & TAIL_FLAGS;
    map.refcount[head + i] = 1;
    map.mapping[head + i] = mapping;
    map.index[head + i] = (index + i) | 0;
  }
  if ((flags & PG_zone_device_private) !== 0) tellOwner(system, head);
}

/** @kernel include/linux/memremap.h zone_device_private_split_cb (from 6.19 on) */
function tellOwner(system: MemorySystem, head: number): void {
  const { ops } = pagePgmap(system, head);
  if (ops.folioSplit === undefined) return;
  for (let tail = head + 1; tail < head + NR; tail++) ops.folioSplit(head, tail);
  ops.folioSplit(head, NO_PFN);
}

/** @kernel mm/huge_memory.c remap_page (without: file pages) */
function* remap(system: MemorySystem, folio: number, flags: number): Task {
  if (!tryRemoveMigrationPtes(system, folio, folio, flags))
    yield* removeMigrationPtes(system, folio, folio, flags);
}

/** Splits the huge page that the PMD entry at lane `pmd` maps; the huge zero page is left. @returns as {@link splitFolio}. */
export function* splitFolioOfPmd(vma: Vma, pmd: number): Task<number> {
  const { system } = vma.mm;
  const { map, tables } = system;
  const folio = tables.lanes[pmd + 1] ?? 0;
  if (!pmdTransHuge(system, pmd) || folio === HUGE_ZERO_PFN || !map.tryLock(folio)) return -EBUSY;
  map.get(folio);
  const error = yield* splitFolio(system, folio);
  map.unlock(folio);
  folioPut(system, folio);
  return error;
}

/**
 * MADV_FREE of the part [start, end) of a huge page: lazily freed as a whole, or split if only a part is meant.
 * @kernel mm/huge_memory.c madvise_free_huge_pmd (without: the test for pins, the TLB flush)
 */
export function* madviseFreeHugePmd(vma: Vma, start: number, end: number, pmd: number): Task {
  const { system } = vma.mm;
  const { map, tables } = system;
  const folio = tables.lanes[pmd + 1] ?? 0;
  if (!pmdTransHuge(system, pmd) || folio === HUGE_ZERO_PFN || folioMappedByOthers(vma, folio)) return;
  if (end - start !== NR) {
    yield* splitFolioOfPmd(vma, pmd);
    return;
  }
  if (map.test(folio, PG_locked)) return;
  map.clear(folio, PG_dirty);
  tables.lanes[pmd] = (tables.lanes[pmd] ?? 0) & ~(PTE_DIRTY | PTE_YOUNG);
  folioMarkLazyfree(system, folio);
}

/**
 * Entries from `entry` on that map a folio's consecutive pages.
 * @kernel mm/internal.h folio_pte_batch (without: entries that differ in other bits, where the kernel ends
 * the batch)
 */
export function folioPteBatch(lanes: Int32Array, entry: number, pfn: number, end: number): number {
  let at = entry;
  while (at < end && ((lanes[at] ?? 0) & PTE_PRESENT) !== 0 && lanes[at + 1] === pfn + (at - entry) / 2)
    at += 2;
  return (at - entry) / 2;
}

/** Splits a large folio of which only a part is meant, unless others map it. False when it stays. */
export function* splitForPart(vma: Vma, folio: number): Task<boolean> {
  const { system } = vma.mm;
  const { map } = system;
  if (folioMappedByOthers(vma, folio) || !map.tryLock(folio)) return false;
  map.get(folio);
  const error = yield* splitFolio(system, folio);
  map.unlock(folio);
  folioPut(system, folio);
  return error === 0;
}
