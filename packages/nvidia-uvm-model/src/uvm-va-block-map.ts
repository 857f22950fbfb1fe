import { hweight32 } from '@hmm/kernel/internal';
import {
  GPU_LEAF_2M,
  GPU_LEAF_64K,
  GPU_PTE_ATOMIC,
  GPU_PTE_SYSMEM,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  gpuPtePeer,
} from '@hmm/gpu';
import {
  MASK_WORDS,
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFull,
  maskNext,
  maskNextClear,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { framesInRow } from './uvm-va-block-frames.js';
import { uvmPerfThrashingEvent } from './uvm-perf-thrashing.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeMapRemote } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  UvmEventMapRemoteCauseOutOfMemory,
  type UvmProcessorId,
} from './uvm-types.js';
import { ROW_READ, ROW_WRITE, rowAtomic, rowOf, type UvmVaBlock } from './uvm-va-block.js';

/** PTE flags of a mapping on GPU `id` with protection `prot` of memory that is on `residency`. */
function pteFlags(prot: number, id: UvmProcessorId, residency: UvmProcessorId): number {
  let flags = GPU_PTE_VALID;
  if (prot >= UVM_PROT_READ_WRITE) flags |= GPU_PTE_WRITE;
  if (prot >= UVM_PROT_READ_WRITE_ATOMIC) flags |= GPU_PTE_ATOMIC;
  if (residency === UVM_ID_CPU) return flags | GPU_PTE_SYSMEM;
  return residency === id ? flags : flags | gpuPtePeer(residency - UVM_ID_GPU);
}

/** Where a block's row has the pages that `id` maps with `prot` at least. */
function protRow(id: UvmProcessorId, prot: number): number {
  if (prot === UVM_PROT_READ_ONLY) return rowOf(id) + ROW_READ;
  return prot === UVM_PROT_READ_WRITE ? rowOf(id) + ROW_WRITE : rowAtomic(id);
}

/**
 * Gives `id` the protection `prot` on the pages of `mask` that it maps with less, in the masks; the pages are left in the scratch mask `change`.
 * @returns how many they are.
 */
function takeLacking(
  { scratch }: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
): number {
  const { row } = block;
  const { change } = scratch;
  const read = rowOf(id) + ROW_READ;
  const write = rowOf(id) + ROW_WRITE;
  const atomic = rowAtomic(id);
  const held = protRow(id, prot);
  const writes = prot >= UVM_PROT_READ_WRITE ? -1 : 0;
  const atomics = prot >= UVM_PROT_READ_WRITE_ATOMIC ? -1 : 0;
  let pages = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const asked = mask[i] ?? 0;
    const lacks = asked === 0 ? 0 : asked & ~(row[held + i] ?? 0);
    change[i] = lacks;
    if (lacks === 0) continue;
    row[read + i] = (row[read + i] ?? 0) | lacks;
    row[write + i] = (row[write + i] ?? 0) | (lacks & writes);
    row[atomic + i] = (row[atomic + i] ?? 0) | (lacks & atomics);
    pages += hweight32(lacks);
  }
  return pages;
}

/** In place of a cause: the mapping is of memory that the tools of managed memory are not told of. */
export const UVM_MAP_UNTOLD = 0;

/**
 * Maps the pages of `mask`, whose data is all on one processor that `id` reaches, on processor `id` with protection `prot`; mappings that
 * already allow as much stay. A GPU mapping of memory that is not its own is recorded as MapRemote with
 * `cause`, one event per run of pages whose mapping changes.
 * @uvm uvm_va_block.c uvm_va_block_map (without: other GPUs, big pages whose parts differ, trackers of
 * pushes)
 */
export function uvmVaBlockMap(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
  cause: number,
): void {
  const first = maskNext(mask, 0);
  if (first >= block.pages) return;
  const residency = block.closestResident(id, first);
  if (id !== residency && cause !== UvmEventMapRemoteCauseOutOfMemory && mapsLocalOnly(block, id)) return;
  const pages = takeLacking(ctx, block, id, mask, prot);
  if (pages === 0) return;
  ctx.done.mappedPages += pages;
  if (id === UVM_ID_CPU) {
    ctx.work.cpuMapped(block.range.space.id, block.start, ctx.scratch.change);
    return;
  }
  const at = residency < 0 ? UVM_ID_CPU : residency;
  writeGpuPtes(ctx, block, id, at, prot);
  if (at !== id && cause !== UVM_MAP_UNTOLD) recordMapRemote(ctx, block, id, at, cause);
}

