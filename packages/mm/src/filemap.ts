import { LEVEL_PTE } from '@hmm/kernel/internal';
import type { AddressSpace } from './address-space.js';
import { PG_swapbacked } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { folioPut } from './page-alloc.js';
import { PTE_PRESENT } from './pte.js';

/**
 * A file's page cache: a radix tree in the pool of page tables, whose entries are present (payload pfn) or swapped out
 * (`PTE_TYPE_SWAP`, payload slot).
 *
 * @packageDocumentation
 */

/** The lane of the cache entry for page `index` of the file, -1 where its tables are missing. */
export function cacheEntry(system: MemorySystem, file: AddressSpace, index: number): number {
  return system.tables.findPte(file.root, index);
}

/**
 * The frame that caches page `index`, 0 for none.
 * @kernel include/linux/pagemap.h filemap_get_folio (without: shadow entries of evicted pages)
 */
export function filemapGetFolio(system: MemorySystem, file: AddressSpace, index: number): number {
  const entry = cacheEntry(system, file, index);
  if (entry < 0) return 0;
  const { lanes } = system.tables;
  return ((lanes[entry] ?? 0) & PTE_PRESENT) !== 0 ? (lanes[entry + 1] ?? 0) : 0;
}

/**
 * Puts a new frame into the cache, which takes a reference on it. @returns false when page tables are used up.
 * @kernel mm/shmem.c shmem_add_to_page_cache (without: large folios, memory control groups, conflicts in the
 * tree)
 */
export function filemapAddFolio(
  system: MemorySystem,
  file: AddressSpace,
  pfn: number,
  index: number,
): boolean {
  const { map, tables } = system;
  const entry = tables.make(file.root, index, LEVEL_PTE);
  if (entry < 0) return false;
  tables.lanes[entry] = PTE_PRESENT;
  tables.lanes[entry + 1] = pfn;
  map.get(pfn);
  map.mapping[pfn] = file.id;
  map.index[pfn] = index;
  map.set(pfn, PG_swapbacked);
  return true;
}

/**
 * Takes a frame out of the cache and drops the cache's reference.
 * @kernel mm/filemap.c filemap_remove_folio (without: shadow entries, write-back, large folios)
 */
export function filemapRemoveFolio(system: MemorySystem, file: AddressSpace, pfn: number): void {
  const { map, tables } = system;
  const entry = cacheEntry(system, file, (map.index[pfn] ?? 0) >>> 0);
  tables.lanes[entry] = 0;
  tables.lanes[entry + 1] = 0;
  map.mapping[pfn] = 0;
  folioPut(system, pfn);
}
