import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
  type MigrateVma,
} from '@hmm/migrate';
import { alignDown, HmmError, HPAGE_PMD_ORDER, PAGE_SIZE, type Task } from '@hmm/kernel';
import { allocPage, VM_FAULT_OOM, VM_FAULT_SIGBUS, type VmFault } from '@hmm/mm';
import { allocHugePage, allocZeroedPage, folioPut, NO_PFN } from '@hmm/mm/internal';
import type { NouveauDmem } from './nouveau-dmem.js';
import type { NouveauDmemChunk } from './nouveau-dmem-chunk.js';
import { fenceDone, slotPages } from './nouveau-dmem-migrate.js';
import { TP_MIGRATE_TO_RAM } from './tracepoints.js';

/**
 * The CPU touched a page in device memory: that page alone comes home, or the whole folio that a PMD maps. The GPU maps it
 * again where it is when it next faults on it; nothing brings it back but another SVM_BIND.
 * @returns 0 (repeat the access; also when there was no page for it, before device memory came in folios), `VM_FAULT_OOM` or
 * `VM_FAULT_SIGBUS`.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_to_ram (all)
 */
export function* nouveauDmemMigrateToRam(dmem: NouveauDmem, vmf: VmFault): Task<number> {
  const { drm } = dmem;
  drm.counters.cpuFaults++;
  const order = vmf.huge ? HPAGE_PMD_ORDER : 0;
  const start = alignDown(vmf.vpn, order);
  const compound = drm.does.largeDeviceMemory ? MIGRATE_VMA_SELECT_COMPOUND : 0;
  const args: MigrateVma = {
    vma: vmf.vma,
    src: new Int32Array(2 ** order),
    dst: new Int32Array(2 ** order),
    cpages: 0,
    npages: 0,
    start,
    end: start + 2 ** order,
    pgmapOwner: drm.owner,
    flags: MIGRATE_VMA_SELECT_DEVICE_PRIVATE | compound,
    faultPage: vmf.page,
  };
  if ((yield* migrateVmaSetup(args)) < 0) return VM_FAULT_SIGBUS;
  if (args.cpages === 0) return 0;
  const ret = yield* copyHome(dmem, args);
  yield* migrateVmaFinalize(args);
  return ret;
}

/** Copies what was collected home, taking it off the GPU first. @returns `VM_FAULT_*`. */
function* copyHome(dmem: NouveauDmem, args: MigrateVma): Task<number> {
  const { drm } = dmem;
  const { kernel, does } = drm;
  const slot = args.src[0] ?? 0;
  if ((slot & MIGRATE_PFN_MIGRATE) === 0) return 0;
  const spage = migratePfnToPage(slot);
  const pages = slotPages(slot);
  const home = homeOf(dmem, slot, !does.leaksOnCopyError);
  if (home === 0) return does.largeDeviceMemory ? VM_FAULT_OOM : 0;
  args.dst[0] = home;
  yield* takeOffGpu(dmem, spage, args.start, pages);
  if (kernel.shouldFail('dma_map_page') || kernel.shouldFail('copy_engine')) {
    drm.memory.map.unlock(migratePfnToPage(home));
    folioPut(drm.memory, migratePfnToPage(home));
    args.dst[0] = 0;
    return VM_FAULT_SIGBUS;
  }
  const ns = drm.device.copyOut(migratePfnToPage(home), spage, pages);
  drm.device.fence();
  yield* migrateVmaPages(args);
  yield* fenceDone(dmem, ns);
  drm.counters.cpuFault.toHost += pages * PAGE_SIZE;
  kernel.emit(TP_MIGRATE_TO_RAM, args.start, pages, pages * PAGE_SIZE);
  return 0;
}

/** System memory of the size of a source slot, locked, as a destination slot; 0 when there is none. */
function homeOf(dmem: NouveauDmem, slot: number, zeroed: boolean): number {
  const { memory } = dmem.drm;
  const compound = slot & MIGRATE_PFN_COMPOUND;
  const small = zeroed ? allocZeroedPage : allocPage;
  const page = compound === 0 ? small(memory) : allocHugePage(memory);
  if (page === NO_PFN) return 0;
  memory.map.tryLock(page);
  return migratePfn(page) | compound;
}

/**
 * Clears pages from `vpn` on in the mirror that device page `spage` was migrated for. After a fork that is the parent's. Its
 * page names it by a pointer that nobody takes back: when the mirror is gone, the kernel reads what was freed.
 */
function* takeOffGpu(dmem: NouveauDmem, spage: number, vpn: number, pages: number): Task {
  const { svm, memory, does } = dmem.drm;
  const svmm = svm?.svmms[(memory.map.private[spage] ?? 0) - 1];
  if (svmm === undefined) {
    if (!does.keepsFreedSvmm) return;
    throw new HmmError(
      'NOUVEAU_OOPS',
      `the kernel crashes in nouveau_svmm_invalidate: page ${vpn} in device memory names a mirror that was closed`,
      { vpn },
    );
  }
  if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
  yield* svmm.invalidate(vpn, vpn + pages);
  svmm.mutex.unlock();
}

/**
 * Brings every page of a chunk home, whoever it belongs to; what is locked just now stays, and so does a folio that is whole:
 * its new page is not said to be one.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_evict_chunk (all)
 */
export function* nouveauDmemEvictChunk(dmem: NouveauDmem, chunk: NouveauDmemChunk): Task {
  const { memory, counters, kernel, device } = dmem.drm;
  const { nr } = chunk.pagemap;
  const src = new Int32Array(nr);
  const dst = new Int32Array(nr);
  yield* migrateDeviceRange(memory, src, chunk.first, nr);
  let ns = 0;
  let pages = 0;
  for (const [i, slot] of src.entries()) {
    if ((slot & MIGRATE_PFN_MIGRATE) === 0 || migratePfnToPage(slot) === NO_PFN) continue;
    const home = homeOf(dmem, slot, false);
    if (home === 0) continue;
    dst[i] = home & ~MIGRATE_PFN_COMPOUND;
    ns += device.copyOut(migratePfnToPage(home), migratePfnToPage(slot), slotPages(slot));
    pages += slotPages(slot);
  }
  device.fence();
  yield* migrateDevicePages(memory, src, dst, nr);
  yield* fenceDone(dmem, ns);
  const bytes = pages * PAGE_SIZE;
  counters.close.toHost += bytes;
  kernel.emit(TP_MIGRATE_TO_RAM, chunk.first, pages, bytes);
  yield* migrateDeviceFinalize(memory, src, dst, nr);
}
