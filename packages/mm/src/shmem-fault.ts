import { type Task } from '@hmm/kernel';
import type { AddressSpace } from './address-space.js';
import { cacheEntry, filemapAddFolio, filemapGetFolio } from './filemap.js';
import { folioLock } from './folio-lock.js';
import { NO_PFN, PG_dirty, PG_locked, PG_swapcache, PG_uptodate } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { accessFolio } from './observe.js';
import { allocZeroedPage, folioPut } from './page-alloc.js';
import { PTE_PRESENT } from './pte.js';
import { readSwapCacheAsync } from './swap-state.js';
import { folioAddLru } from './swap.js';
import { deleteFromSwapCache } from './swapfile.js';

/**
 * The page of a file at `index`, locked and with a reference for the caller: from the cache, from swap, or new and zeroed.
 * @returns its frame, {@link NO_PFN} when memory is used up.
 * @kernel mm/shmem.c shmem_get_folio_gfp (without: huge pages, quotas, memory control groups, userfaultfd,
 * reads that allocate nothing)
 */
export function* shmemGetFolio(system: MemorySystem, file: AddressSpace, index: number): Task<number> {
  const { map, tables } = system;
  for (;;) {
    const pfn = filemapGetFolio(system, file, index);
    if (pfn !== 0) {
      map.get(pfn);
      if (system.kernel.sched.exploring || !map.tryLock(pfn)) yield* folioLock(system, pfn);
      if (map.mapping[pfn] === file.id && filemapGetFolio(system, file, index) === pfn) return pfn;
      map.unlock(pfn);
      folioPut(system, pfn);
      continue;
    }
    const entry = cacheEntry(system, file, index);
    const slot = entry < 0 || tables.lanes[entry] === 0 ? 0 : (tables.lanes[entry + 1] ?? 0);
    return slot === 0 ? shmemAllocAndAdd(system, file, index) : yield* shmemSwapin(system, file, index, slot);
  }
}

/** @kernel mm/shmem.c shmem_alloc_and_add_folio (without: huge pages, quotas, memory control groups) */
function shmemAllocAndAdd(system: MemorySystem, file: AddressSpace, index: number): number {
  const pfn = allocZeroedPage(system);
  if (pfn === NO_PFN) return NO_PFN;
  system.map.set(pfn, PG_locked | PG_uptodate);
  if (!filemapAddFolio(system, file, pfn, index)) {
    system.map.unlock(pfn);
    folioPut(system, pfn);
    return NO_PFN;
  }
  accessFolio(system, pfn, true);
  folioAddLru(system, pfn);
  return pfn;
}

/**
 * Reads a page back from its slot, which is freed: the page is the only copy, and dirty.
 * @kernel mm/shmem.c shmem_swapin_folio (without: large folios, swapoff, memory control groups, poisoned
 * pages)
 */
function* shmemSwapin(system: MemorySystem, file: AddressSpace, index: number, slot: number): Task<number> {
  const { map, tables, swap } = system;
  const pfn = readSwapCacheAsync(system, slot);
  if (pfn === NO_PFN) return NO_PFN;
  if (system.kernel.sched.exploring || !map.tryLock(pfn)) yield* folioLock(system, pfn);
  const entry = cacheEntry(system, file, index);
  const flags = tables.lanes[entry] ?? 0;
  if (flags === 0 || (flags & PTE_PRESENT) !== 0 || !map.test(pfn, PG_swapcache)) {
    map.unlock(pfn);
    folioPut(system, pfn);
    return yield* shmemGetFolio(system, file, index);
  }
  filemapAddFolio(system, file, pfn, index);
  deleteFromSwapCache(system, pfn);
  map.set(pfn, PG_dirty);
  swap.drop(slot);
  return pfn;
}