/**
 * Where reading makes copies, and at its preferred location, a processor only maps what it has itself: it is to fault on the
 * rest.
 * @uvm uvm_va_block.c map_get_allowed_destinations (without: other GPUs)
 */
function mapsLocalOnly(block: UvmVaBlock, id: UvmProcessorId): boolean {
  const { policy } = block.range;
  return block.hmm === undefined && (policy.readDuplication || policy.preferredLocation === id);
}

/** Writes the PTEs of the pages in `change`, as one 2 MiB leaf where the whole block is alike. */
function writeGpuPtes(
  { scratch }: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  prot: number,
): void {
  const { change } = scratch;
  const { table } = block.range.space.instanceOn(id);
  const flags = pteFlags(prot, id, residency);
  if (block.whole && residency === id && alike(block, id, prot)) {
    table.map(block.start, PAGES_PER_BLOCK, block.gpuState(id).base, flags, GPU_LEAF_2M);
    return;
  }
  for (let page = maskNext(change, 0); page < block.pages;) {
    const outer = Math.min(maskNextClear(change, page), block.pages);
    if (residency === UVM_ID_CPU) {
      table.map(block.start + page, outer - page, block.cpuFrame(page), flags, GPU_LEAF_64K);
      page = outer;
    } else {
      const end = framesInRow(block, residency, page, outer);
      table.map(block.start + page, end - page, block.gpuState(residency).frame(page), flags, GPU_LEAF_64K);
      page = end;
    }
    page = maskNext(change, page);
  }
}

/** Whether all of a whole block is resident on GPU `id` and mapped there with exactly `prot`. */
function alike(block: UvmVaBlock, id: UvmProcessorId, prot: number): boolean {
  const { resident, read, write, atomic } = block.masks(id);
  if (!maskFull(resident)) return false;
  if (prot === UVM_PROT_READ_WRITE_ATOMIC) return maskFull(atomic);
  if (prot === UVM_PROT_READ_WRITE) return maskFull(write) && maskEmpty(atomic);
  return maskFull(read) && maskEmpty(write);
}

function recordMapRemote(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  cause: number,
): void {
  const value = packUvmEvent(cause, id, residency);
  const { change } = ctx.scratch;
  const { remoteFirst, remotePages, remoteValues, tools } = ctx;
  for (let page = maskNext(change, 0); page < block.pages;) {
    const outer = Math.min(maskNextClear(change, page), block.pages);
    const run = ctx.remoteRuns++;
    remoteFirst[run] = block.start + page;
    remotePages[run] = outer - page;
    remoteValues[run] = value;
    tools.counters.remoteMaps += outer - page;
    ctx.done.remoteRuns++;
    page = maskNext(change, outer);
  }
  if (!ctx.mapsLate) tellRemoteMaps(ctx, 0);
}

/**
 * Tells of the runs mapped remotely that were not told of: after the copies and, where they are told of late, one after the other, as
 * the GPU writes their page tables at the end of a service that takes `ns` more.
 */
export function tellRemoteMaps(ctx: UvmServiceBlockContext, ns: number): void {
  const { clock, remoteFirst, remotePages, remoteValues, tools } = ctx;
  const copied = ctx.done.transfers > 0 ? ctx.copiesEnd : ctx.hintTime;
  for (let run = 0; run < ctx.remoteRuns; run++) {
    const at = ctx.mapsLate ? Math.max(copied, clock.tableWritten(ns, run)) : copied;
    tools.record(
      UvmEventTypeMapRemote,
      at,
      remoteFirst[run] ?? 0,
      remotePages[run] ?? 0,
      remoteValues[run] ?? 0,
    );
  }
  ctx.remoteRuns = 0;
}

/**
 * Removes the mappings of the pages in `mask` on processor `id`.
 * @uvm uvm_va_block.c uvm_va_block_unmap (without: other GPUs, big pages whose parts differ, trackers of
 * pushes)
 */
export function uvmVaBlockUnmap(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
): void {
  const { change } = ctx.scratch;
  if (!dropMapped(change, block, id, mask) || id === UVM_ID_CPU) return;
  const { table } = block.range.space.instanceOn(id);
  for (let page = maskNext(change, 0); page < block.pages;) {
    const outer = Math.min(maskNextClear(change, page), block.pages);
    table.unmap(block.start + page, outer - page);
    page = maskNext(change, outer);
  }
}

