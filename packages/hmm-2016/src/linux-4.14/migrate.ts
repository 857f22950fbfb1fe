import type { Task } from '@hmm/kernel';
import type { Vma } from '@hmm/mm';
import { isDevicePrivatePte, NO_PFN } from '@hmm/mm/internal';
import {
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from '@hmm/migrate';
import { CpuEntry } from '../cpu-entry.js';
import type { HmmDevmem } from '../hmm-devmem.js';

/** What a driver does in a migration. @kernel 4.14 include/linux/migrate.h migrate_vma_ops */
export interface MigrateVmaOps {
  /** The memory of the driver that is source or destination. */
  readonly devmem: HmmDevmem;
  /** Puts a locked page for each source slot that it moves into `dst`, and copies. A source slot with MIGRATE and no page is a hole. */
  allocAndCopy(vma: Vma, src: Int32Array, dst: Int32Array, start: number, end: number): void;
  /** Source slots that still have MIGRATE have been moved, and the CPU is not told yet. */
  finalizeAndMap(vma: Vma, src: Int32Array, dst: Int32Array, start: number, end: number): void;
}

/**
 * Moves pages of [start, end) to where the driver puts them; holes and the zero page it may populate. A page that is locked, or held
 * by anybody, stays. The caller holds mmap_sem for reading. What is today the three calls that a driver makes itself was this one, with
 * the driver's part as callbacks: that is how it is done here. Device memory of other drivers stays.
 * @returns 0, also where nothing moved; `-EINVAL` for arguments that cannot be.
 * @kernel 4.14 mm/migrate.c migrate_vma (without: LOCKED, DEVICE and ERROR in the slots; device memory of others)
 */
export function* migrateVma(
  ops: MigrateVmaOps,
  vma: Vma,
  start: number,
  end: number,
  src: Int32Array,
  dst: Int32Array,
): Task<number> {
  const { devmem } = ops;
  const faultPage = faultedPage(devmem, vma, start, end);
  const args: MigrateVma = {
    vma,
    src,
    dst,
    start,
    end,
    cpages: 0,
    npages: 0,
    pgmapOwner: devmem.owner,
    flags: MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
    faultPage,
    faultRefs: faultPage === 0 ? 0 : devmem.faultsOn(faultPage),
  };
  const ret = yield* migrateVmaSetup(args);
  if (ret !== 0 || args.cpages === 0) return ret;
  ops.allocAndCopy(vma, src, dst, start, end);
  yield* migrateVmaPages(args);
  ops.finalizeAndMap(vma, src, dst, start, end);
  yield* migrateVmaFinalize(args);
  return 0;
}

/**
 * The first page of the range that faults of the CPU hold references on, which today's core takes and that of 2017 did not; 0 for
 * none.
 */
function faultedPage(devmem: HmmDevmem, vma: Vma, start: number, end: number): number {
  const entry = new CpuEntry();
  for (let vpn = start; vpn < end; vpn++) {
    entry.read(vma.mm, vpn);
    if (isDevicePrivatePte(entry.flags) && devmem.faultsOn(entry.pfn) > 0) return entry.pfn;
  }
  return NO_PFN;
}
