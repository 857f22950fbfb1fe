import { HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import {
  folioLock,
  folioPut,
  HUGE_ZERO_PFN,
  isDevicePrivatePte,
  NO_PFN,
  PG_head,
  pagePgmap,
  PTE_PRESENT,
  PTE_WRITE,
  setPmdMigrationEntry,
  splitFolio,
  splitHugePmd,
} from '@hmm/mm/internal';
import { collectHole, collectSkip } from './collect-hole.js';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migratePfn,
} from './migrate-pfn.js';
import type { MigrateVma } from './migrate-vma.js';

/**
 * The huge entry at lane `entry`, of which the pages [start, end) are meant. Before 6.19 it is broken up.
 * @returns true when the entry has to be looked at again, being a page table by now; false when the slots are filled.
 * @kernel mm/migrate_device.c migrate_vma_collect_huge_pmd (from 6.19 on)
 */
export function* migrateVmaCollectHugePmd(
  args: MigrateVma,
  entry: number,
  start: number,
  end: number,
): Task<boolean> {
  const { vma } = args;
  const { system, kernel } = vma.mm;
  const { map, tables } = system;
  const flags = tables.lanes[entry] ?? 0;
  const folio = tables.lanes[entry + 1] ?? 0;
  const old = !kernel.does.collectsHugePmds;
  if (old && folio === HUGE_ZERO_PFN) {
    yield* splitHugePmd(vma, start);
    return true;
  }
  if (!old && !selectedHuge(args, flags, folio)) {
    collectSkip(args, end - start);
    return false;
  }
  if (folio === HUGE_ZERO_PFN) {
    collectHole(args, start, end);
    return false;
  }
  map.get(folio);
  if (!heldByFault(args, folio) && !map.tryLock(folio)) {
    folioPut(system, folio);
    collectSkip(args, end - start);
    return false;
  }
  if (!old && wantsWhole(args, start, end) && takeWhole(args, entry, flags, folio)) return false;
  const split = yield* splitLocked(args, folio);
  if (!split) collectSkip(args, end - start);
  return split;
}

/** Whether a huge entry's folio is of a kind, and of an owner, that was asked for. */
function selectedHuge({ vma, flags, pgmapOwner }: MigrateVma, entry: number, folio: number): boolean {
  if ((entry & PTE_PRESENT) !== 0) return (flags & MIGRATE_VMA_SELECT_SYSTEM) !== 0;
  return (
    isDevicePrivatePte(entry) &&
    (flags & MIGRATE_VMA_SELECT_DEVICE_PRIVATE) !== 0 &&
    pagePgmap(vma.mm.system, folio).owner === pgmapOwner
  );
}

/** Whether the pages [start, end) are 2 MiB that may be taken as one. */
function wantsWhole({ flags }: MigrateVma, start: number, end: number): boolean {
  return (flags & MIGRATE_VMA_SELECT_COMPOUND) !== 0 && end - start === HPAGE_PMD_NR;
}

/** Takes a locked folio with one slot for all of it, its entry becoming a migration entry. */
function takeWhole(args: MigrateVma, entry: number, flags: number, folio: number): boolean {
  if (!setPmdMigrationEntry(args.vma, entry)) return false;
  const write = (flags & PTE_WRITE) !== 0 ? MIGRATE_PFN_WRITE : 0;
  const at = args.npages;
  collectSkip(args, HPAGE_PMD_NR);
  args.src[at] = migratePfn(folio) | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND | write;
  args.cpages++;
  return true;
}

/**
 * Splits the large folio that the PTE at lane `entry` maps a page of, waiting for its lock. @returns false when that fails.
 * @kernel mm/migrate_device.c migrate_vma_split_folio (from 6.19 on)
 */
export function* migrateVmaSplitFolio(args: MigrateVma, entry: number): Task<boolean> {
  const { system } = args.vma.mm;
  const { map } = system;
  const folio = map.folio(system.tables.lanes[entry + 1] ?? 0);
  map.get(folio);
  if (!heldByFault(args, folio)) yield* folioLock(system, folio);
  if (map.test(folio, PG_head)) return yield* splitLocked(args, folio);
  // Somebody else has split it meanwhile.
  map.unlock(folio);
  folioPut(system, folio);
  return true;
}

/** Whether the CPU fault that asks for the migration has `folio` locked. */
function heldByFault({ vma, faultPage }: MigrateVma, folio: number): boolean {
  const { map, kernel } = vma.mm.system;
  return kernel.does.faultLocksPage && faultPage !== NO_PFN && map.folio(faultPage) === folio;
}

/** Splits a folio on which the caller has the lock and a reference, which are dropped; a fault keeps its own with its page. */
function* splitLocked(args: MigrateVma, folio: number): Task<boolean> {
  const { system } = args.vma.mm;
  const { map } = system;
  const { faultPage } = args;
  // A split allows for one reference: where the fault has one of its own, ours has to go, and the fault's stays with its page.
  const faulted = faultPage !== NO_PFN && map.folio(faultPage) === folio;
  const held = heldByFault(args, folio);
  if (faulted) folioPut(system, folio);
  const ret = yield* splitFolio(system, folio, faulted ? faultPage : folio);
  if (!held) map.unlock(faulted && ret === 0 ? faultPage : folio);
  if (!faulted) folioPut(system, folio);
  return ret === 0;
}
