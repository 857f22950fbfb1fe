import { ENOMEM, type Task } from '@hmm/kernel';
import { folioLock } from './folio-lock.js';
import { copyHighpage } from './highmem.js';
import {
  NO_PFN,
  PG_active,
  PG_anon,
  PG_head,
  PG_migrated,
  PG_swapcache,
  PG_unevictable,
  PG_uptodate,
} from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { accessFolio } from './observe.js';
import { allocPage, folioPut } from './page-alloc.js';
import { removeMigrationPtes } from './remove-migration-ptes.js';
import { folioMapped } from './rmap.js';
import { folioAddLru } from './swap.js';
import { folioFreeSwap } from './swapfile.js';
import { tryToMigrate } from './try-to-migrate.js';

/**
 * Gives a page's identity and state to another, if nobody but the caller (and `extra` others) holds a reference on it.
 * @kernel mm/migrate.c folio_migrate_mapping, folio_migrate_flags (without: file pages and the swap cache,
 * which stay; memory control groups, NUMA hints, KSM, LRU generations)
 */
export function folioMigrateMapping(
  system: MemorySystem,
  newpage: number,
  page: number,
  extra: number,
): boolean {
  const { map } = system;
  accessFolio(system, page, true);
  if (map.refcount[page] !== 1 + extra) return false;
  const flags = map.flags[page] ?? 0;
  map.mapping[newpage] = map.mapping[page] ?? 0;
  map.index[newpage] = map.index[page] ?? 0;
  const unevictable = (flags & PG_active) === 0 ? flags & PG_unevictable : 0;
  map.set(newpage, (flags & (PG_migrated | PG_anon | PG_uptodate)) | unevictable);
  map.clear(page, PG_active | unevictable);
  return true;
}

/**
 * Moves an isolated folio, whose reference the move takes over, to a frame where a long-term pin may stay. Without reclaim: what has
 * no room stays.
 * @returns 0, or `-ENOMEM` where it has to stay.
 * @kernel mm/gup.c migrate_longterm_unpinnable_folios (without: large folios and pages of files, which stay; tries after the first)
 */
export function* migrateLongtermUnpinnableFolio(system: MemorySystem, folio: number): Task<number> {
  const { map } = system;
  yield* folioLock(system, folio);
  const single = map.test(folio, PG_anon) && !map.test(folio, PG_head);
  const target = single ? allocPage(system, false) : NO_PFN;
  if (target !== NO_PFN) {
    map.tryLock(target);
    if (folioMapped(system, folio)) yield* tryToMigrate(system, folio);
  }
  const moved = target !== NO_PFN && moveAnonFolio(system, target, folio);
  const stays = moved ? target : folio;
  folioAddLru(system, stays);
  if (target !== NO_PFN) yield* removeMigrationPtes(system, folio, stays);
  for (const held of target === NO_PFN ? [folio] : [folio, target]) {
    map.unlock(held);
    folioPut(system, held);
  }
  return moved ? 0 : -ENOMEM;
}

function moveAnonFolio(system: MemorySystem, target: number, folio: number): boolean {
  if (folioMapped(system, folio)) return false;
  if (system.map.test(folio, PG_swapcache) && !folioFreeSwap(system, folio)) return false;
  if (!folioMigrateMapping(system, target, folio, 0)) return false;
  copyHighpage(system, target, folio);
  return true;
}
