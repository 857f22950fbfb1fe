import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  migratePfn,
  migratePfnToPage,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
  type MigrateVma,
} from '@hmm/migrate';
import { ENODEV, HPAGE_PMD_NR, HPAGE_PMD_ORDER, PAGE_SHIFT, PAGE_SIZE, type Task } from '@hmm/kernel';
import { type Vma } from '@hmm/mm';
import { folioPut, NO_PFN } from '@hmm/mm/internal';
import type { NouveauDmem } from './nouveau-dmem.js';
import type { NouveauSvmm } from './nouveau-svmm.js';
import {
  HPAGE_PMD_SHIFT,
  NVIF_VMM_PFNMAP_V0_V,
  NVIF_VMM_PFNMAP_V0_VRAM,
  NVIF_VMM_PFNMAP_V0_W,
  PFN_LANES,
} from './nvif.js';
import { TP_MIGRATE_TO_VRAM } from './tracepoints.js';

/** Pages of one piece of a migration: what one list of DMA segments holds. @kernel include/linux/scatterlist.h */
export const SG_MAX_SINGLE_ALLOC = 128;

/** A piece on its way to the GPU: the slots, what the GPU shall map, and the copies under way. */
interface Piece {
  readonly args: MigrateVma;
  /** An entry a page, as `NvifVmm.pfnmap` takes it; of a compound slot only the first means something. */
  readonly phys: Int32Array;
  /** Order of the last slot that got device memory. */
  order: number;
  /** Bytes that cross the link. */
  bytes: number;
  /** Time of the copies, ns. */
  ns: number;
}

/**
 * Moves what can be moved of [start, end) in one VMA to device memory and maps it there, in pieces of at most
 * {@link SG_MAX_SINGLE_ALLOC} pages. With large device memory they have 512, and a huge page that lies in one moves whole. The caller holds `mmap_lock`.
 * @returns 0, `-ENODEV` (no device memory), or what `migrate_vma_setup` refuses the VMA with.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_vma (without: allocations of its
 * arrays that fail)
 */
export function* nouveauDmemMigrateVma(
  svmm: NouveauSvmm,
  vma: Vma,
  start: number,
  end: number,
): Task<number> {
  const { dmem, owner, does } = svmm.drm;
  if (dmem === undefined) return -ENODEV;
  const large = does.largeDeviceMemory;
  const max = Math.min(large ? HPAGE_PMD_NR : SG_MAX_SINGLE_ALLOC, end - start);
  const src = new Int32Array(max);
  const dst = new Int32Array(max);
  const phys = new Int32Array(PFN_LANES * max);
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
      flags: MIGRATE_VMA_SELECT_SYSTEM | (large ? MIGRATE_VMA_SELECT_COMPOUND : 0),
      faultPage: NO_PFN,
    };
    const ret = yield* migrateVmaSetup(args);
    if (ret !== 0) return ret;
    if (args.cpages > 0) yield* migrateChunk(dmem, svmm, { args, phys, order: 0, bytes: 0, ns: 0 });
    at = args.end;
  }
  return 0;
}

/** Pages that a slot stands for. */
export function slotPages(slot: number): number {
  return (slot & MIGRATE_PFN_COMPOUND) === 0 ? 1 : HPAGE_PMD_NR;
}

/**
 * Copies, moves and maps one piece.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_chunk (without: fences that fail)
 */
function* migrateChunk(dmem: NouveauDmem, svmm: NouveauSvmm, piece: Piece): Task {
  const { args } = piece;
  const { drm } = dmem;
  const count = args.end - args.start;
  if (!drm.does.keepsSourceMappings) {
    if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
    yield* svmm.invalidate(args.start, args.end);
    svmm.mutex.unlock();
  }
  let copies = 0;
  for (let i = 0; i < count; i += slotPages(args.dst[i] ?? 0)) {
    const slot = migrateCopyOne(dmem, svmm, piece, i);
    args.dst[i] = slot;
    if (slot !== 0) piece.order = slotPages(slot) === 1 ? 0 : HPAGE_PMD_ORDER;
    copies++;
  }
  yield* drm.kernel.sched.delay(copies * drm.cost.migratePage.value);
  drm.device.fence();
  yield* migrateVmaPages(args);
  yield* fenceDone(dmem, piece.ns);
  drm.counters.user.toDevice += piece.bytes;
  drm.kernel.emit(TP_MIGRATE_TO_VRAM, args.start, count, piece.bytes);
  if (!drm.does.mapsRefusedPages) dropRefused(piece, count);
  yield* pfnsMap(svmm, piece, count);
  yield* migrateVmaFinalize(args);
}

