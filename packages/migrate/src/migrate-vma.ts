import { EINVAL, type Task } from '@hmm/kernel';
import { VM_HUGETLB, VM_SPECIAL, type Vma } from '@hmm/mm';
import { NO_PFN, PG_zone_device_private } from '@hmm/mm/internal';
import { migrateVmaCollect } from './collect.js';
import { migrateDeviceFinalizeSlots } from './finalize.js';
import { COLLECTED, migrationPoint, MOVED, UNMAPPED } from './migration-point.js';
import { migrateDevicePageSlots } from './pages.js';
import { faultHold, migrateDeviceUnmap } from './unmap.js';

/** A migration of a range of one VMA. @kernel include/linux/migrate.h migrate_vma */
export interface MigrateVma {
  readonly vma: Vma;
  /** Slots of the destination pages, filled by the driver between setup and pages; at least as many as pages. */
  readonly dst: Int32Array;
  /** Slots of the source pages; what survives `migrateVmaPages` with MIGRATE has been migrated. */
  readonly src: Int32Array;
  /** Pages collected, holes included. */
  cpages: number;
  /** Slots in use. */
  npages: number;
  /** First page (VPN). */
  readonly start: number;
  /** Page behind the last (VPN). Falls to what was collected. */
  end: number;
  /** Owner of the device memory that is source or destination. */
  readonly pgmapOwner: number;
  /** `MIGRATE_VMA_SELECT_*`. */
  readonly flags: number;
  /** The device page that a CPU fault holds a reference on, or 0. */
  readonly faultPage: number;
  /** While exploring: the step behind which the slots are all that the migration knows, see {@link migrationPoint}. */
  since?: number;
  /** References that faults hold on it, where several are known to wait for the migration; 1 without. */
  readonly faultRefs?: number;
}

/**
 * Collects the pages of a range and unmaps them everywhere, so that the driver can copy them. The caller holds `mmap_lock`
 * at least for reading. Afterwards each source slot with MIGRATE is a locked page of stable content (with VALID), or a
 * hole to be populated (without).
 * @returns 0, also when nothing can be migrated; `-EINVAL` for arguments that cannot be.
 * @kernel mm/migrate_device.c migrate_vma_setup (without: DAX, addresses that are not aligned)
 */
export function* migrateVmaSetup(args: MigrateVma): Task<number> {
  if (!argumentsValid(args)) return -EINVAL;
  const { system, kernel } = args.vma.mm;
  args.src.fill(0, 0, args.end - args.start);
  args.cpages = 0;
  args.npages = 0;
  args.since = kernel.sched.steps + 1;
  yield* migrateVmaCollect(args);
  if (kernel.sched.exploring) yield* migrationPoint(args, COLLECTED);
  if (args.cpages > 0) args.cpages = yield* migrateDeviceUnmap(system, args.src, args.npages, args.faultPage);
  if (kernel.sched.exploring) yield* migrationPoint(args, UNMAPPED);
  return 0;
}

function argumentsValid(args: MigrateVma): boolean {
  const { vma, start, end, faultPage } = args;
  if ((vma.flags & (VM_HUGETLB | VM_SPECIAL)) !== 0) return false;
  if (end <= start) return false;
  if (start < vma.start || start >= vma.end) return false;
  if (end <= vma.start || end > vma.end) return false;
  if (args.src.length < end - start || args.dst.length < end - start) return false;
  return faultPage === NO_PFN || vma.mm.system.map.test(faultPage, PG_zone_device_private);
}

/**
 * Moves identity and state from each source page to the destination page that the driver has given and copied, and
 * populates holes. A slot that could not be moved loses MIGRATE. The driver may enter the others in its tables
 * afterwards, before {@link migrateVmaFinalize}.
 * @kernel mm/migrate_device.c migrate_vma_pages (all)
 */
export function* migrateVmaPages(args: MigrateVma): Task {
  const { system, kernel } = args.vma.mm;
  yield* migrateDevicePageSlots(system, args.src, args.dst, args.npages, args);
  if (kernel.sched.exploring) yield* migrationPoint(args, MOVED);
}

/**
 * Maps what each slot ended up with: the destination page, or the source page again; the other is freed. All locks and
 * references of the migration are dropped.
 * @kernel mm/migrate_device.c migrate_vma_finalize (all)
 */
export function migrateVmaFinalize(args: MigrateVma): Task {
  const { system } = args.vma.mm;
  const held = faultHold(system, args.faultPage);
  return migrateDeviceFinalizeSlots(system, args.src, args.dst, args.npages, held);
}
