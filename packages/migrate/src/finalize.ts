import { SP_PREEMPT, type Task } from '@hmm/kernel';
import { type MemorySystem } from '@hmm/mm';
import {
  folioAddLru,
  folioPut,
  PG_zone_device,
  removeMigrationPtes,
  tryRemoveMigrationPtes,
} from '@hmm/mm/internal';
import { MIGRATE_PFN_MIGRATE, migratePfnToPage } from './migrate-pfn.js';

/**
 * Ends a migration slot by slot: of the source and the destination page the one that is to stay is mapped wherever the
 * source page was, and both are unlocked and let go of; `held` is the folio that a CPU fault unlocks itself.
 * @kernel mm/migrate_device.c migrate_device_finalize (without: flags of a folio that move with its LRU
 * generation)
 */
export function* migrateDeviceFinalizeSlots(
  system: MemorySystem,
  src: Int32Array,
  dst: Int32Array,
  npages: number,
  held = 0,
): Task {
  const { map } = system;
  const { sched } = system.kernel;
  const since = sched.steps + 1;
  for (let i = 0; i < npages; i++) {
    const slot = src[i] ?? 0;
    const page = migratePfnToPage(slot);
    let newpage = migratePfnToPage(dst[i] ?? 0);
    if (page === 0) {
      if (newpage !== 0) release(system, newpage);
      continue;
    }
    if (sched.exploring) {
      // What was done to the pages before is not looked at again.
      sched.forget(since, [i], []);
      yield SP_PREEMPT;
    }
    if ((slot & MIGRATE_PFN_MIGRATE) === 0 || newpage === 0) {
      if (newpage !== 0) release(system, newpage);
      newpage = page;
    }
    if (((map.flags[newpage] ?? 0) & PG_zone_device) === 0) folioAddLru(system, newpage);
    if (!tryRemoveMigrationPtes(system, page, newpage)) yield* removeMigrationPtes(system, page, newpage);
    if (page === held) folioPut(system, page);
    else release(system, page);
    if (newpage !== page) release(system, newpage);
  }
}

function release(system: MemorySystem, page: number): void {
  system.map.unlock(page);
  folioPut(system, page);
}
