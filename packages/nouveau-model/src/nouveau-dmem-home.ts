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
import { alignDown, HPAGE_PMD_ORDER, PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  allocHugePage,
  allocPage,
  allocZeroedPage,
  folioPut,
  type MemorySystem,
  NO_PFN,
  VM_FAULT_SIGBUS,
  type VmFault,
} from '@hmm/mm';
import type { NouveauDmem } from './nouveau-dmem.js';
import { DMEM_CHUNK_NPAGES, type NouveauDmemChunk } from './nouveau-dmem-chunk.js';
import { fenceDone, slotPages } from './nouveau-dmem-migrate.js';
import { TP_MIGRATE_TO_RAM } from './tracepoints.js';

/**
 * The CPU touched a page in device memory: that page alone comes home, or the whole folio that a PMD maps (from 6.19 on),
 * as single pages if there is no huge one. The GPU maps it again where it is when it next faults on it; nothing brings it
 * back but another SVM_BIND.
 * @returns 0 (repeat the access, also when there was no memory for the page), or `VM_FAULT_SIGBUS`.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_to_ram
 */
export function* nouveauDmemMigrateToRam(dmem: NouveauDmem, vmf: VmFault): Task<number> {
  const { drm } = dmem;
  drm.counters.cpuFaults++;
  const order = vmf.huge ? HPAGE_PMD_ORDER : 0;
  const start = alignDown(vmf.vpn, order);
  const compound = drm.version === '6.19' ? MIGRATE_VMA_SELECT_COMPOUND : 0;
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

/** Copies what was collected home, taking it off the GPU first. 0 or `VM_FAULT_SIGBUS`. */
function* copyHome(dmem: NouveauDmem, args: MigrateVma): Task<number> {
  const { drm } = dmem;
  const { memory, kernel, quirks } = drm;
  const { src, dst } = args;
  const small = (): number => (quirks.leaksOnCopyError ? allocPage(memory) : allocZeroedPage(memory));
  if (!allocHome(memory, src, dst, small)) return 0;
  for (const [i, slot] of src.entries()) {
    if (dst[i] !== 0 && slot !== 0)
      yield* takeOffGpu(dmem, migratePfnToPage(slot), args.start + i, slotPages(slot));
  }
  if (kernel.shouldFail('dma_map_page') || kernel.shouldFail('copy_engine')) {
    giveBack(memory, dst);
    return VM_FAULT_SIGBUS;
  }
  const { ns, pages } = copySlots(dmem, src, dst);
  yield* migrateVmaPages(args);
  yield* fenceDone(dmem, ns);
  drm.counters.cpuFault.toHost += pages * PAGE_SIZE;
  kernel.emit(TP_MIGRATE_TO_RAM, args.start, pages, pages * PAGE_SIZE);
  return 0;
}

/**
 * Gives each source slot that can be migrated a page of system memory, locked; a compound one a huge page, or else, where
 * `small` pages may take its place, 512 of them. @returns whether any was given.
 */
function allocHome(memory: MemorySystem, src: Int32Array, dst: Int32Array, small: () => number): boolean {
  let given = false;
  for (const [i, slot] of src.entries()) {
    if ((slot & MIGRATE_PFN_MIGRATE) === 0 || migratePfnToPage(slot) === NO_PFN) continue;
    const huge = slotPages(slot) === 1 ? NO_PFN : allocHugePage(memory);
    if (huge !== NO_PFN) {
      memory.map.tryLock(huge);
      dst[i] = migratePfn(huge) | MIGRATE_PFN_COMPOUND;
      given = true;
      continue;
    }
    for (let part = 0; part < slotPages(slot); part++) {
      const dpage = small();
      if (dpage === NO_PFN) break;
      memory.map.tryLock(dpage);
      dst[i + part] = migratePfn(dpage);
      given = true;
    }
  }
  return given;
}

function giveBack(memory: MemorySystem, dst: Int32Array): void {
  for (const [i, slot] of dst.entries()) {
    if (slot === 0) continue;
    memory.map.unlock(migratePfnToPage(slot));
    folioPut(memory, migratePfnToPage(slot));
    dst[i] = 0;
  }
}

/** Copies each page for which there is a destination, a huge one by one command. Time in ns, and pages. */
function copySlots(dmem: NouveauDmem, src: Int32Array, dst: Int32Array): { ns: number; pages: number } {
  let ns = 0;
  let pages = 0;
  let folio = NO_PFN;
  let first = 0;
  for (const [i, slot] of dst.entries()) {
    const from = src[i] ?? 0;
    // Single pages for a compound slot come from its folio one by one.
    if (from !== 0) {
      folio = migratePfnToPage(from);
      first = i;
    }
    if (slot === 0) continue;
    ns += copyToHost(dmem, folio + (i - first), migratePfnToPage(slot), slotPages(slot));
    pages += slotPages(slot);
  }
  return { ns, pages };
}

/** Clears pages from `vpn` on in the mirror that device page `spage` was migrated for. After a fork that is the parent's. */
function* takeOffGpu(dmem: NouveauDmem, spage: number, vpn: number, pages: number): Task {
  const { svm, memory } = dmem.drm;
  const svmm = svm?.svmms[(memory.map.private[spage] ?? 0) - 1];
  if (svmm === undefined) return;
  if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
  yield* svmm.invalidate(vpn, vpn + pages);
  svmm.mutex.unlock();
}

/** Has the copy engine bring pages home; returns the time of the copy. The engine may fail without saying so. */
function copyToHost(dmem: NouveauDmem, spage: number, dpage: number, pages: number): number {
  const { memory, kernel, gpu } = dmem.drm;
  if (!kernel.shouldFail('copy_engine_silent'))
    for (let part = 0; part < pages; part++) memory.data.copyPage(dpage + part, spage + part);
  return gpu.copyEngine.book(pages * PAGE_SIZE, false);
}

/**
 * Brings every page of a chunk home, whoever it belongs to; what is locked just now stays, and a folio for which there is
 * no huge page.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_evict_chunk
 */
export function* nouveauDmemEvictChunk(dmem: NouveauDmem, chunk: NouveauDmemChunk): Task {
  const { memory, counters, kernel } = dmem.drm;
  const src = new Int32Array(DMEM_CHUNK_NPAGES);
  const dst = new Int32Array(DMEM_CHUNK_NPAGES);
  yield* migrateDeviceRange(memory, src, chunk.first, DMEM_CHUNK_NPAGES);
  const compound = slotPages(src[0] ?? 0) !== 1;
  allocHome(memory, src, dst, () => (compound ? NO_PFN : allocPage(memory)));
  const { ns, pages } = copySlots(dmem, src, dst);
  yield* migrateDevicePages(memory, src, dst, DMEM_CHUNK_NPAGES);
  yield* fenceDone(dmem, ns);
  const bytes = pages * PAGE_SIZE;
  counters.close.toHost += bytes;
  kernel.emit(TP_MIGRATE_TO_RAM, chunk.first, pages, bytes);
  yield* migrateDeviceFinalize(memory, src, dst, DMEM_CHUNK_NPAGES);
}
