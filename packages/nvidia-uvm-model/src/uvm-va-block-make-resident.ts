import { hweight32 } from '@hmm/kernel/internal';
import {
  MASK_WORDS,
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskIntersects,
  maskNext,
  maskOr,
  maskZero,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { warnOfPins } from './uvm-get-user-pages.js';
import { UVM_CHUNK_PAGES_64K } from './uvm-pmm-chunk-size.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeReadDuplicate, UvmEventTypeReadDuplicateInvalidate } from './uvm-tools.js';
import { nextProcessor, UVM_ID_CPU, UVM_PROT_READ_ONLY, type UvmProcessorId } from './uvm-types.js';
import { ROW_EVICTED, ROW_RESIDENT, rowOf, type UvmVaBlock } from './uvm-va-block.js';
import { DUPLICATED, MOVES, populateCpuChunk, selectMoving, transferMoving } from './uvm-va-block-copy.js';
import { forRuns, uvmVaBlockRevokeProt, uvmVaBlockUnmap } from './uvm-va-block-map.js';

/**
 * Makes the pages of `mask` resident on `destination` and nowhere else: unmaps them
 * everywhere, populates the destination (evicting if need be), copies or zero-fills, and updates the masks.
 * @returns false when the destination has no memory left and none can be evicted; then nothing has moved.
 * @uvm uvm_va_block.c uvm_va_block_make_resident (without: copies between GPUs and by way of the CPU, NUMA
 * nodes, errors of copies)
 */
export function uvmVaBlockMakeResident(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): boolean {
  if (!populate(ctx, block, destination, mask)) return false;
  const found = selectMoving(ctx, block, destination, mask);
  if ((found & DUPLICATED) !== 0) collapseDuplicates(ctx, block, destination, mask);
  if ((found & MOVES) === 0) return true;
  const { moving, mappedBy } = ctx.scratch;
  for (let id = nextProcessor(mappedBy, UVM_ID_CPU); id >= 0; id = nextProcessor(mappedBy, id + 1))
    uvmVaBlockUnmap(ctx, block, id, moving);
  transferMoving(ctx, block, destination, found, true);
  ctx.tools.counters.movedPages += moveResidency(ctx, block, destination);
  if (destination !== UVM_ID_CPU && block.pinned !== undefined) warnOfPins(ctx, block);
  return true;
}

/** The pages have come to `destination` and left everybody else. @returns how many they are. */
function moveResidency(ctx: UvmServiceBlockContext, block: UvmVaBlock, destination: UvmProcessorId): number {
  const { migrated, scratch } = ctx;
  const { heldBy, moving } = scratch;
  const { row } = block;
  const there = rowOf(destination);
  let pages = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const move = moving[i] ?? 0;
    if (move === 0) continue;
    row[there + ROW_RESIDENT + i] = (row[there + ROW_RESIDENT + i] ?? 0) | move;
    row[there + ROW_EVICTED + i] = (row[there + ROW_EVICTED + i] ?? 0) & ~move;
    migrated[i] = (migrated[i] ?? 0) | move;
    pages += hweight32(move);
  }
  for (let id = nextProcessor(heldBy, UVM_ID_CPU); id >= 0; id = nextProcessor(heldBy, id + 1)) {
    maskAndNot(block.masks(id).resident, moving);
    if (id !== UVM_ID_CPU) releaseEmptyGpu(ctx, block, id);
  }
  return pages;
}

/**
 * Copies the pages of `mask` to `destination`, leaving the source's copy in place and every mapping read-only. Returns as {@link uvmVaBlockMakeResident}.
 * @uvm uvm_va_block.c uvm_va_block_make_resident_read_duplicate (without: copies between GPUs, NUMA nodes)
 */
export function uvmVaBlockMakeResidentReadDuplicate(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): boolean {
  prepReadDuplicate(ctx, block, mask);
  if (!populate(ctx, block, destination, mask)) return false;
  const found = selectMoving(ctx, block, destination, mask);
  if ((found & MOVES) === 0) return true;
  transferMoving(ctx, block, destination, found, false);
  const { copied, moving } = ctx.scratch;
  maskOr(block.masks(destination).resident, moving);
  maskOr(ctx.migrated, moving);
  maskAnd(moving, copied);
  maskOr(block.readDuplicated, moving);
  recordRuns(ctx, block, UvmEventTypeReadDuplicate, moving, destination);
  return true;
}

/**
 * Pages that are to have copies can only be read from then on, also those that stay alone for the moment: whoever has the
 * data loses the right to write, others lose their mapping.
 * @uvm uvm_va_block.c block_prep_read_duplicate_mapping (without: other GPUs)
 */
