import { type Task } from '@hmm/kernel';
import { ENTRY_TABLE, entryPages, LEVEL_PMD, LEVEL_PTE, tableIndex } from '@hmm/kernel/internal';
import {
  MMU_NOTIFY_MIGRATE,
  mmHasNotifiers,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInitOwner,
} from '@hmm/mmu-notifier';
import {
  accessPte,
  accessTables,
  folioPut,
  folioRemoveRmapPte,
  folioTryShareAnonRmapPte,
  isDevicePrivatePte,
  isHuge,
  migrationEntryFlags,
  PG_anon_exclusive,
  PG_dirty,
  PG_head,
  PG_zone_device,
  PG_zone_device_coherent,
  pagePgmap,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  ZERO_PFN,
} from '@hmm/mm/internal';
import { collectHole, collectSkip } from './collect-hole.js';
import { migrateVmaCollectHugePmd, migrateVmaSplitFolio } from './collect-huge.js';
import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migratePfn,
} from './migrate-pfn.js';
import type { MigrateVma } from './migrate-vma.js';

/**
 * Announces the range as MIGRATE and takes every page of it that is selected and can be locked at once: its mapping here
 * becomes a migration entry.
 * @kernel mm/migrate_device.c migrate_vma_collect (without: the walk's callbacks, for which a loop stands)
 */
export function* migrateVmaCollect(args: MigrateVma): Task {
  const { mm } = args.vma;
  if (!mmHasNotifiers(mm)) {
    yield* collectRange(args);
  } else {
    const range = mmuNotifierRangeInitOwner(MMU_NOTIFY_MIGRATE, mm, args.start, args.end, args.pgmapOwner);
    const started = mmuNotifierInvalidateRangeStart(range);
    if (typeof started !== 'number') yield* started;
    yield* collectRange(args);
    mmuNotifierInvalidateRangeEnd(range);
  }
  args.end = args.start + args.npages;
}

/** The folio that a CPU fault takes for the one that it holds the lock of; 0 for none. */
interface FaultHold {
  folio: number;
}

function* collectRange(args: MigrateVma): Task {
  const { mm } = args.vma;
  const { tables } = mm.system;
  const { lanes } = tables;
  const fault: FaultHold = { folio: mm.system.map.folio(args.faultPage) };
  for (let at = args.start; at < args.end;) {
    let table = mm.root;
    let level: number = tables.levels;
    let entry = table + 2 * tableIndex(at, level);
    while (level > LEVEL_PTE && lanes[entry] === ENTRY_TABLE) {
      table = lanes[entry + 1] ?? 0;
      level--;
      entry = table + 2 * tableIndex(at, level);
    }
    const block = entryPages(level === LEVEL_PTE ? LEVEL_PMD : level);
    const end = Math.min(args.end, at - (at % block) + block);
    if (level > LEVEL_PTE && isHuge(lanes[entry] ?? 0)) {
      if (yield* migrateVmaCollectHugePmd(args, entry, at, end)) continue;
    } else if (level === LEVEL_PTE) {
      const done = collectPtes(args, fault, entry, end - at);
      at += done;
      if (at < end) {
        if (yield* migrateVmaSplitFolio(args, entry + 2 * done)) {
          if (!mm.kernel.does.faultKeepsOldFolio) fault.folio = mm.system.map.folio(args.faultPage);
          continue;
        }
        collectSkip(args, end - at);
      }
    } else if (lanes[entry] === 0) {
      accessTables(mm, false);
      collectHole(args, at, end);
    } else {
      collectSkip(args, end - at);
    }
    at = end;
  }
}

/**
 * `count` entries of a page table. @returns how many were looked at: it stops before a large folio that has to be split.
 * @kernel mm/migrate_device.c migrate_vma_collect_pmd (without: TLB flushes, soft-dirty and userfaultfd of
 * private entries)
 */
function collectPtes(args: MigrateVma, fault: FaultHold, first: number, count: number): number {
  for (let i = 0; i < count; i++) if (!collectPte(args, fault, first + 2 * i)) return i;
  return count;
}

/** One entry. False, and nothing done, when it is of a large folio that can be split. */
function collectPte(args: MigrateVma, fault: FaultHold, entry: number): boolean {
  const { system } = args.vma.mm;
  const { lanes } = system.tables;
  const flags = lanes[entry] ?? 0;
  const pfn = lanes[entry + 1] ?? 0;
  const at = args.npages;
  accessPte(system, entry, false);
  let slot = 0;
  if (flags === 0) {
    if (args.vma.isAnonymous()) slot = MIGRATE_PFN_MIGRATE;
  } else if ((flags & PTE_SPECIAL) !== 0) {
    if (pfn === ZERO_PFN && (args.flags & MIGRATE_VMA_SELECT_SYSTEM) !== 0) slot = MIGRATE_PFN_MIGRATE;
  } else if (selected(args, flags, pfn)) {
    if (system.map.test(system.map.folio(pfn), PG_head)) {
      if (system.kernel.does.collectSplitsLargeFolios) return false;
    } else if (collectPage(args, fault, entry, flags, pfn))
      slot = migratePfn(pfn) | MIGRATE_PFN_MIGRATE | ((flags & PTE_WRITE) !== 0 ? MIGRATE_PFN_WRITE : 0);
  }
  if (slot !== 0) args.cpages++;
  args.src[at] = slot;
  args.dst[at] = 0;
  args.npages = at + 1;
  return true;
}

/** Whether the entry's page is of a kind, and of an owner, that was asked for. */
function selected(args: MigrateVma, flags: number, pfn: number): boolean {
  const { system } = args.vma.mm;
  if ((flags & PTE_PRESENT) === 0) {
    return (
      isDevicePrivatePte(flags) &&
      (args.flags & MIGRATE_VMA_SELECT_DEVICE_PRIVATE) !== 0 &&
      pagePgmap(system, pfn).owner === args.pgmapOwner
    );
  }
  const page = system.map.flags[pfn] ?? 0;
  if ((page & PG_zone_device) === 0) return (args.flags & MIGRATE_VMA_SELECT_SYSTEM) !== 0;
  return (
    (page & PG_zone_device_coherent) !== 0 &&
    (args.flags & MIGRATE_VMA_SELECT_DEVICE_COHERENT) !== 0 &&
    pagePgmap(system, pfn).owner === args.pgmapOwner
  );
}

/** Locks a page, with a reference, and turns its entry into a migration entry. False when it has to stay. */
function collectPage(args: MigrateVma, fault: FaultHold, entry: number, flags: number, pfn: number): boolean {
  const { vma } = args;
  const { system } = vma.mm;
  const { map } = system;
  const { lanes } = system.tables;
  if (map.mapping[pfn] === 0) return false;
  map.get(pfn);
  const held = pfn === fault.folio && system.kernel.does.faultLocksPage;
  if (!held && !map.tryLock(pfn)) {
    folioPut(system, pfn);
    return false;
  }
  const exclusive = map.test(pfn, PG_anon_exclusive);
  if (exclusive && !folioTryShareAnonRmapPte(system, pfn)) {
    if (!held) map.unlock(pfn);
    folioPut(system, pfn);
    return false;
  }
  if ((flags & PTE_DIRTY) !== 0) map.set(pfn, PG_dirty);
  accessPte(system, entry, true);
  lanes[entry] = migrationEntryFlags(flags, exclusive);
  folioRemoveRmapPte(pfn, vma);
  folioPut(system, pfn);
  return true;
}
