import { PAGE_SIZE } from '@hmm/kernel';
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
  maskZero,
  newMask,
  type UvmPageMask,
} from './uvm-page-mask.js';
import { uvmPerfThrashingEvent, uvmPerfThrashingReset } from './uvm-perf-thrashing.js';
import { UVM_CHUNK_PAGES_64K } from './uvm-pmm-chunk-size.js';
import type { UvmServiceContext } from './uvm-service-context.js';
import {
  packUvmEvent,
  UvmEventTypeMigration,
  UvmEventTypeReadDuplicate,
  UvmEventTypeReadDuplicateInvalidate,
} from './uvm-tools.js';
import {
  otherProcessor,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER,
  UVM_MAKE_RESIDENT_CAUSE_API_HINT,
  UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE,
  UVM_MAKE_RESIDENT_CAUSE_EVICTION,
  UVM_MAKE_RESIDENT_CAUSE_PREFETCH,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UVM_PROT_READ_ONLY,
  UvmEventMigrationCauseAccessCounters,
  UvmEventMigrationCauseCoherence,
  UvmEventMigrationCauseEviction,
  UvmEventMigrationCausePrefetch,
  UvmEventMigrationCauseUser,
  type UvmMakeResidentCause,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { forRuns, uvmVaBlockRevokeProt, uvmVaBlockUnmap } from './uvm-va-block-map.js';

const moving = newMask();
const copied = newMask();
const dropped = newMask();

/** The migration cause in event records of pages that did not fault, and of those that did. */
function eventCause(cause: UvmMakeResidentCause, faulted: boolean): number {
  switch (cause) {
    case UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE:
    case UVM_MAKE_RESIDENT_CAUSE_API_HINT:
      return UvmEventMigrationCauseUser;
    case UVM_MAKE_RESIDENT_CAUSE_EVICTION:
      return UvmEventMigrationCauseEviction;
    case UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER:
      return UvmEventMigrationCauseAccessCounters;
    default:
      return faulted ? UvmEventMigrationCauseCoherence : UvmEventMigrationCausePrefetch;
  }
}

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
  const source = otherProcessor(destination);
  maskCopy(moving, mask);
  maskAndNot(moving, block.masks(destination).resident);
  if (!populate(driver, ctx, block, destination, moving)) return false;
  maskCopy(moving, mask);
  maskAndNot(moving, block.masks(destination).resident);
  collapseDuplicates(driver, ctx, block, source, mask);
  if (maskEmpty(moving)) return true;
  uvmVaBlockUnmap(block, UVM_ID_CPU, moving);
  uvmVaBlockUnmap(block, UVM_ID_GPU, moving);
  transfer(driver, ctx, block, destination);
  feedDetector(driver, ctx, block, destination, true);
  recordMigrations(driver, ctx, block, destination);
  maskOr(block.masks(destination).resident, moving);
  maskAndNot(block.masks(source).resident, moving);
  maskOr(ctx.migrated, moving);
  driver.tools.counters.movedPages += maskWeight(moving);
  if (destination === UVM_ID_GPU) maskAndNot(block.evicted, moving);
  else releaseEmptyGpu(driver, block);
  return true;
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
  maskCopy(moving, mask);
  maskAndNot(moving, block.masks(destination).resident);
  if (!populate(driver, ctx, block, destination, moving)) return false;
  maskCopy(moving, mask);
  maskAndNot(moving, block.masks(destination).resident);
  if (maskEmpty(moving)) return true;
  transfer(driver, ctx, block, destination);
  feedDetector(driver, ctx, block, destination, false);
  recordMigrations(driver, ctx, block, destination);
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

/** Gets frames at the destination for the pages of `mask`. May evict, and so clobbers this module's scratch masks. */
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
      if (block.whole && !maskFull(block.gpu.resident)) ctx.zeroedChunks++;
    }
    maskOr(block.cpuAllocated, mask);
    return true;
  }
  if (block.whole) {
    if (block.gpuBase < 0) block.gpuBase = driver.allocRoot(ctx, block);
    else driver.pmm.markUsed(block.gpuBase);
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

/** Copies what is at the source and needed, zero-fills the rest; the copied runs are left in the context. */
function transfer(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
): void {
  maskCopy(copied, moving);
  maskAnd(copied, block.masks(otherProcessor(destination)).resident);
  maskAndNot(copied, block.discarded);
  ctx.runs = 0;
  for (let page = maskNext(copied, 0); page < block.pages;) {
    const faulted = maskTest(ctx.faulted, page);
    const border = faulted ? maskNextClear(ctx.faulted, page) : maskNext(ctx.faulted, page);
    const outer = Math.min(maskNextClear(copied, page), border, block.pages);
    const cause = eventCause(ctx.cause, faulted);
    const last = ctx.runs - 1;
    if (last >= 0 && ctx.runOuter[last] === page && ctx.runCause[last] === cause) ctx.runOuter[last] = outer;
    else {
      ctx.runFirst[ctx.runs] = page;
      ctx.runOuter[ctx.runs] = outer;
      ctx.runCause[ctx.runs++] = cause;
    }
    copyFrames(driver, block, destination, page, outer);
    page = maskNext(copied, outer);
  }
  zeroFill(driver, ctx, block, destination);
}

function copyFrames(
  driver: UvmDriver,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  first: number,
  outer: number,
): void {
  const { vidmem, sysmem } = driver.gpu;
  for (let page = first; page < outer;) {
    const frame = block.gpuFrame(page);
    let end = page + 1;
    if (block.gpuBase >= 0) end = outer;
    else while (end < outer && block.gpuFrame(end) === frame + end - page) end++;
    if (destination === UVM_ID_GPU) vidmem.copyFrom(frame, sysmem, block.cpuFrame(page), end - page);
    else sysmem.copyFrom(block.cpuFrame(page), vidmem, frame, end - page);
    page = end;
  }
}

function zeroFill(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
): void {
  maskCopy(dropped, moving);
  maskAndNot(dropped, copied);
  if (maskEmpty(dropped)) return;
  for (let page = maskNext(dropped, 0); page < block.pages;) {
    const outer = Math.min(maskNextClear(dropped, page), block.pages);
    ctx.zeroedPages += outer - page;
    zeroFrames(driver, block, destination, page, outer);
    page = maskNext(dropped, outer);
  }
}

function zeroFrames(
  driver: UvmDriver,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  first: number,
  outer: number,
): void {
  driver.tools.counters.zeroedPages += outer - first;
  if (destination === UVM_ID_CPU) driver.gpu.sysmem.fill(block.cpuFrame(first), outer - first, 0);
  else if (block.gpuBase >= 0) driver.gpu.vidmem.fill(block.gpuFrame(first), outer - first, 0);
  else for (let page = first; page < outer; page++) driver.gpu.vidmem.fill(block.gpuFrame(page), 1, 0);
}

/** Moves that faults cause feed the thrashing detector, run by run; a request or a copy starts the pages afresh. */
function feedDetector(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  move: boolean,
): void {
  if (ctx.cause === UVM_MAKE_RESIDENT_CAUSE_EVICTION) return;
  const counts =
    ctx.cause === UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT ||
    ctx.cause === UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER ||
    ctx.cause === UVM_MAKE_RESIDENT_CAUSE_PREFETCH;
  const fed = counts && move && !block.range.policy.readDuplication;
  for (let run = 0; run < ctx.runs; run++) {
    const first = ctx.runFirst[run] ?? 0;
    const outer = ctx.runOuter[run] ?? 0;
    if (fed)
      ctx.detected += uvmPerfThrashingEvent(
        driver,
        block,
        destination,
        'migration',
        first,
        outer,
        ctx.migrationTime,
      );
    else uvmPerfThrashingReset(driver, block, first, outer, ctx.migrationTime);
  }
}

/** Books and records the copied runs, back to back. */
function recordMigrations(
  driver: UvmDriver,
  ctx: UvmServiceContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
): void {
  const { counters } = driver.tools;
  const toDevice = destination === UVM_ID_GPU;
  const from = ctx.migrationTime + ctx.copyNs;
  let at = from;
  for (let run = 0; run < ctx.runs; run++) {
    const first = ctx.runFirst[run] ?? 0;
    const pages = (ctx.runOuter[run] ?? 0) - first;
    const cause = ctx.runCause[run] ?? 0;
    const ns = driver.gpu.copyEngine.book(pages * PAGE_SIZE, toDevice);
    const value = packUvmEvent(cause, toDevice ? UVM_ID_CPU : UVM_ID_GPU, destination);
    driver.tools.record(UvmEventTypeMigration, at, block.start + first, pages, value);
    const bytes = counters.bytes[cause];
    if (bytes !== undefined) bytes[toDevice ? 'toDevice' : 'toHost'] += pages * PAGE_SIZE;
    at += ns;
    ctx.transfers++;
    ctx.copiedPages += pages;
    ctx.copyNs += ns;
  }
  counters.transfers += ctx.runs;
  counters.copyNs += at - from;
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
