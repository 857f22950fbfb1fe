import { HmmError, type Task } from '@hmm/kernel';
import { PG_anon, PG_dirty, PG_mlocked, PG_zone_device_private, ZERO_PFN } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { mlockDrainLocal } from './mlock-folio.js';
import { accessPte } from './observe.js';
import { findPmd } from './page-walk.js';
import {
  isHuge,
  isMigrationPte,
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_HUGE,
  PTE_SOFT_DIRTY,
  PTE_SPECIAL,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_UFFD_WP,
  PTE_WRITE,
  PTE_YOUNG,
} from './pte.js';
import { mkPte } from './pte-make.js';
import { folioAddAnonRmapPmd, folioAddAnonRmapPte, folioAddFileRmapPte } from './rmap.js';
import { folioNrPages, rmapTreeOf, vmaAddress, type RmapTree } from './rmap-walk.js';
import { VM_LOCKED, type Vma } from './vma.js';

/** Map pages of zeroes to the zero page rather than to themselves; for the parts of a split folio. */
export const RMP_USE_SHARED_ZEROPAGE = 1;

/**
 * Replaces all migration entries of the folio `src` by mappings of `dst`, a folio of the same size (or `src` itself).
 * Nothing is announced. @kernel mm/migrate.c remove_migration_ptes (without: KSM)
 */
export function* removeMigrationPtes(system: MemorySystem, src: number, dst: number, flags = 0): Task {
  const where = rmapTreeOf(system, dst);
  if (where === undefined) return;
  yield* where.rwsem.read();
  restoreAll(system, where, src, dst, flags);
}

/**
 * {@link removeMigrationPtes} without sleeping.
 * @returns false when the tree's lock is not to be had at once; then nothing was done.
 */
export function tryRemoveMigrationPtes(system: MemorySystem, src: number, dst: number, flags = 0): boolean {
  const where = rmapTreeOf(system, dst);
  if (where === undefined) return true;
  if (!where.rwsem.tryReadFast()) return false;
  restoreAll(system, where, src, dst, flags);
  return true;
}

function restoreAll(system: MemorySystem, where: RmapTree, src: number, dst: number, flags: number): void {
  const { map, tables } = system;
  const nr = folioNrPages(system, dst);
  const index = map.index[dst] ?? 0;
  for (const vma of where.tree) {
    const vpn = vmaAddress(vma, src, index, nr);
    if (vpn < 0) continue;
    const skipped = (vma.pgoff + (vpn - vma.start) - index) | 0;
    const end = Math.min(vma.end, vpn + nr - skipped);
    const pmd = nr > 1 && skipped === 0 ? findPmd(vma.mm, vpn) : -1;
    if (pmd >= 0 && isMigrationPmdOf(system, pmd, src)) {
      removeMigrationPmd(vma, pmd, dst);
      continue;
    }
    for (let at = vpn; at < end; at++) {
      const entry = tables.findPte(vma.mm.root, at);
      if (entry < 0) {
        checkNoHugeEntry(vma, at, src);
        continue;
      }
      accessPte(system, entry, false);
      const page = skipped + (at - vpn);
      if (tables.lanes[entry + 1] !== src + page || !isMigrationPte(tables.lanes[entry] ?? 0)) continue;
      removeMigrationPte(vma, entry, dst + page, flags);
    }
  }
  where.rwsem.unlockRead();
}

/**
 * A huge entry of a folio that is large no more cannot be restored: the real kernel dies.
 * @throws HmmError `HUGE_ENTRY_OF_PAGE`.
 * @kernel mm/huge_memory.c remove_migration_pmd (without: file pages) (its VM_BUG_ON)
 */
function checkNoHugeEntry(vma: Vma, vpn: number, src: number): void {
  const { system } = vma.mm;
  const pmd = findPmd(vma.mm, vpn);
  if (pmd < 0 || !isMigrationPmdOf(system, pmd, src)) return;
  throw new HmmError(
    'HUGE_ENTRY_OF_PAGE',
    `a huge migration entry names frame ${src}, whose folio was split`,
    {
      pfn: src,
    },
  );
}

/** @kernel mm/migrate.c remove_migration_pte (without: hugetlb, KSM, hooks of the architecture) */
function removeMigrationPte(vma: Vma, entry: number, pfn: number, flags: number): void {
  const { mm } = vma;
  const { system } = mm;
  const { map } = system;
  const { lanes } = system.tables;
  accessPte(system, entry, true);
  if ((flags & RMP_USE_SHARED_ZEROPAGE) !== 0 && mapUnusedToZeropage(vma, entry, pfn)) return;
  const old = lanes[entry] ?? 0;
  const folio = map.folio(pfn);
  map.get(folio);
  lanes[entry] = restoredFlags(vma, old, map.flags[folio] ?? 0, map.flags[pfn] ?? 0);
  lanes[entry + 1] = pfn;
  if (map.test(folio, PG_anon)) {
    folioAddAnonRmapPte(pfn, vma, (old & (PTE_WRITE | PTE_EXCLUSIVE)) !== 0);
  } else folioAddFileRmapPte(pfn, vma);
  if ((vma.flags & VM_LOCKED) !== 0) mlockDrainLocal(system);
}

/** Whether the entry at lane `pmd` is a migration entry of the large folio `src`. */
function isMigrationPmdOf(system: MemorySystem, pmd: number, src: number): boolean {
  const { lanes } = system.tables;
  const flags = lanes[pmd] ?? 0;
  return isHuge(flags) && isMigrationPte(flags) && lanes[pmd + 1] === src;
}

/** @kernel mm/huge_memory.c remove_migration_pmd (without: file pages) */
function removeMigrationPmd(vma: Vma, pmd: number, folio: number): void {
  const { system } = vma.mm;
  const { map } = system;
  const { lanes } = system.tables;
  accessPte(system, pmd, true);
  const old = lanes[pmd] ?? 0;
  const folioFlags = map.flags[folio] ?? 0;
  map.get(folio);
  lanes[pmd] = restoredFlags(vma, old, folioFlags, folioFlags) | PTE_HUGE;
  lanes[pmd + 1] = folio;
  folioAddAnonRmapPmd(system, folio, (old & (PTE_WRITE | PTE_EXCLUSIVE)) !== 0);
}

/** The entry that takes the place of a migration entry with flags `old`. */
function restoredFlags(vma: Vma, old: number, folioFlags: number, pageFlags: number): number {
  const kept = old & (PTE_WRITE | PTE_SOFT_DIRTY | PTE_UFFD_WP);
  if ((pageFlags & PG_zone_device_private) !== 0) return PTE_TYPE_DEVICE_PRIVATE | kept;
  const dirty = (folioFlags & PG_dirty) !== 0 ? old & PTE_DIRTY : 0;
  return (mkPte(vma) & ~PTE_YOUNG) | kept | (old & PTE_YOUNG) | dirty;
}

/**
 * @kernel mm/migrate.c try_to_map_unused_to_zeropage (without: userfaultfd, processes that forbid the zero
 * page)
 */
function mapUnusedToZeropage(vma: Vma, entry: number, pfn: number): boolean {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  if ((vma.flags & VM_LOCKED) !== 0 || system.map.test(pfn, PG_mlocked) || !system.data.isZero(pfn))
    return false;
  lanes[entry] = mkPte(vma) | PTE_SPECIAL;
  lanes[entry + 1] = ZERO_PFN;
  mm.rssAnon--;
  return true;
}
