import { ENTRY_TABLE, entryPages, LEVEL_PMD, LEVEL_PTE, tableIndex, type Task } from '@hmm/kernel';
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
  HUGE_ZERO_PFN,
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
  splitFolio,
  splitHugePmd,
  ZERO_PFN,
} from '@hmm/mm';
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
 * becomes a migration entry. @kernel mm/migrate_device.c migrate_vma_collect
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

function* collectRange(args: MigrateVma): Task {
  const { mm } = args.vma;
  const { tables } = mm.system;
  const { lanes } = tables;
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
      if (yield* splitHuge(args, entry, at)) continue;
      collectSkip(args, end - at);
    } else if (level === LEVEL_PTE) {
      for (; at < end; at++, entry += 2) collectPte(args, entry);
    } else if (lanes[entry] === 0) {
      accessTables(mm, false);
      collectHole(args, end - at);
    } else {
      collectSkip(args, end - at);
    }
    at = end;
  }
}

/** Breaks a huge mapping up, to be looked at again page by page; false when that fails. */
function* splitHuge(args: MigrateVma, entry: number, vpn: number): Task<boolean> {
  const { vma } = args;
  const { system } = vma.mm;
  const { map } = system;
  const folio = system.tables.lanes[entry + 1] ?? 0;
  if (folio === HUGE_ZERO_PFN) {
    yield* splitHugePmd(vma, vpn);
    return true;
  }
  map.get(folio);
  if (!map.tryLock(folio)) {
    folioPut(system, folio);
    return false;
  }
  const ret = yield* splitFolio(system, folio);
  map.unlock(folio);
  folioPut(system, folio);
  return ret === 0;
}

/** @kernel mm/migrate_device.c migrate_vma_collect_hole */
function collectHole(args: MigrateVma, pages: number): void {
  if (!args.vma.isAnonymous()) {
    collectSkip(args, pages);
    return;
  }
  const from = args.npages;
  args.src.fill(MIGRATE_PFN_MIGRATE, from, from + pages);
  args.dst.fill(0, from, from + pages);
  args.npages += pages;
  args.cpages += pages;
}

/** @kernel mm/migrate_device.c migrate_vma_collect_skip */
function collectSkip(args: MigrateVma, pages: number): void {
  const from = args.npages;
  args.src.fill(0, from, from + pages);
  args.dst.fill(0, from, from + pages);
  args.npages += pages;
}

/** One entry of a page table. @kernel mm/migrate_device.c migrate_vma_collect_pmd */
function collectPte(args: MigrateVma, entry: number): void {
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
  } else if (selected(args, flags, pfn) && takePage(args, entry, flags, pfn)) {
    slot = migratePfn(pfn) | MIGRATE_PFN_MIGRATE | ((flags & PTE_WRITE) !== 0 ? MIGRATE_PFN_WRITE : 0);
  }
  if (slot !== 0) args.cpages++;
  args.src[at] = slot;
  if (system.kernel.mutant !== 'B58') args.dst[at] = 0;
  args.npages = at + 1;
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
function takePage(args: MigrateVma, entry: number, flags: number, pfn: number): boolean {
  const { vma } = args;
  const { system } = vma.mm;
  const { map } = system;
  const { lanes } = system.tables;
  if (map.mapping[map.folio(pfn)] === 0 || map.test(map.folio(pfn), PG_head)) return false;
  map.get(pfn);
  if (!map.tryLock(pfn)) {
    folioPut(system, pfn);
    return false;
  }
  const exclusive = map.test(pfn, PG_anon_exclusive);
  if (exclusive && !folioTryShareAnonRmapPte(system, pfn)) {
    map.unlock(pfn);
    folioPut(system, pfn);
    return false;
  }
  if ((flags & PTE_DIRTY) !== 0 && system.kernel.mutant !== 'B1') map.set(pfn, PG_dirty);
  accessPte(system, entry, true);
  lanes[entry] = migrationEntryFlags(flags, exclusive);
  folioRemoveRmapPte(pfn, vma);
  folioPut(system, pfn);
  return true;
}
