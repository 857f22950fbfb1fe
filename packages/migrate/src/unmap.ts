import type { Task } from '@hmm/kernel';
import { type MemorySystem } from '@hmm/mm';
import {
  accessFolio,
  folioAddLru,
  folioMapcount,
  folioMapped,
  folioPut,
  lruAddDrain,
  NO_PFN,
  PG_anon,
  PG_lru,
  PG_swapcache,
  PG_zone_device,
  removeMigrationPtes,
  tryRemoveMigrationPtes,
  tryToMigrate,
} from '@hmm/mm/internal';
import { MIGRATE_PFN_MIGRATE, migratePfnToPage } from './migrate-pfn.js';

/**
 * Takes the collected pages off the LRU and unmaps them where they are still mapped. A page that something else holds a
 * reference on is put back as it was and its slot cleared.
 * @param faultPage the page that a CPU fault holds a reference on, or 0.
 * @returns the slots that can be migrated, holes included.
 * @kernel mm/migrate_device.c migrate_device_unmap (without: drains of the LRU batches of other CPUs)
 */
export function* migrateDeviceUnmap(
  system: MemorySystem,
  src: Int32Array,
  npages: number,
  faultPage: number,
): Task<number> {
  const { map } = system;
  let unmapped = 0;
  let restore = 0;
  lruAddDrain(system);
  for (let i = 0; i < npages; i++) {
    const slot = src[i] ?? 0;
    const page = migratePfnToPage(slot);
    if (page === 0) {
      if ((slot & MIGRATE_PFN_MIGRATE) !== 0) unmapped++;
      continue;
    }
    const device = ((map.flags[page] ?? 0) & PG_zone_device) !== 0;
    if (!device && !isolateLru(system, page)) {
      src[i] = slot & ~MIGRATE_PFN_MIGRATE;
      restore++;
      continue;
    }
    // Isolation holds a reference of its own: the one from collecting is not needed any more.
    if (!device) folioPut(system, page);
    if (folioMapped(system, page)) yield* tryToMigrate(system, page);
    if (!folioMapped(system, page) && checkPage(system, page, faultPage)) {
      unmapped++;
      continue;
    }
    if (!device) folioAddLru(system, page);
    src[i] = slot & ~MIGRATE_PFN_MIGRATE;
    restore++;
  }
  if (restore > 0) yield* restorePages(system, src, npages, faultHold(system, faultPage));
  return unmapped;
}

/** The folio that the CPU fault on `faultPage` has locked, and unlocks itself; {@link NO_PFN} for none. */
export function faultHold({ map, kernel }: MemorySystem, faultPage: number): number {
  return kernel.does.faultLocksPage && faultPage !== NO_PFN ? map.folio(faultPage) : NO_PFN;
}

/** Maps again, as they were, the pages that cannot be migrated. */
function* restorePages(system: MemorySystem, src: Int32Array, npages: number, held: number): Task {
  for (let i = 0; i < npages; i++) {
    const slot = src[i] ?? 0;
    const page = migratePfnToPage(slot);
    if (page === 0 || (slot & MIGRATE_PFN_MIGRATE) !== 0) continue;
    if (!tryRemoveMigrationPtes(system, page, page)) yield* removeMigrationPtes(system, page, page);
    src[i] = 0;
    if (page !== held) system.map.unlock(page);
    folioPut(system, page);
  }
}

/** @kernel mm/vmscan.c folio_isolate_lru (without: the LRU lists themselves) */
function isolateLru(system: MemorySystem, page: number): boolean {
  const { map } = system;
  accessFolio(system, page, true);
  if (!map.test(page, PG_lru)) return false;
  map.clear(page, PG_lru);
  map.get(page);
  return true;
}

/**
 * Whether nothing but the migration, the page and swap caches and the fault holds a reference. A device page is let
 * pass with one more, which the exact test of `migrateVmaPages` then finds.
 * @kernel mm/migrate_device.c migrate_vma_check_page (without: private data of file pages)
 */
function checkPage(system: MemorySystem, page: number, faultPage: number): boolean {
  const { map } = system;
  accessFolio(system, page, true);
  const flags = map.flags[page] ?? 0;
  let extra = 1 + (page === faultPage ? 1 : 0);
  if ((flags & PG_zone_device) !== 0) extra++;
  if ((flags & PG_swapcache) !== 0 || ((flags & PG_anon) === 0 && map.mapping[page] !== 0)) extra++;
  return (map.refcount[page] ?? 0) - extra <= folioMapcount(system, page);
}
