import { EBUSY, SP_PREEMPT, type Task } from '@hmm/kernel';
import { allocPage, type MemorySystem } from '@hmm/mm';
import { accessFolio, folioLock, folioPut, NO_PFN, PG_head, copyHighpage } from '@hmm/mm/internal';
import { migrateDeviceFinalizeSlots } from './finalize.js';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, migratePfn } from './migrate-pfn.js';
import { migrateDevicePageSlots } from './pages.js';
import { migrateDeviceUnmap } from './unmap.js';

/**
 * Collects the device frames [start, start + npages) wherever they are mapped, without a VMA and without `mmap_lock`. Free
 * and locked frames are left out, so that a caller that wants them all calls again until none is in use. A large folio has
 * one slot, with COMPOUND.
 * @returns 0. @kernel mm/migrate_device.c migrate_device_range (all)
 */
export function* migrateDeviceRange(
  system: MemorySystem,
  src: Int32Array,
  start: number,
  npages: number,
): Task<number> {
  const { map } = system;
  for (let i = 0; i < npages; i++) {
    const pfn = start + i;
    src[i] = 0;
    accessFolio(system, pfn, false);
    if (map.refcount[pfn] === 0) continue;
    map.get(pfn);
    const compound = map.test(pfn, PG_head) ? MIGRATE_PFN_COMPOUND : 0;
    if (map.tryLock(pfn)) src[i] = migratePfn(pfn) | MIGRATE_PFN_MIGRATE | compound;
    else folioPut(system, pfn);
  }
  yield* migrateDeviceUnmap(system, src, npages, NO_PFN);
  if (system.kernel.sched.exploring) yield SP_PREEMPT;
  return 0;
}

/**
 * As `migrateVmaPages` for slots of {@link migrateDeviceRange}.
 * @kernel mm/migrate_device.c migrate_device_pages (all)
 */
export function* migrateDevicePages(
  system: MemorySystem,
  src: Int32Array,
  dst: Int32Array,
  npages: number,
): Task {
  yield* migrateDevicePageSlots(system, src, dst, npages, undefined);
  if (system.kernel.sched.exploring) yield SP_PREEMPT;
}

/** As `migrateVmaFinalize`. @kernel mm/migrate_device.c migrate_device_finalize (all) */
export function* migrateDeviceFinalize(
  system: MemorySystem,
  src: Int32Array,
  dst: Int32Array,
  npages: number,
): Task {
  yield* migrateDeviceFinalizeSlots(system, src, dst, npages);
}

/**
 * Moves one coherent device page to system memory; the caller holds a reference, which the move takes over.
 * @returns 0, or `-EBUSY` when it has to stay.
 * @kernel mm/migrate_device.c migrate_device_coherent_folio (all)
 */
export function* migrateDeviceCoherentFolio(system: MemorySystem, pfn: number): Task<number> {
  const src = new Int32Array([migratePfn(pfn) | MIGRATE_PFN_MIGRATE]);
  const dst = new Int32Array(1);
  yield* folioLock(system, pfn);
  yield* migrateDeviceUnmap(system, src, 1, NO_PFN);
  if (((src[0] ?? 0) & MIGRATE_PFN_MIGRATE) === 0) return -EBUSY;
  const page = allocPage(system);
  if (page !== NO_PFN) {
    system.map.tryLock(page);
    dst[0] = migratePfn(page);
  }
  yield* migrateDevicePageSlots(system, src, dst, 1, undefined);
  const moved = ((src[0] ?? 0) & MIGRATE_PFN_MIGRATE) !== 0;
  if (moved) copyHighpage(system, page, pfn);
  yield* migrateDeviceFinalizeSlots(system, src, dst, 1);
  return moved ? 0 : -EBUSY;
}