/** Takes the pages of `mask` out of the masks of what `id` maps; those that were there are left in `change`. */
function dropMapped(change: UvmPageMask, block: UvmVaBlock, id: UvmProcessorId, mask: UvmPageMask): boolean {
  const { row } = block;
  const read = rowOf(id) + ROW_READ;
  const write = rowOf(id) + ROW_WRITE;
  const atomic = rowAtomic(id);
  let any = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const asked = mask[i] ?? 0;
    const lost = asked === 0 ? 0 : asked & (row[read + i] ?? 0);
    change[i] = lost;
    if (lost === 0) continue;
    any |= lost;
    row[read + i] = (row[read + i] ?? 0) & ~lost;
    row[write + i] = (row[write + i] ?? 0) & ~lost;
    row[atomic + i] = (row[atomic + i] ?? 0) & ~lost;
  }
  return any !== 0;
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
 * @uvm uvm_va_block.c uvm_va_block_revoke_prot (without: other GPUs, trackers of pushes)
 */
export function uvmVaBlockRevokeProt(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
): void {
  const { change } = ctx.scratch;
  if (!selectRevoked(change, block, id, mask, prot)) return;
  const masks = block.masks(id);
  notifyRevocation(ctx, block, id, prot);
  maskAndNot(masks.atomic, change);
  if (prot === UVM_PROT_READ_ONLY) maskAndNot(masks.write, change);
  if (id === UVM_ID_CPU) return;
  ctx.done.revokedGpu = true;
  const { table } = block.range.space.instanceOn(id);
  const keep = prot === UVM_PROT_READ_WRITE ? ~GPU_PTE_ATOMIC : ~(GPU_PTE_ATOMIC | GPU_PTE_WRITE);
  forRuns(block, change, (first, pages) => {
    table.protect(block.start + first, pages, keep);
  });
}

/** The pages of `mask` that `id` maps with more than `prot`, left in `change`; false when there is none. */
function selectRevoked(
  change: UvmPageMask,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
): boolean {
  const { row } = block;
  const more = protRow(id, prot + 1);
  let any = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const asked = mask[i] ?? 0;
    const lost = asked === 0 ? 0 : asked & (row[more + i] ?? 0);
    change[i] = lost;
    any |= lost;
  }
  return any !== 0;
}

/**
 * Tells the detector: a CPU loses the right to write at once, a GPU each right for itself.
 * @uvm uvm_va_block.c block_revoke_prot_gpu_perf_notify (all)
 */
function notifyRevocation(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  prot: number,
): void {
  const { atomic, write } = block.masks(id);
  if (id !== UVM_ID_CPU) notifyRuns(ctx, block, id, atomic);
  if (id === UVM_ID_CPU || prot === UVM_PROT_READ_ONLY) notifyRuns(ctx, block, id, write);
}

/** One event for each run of the changing pages that have a right. */
function notifyRuns(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  right: UvmPageMask,
): void {
  const { change, revoked } = ctx.scratch;
  maskCopy(revoked, change);
  maskAnd(revoked, right);
  forRuns(block, revoked, (first, pages) => {
    uvmPerfThrashingEvent(ctx, block, id, 'revocation', first, first + pages);
  });
}

/**
 * Before `id` gets `prot` on pages whose data was on `residency` all along, the mappings of the others fall, but not of those whose
 * atomics work there where the requester's do, or where it only writes.
 * @uvm uvm_va_block.c block_service_finish_revoke_prot (without: processors that cannot fault, or have atomics disabled)
 */
export function revokeOthers(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  residency: UvmProcessorId,
  mask: UvmPageMask,
  prot: number,
): void {
  const { links, migrated, scratch } = ctx;
  const spares = prot === UVM_PROT_READ_WRITE || links.nativeAtomics(id, residency);
  const level =
    id !== UVM_ID_CPU && prot === UVM_PROT_READ_WRITE_ATOMIC ? UVM_PROT_READ_ONLY : UVM_PROT_READ_WRITE;
  const { stayed } = scratch;
  for (let i = 0; i < MASK_WORDS; i++) stayed[i] = (mask[i] ?? 0) & ~(migrated[i] ?? 0);
  for (let victim = UVM_ID_CPU; victim < block.processorCount; victim++) {
    if (victim === id || (spares && links.nativeAtomics(victim, residency))) continue;
    if (victim === UVM_ID_CPU && level === UVM_PROT_READ_WRITE) continue;
    uvmVaBlockRevokeProt(ctx, block, victim, stayed, level);
  }
}

/** Whether a page of `block` is mapped by `id` with `prot` at least. */
export function hasProt(block: UvmVaBlock, id: UvmProcessorId, page: number, prot: number): boolean {
  return (((block.row[protRow(id, prot) + (page >>> 5)] ?? 0) >>> (page & 31)) & 1) !== 0;
}
