import { hweight32 } from '@hmm/kernel/internal';
import {
  MASK_WORDS,
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskFull,
  maskNext,
  maskOr,
  maskZero,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { UVM_CHUNK_PAGES_64K } from './uvm-pmm-chunk-size.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeReadDuplicate, UvmEventTypeReadDuplicateInvalidate } from './uvm-tools.js';
import {
  otherProcessor,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_PROT_READ_ONLY,
  type UvmProcessorId,
} from './uvm-types.js';
import { ROW_CPU_RESIDENT, ROW_EVICTED, ROW_GPU_RESIDENT, type UvmVaBlock } from './uvm-va-block.js';
import {
  DUPLICATED,
  MAPPED_CPU,
  MAPPED_GPU,
  MOVES,
  selectMoving,
  transferMoving,
} from './uvm-va-block-copy.js';
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
  if ((found & DUPLICATED) !== 0) collapseDuplicates(ctx, block, otherProcessor(destination), mask);
  if ((found & MOVES) === 0) return true;
  const { moving } = ctx.scratch;
  if ((found & MAPPED_CPU) !== 0) uvmVaBlockUnmap(ctx, block, UVM_ID_CPU, moving);
  if ((found & MAPPED_GPU) !== 0) uvmVaBlockUnmap(ctx, block, UVM_ID_GPU, moving);
  transferMoving(ctx, block, destination, found, true);
  ctx.tools.counters.movedPages += moveResidency(ctx, block, destination);
  if (destination === UVM_ID_CPU) releaseEmptyGpu(ctx, block);
  return true;
}

/** The pages have come to `destination` and left the other processor. @returns how many they are. */
function moveResidency(ctx: UvmServiceBlockContext, block: UvmVaBlock, destination: UvmProcessorId): number {
  const { migrated, scratch } = ctx;
  const { moving } = scratch;
  const { row } = block;
  const there = destination === UVM_ID_CPU ? ROW_CPU_RESIDENT : ROW_GPU_RESIDENT;
  const here = destination === UVM_ID_CPU ? ROW_GPU_RESIDENT : ROW_CPU_RESIDENT;
  let pages = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const move = moving[i] ?? 0;
    if (move === 0) continue;
    row[there + i] = (row[there + i] ?? 0) | move;
    row[here + i] = (row[here + i] ?? 0) & ~move;
    if (there === ROW_GPU_RESIDENT) row[ROW_EVICTED + i] = (row[ROW_EVICTED + i] ?? 0) & ~move;
    migrated[i] = (migrated[i] ?? 0) | move;
    pages += hweight32(move);
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
  const source = otherProcessor(destination);
  prepReadDuplicate(ctx, block, mask);
  if (!populate(ctx, block, destination, mask)) return false;
  const found = selectMoving(ctx, block, destination, mask);
  if ((found & MOVES) === 0) return true;
  transferMoving(ctx, block, destination, found, false);
  const { moving } = ctx.scratch;
  maskOr(block.masks(destination).resident, moving);
  maskOr(ctx.migrated, moving);
  maskAnd(moving, block.masks(source).resident);
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
  for (const holder of [UVM_ID_CPU, UVM_ID_GPU] as const) {
    maskCopy(dropped, mask);
    maskAndNot(dropped, block.readDuplicated);
    maskAnd(dropped, block.masks(holder).resident);
    if (maskEmpty(dropped)) continue;
    uvmVaBlockUnmap(ctx, block, otherProcessor(holder), dropped);
    uvmVaBlockRevokeProt(ctx, block, holder, dropped, UVM_PROT_READ_ONLY);
  }
}

/** A page that is to live in one place only loses its other copy. */
function collapseDuplicates(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  source: UvmProcessorId,
  mask: UvmPageMask,
): void {
  const { dropped } = ctx.scratch;
  maskCopy(dropped, mask);
  maskAnd(dropped, block.readDuplicated);
  if (maskEmpty(dropped)) return;
  uvmVaBlockUnmap(ctx, block, source, dropped);
  maskAndNot(block.masks(source).resident, dropped);
  maskAndNot(block.readDuplicated, dropped);
  ctx.done.collapsed = true;
  recordRuns(ctx, block, UvmEventTypeReadDuplicateInvalidate, dropped, source);
  if (source === UVM_ID_GPU) releaseEmptyGpu(ctx, block);
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
    if (block.cpuBase < 0) {
      block.cpuBase = ctx.cpuChunks.alloc(block.pages);
      if (block.whole && !maskFull(block.gpu.resident)) {
        ctx.done.zeroedChunks++;
        ctx.gpu.clock.hostChunkZeroed(ctx);
      }
    }
    return true;
  }
  if (block.whole) {
    if (block.gpuBase < 0) {
      block.gpuBase = ctx.gpu.allocRoot(ctx, block);
      ctx.done.newRoot = true;
    } else ctx.gpu.pmm.markUsed(block.gpuBase);
    return block.gpuBase >= 0;
  }
  return populateShort(ctx, block, mask);
}

/** A block that is not whole takes 64 KiB chunks where they lie inside it, and 4 KiB chunks at its ends. */
function populateShort(ctx: UvmServiceBlockContext, block: UvmVaBlock, mask: UvmPageMask): boolean {
  const frames = (block.gpuFrames ??= new Int32Array(block.pages));
  for (let page = maskNext(mask, 0); page < block.pages; page = maskNext(mask, page + 1)) {
    if (frames[page] !== 0) continue;
    const first = page - ((block.start + page) % UVM_CHUNK_PAGES_64K);
    const inside = first >= 0 && first + UVM_CHUNK_PAGES_64K <= block.pages && frames[first] === 0;
    const pages = inside ? UVM_CHUNK_PAGES_64K : 1;
    const pfn = ctx.gpu.allocChunk(ctx, block, pages);
    if (pfn < 0) return false;
    for (let i = 0; i < pages; i++) frames[(inside ? first : page) + i] = pfn + i + 1;
  }
  return true;
}

/** The last page has left the GPU: a whole block's chunk stays as a cache, a short one's chunks are freed. */
function releaseEmptyGpu(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  if (!maskEmpty(block.gpu.resident)) return;
  if (block.gpuBase >= 0) ctx.gpu.pmm.markUnused(block.gpuBase);
  else freeGpuChunks(ctx, block);
}

/** Gives back every device chunk of the block. Nothing may be resident on the GPU. */
export function freeGpuChunks(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  if (block.gpuBase >= 0) ctx.gpu.pmm.freeRoot(block.gpuBase);
  block.gpuBase = -1;
  const frames = block.gpuFrames;
  block.gpuFrames = undefined;
  if (frames === undefined) return;
  for (const frame of frames) if (frame > 0) ctx.gpu.pmm.freeChunk(frame - 1, 1);
  maskZero(block.evicted);
}
