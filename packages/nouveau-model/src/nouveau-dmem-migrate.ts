import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_SHIFT,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
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
import { ENODEV, PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  VM_FAULT_SIGBUS,
  type VmFault,
  type Vma,
  allocPage,
  allocZeroedPage,
  folioPut,
  NO_PFN,
} from '@hmm/mm';
import type { NouveauDmem } from './nouveau-dmem.js';
import { DMEM_CHUNK_NPAGES, type NouveauDmemChunk } from './nouveau-dmem-chunk.js';
import type { NouveauSvmm } from './nouveau-svmm.js';
import { NVIF_VMM_PFNMAP_V0_V, NVIF_VMM_PFNMAP_V0_VRAM, NVIF_VMM_PFNMAP_V0_W } from './nvkm-vmm.js';
import { TP_MIGRATE_TO_RAM, TP_MIGRATE_TO_VRAM } from './tracepoints.js';

/** Pages of one piece of a migration: what one list of DMA segments holds. @kernel include/linux/scatterlist.h */
export const SG_MAX_SINGLE_ALLOC = 128;

/** A piece on its way to the GPU: the slots, what the GPU shall map, and the copies under way. */
interface Piece {
  readonly args: MigrateVma;
  /** `NVIF_VMM_PFNMAP_V0_*` by slot; 0 for a slot that is not migrated. */
  readonly phys: Int32Array;
  /** Bytes that cross the link. */
  bytes: number;
  /** Time of the copies, ns. */
  ns: number;
}

/**
 * Moves what can be moved of [start, end) in one VMA to device memory and maps it there, in pieces of at most
 * {@link SG_MAX_SINGLE_ALLOC} pages. The caller holds `mmap_lock`.
 * @returns 0, `-ENODEV` (no device memory), or what `migrate_vma_setup` refuses the VMA with.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_vma
 */
export function* nouveauDmemMigrateVma(
  svmm: NouveauSvmm,
  vma: Vma,
  start: number,
  end: number,
): Task<number> {
  const { dmem, owner } = svmm.drm;
  if (dmem === undefined) return -ENODEV;
  const max = Math.min(SG_MAX_SINGLE_ALLOC, end - start);
  const src = new Int32Array(max);
  const dst = new Int32Array(max);
  const phys = new Int32Array(max);
  let at = start;
  for (let left = end - start; left > 0; left -= max) {
    const args: MigrateVma = {
      vma,
      src,
      dst,
      cpages: 0,
      npages: 0,
      start: at,
      end: Math.min(at + max, end),
      pgmapOwner: owner,
      flags: MIGRATE_VMA_SELECT_SYSTEM,
      faultPage: NO_PFN,
    };
    const ret = yield* migrateVmaSetup(args);
    if (ret !== 0) return ret;
    if (args.cpages > 0) yield* migrateChunk(dmem, svmm, { args, phys, bytes: 0, ns: 0 });
    at = args.end;
  }
  return 0;
}

/** Copies, moves and maps one piece. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_chunk */
function* migrateChunk(dmem: NouveauDmem, svmm: NouveauSvmm, piece: Piece): Task {
  const { args } = piece;
  const { drm } = dmem;
  const count = args.end - args.start;
  if (!drm.quirks.keepsSourceMappings) {
    if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
    yield* svmm.invalidate(args.start, args.end);
    svmm.mutex.unlock();
  }
  for (let i = 0; i < count; i++) args.dst[i] = migrateCopyOne(dmem, svmm, piece, i);
  yield* drm.kernel.sched.delay(count * drm.cost.migratePage.value);
  yield* migrateVmaPages(args);
  yield* fenceDone(dmem, piece.ns);
  drm.counters.user.toDevice += piece.bytes;
  drm.kernel.emit(TP_MIGRATE_TO_VRAM, args.start, count, piece.bytes);
  yield* pfnsMap(svmm, piece, count);
  yield* migrateVmaFinalize(args);
}

/**
 * Gives slot `i` a device page and fills it: copied from its page, cleared where it has none.
 * @returns the destination slot, 0 when the page is to stay where it is.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_copy_one
 */
function migrateCopyOne(dmem: NouveauDmem, svmm: NouveauSvmm, piece: Piece, i: number): number {
  const { kernel, memory, gpu } = dmem.drm;
  const src = piece.args.src[i] ?? 0;
  piece.phys[i] = 0;
  if ((src & MIGRATE_PFN_MIGRATE) === 0) return 0;
  const dpage = dmem.pageAllocLocked(svmm.id);
  if (dpage === NO_PFN) return 0;
  const spage = migratePfnToPage(src);
  const mapFails = spage !== NO_PFN && kernel.shouldFail('dma_map_page');
  if (mapFails || kernel.shouldFail('copy_engine')) {
    memory.map.unlock(dpage);
    folioPut(memory, dpage);
    return 0;
  }
  if (spage === NO_PFN) memory.data.fillPage(dpage, 0);
  else {
    memory.data.copyPage(dpage, spage);
    piece.ns += gpu.copyEngine.book(PAGE_SIZE, true);
    piece.bytes += PAGE_SIZE;
  }
  piece.phys[i] =
    NVIF_VMM_PFNMAP_V0_V |
    NVIF_VMM_PFNMAP_V0_VRAM |
    ((src & MIGRATE_PFN_WRITE) !== 0 ? NVIF_VMM_PFNMAP_V0_W : 0);
  return migratePfn(dpage);
}

