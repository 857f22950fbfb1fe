import { EINVAL, SP_PREEMPT, type Task } from '@hmm/kernel';
import { VM_HUGETLB, VM_SPECIAL, type Vma } from '@hmm/mm';
import { folioMapped, folioPut, isMigrationPte, tryToMigrate } from '@hmm/mm/internal';
import { moveFolio } from '@hmm/migrate/internal';
import { CpuEntry } from '../cpu-entry.js';
import type { HmmCore } from '../hmm.js';
import type { HmmDevmem } from '../hmm-devmem.js';
import { HMM_PFN_MIGRATE } from '../hmm-pfn.js';
import { outsideVma } from '../hmm-range.js';
import { hmmMigrateCollect } from './migrate-collect.js';
import { letGo, mapAgain } from './migrate-finish.js';
import { hmmMigrateLockAndIsolate, hmmMigratePageCheck } from './migrate-isolate.js';

/** What a driver does in a migration. @v13 patch 16 hmm_migrate_ops */
export interface HmmMigrateOps {
  /** The memory of the driver; in 2016 it is reached through `private`. */
  readonly devmem: HmmDevmem;
  /**
   * Slots with MIGRATE are locked pages of stable contents, which the CPU does not map any more. The driver clears MIGRATE where it
   * does not move one; else it puts a locked page with one reference, flagged MIGRATE, in its place, and copies.
   */
  allocAndCopy(vma: Vma, start: number, end: number, pfns: Int32Array): void;
  /** Slots that still have MIGRATE have been moved, and the CPU is not told yet: the driver may enter them in its own tables. */
  finalizeAndMap(vma: Vma, start: number, end: number, pfns: Int32Array): void;
}

/** A migration that is under way. @v13 patch 16 hmm_migrate */
export interface HmmMigrate {
  readonly core: HmmCore;
  readonly vma: Vma;
  readonly start: number;
  readonly end: number;
  readonly pfns: Int32Array;
  /** Slots with MIGRATE. A page that fails twice is subtracted twice. */
  npages: number;
  /** The page that each slot was collected with, 0 for none and when it was let go of. */
  readonly sources: Int32Array;
  /** By slot: whether the page was taken off the LRU. */
  readonly isolated: Uint8Array;
  /** The memory of the driver, which knows of the faults of the CPU that hold a reference, as those of 2016 did not. */
  readonly devmem: HmmDevmem;
}

/**
 * Moves pages of [start, end) to where the driver puts them. The caller holds mmap_sem for reading. `pfns` needs no contents: it is
 * filled with the sources, and from the callback on has the destinations. Huge mappings are split first. What nobody has touched,
 * the zero page, and what is swapped out or being migrated is left alone.
 * @returns 0, whatever becomes of each page; `-EINVAL` for arguments that cannot be.
 * @v13 patch 16 hmm_vma_migrate (without: private data of file pages, soft-dirty)
 */
export function* hmmVmaMigrate(
  ops: HmmMigrateOps,
  vma: Vma,
  start: number,
  end: number,
  pfns: Int32Array,
): Task<number> {
  if ((vma.flags & (VM_HUGETLB | VM_SPECIAL)) !== 0 || start >= end) return -EINVAL;
  if (outsideVma(vma, start, end) || end === vma.start) return -EINVAL;
  pfns.fill(0, 0, 2 * (end - start));
  const sources = new Int32Array(end - start);
  const isolated = new Uint8Array(end - start);
  const { devmem } = ops;
  const { core } = devmem;
  const migrate: HmmMigrate = { core, devmem, vma, start, end, pfns, sources, isolated, npages: 0 };
  yield* hmmMigrateCollect(migrate);
  if (migrate.npages === 0) return 0;
  yield* hmmMigrateLockAndIsolate(migrate);
  if (migrate.npages === 0) return 0;
  yield* hmmMigrateUnmap(migrate);
  if (migrate.npages === 0) return 0;
  ops.allocAndCopy(vma, start, end, pfns);
  if (vma.mm.kernel.sched.exploring) yield SP_PREEMPT;
  hmmMigrateStructPage(migrate);
  ops.finalizeAndMap(vma, start, end, pfns);
  yield* hmmMigrateRemoveMigrationPte(migrate);
  return 0;
}

