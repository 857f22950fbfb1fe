import type { Task } from '@hmm/kernel';
import {
  folioAddLru,
  folioPut,
  PG_zone_device,
  removeMigrationPtes,
  tryRemoveMigrationPtes,
} from '@hmm/mm/internal';
import type { HmmMigrate } from './migrate.js';

/**
 * Replaces the migration entries of `page` by mappings of `newpage` (or of itself), unlocks `page` and lets it go; the slot is
 * done with. A page that stays goes back to the LRU. @v13 patch 16 hmm_migrate_remove_migration_pte
 */
export function* mapAgain(migrate: HmmMigrate, slot: number, page: number, newpage: number): Task {
  const { vma, pfns, sources, isolated } = migrate;
  const { system } = vma.mm;
  const onLru = newpage !== page || isolated[slot] === 1;
  if (onLru && !isZoneDevicePage(migrate, newpage)) folioAddLru(system, newpage);
  if (!tryRemoveMigrationPtes(system, page, newpage)) yield* removeMigrationPtes(system, page, newpage);
  pfns[2 * slot] = 0;
  pfns[2 * slot + 1] = 0;
  sources[slot] = 0;
  system.map.unlock(page);
  folioPut(system, page);
}

/** A page that nothing maps any more, and the one that was to take its place, are unlocked and let go of. */
export function letGo({ vma, pfns, sources }: HmmMigrate, slot: number): void {
  const { system } = vma.mm;
  const page = sources[slot] ?? 0;
  const named = pfns[2 * slot + 1] ?? 0;
  if (page === 0) return;
  sources[slot] = 0;
  for (const held of named === 0 || named === page ? [page] : [page, named]) {
    system.map.unlock(held);
    folioPut(system, held);
  }
}

/** Whether `page` is memory of a device. */
export function isZoneDevicePage({ vma }: HmmMigrate, page: number): boolean {
  return ((vma.mm.system.map.flags[page] ?? 0) & PG_zone_device) !== 0;
}