/**
 * Gives slot `i` a device page, or a folio, and fills it: copied from its page by one command, cleared where it has none.
 * @returns the destination slot, 0 when the page is to stay where it is.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_migrate_copy_one (all)
 */
function migrateCopyOne(dmem: NouveauDmem, svmm: NouveauSvmm, piece: Piece, i: number): number {
  const { kernel, memory, device } = dmem.drm;
  const src = piece.args.src[i] ?? 0;
  piece.phys[PFN_LANES * i] = 0;
  if ((src & MIGRATE_PFN_MIGRATE) === 0) return 0;
  const pages = slotPages(src);
  const dpage = dmem.pageAllocLocked(svmm.id, pages === 1 ? 0 : HPAGE_PMD_ORDER);
  if (dpage === NO_PFN) return 0;
  const spage = migratePfnToPage(src);
  const mapFails = spage !== NO_PFN && kernel.shouldFail('dma_map_page');
  if (mapFails || kernel.shouldFail('copy_engine')) {
    memory.map.unlock(dpage);
    folioPut(memory, dpage);
    return 0;
  }
  if (spage === NO_PFN) piece.ns += device.clear(dpage, pages);
  else {
    piece.ns += device.copyIn(dpage, spage, pages);
    piece.bytes += pages * PAGE_SIZE;
  }
  const write = (src & MIGRATE_PFN_WRITE) !== 0 ? NVIF_VMM_PFNMAP_V0_W : 0;
  piece.phys[PFN_LANES * i] = NVIF_VMM_PFNMAP_V0_V | NVIF_VMM_PFNMAP_V0_VRAM | write;
  piece.phys[PFN_LANES * i + 1] = dpage;
  return migratePfn(dpage) | (src & MIGRATE_PFN_COMPOUND);
}

/** Only where that is mended: what the core did not move is not mapped. */
function dropRefused({ args, phys }: Piece, count: number): void {
  for (let i = 0; i < count; i++)
    if (((args.src[i] ?? 0) & MIGRATE_PFN_MIGRATE) === 0) phys[PFN_LANES * i] = 0;
}

/**
 * Maps a piece on the GPU, all of it at once; pages that did not get device memory are left unmapped, also those that had some
 * already. @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_pfns_map (all)
 */
function* pfnsMap(svmm: NouveauSvmm, piece: Piece, count: number): Task {
  const { start, end } = piece.args;
  const { kernel, cost, does } = svmm.drm;
  if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
  const ret = mapPiece(svmm, piece, count);
  if (ret !== 0 && !does.ignoresMapFailure) svmm.vmm.pfnclr(Math.max(start, unmanagedEnd(svmm, start)), end);
  yield* kernel.sched.delay(cost.pfnmap.value);
  svmm.mutex.unlock();
}

function mapPiece(svmm: NouveauSvmm, piece: Piece, count: number): number {
  const { vmm, drm } = svmm;
  const { start } = piece.args;
  if (!drm.does.largeDeviceMemory) return vmm.pfnmap(start, PAGE_SHIFT, piece.phys, count);
  if (drm.does.orderAsPageShift) return vmm.pfnmap(start, piece.order, piece.phys, count);
  return mapBySize(svmm, piece, count);
}

/** Where the unmanaged interval ends if page `vpn` is in it. */
function unmanagedEnd({ unmanaged }: NouveauSvmm, vpn: number): number {
  return vpn >= unmanaged.start && vpn < unmanaged.limit ? unmanaged.limit : vpn;
}

/** As the map is meant where there are folios: each slot by its own size. Only where that defect is mended. */
function mapBySize(svmm: NouveauSvmm, { args, phys }: Piece, count: number): number {
  let ret = 0;
  for (let i = 0; i < count; i += slotPages(args.dst[i] ?? 0)) {
    const shift = slotPages(args.dst[i] ?? 0) === 1 ? PAGE_SHIFT : HPAGE_PMD_SHIFT;
    const entry = phys.subarray(PFN_LANES * i, PFN_LANES * (i + 1));
    ret = svmm.vmm.pfnmap(args.start + i, shift, entry, 1) || ret;
  }
  return ret;
}

/**
 * Waits, busily, for copies under way.
 * @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_fence_done (without: fences that fail)
 */
export function* fenceDone(dmem: NouveauDmem, ns: number): Task {
  const { kernel, cost, counters } = dmem.drm;
  counters.copyingNs += ns;
  yield* kernel.sched.delay(cost.fence.value + ns);
}
