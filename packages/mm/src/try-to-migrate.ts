import type { Task } from '@hmm/kernel';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import { PG_anon_exclusive, PG_dirty, PG_head } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { mlockDrainLocal } from './mlock-folio.js';
import type { MmStruct } from './mm-struct.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessPte } from './observe.js';
import { folioPut } from './page-alloc.js';
import { findPmd } from './page-walk.js';
import {
  isHuge,
  isMigrationPte,
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_SOFT_DIRTY,
  PTE_TYPE_MIGRATION,
  PTE_UFFD_WP,
  PTE_WRITE,
  PTE_YOUNG,
} from './pte.js';
import { folioMapped, folioRemoveRmapPmd, folioRemoveRmapPte, folioTryShareAnonRmapPte } from './rmap.js';
import { folioNrPages, isMapping, rmapWalk } from './rmap-walk.js';
import { VM_LOCKED, type Vma } from './vma.js';

/** What a migration entry keeps of the entry that it stands for. */
const KEPT = PTE_WRITE | PTE_SOFT_DIRTY | PTE_UFFD_WP;

/**
 * The flags of the migration entry that replaces an entry with `flags`: writable, readable-exclusive or readable, and
 * what else has to come back. @kernel include/linux/swapops.h make_writable_migration_entry (all) and its kin
 */
export function migrationEntryFlags(flags: number, exclusive: boolean): number {
  const present = (flags & PTE_PRESENT) !== 0 ? flags & (PTE_YOUNG | PTE_DIRTY) : 0;
  const flavour = exclusive && (flags & PTE_WRITE) === 0 ? PTE_EXCLUSIVE : 0;
  return PTE_TYPE_MIGRATION | (flags & KEPT) | present | flavour;
}

/** How a huge mapping is broken: with an announcement of its own, before the folio's; or under the folio's. */
export interface PmdSplit {
  readonly before?: (vma: Vma, vpn: number) => Task;
  readonly inside?: (vma: Vma, pmd: number) => void;
}

/**
 * Replaces every mapping of a locked folio by a migration entry, announcing each VMA visited as CLEAR. Stops as soon as
 * the folio is mapped nowhere; mappings that cannot be replaced (a pinned exclusive page's) stay.
 * `split`, where given, breaks the huge mappings of a large folio.
 * @kernel mm/rmap.c try_to_migrate (without: KSM, TLB flushes in batches)
 */
export function* tryToMigrate(system: MemorySystem, folio: number, split?: PmdSplit): Task {
  yield* rmapWalk(system, folio, function* (vma, vpn): Task<boolean> {
    if (split?.before !== undefined) yield* split.before(vma, vpn);
    const going = yield* tryToMigrateOne(vma, folio, vpn, split);
    return going && folioMapped(system, folio);
  });
}

/**
 * Replaces the huge entry at lane `pmd`, present or private, by a migration entry. False when the folio may not be shared.
 * @kernel mm/huge_memory.c set_pmd_migration_entry (without: file pages, userfaultfd's write protection)
 */
export function setPmdMigrationEntry(vma: Vma, pmd: number): boolean {
  const { system } = vma.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const flags = lanes[pmd] ?? 0;
  const head = lanes[pmd + 1] ?? 0;
  const exclusive = map.test(head, PG_anon_exclusive);
  if (exclusive && !folioTryShareAnonRmapPte(system, head)) return false;
  accessPte(system, pmd, true);
  if ((flags & PTE_DIRTY) !== 0) map.set(head, PG_dirty);
  lanes[pmd] = migrationEntryFlags(flags, exclusive) | PTE_HUGE;
  folioRemoveRmapPmd(head, vma);
  folioPut(system, head);
  return true;
}

/**
 * @kernel mm/rmap.c try_to_migrate_one (without: hugetlb, KSM, poisoned pages, TLB flushes in batches, hooks
 * of the architecture)
 */
function* tryToMigrateOne(vma: Vma, folio: number, vpn: number, split?: PmdSplit): Task<boolean> {
  const { mm } = vma;
  const { system } = mm;
  const { tables, map } = system;
  const first = folio + ((vma.pgoff + (vpn - vma.start) - (map.index[folio] ?? 0)) | 0);
  const end = Math.min(vma.end, vpn + folio + folioNrPages(system, folio) - first);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, vpn, end) : undefined;
  let ok = true;
  const pmd = map.test(folio, PG_head) ? findPmd(mm, vpn) : -1;
  let last = false;
  if (pmd >= 0 && split?.inside !== undefined && mapsWhole(mm, vpn, folio)) {
    split.inside(vma, pmd);
    last = system.kernel.does.splitStopsAtFirstVma;
  } else if (pmd >= 0 && mapsWhole(mm, vpn, folio)) {
    ok = setPmdMigrationEntry(vma, pmd);
    notifyEnd(range);
    return ok;
  }
  for (let at = vpn; at < end && ok; at++) {
    const entry = tables.findPte(mm.root, at);
    if (entry >= 0) ok = migrateEntry(vma, entry, first + (at - vpn));
  }
  notifyEnd(range);
  return ok && !last;
}

/** Whether the PMD of page `vpn` maps all of `folio`. @kernel mm/page_vma_mapped.c check_pmd (all) */
function mapsWhole(mm: MmStruct, vpn: number, folio: number): boolean {
  const { system } = mm;
  const { lanes } = system.tables;
  const pmd = findPmd(mm, vpn);
  const flags = pmd < 0 ? 0 : (lanes[pmd] ?? 0);
  if (!isHuge(flags)) return false;
  accessPte(system, pmd, false);
  return !isMigrationPte(flags) && lanes[pmd + 1] === folio;
}

/** Replaces one entry if it maps `pfn`. False when the page may not be shared. */
function migrateEntry(vma: Vma, entry: number, pfn: number): boolean {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const { map } = system;
  const flags = lanes[entry] ?? 0;
  accessPte(system, entry, false);
  if (lanes[entry + 1] !== pfn) return true;
  if (!isMapping(system, flags)) return true;
  const exclusive = map.test(pfn, PG_anon_exclusive);
  if (exclusive && !folioTryShareAnonRmapPte(system, pfn)) return false;
  accessPte(system, entry, true);
  if ((flags & PTE_DIRTY) !== 0) map.set(map.folio(pfn), PG_dirty);
  lanes[entry] = migrationEntryFlags(flags, exclusive);
  folioRemoveRmapPte(pfn, vma);
  if ((vma.flags & VM_LOCKED) !== 0) mlockDrainLocal(system);
  folioPut(system, pfn);
  return true;
}
