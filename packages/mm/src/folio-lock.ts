import { SP_LOCK, type Task } from '@hmm/kernel';
import { PG_locked } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import type { MmStruct } from './mm-struct.js';
import { findPmd } from './page-walk.js';
import { isMigrationPte } from './pte.js';

/**
 * Locks a folio, waiting for the agent that holds it.
 * @kernel include/linux/pagemap.h folio_lock (without: the order in which waiters get the lock, delay
 * accounting)
 */
export function* folioLock(system: MemorySystem, folio: number): Task {
  const { map, kernel } = system;
  if (kernel.sched.exploring) yield SP_LOCK;
  while (!map.tryLock(folio)) yield kernel.sched.waitFor(map.channels + folio);
}

/**
 * A fault met the migration entry of page `vpn`, or of the 2 MiB that it is in, for `pfn`: waits until the holder of the
 * folio's lock drops it, without taking a reference.
 * @returns 0: the access is to be repeated.
 * @kernel mm/migrate.c migration_entry_wait (without: delay accounting)
 */
export function* migrationEntryWait(mm: MmStruct, vpn: number, pfn: number): Task<number> {
  const { map, kernel, tables } = mm.system;
  const folio = map.folio(pfn);
  kernel.sched.access(map.channels + folio, false);
  const pte = tables.findPte(mm.root, vpn);
  const entry = pte >= 0 ? pte : findPmd(mm, vpn);
  const migrating = entry >= 0 && isMigrationPte(tables.lanes[entry] ?? 0);
  if (migrating && map.test(folio, PG_locked)) yield kernel.sched.waitFor(map.channels + folio);
  return 0;
}