/** Unmaps the pages wherever else they are mapped. @v13 patch 16 hmm_migrate_unmap (all) */
function* hmmMigrateUnmap(migrate: HmmMigrate): Task {
  const { core, vma, start, end, pfns } = migrate;
  const { system } = vma.mm;
  let restore = 0;
  for (let i = 0; i < end - start; i++) {
    const page = pfns[2 * i + 1] ?? 0;
    if (page === 0 || ((pfns[2 * i] ?? 0) & HMM_PFN_MIGRATE) === 0) continue;
    if (folioMapped(system, page)) yield* tryToMigrate(system, page);
    if (!folioMapped(system, page) && hmmMigratePageCheck(migrate, page)) continue;
    pfns[2 * i] = (pfns[2 * i] ?? 0) & ~HMM_PFN_MIGRATE;
    migrate.npages--;
    restore++;
  }
  // The loop that restores goes on from where the one above has ended.
  if (restore === 0 || core.does.unmapNeverRestores) return;
  for (let i = 0; i < end - start; i++) {
    const page = pfns[2 * i + 1] ?? 0;
    if (page !== 0 && ((pfns[2 * i] ?? 0) & HMM_PFN_MIGRATE) === 0) yield* mapAgain(migrate, i, page, page);
  }
}

/**
 * Gives each page's identity to its destination, which the slot has by now: the source is found in the CPU's table.
 * @v13 patch 16 hmm_migrate_struct_page (all)
 */
function hmmMigrateStructPage({ vma, start, end, pfns, devmem }: HmmMigrate): void {
  const { system } = vma.mm;
  const entry = new CpuEntry();
  for (let i = 0; i < end - start; i++) {
    const flags = pfns[2 * i] ?? 0;
    const newpage = pfns[2 * i + 1] ?? 0;
    if (newpage === 0 || (flags & HMM_PFN_MIGRATE) === 0) continue;
    entry.read(vma.mm, start + i);
    if (!isMigrationPte(entry.flags)) {
      // The page was unmapped meanwhile.
      pfns[2 * i] = 0;
      pfns[2 * i + 1] = 0;
      system.map.unlock(newpage);
      folioPut(system, newpage);
      continue;
    }
    if (!moveFolio(system, newpage, entry.pfn, devmem.faultsOn(entry.pfn)))
      pfns[2 * i] = flags & ~HMM_PFN_MIGRATE;
  }
}

/**
 * Maps what each slot ended with, and lets go of all locks and references.
 * @v13 patch 16 hmm_migrate_remove_migration_pte (all)
 */
function* hmmMigrateRemoveMigrationPte(migrate: HmmMigrate): Task {
  const { core, vma, start, end, pfns } = migrate;
  const { sched } = vma.mm.kernel;
  const entry = new CpuEntry();
  for (let i = 0; i < end - start; i++) {
    if (sched.exploring) yield SP_PREEMPT;
    entry.read(vma.mm, start + i);
    if (!isMigrationPte(entry.flags)) {
      if (!core.does.unmappedSourceLeaks) letGo(migrate, i);
      continue;
    }
    const page = entry.pfn;
    const named = pfns[2 * i + 1] ?? 0;
    if (named === 0) continue;
    const moved = ((pfns[2 * i] ?? 0) & HMM_PFN_MIGRATE) !== 0;
    yield* mapAgain(migrate, i, page, moved || core.does.refusedPageMapped ? named : page);
    if (named === page) continue;
    vma.mm.system.map.unlock(named);
    folioPut(vma.mm.system, named);
  }
}
