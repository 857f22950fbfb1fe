import { type Task } from '@hmm/kernel';
import { LEVEL_PTE } from '@hmm/kernel/internal';
import {
  MMU_NOTIFY_MIGRATE,
  mmHasNotifiers,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInitOwner,
  type MmuNotifierRange,
} from '@hmm/mmu-notifier';
import { type MemorySystem, VM_WRITE, type Vma } from '@hmm/mm';
import {
  accessFolio,
  accessPte,
  accessTables,
  anonVmaPrepare,
  folioAddLruVma,
  folioAddNewAnonRmap,
  folioFreeSwap,
  folioMigrateMapping,
  PG_anon,
  PG_swapcache,
  PG_uptodate,
  PG_zone_device,
  PG_zone_device_private,
  mkPte,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_WRITE,
  ZERO_PFN,
} from '@hmm/mm/internal';
import { migrateVmaInsertHugePmdPage, splitHugeZeroPmd } from './insert-huge.js';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, migratePfnToPage } from './migrate-pfn.js';
import type { MigrateVma } from './migrate-vma.js';
import { splitSlot } from './split-slot.js';

/**
 * Moves each source page to its destination, slot by slot; a slot that cannot be moved loses MIGRATE. Holes are
 * populated if `migrate` names the VMA; the first of them announces the rest of the range as MIGRATE. 2 MiB for which the
 * driver gives single pages are split; single pages for which it gives 2 MiB stay.
 * @kernel mm/migrate_device.c __migrate_device_pages (without: coherent memory of file pages, folios between
 * a page and 2 MiB)
 */
export function* migrateDevicePageSlots(
  system: MemorySystem,
  src: Int32Array,
  dst: Int32Array,
  npages: number,
  migrate: MigrateVma | undefined,
): Task {
  let range: MmuNotifierRange | undefined;
  for (let i = 0; i < npages; i++) {
    const slot = src[i] ?? 0;
    const given = dst[i] ?? 0;
    const newpage = migratePfnToPage(given);
    if (newpage === 0) {
      src[i] = slot & ~MIGRATE_PFN_MIGRATE;
      continue;
    }
    const page = migratePfnToPage(slot);
    const extra = page !== 0 && page === migrate?.faultPage ? (migrate.faultRefs ?? 1) : 0;
    if (((slot ^ given) & MIGRATE_PFN_COMPOUND) !== 0 && (slot & MIGRATE_PFN_MIGRATE) !== 0) {
      if (
        (slot & MIGRATE_PFN_COMPOUND) === 0 ||
        migrate === undefined ||
        !(yield* splitSlot(migrate, src, i, extra))
      ) {
        src[i] = slot & ~(MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND);
        continue;
      }
    }
    if (page !== 0) {
      if (!moveFolio(system, newpage, page, extra)) src[i] = (src[i] ?? 0) & ~MIGRATE_PFN_MIGRATE;
      continue;
    }
    if ((slot & MIGRATE_PFN_MIGRATE) === 0 || migrate === undefined) continue;
    const { vma } = migrate;
    const vpn = migrate.start + i;
    if (range === undefined && mmHasNotifiers(vma.mm)) {
      range = mmuNotifierRangeInitOwner(MMU_NOTIFY_MIGRATE, vma.mm, vpn, migrate.end, migrate.pgmapOwner);
      const started = mmuNotifierInvalidateRangeStart(range);
      if (typeof started !== 'number') yield* started;
    }
    const huge = ((src[i] ?? 0) & MIGRATE_PFN_COMPOUND) !== 0;
    const inserted = huge
      ? yield* migrateVmaInsertHugePmdPage(vma, vpn, newpage)
      : yield* insertPage(vma, vpn, newpage);
    src[i] = (inserted ? MIGRATE_PFN_MIGRATE : 0) | (huge ? MIGRATE_PFN_COMPOUND : 0);
  }
  if (range !== undefined) mmuNotifierInvalidateRangeEnd(range);
}

/** Moves one locked and unmapped page to another frame, `extra` references of others let pass; false when it has to stay. */
export function moveFolio(system: MemorySystem, newpage: number, page: number, extra: number): boolean {
  const { map } = system;
  accessFolio(system, page, true);
  const flags = map.flags[page] ?? 0;
  const cached = (flags & PG_swapcache) !== 0 || (flags & PG_anon) === 0;
  if (cached) {
    // Only anonymous memory goes to a device: a page of a file stays, one in the swap cache may leave it.
    if ((flags & PG_anon) === 0 || !folioFreeSwap(system, page)) return false;
  }
  return folioMigrateMapping(system, newpage, page, extra);
}

/**
 * Maps a new page where nothing was, or the zero page. False when something else is there by now, or when memory for the
 * page table is used up.
 * @kernel mm/migrate_device.c migrate_vma_insert_page (without: memory control groups, cache
 * flushes, soft-dirty)
 */
function* insertPage(vma: Vma, vpn: number, pfn: number): Task<boolean> {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables } = system;
  const { lanes } = tables;
  if (!vma.isAnonymous()) return false;
  if (mm.kernel.does.collectsHugePmds) yield* splitHugeZeroPmd(vma, vpn);
  if (mm.kernel.sched.exploring) accessTables(mm, tables.findPte(mm.root, vpn) < 0);
  const entry = tables.make(mm.root, vpn, LEVEL_PTE);
  if (entry < 0) return false;
  if (vma.anonVma === null) yield* anonVmaPrepare(vma);
  accessPte(system, entry, true);
  // What a userfaultfd is to bring is not brought by a driver either.
  if (mm.unstable || vma.uffd !== null) return false;
  const old = lanes[entry] ?? 0;
  const zero =
    (old & (PTE_PRESENT | PTE_SPECIAL)) === (PTE_PRESENT | PTE_SPECIAL) && lanes[entry + 1] === ZERO_PFN;
  if (old !== 0 && !zero) return false;
  map.set(pfn, PG_uptodate);
  mm.rssAnon++;
  folioAddNewAnonRmap(pfn, vma, vpn, true);
  if (((map.flags[pfn] ?? 0) & PG_zone_device) === 0) folioAddLruVma(vma, pfn);
  map.get(pfn);
  const write = (vma.flags & VM_WRITE) !== 0;
  lanes[entry] =
    ((map.flags[pfn] ?? 0) & PG_zone_device_private) !== 0
      ? PTE_TYPE_DEVICE_PRIVATE | (write ? PTE_WRITE : 0)
      : mkPte(vma) | (write ? PTE_WRITE | PTE_DIRTY : 0);
  lanes[entry + 1] = pfn;
  return true;
}
