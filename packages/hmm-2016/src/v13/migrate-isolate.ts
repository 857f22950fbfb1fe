import type { Task } from '@hmm/kernel';
import {
  accessFolio,
  folioIsolateLru,
  folioLock,
  folioMapcount,
  folioPut,
  lruAddDrain,
} from '@hmm/mm/internal';
import { HMM_PFN_LOCKED, HMM_PFN_MIGRATE } from '../hmm-pfn.js';
import type { HmmMigrate } from './migrate.js';
import { isZoneDevicePage, mapAgain } from './migrate-finish.js';

/** References besides the mappings' that a page of system memory may have: the migration's own. */
const OWN = 1;

/**
 * Whether nobody but the migration, the faults that wait for it and the page's mappings holds a reference.
 * @v13 patch 16 hmm_migrate_page_check (without: huge pages, which never get here)
 */
export function hmmMigratePageCheck(migrate: HmmMigrate, page: number): boolean {
  const { system } = migrate.vma.mm;
  accessFolio(system, page, true);
  const count = (system.map.refcount[page] ?? 0) - migrate.devmem.faultsOn(page);
  return count - OWN <= folioMapcount(system, page);
}

/**
 * Locks the pages that were busy, waiting for whoever has them; takes them off the LRU; and finds those that something else holds.
 * @v13 patch 16 hmm_migrate_lock_and_isolate (without: LRU batches of other CPUs; what is dropped twice where a page could not be isolated)
 */
export function* hmmMigrateLockAndIsolate(migrate: HmmMigrate): Task {
  const { vma, start, end, pfns } = migrate;
  const { system } = vma.mm;
  let restore = 0;
  lruAddDrain(system);
  for (let i = 0; i < end - start; i++) {
    const page = pfns[2 * i + 1] ?? 0;
    if (page === 0) continue;
    if (((pfns[2 * i] ?? 0) & HMM_PFN_LOCKED) === 0) {
      yield* folioLock(system, page);
      pfns[2 * i] = (pfns[2 * i] ?? 0) | HMM_PFN_LOCKED;
    }
    if (!isZoneDevicePage(migrate, page)) {
      if (folioIsolateLru(system, page)) {
        // Isolation holds a reference of its own: the one from collecting is not needed any more.
        migrate.isolated[i] = 1;
        folioPut(system, page);
      } else {
        giveUp(migrate, i);
        restore++;
      }
    }
    if (hmmMigratePageCheck(migrate, page)) continue;
    giveUp(migrate, i);
    restore++;
  }
  if (restore > 0) yield* restorePages(migrate);
}

function giveUp(migrate: HmmMigrate, slot: number): void {
  migrate.pfns[2 * slot] = (migrate.pfns[2 * slot] ?? 0) & ~HMM_PFN_MIGRATE;
  migrate.npages--;
}

/**
 * Maps what was given up again. v13 looks for the first page that goes on, where it meant one that does not, and begins there: what
 * was given up before it stays a migration entry of a locked page. (Its second loop steps by PAGE_SHIFT bytes, which only makes it
 * look at slots behind the last.)
 */
function* restorePages(migrate: HmmMigrate): Task {
  const { core, start, end, pfns } = migrate;
  const going = (i: number): boolean => ((pfns[2 * i] ?? 0) & HMM_PFN_MIGRATE) !== 0;
  let begun = !core.does.restoreSkipsBegin;
  for (let i = 0; i < end - start; i++) {
    const page = pfns[2 * i + 1] ?? 0;
    if (page !== 0 && going(i)) begun = true;
    if (!begun || page === 0 || going(i)) continue;
    yield* mapAgain(migrate, i, page, page);
  }
}
