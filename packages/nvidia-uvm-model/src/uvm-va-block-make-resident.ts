import { hweight32 } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
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
  newMask,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { UVM_CHUNK_PAGES_64K } from './uvm-pmm-chunk-size.js';
import type { UvmServiceContext } from './uvm-service-context.js';
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
  moving,
  selectMoving,
  transferMoving,
} from './uvm-va-block-copy.js';
import { forRuns, uvmVaBlockRevokeProt, uvmVaBlockUnmap } from './uvm-va-block-map.js';

const dropped = newMask();

/**
 * Makes the pages of `mask` resident on `destination` and nowhere else: unmaps them
 * everywhere, populates the destination (evicting if need be), copies or zero-fills, and updates the masks.
 * @returns false when the destination has no memory left and none can be evicted; then nothing has moved.
 * @uvm uvm_va_block.c uvm_va_block_make_resident
 */
export function uvmVaBlockMakeResident(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): boolean {
  if (!populate(driver, ctx, block, destination, mask)) return false;
  const found = selectMoving(block, destination, mask);
  if ((found & DUPLICATED) !== 0) collapseDuplicates(driver, ctx, block, otherProcessor(destination), mask);
  if ((found & MOVES) === 0) return true;
  if ((found & MAPPED_CPU) !== 0) uvmVaBlockUnmap(block, UVM_ID_CPU, moving);
  if ((found & MAPPED_GPU) !== 0) uvmVaBlockUnmap(block, UVM_ID_GPU, moving);
  transferMoving(driver, ctx, block, destination, found, true);
  driver.tools.counters.movedPages += settle(ctx, block, destination);
  if (destination === UVM_ID_CPU) releaseEmptyGpu(driver, block);
  return true;
}

/** The pages have come to `destination` and left the other processor. @returns how many they are. */
function settle(ctx: UvmServiceContext, block: UvmVaBlock, destination: UvmProcessorId): number {
  const { migrated } = ctx;
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
 * @uvm uvm_va_block.c uvm_va_block_make_resident_read_duplicate
 */
export function uvmVaBlockMakeResidentReadDuplicate(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): boolean {
  const source = otherProcessor(destination);
  prepReadDuplicate(driver, ctx, block, mask);
  if (!populate(driver, ctx, block, destination, mask)) return false;
  const found = selectMoving(block, destination, mask);
  if ((found & MOVES) === 0) return true;
  transferMoving(driver, ctx, block, destination, found, false);
  maskOr(block.masks(destination).resident, moving);
  maskOr(ctx.migrated, moving);
  maskAnd(moving, block.masks(source).resident);
  maskOr(block.readDuplicated, moving);
  recordRuns(driver, ctx, block, UvmEventTypeReadDuplicate, moving, destination);
  return true;
}

/**
 * Pages that are to have copies can only be read from then on, also those that stay alone for the moment: whoever has the
 * data loses the right to write, others lose their mapping.
 * @uvm uvm_va_block.c block_prep_read_duplicate_mapping
 */
function prepReadDuplicate(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  mask: UvmPageMask,
): void {
  for (const holder of [UVM_ID_CPU, UVM_ID_GPU] as const) {
    maskCopy(dropped, mask);
    maskAndNot(dropped, block.readDuplicated);
    maskAnd(dropped, block.masks(holder).resident);
    if (maskEmpty(dropped)) continue;
    uvmVaBlockUnmap(block, otherProcessor(holder), dropped);
    uvmVaBlockRevokeProt(driver, ctx, block, holder, dropped, UVM_PROT_READ_ONLY);
  }
}

/** A page that is to live in one place only loses its other copy. */
function collapseDuplicates(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  source: UvmProcessorId,
  mask: UvmPageMask,
): void {
  maskCopy(dropped, mask);
  maskAnd(dropped, block.readDuplicated);
  if (maskEmpty(dropped)) return;
  uvmVaBlockUnmap(block, source, dropped);
  maskAndNot(block.masks(source).resident, dropped);
  maskAndNot(block.readDuplicated, dropped);
  ctx.collapsed = true;
  recordRuns(driver, ctx, block, UvmEventTypeReadDuplicateInvalidate, dropped, source);
  if (source === UVM_ID_GPU) releaseEmptyGpu(driver, block);
}

function recordRuns(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  kind: number,
  mask: UvmPageMask,
  id: UvmProcessorId,
): void {
  if (!driver.tools.on) return;
  forRuns(block, mask, (first, pages) => {
    driver.tools.record(kind, ctx.migrationTime, block.start + first, pages, packUvmEvent(0, id, id));
  });
}

/** Gets frames at the destination for the pages of `mask` that have none. May evict, and so clobbers scratch masks. */
function populate(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): boolean {
  if (destination === UVM_ID_CPU) {
    if (block.cpuBase < 0) {
      block.cpuBase = driver.cpuChunks.alloc(block.pages);
      if (block.whole && !maskFull(block.gpu.resident)) {
        ctx.zeroedChunks++;
        ctx.migrationTime += driver.costs.cpuPopulateBlock;
      }
    }
    return true;
  }
  if (block.whole) {
    if (block.gpuBase < 0) {
      block.gpuBase = driver.allocRoot(ctx, block);
      ctx.newRoot = true;
    } else driver.pmm.markUsed(block.gpuBase);
    return block.gpuBase >= 0;
  }
  return populateShort(driver, ctx, block, mask);
}

/** A block that is not whole takes 64 KiB chunks where they lie inside it, and 4 KiB chunks at its ends. */
function populateShort(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  mask: UvmPageMask,
): boolean {
  const frames = (block.gpuFrames ??= new Int32Array(block.pages));
  for (let page = maskNext(mask, 0); page < block.pages; page = maskNext(mask, page + 1)) {
    if (frames[page] !== 0) continue;
    const first = page - ((block.start + page) % UVM_CHUNK_PAGES_64K);
    const inside = first >= 0 && first + UVM_CHUNK_PAGES_64K <= block.pages && frames[first] === 0;
    const pages = inside ? UVM_CHUNK_PAGES_64K : 1;
    const pfn = driver.allocChunk(ctx, block, pages);
    if (pfn < 0) return false;
    for (let i = 0; i < pages; i++) frames[(inside ? first : page) + i] = pfn + i + 1;
  }
  return true;
}

/** The last page has left the GPU: a whole block's chunk stays as a cache, a short one's chunks are freed. */
function releaseEmptyGpu(driver: UvmDriver, block: UvmVaBlock): void {
  if (!maskEmpty(block.gpu.resident)) return;
  if (block.gpuBase >= 0) driver.pmm.markUnused(block.gpuBase);
  else freeGpuChunks(driver, block);
}

/** Gives back every device chunk of the block. Nothing may be resident on the GPU. */
export function freeGpuChunks(driver: UvmDriver, block: UvmVaBlock): void {
  if (block.gpuBase >= 0) driver.pmm.freeRoot(block.gpuBase);
  block.gpuBase = -1;
  const frames = block.gpuFrames;
  block.gpuFrames = undefined;
  if (frames === undefined) return;
  for (const frame of frames) if (frame > 0) driver.pmm.freeChunk(frame - 1, 1);
  maskZero(block.evicted);
}