/** Maps a piece on the GPU; slots that did not migrate are left unmapped. @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_pfns_map */
function* pfnsMap(svmm: NouveauSvmm, piece: Piece, count: number): Task {
  const { args, phys } = piece;
  const { kernel, cost, quirks } = svmm.drm;
  if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
  for (let i = 0; i < count; i++) {
    const moved = ((args.src[i] ?? 0) & MIGRATE_PFN_MIGRATE) !== 0;
    const flags = moved || quirks.mapsFailedSlots ? (phys[i] ?? 0) : 0;
    svmm.vmm.pfnmap(args.start + i, 0, (args.dst[i] ?? 0) >>> MIGRATE_PFN_SHIFT, flags);
  }
  yield* kernel.sched.delay(cost.pfnmap.value);
  svmm.mutex.unlock();
}

/** Waits, busily, for the copies of a piece. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_fence_done */
function* fenceDone(dmem: NouveauDmem, ns: number): Task {
  const { kernel, cost, counters } = dmem.drm;
  counters.copyingNs += ns;
  yield* kernel.sched.delay(cost.fence.value + ns);
}

/**
 * The CPU touched a page in device memory: that page alone comes home. The GPU maps it again where it is when it
 * next faults on it; nothing brings it back but another SVM_BIND.
 * @returns 0 (repeat the access, also when there was no memory for the page), or `VM_FAULT_SIGBUS`.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_to_ram
 */
export function* nouveauDmemMigrateToRam(dmem: NouveauDmem, vmf: VmFault): Task<number> {
  const { drm } = dmem;
  drm.counters.cpuFaults++;
  const args: MigrateVma = {
    vma: vmf.vma,
    src: new Int32Array(1),
    dst: new Int32Array(1),
    cpages: 0,
    npages: 0,
    start: vmf.vpn,
    end: vmf.vpn + 1,
    pgmapOwner: drm.owner,
    flags: MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
    faultPage: vmf.page,
  };
  if ((yield* migrateVmaSetup(args)) < 0) return VM_FAULT_SIGBUS;
  if (args.cpages === 0) return 0;
  const ret = yield* copyHome(dmem, args);
  yield* migrateVmaFinalize(args);
  return ret;
}

/** Copies the one collected page home, taking it off the GPU first. 0 or `VM_FAULT_SIGBUS`. */
function* copyHome(dmem: NouveauDmem, args: MigrateVma): Task<number> {
  const { drm } = dmem;
  const { memory, kernel } = drm;
  const [src = 0] = args.src;
  const spage = migratePfnToPage(src);
  if (spage === NO_PFN || (src & MIGRATE_PFN_MIGRATE) === 0) return 0;
  const dpage = drm.quirks.leaksOnCopyError ? allocPage(memory) : allocZeroedPage(memory);
  if (dpage === NO_PFN) return 0;
  memory.map.tryLock(dpage);
  yield* takeOffGpu(dmem, spage, args.start);
  if (kernel.shouldFail('dma_map_page') || kernel.shouldFail('copy_engine')) {
    memory.map.unlock(dpage);
    folioPut(memory, dpage);
    return VM_FAULT_SIGBUS;
  }
  const ns = copyToHost(dmem, spage, dpage);
  args.dst[0] = migratePfn(dpage);
  yield* migrateVmaPages(args);
  yield* fenceDone(dmem, ns);
  drm.counters.cpuFault.toHost += PAGE_SIZE;
  kernel.emit(TP_MIGRATE_TO_RAM, args.start, 1, PAGE_SIZE);
  return 0;
}

/** Clears page `vpn` in the mirror that device page `spage` was migrated for. After a fork that is the parent's. */
function* takeOffGpu(dmem: NouveauDmem, spage: number, vpn: number): Task {
  const { svm, memory } = dmem.drm;
  const svmm = svm?.svmms[(memory.map.private[spage] ?? 0) - 1];
  if (svmm === undefined) return;
  if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
  yield* svmm.invalidate(vpn, vpn + 1);
  svmm.mutex.unlock();
}

/** Has the copy engine bring a page home; returns the time of the copy. The engine may fail without saying so. */
function copyToHost(dmem: NouveauDmem, spage: number, dpage: number): number {
  const { memory, kernel, gpu } = dmem.drm;
  if (!kernel.shouldFail('copy_engine_silent')) memory.data.copyPage(dpage, spage);
  return gpu.copyEngine.book(PAGE_SIZE, false);
}

/**
 * Brings every page of a chunk home, whoever it belongs to; what is locked just now stays.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_evict_chunk
 */
export function* nouveauDmemEvictChunk(dmem: NouveauDmem, chunk: NouveauDmemChunk): Task {
  const { memory, counters, kernel } = dmem.drm;
  const src = new Int32Array(DMEM_CHUNK_NPAGES);
  const dst = new Int32Array(DMEM_CHUNK_NPAGES);
  yield* migrateDeviceRange(memory, src, chunk.first, DMEM_CHUNK_NPAGES);
  let ns = 0;
  let bytes = 0;
  for (const [i, slot] of src.entries()) {
    if ((slot & MIGRATE_PFN_MIGRATE) === 0) continue;
    const dpage = allocPage(memory);
    if (dpage === NO_PFN) continue;
    memory.map.tryLock(dpage);
    ns += copyToHost(dmem, migratePfnToPage(slot), dpage);
    bytes += PAGE_SIZE;
    dst[i] = migratePfn(dpage);
  }
  yield* migrateDevicePages(memory, src, dst, DMEM_CHUNK_NPAGES);
  yield* fenceDone(dmem, ns);
  counters.close.toHost += bytes;
  kernel.emit(TP_MIGRATE_TO_RAM, chunk.first, bytes / PAGE_SIZE, bytes);
  yield* migrateDeviceFinalize(memory, src, dst, DMEM_CHUNK_NPAGES);
}