function prepReadDuplicate(ctx: UvmServiceBlockContext, block: UvmVaBlock, mask: UvmPageMask): void {
  const { dropped } = ctx.scratch;
  for (let holder = 0; holder < block.processorCount; holder++) {
    maskCopy(dropped, mask);
    maskAndNot(dropped, block.readDuplicated);
    maskAnd(dropped, block.masks(holder).resident);
    if (maskEmpty(dropped)) continue;
    for (let id = 0; id < block.processorCount; id++)
      if (id !== holder) uvmVaBlockUnmap(ctx, block, id, dropped);
    uvmVaBlockRevokeProt(ctx, block, holder, dropped, UVM_PROT_READ_ONLY);
  }
}

/**
 * Pages that are to live on `destination` only lose their other copies. What has none there is moved from one of them, which is
 * kept until then.
 */
function collapseDuplicates(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): void {
  const { dropped } = ctx.scratch;
  maskCopy(dropped, mask);
  maskAnd(dropped, block.readDuplicated);
  if (maskEmpty(dropped)) return;
  maskAndNot(block.readDuplicated, dropped);
  ctx.done.collapsed = true;
  for (let id = 0; id < block.processorCount; id++)
    if (id !== destination) uvmVaBlockUnmap(ctx, block, id, dropped);
  recordRuns(ctx, block, UvmEventTypeReadDuplicateInvalidate, dropped, destination);
  maskAnd(dropped, block.masks(destination).resident);
  for (let id = 0; id < block.processorCount; id++) {
    if (id === destination) continue;
    const { resident } = block.masks(id);
    if (!maskIntersects(resident, dropped)) continue;
    maskAndNot(resident, dropped);
    if (id !== UVM_ID_CPU) releaseEmptyGpu(ctx, block, id);
  }
}

function recordRuns(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  kind: number,
  mask: UvmPageMask,
  id: UvmProcessorId,
): void {
  if (!ctx.tools.on) return;
  forRuns(block, mask, (first, pages) => {
    ctx.tools.record(kind, ctx.migrationTime, block.start + first, pages, packUvmEvent(0, id, id));
  });
}

/** Gets frames at the destination for the pages of `mask` that have none, evicting if need be. */
function populate(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): boolean {
  if (destination === UVM_ID_CPU) {
    populateCpuChunk(ctx, block);
    return true;
  }
  if (!block.whole) return populateShort(ctx, block, destination, mask);
  const state = block.gpuState(destination);
  const gpu = ctx.gpuOf(destination);
  if (state.base < 0) {
    state.base = gpu.allocRoot(ctx, block);
    ctx.done.newRoot = true;
  } else gpu.pmm.markUsed(state.base);
  return state.base >= 0;
}

/** A block that is not whole takes 64 KiB chunks where they lie inside it, and 4 KiB chunks at its ends. */
function populateShort(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  id: UvmProcessorId,
  mask: UvmPageMask,
): boolean {
  const gpu = ctx.gpuOf(id);
  const frames = (block.gpuState(id).frames ??= new Int32Array(block.pages));
  for (let page = maskNext(mask, 0); page < block.pages; page = maskNext(mask, page + 1)) {
    if (frames[page] !== 0) continue;
    const first = page - ((block.start + page) % UVM_CHUNK_PAGES_64K);
    const inside = first >= 0 && first + UVM_CHUNK_PAGES_64K <= block.pages && frames[first] === 0;
    const pages = inside ? UVM_CHUNK_PAGES_64K : 1;
    const pfn = gpu.allocChunk(ctx, block, pages);
    if (pfn < 0) return false;
    for (let i = 0; i < pages; i++) frames[(inside ? first : page) + i] = pfn + i + 1;
  }
  return true;
}

/** The last page has left the GPU: a whole block's chunk stays as a cache, a short one's chunks are freed. */
function releaseEmptyGpu(ctx: UvmServiceBlockContext, block: UvmVaBlock, id: UvmProcessorId): void {
  if (!block.holdsNothing(id)) return;
  const { base } = block.gpuState(id);
  if (base >= 0) ctx.gpuOf(id).pmm.markUnused(base);
  else freeGpuChunks(ctx, block, id);
}

/** Gives back every chunk that the block has of GPU `id`. Nothing may be resident there. */
export function freeGpuChunks(ctx: UvmServiceBlockContext, block: UvmVaBlock, id: UvmProcessorId): void {
  const { pmm } = ctx.gpuOf(id);
  const state = block.gpuState(id);
  if (state.base >= 0) pmm.freeRoot(state.base);
  state.base = -1;
  const { frames } = state;
  state.frames = undefined;
  if (frames === undefined) return;
  for (const frame of frames) if (frame > 0) pmm.freeChunk(frame - 1, 1);
  maskZero(block.masks(id).evicted);
}
