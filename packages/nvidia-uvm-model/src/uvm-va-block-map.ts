import {
  GPU_LEAF_2M,
  GPU_LEAF_64K,
  GPU_PTE_ATOMIC,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
} from '@hmm/gpu';
import type { UvmDriver } from './uvm-driver.js';
import {
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFull,
  maskNext,
  maskNextClear,
  maskOr,
  maskTest,
  maskWeight,
  newMask,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { uvmPerfThrashingEvent } from './uvm-perf-thrashing.js';
import type { UvmServiceContext } from './uvm-service-context.js';
import { packUvmEvent, UvmEventTypeMapRemote } from './uvm-tools.js';
import {
  otherProcessor,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCauseOutOfMemory,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';

const change = newMask();
const revoked = newMask();
const remote = newMask();

/** PTE flags of a GPU mapping with protection `prot` of memory that is on `residency`. */
function pteFlags(prot: number, residency: UvmProcessorId): number {
  let flags = GPU_PTE_VALID;
  if (prot >= UVM_PROT_READ_WRITE) flags |= GPU_PTE_WRITE;
  if (prot >= UVM_PROT_READ_WRITE_ATOMIC) flags |= GPU_PTE_ATOMIC;
  return residency === UVM_ID_CPU ? flags | GPU_PTE_SYSMEM : flags;
}

/** The pages of `mask` that `id` maps with less than `prot`, stored in `to`. */
function lacking(
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
  to: UvmPageMask,
): void {
  const masks = block.masks(id);
  maskCopy(to, mask);
  if (prot === UVM_PROT_READ_ONLY) maskAndNot(to, masks.read);
  else maskAndNot(to, prot === UVM_PROT_READ_WRITE ? masks.write : masks.atomic);
}

/**
 * Maps the pages of `mask`, whose data is on `residency`, on processor `id` with protection `prot`; mappings that
 * already allow as much stay. A GPU mapping of host memory is recorded as MapRemote with
 * `cause`, one event per run of pages whose mapping changes.
 * @uvm uvm_va_block.c uvm_va_block_map
 */
export function uvmVaBlockMap(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
  cause: number,
): void {
  if (id !== residency && cause !== UvmEventMapRemoteCauseOutOfMemory && mapsLocalOnly(block, id)) return;
  lacking(block, id, mask, prot, change);
  if (maskEmpty(change)) return;
  const masks = block.masks(id);
  maskOr(masks.read, change);
  if (prot >= UVM_PROT_READ_WRITE) maskOr(masks.write, change);
  if (prot >= UVM_PROT_READ_WRITE_ATOMIC) maskOr(masks.atomic, change);
  ctx.mappedPages += maskWeight(change);
  if (id === UVM_ID_CPU) return;
  writeGpuPtes(driver, block, residency, prot);
  if (residency === UVM_ID_CPU) recordMapRemote(driver, ctx, block, cause);
}

/**
 * Where reading makes copies, and at its preferred location, a processor only maps what it has itself: it is to fault on the
 * rest.
 * @uvm uvm_va_block.c map_get_allowed_destinations
 */
function mapsLocalOnly(block: UvmVaBlock, id: UvmProcessorId): boolean {
  const { policy } = block.range;
  return block.hmm === undefined && (policy.readDuplication || policy.preferredLocation === id);
}

/** Writes the PTEs of the pages in `change`, as one 2 MiB leaf where the whole block is alike. */
function writeGpuPtes(driver: UvmDriver, block: UvmVaBlock, residency: UvmProcessorId, prot: number): void {
  const { table } = block.range.space.instance;
  const flags = pteFlags(prot, residency);
  if (block.whole && residency === UVM_ID_GPU && alike(block, prot)) {
    table.map(block.start, PAGES_PER_BLOCK, block.gpuBase, flags, GPU_LEAF_2M);
    return;
  }
  for (let page = maskNext(change, 0); page < block.pages;) {
    const outer = Math.min(maskNextClear(change, page), block.pages);
    if (residency === UVM_ID_CPU) {
      table.map(block.start + page, outer - page, block.cpuFrame(page), flags, GPU_LEAF_64K);
      page = outer;
    } else page = mapGpuRun(block, page, outer, flags);
    page = maskNext(change, page);
  }
}

/** Maps local frames from `page`, as far as they are consecutive; returns the page after. */
function mapGpuRun(block: UvmVaBlock, page: number, outer: number, flags: number): number {
  const first = block.gpuFrame(page);
  let end = page + 1;
  if (block.gpuBase >= 0) end = outer;
  else while (end < outer && block.gpuFrame(end) === first + end - page) end++;
  block.range.space.instance.table.map(block.start + page, end - page, first, flags, GPU_LEAF_64K);
  return end;
}

/** Whether all of a whole block is resident on the GPU and mapped there with exactly `prot`. */
function alike(block: UvmVaBlock, prot: number): boolean {
  const { resident, read, write, atomic } = block.gpu;
  if (!maskFull(resident)) return false;
  if (prot === UVM_PROT_READ_WRITE_ATOMIC) return maskFull(atomic);
  if (prot === UVM_PROT_READ_WRITE) return maskFull(write) && maskEmpty(atomic);
  return maskFull(read) && maskEmpty(write);
}

function recordMapRemote(driver: UvmDriver, ctx: UvmServiceContext, block: UvmVaBlock, cause: number): void {
  const value = packUvmEvent(cause, UVM_ID_GPU, UVM_ID_CPU);
  const time = ctx.transfers > 0 ? ctx.migrationTime + ctx.copyNs : ctx.mapTime;
  for (let page = maskNext(change, 0); page < block.pages;) {
    const outer = Math.min(maskNextClear(change, page), block.pages);
    driver.tools.record(UvmEventTypeMapRemote, time, block.start + page, outer - page, value);
    driver.tools.counters.remoteMaps += outer - page;
    ctx.remoteRuns++;
    page = maskNext(change, outer);
  }
}

/** Removes the mappings of the pages in `mask` on processor `id`. @uvm uvm_va_block.c uvm_va_block_unmap */
export function uvmVaBlockUnmap(block: UvmVaBlock, id: UvmProcessorId, mask: UvmPageMask): void {
  const masks = block.masks(id);
  maskCopy(change, mask);
  maskAnd(change, masks.read);
  if (maskEmpty(change)) return;
  maskAndNot(masks.read, change);
  maskAndNot(masks.write, change);
  maskAndNot(masks.atomic, change);
  if (id === UVM_ID_CPU) {
    maskAndNot(block.cpuDirty, change);
    maskAndNot(block.cpuTouched, change);
    return;
  }
  forRuns(block, change, (first, pages) => {
    block.range.space.instance.table.unmap(block.start + first, pages);
  });
}

/** Calls `visit` for each run of pages in `mask`. */
export function forRuns(
  block: UvmVaBlock,
  mask: UvmPageMask,
  visit: (first: number, pages: number) => void,
): void {
  for (let page = maskNext(mask, 0); page < block.pages;) {
    const outer = Math.min(maskNextClear(mask, page), block.pages);
    visit(page, outer - page);
    page = maskNext(mask, outer);
  }
}

/**
 * Lowers the mappings of the pages in `mask` on processor `id` to at most `prot`: READ_WRITE takes the atomic right,
 * READ_ONLY also the right to write. Each run of pages that change is an event for the thrashing detector.
 * @uvm uvm_va_block.c uvm_va_block_revoke_prot
 */
export function uvmVaBlockRevokeProt(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
): void {
  const masks = block.masks(id);
  maskCopy(change, mask);
  maskAnd(change, prot === UVM_PROT_READ_WRITE ? masks.atomic : masks.write);
  if (maskEmpty(change)) return;
  notifyRevocation(driver, ctx, block, id, prot);
  maskAndNot(masks.atomic, change);
  if (prot === UVM_PROT_READ_ONLY) maskAndNot(masks.write, change);
  if (id === UVM_ID_CPU) maskAndNot(block.cpuDirty, change);
  else {
    ctx.revokedGpu = true;
    const keep = prot === UVM_PROT_READ_WRITE ? ~GPU_PTE_ATOMIC : ~(GPU_PTE_ATOMIC | GPU_PTE_WRITE);
    forRuns(block, change, (first, pages) => {
      block.range.space.instance.table.protect(block.start + first, pages, keep);
    });
  }
}

/**
 * Tells the detector: a CPU loses the right to write at once, a GPU each right for itself.
 * @uvm uvm_va_block.c block_revoke_prot_gpu_perf_notify
 */
function notifyRevocation(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  prot: number,
): void {
  const { atomic, write } = block.masks(id);
  if (id === UVM_ID_GPU) notifyRuns(driver, ctx, block, id, atomic);
  if (id === UVM_ID_CPU || prot === UVM_PROT_READ_ONLY) notifyRuns(driver, ctx, block, id, write);
}

/** One event for each run of the changing pages that have a right. */
function notifyRuns(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  right: UvmPageMask,
): void {
  maskCopy(revoked, change);
  maskAnd(revoked, right);
  forRuns(block, revoked, (first, pages) => {
    uvmPerfThrashingEvent(driver, block, id, 'revocation', first, first + pages, ctx.migrationTime);
  });
}

/**
 * Before `id` gets `prot` on pages whose data was on `residency` all along, the other processor's mappings fall.
 * @uvm uvm_va_block.c uvm_va_block_revoke_prot_mask
 */
export function revokeOthers(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
): void {
  const victim = otherProcessor(id);
  const spares = prot === UVM_PROT_READ_WRITE || driver.nativeAtomics(id, residency);
  if (spares && driver.nativeAtomics(victim, residency)) return;
  const level =
    id === UVM_ID_GPU && prot === UVM_PROT_READ_WRITE_ATOMIC ? UVM_PROT_READ_ONLY : UVM_PROT_READ_WRITE;
  if (victim === UVM_ID_CPU && level === UVM_PROT_READ_WRITE) return;
  maskCopy(remote, mask);
  maskAndNot(remote, ctx.migrated);
  uvmVaBlockRevokeProt(driver, ctx, block, victim, remote, level);
}

/** Whether a page of `block` is mapped by `id` with `prot` at least. */
export function hasProt(block: UvmVaBlock, id: UvmProcessorId, page: number, prot: number): boolean {
  const masks = block.masks(id);
  if (prot === UVM_PROT_READ_ONLY) return maskTest(masks.read, page);
  return maskTest(prot === UVM_PROT_READ_WRITE ? masks.write : masks.atomic, page);
}
