import { PAGE_SIZE } from '@hmm/kernel';
import { MASK_WORDS, maskNext, maskNextClear } from './uvm-page-mask.js';
import type { UvmPageMask } from './uvm-page-mask.js';
import { uvmPerfThrashingEvent, uvmPerfThrashingReset } from './uvm-perf-thrashing.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeMigration } from './uvm-tools.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER,
  UVM_MAKE_RESIDENT_CAUSE_API_HINT,
  UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE,
  UVM_MAKE_RESIDENT_CAUSE_EVICTION,
  UVM_MAKE_RESIDENT_CAUSE_PREFETCH,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UvmEventMigrationCauseAccessCounters,
  UvmEventMigrationCauseCoherence,
  UvmEventMigrationCauseEviction,
  UvmEventMigrationCausePrefetch,
  UvmEventMigrationCauseUser,
  type UvmMakeResidentCause,
  type UvmProcessorId,
} from './uvm-types.js';
import {
  ROW_CPU_READ,
  ROW_CPU_RESIDENT,
  ROW_DISCARDED,
  ROW_GPU_READ,
  ROW_GPU_RESIDENT,
  ROW_READ_DUPLICATED,
  type UvmVaBlock,
} from './uvm-va-block.js';

/** What {@link selectMoving} found, a bit each: pages that come, are copied, are zero-filled. */
export const MOVES = 1;
const COPIES = 2;
const ZEROES = 4;
/** Among the pages that come are some that the CPU, the GPU has mapped; among those asked for are some with two copies. */
export const MAPPED_CPU = 8;
export const MAPPED_GPU = 16;
export const DUPLICATED = 32;

/**
 * Which pages of `mask` have to come to `destination`, and how: left in the context's scratch (`moving`, `copied`,
 * `zeroed`), a word at a time, since every service of every block goes through here. @returns the bits above that apply.
 */
export function selectMoving(
  { scratch }: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): number {
  const { row } = block;
  const { moving, copied, zeroed } = scratch;
  const there = destination === UVM_ID_CPU ? ROW_CPU_RESIDENT : ROW_GPU_RESIDENT;
  const here = destination === UVM_ID_CPU ? ROW_GPU_RESIDENT : ROW_CPU_RESIDENT;
  let any = 0;
  let copies = 0;
  let zeroes = 0;
  let cpu = 0;
  let gpu = 0;
  let duplicated = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const asked = mask[i] ?? 0;
    const move = asked === 0 ? 0 : asked & ~(row[there + i] ?? 0);
    const copy = move === 0 ? 0 : move & (row[here + i] ?? 0) & ~(row[ROW_DISCARDED + i] ?? 0);
    moving[i] = move;
    copied[i] = copy;
    zeroed[i] = move & ~copy;
    if (asked === 0) continue;
    duplicated |= asked & (row[ROW_READ_DUPLICATED + i] ?? 0);
    any |= move;
    copies |= copy;
    zeroes |= move & ~copy;
    cpu |= move & (row[ROW_CPU_READ + i] ?? 0);
    gpu |= move & (row[ROW_GPU_READ + i] ?? 0);
  }
  let found = any === 0 ? 0 : MOVES;
  if (copies !== 0) found |= COPIES;
  if (zeroes !== 0) found |= ZEROES;
  if (cpu !== 0) found |= MAPPED_CPU;
  if (gpu !== 0) found |= MAPPED_GPU;
  return duplicated === 0 ? found : found | DUPLICATED;
}

/**
 * Copies what {@link selectMoving} found at the source and needed, zero-fills the rest, feeds the detector, books and records
 * the copied runs. `move`: the source loses the pages.
 */
export function transferMoving(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  found: number,
  move: boolean,
): void {
  ctx.runs = 0;
  if ((found & COPIES) !== 0) copyRuns(ctx, block, destination);
  if ((found & ZEROES) !== 0) zeroFill(ctx, block, destination);
  if (ctx.runs === 0) return;
  feedDetector(ctx, block, destination, move);
  recordMigrations(ctx, block, destination);
}

/** The migration cause in event records; of causes that tell pages that faulted from others, that of pages that did. */
function eventCause(cause: UvmMakeResidentCause): number {
  switch (cause) {
    case UVM_MAKE_RESIDENT_CAUSE_API_MIGRATE:
    case UVM_MAKE_RESIDENT_CAUSE_API_HINT:
      return UvmEventMigrationCauseUser;
    case UVM_MAKE_RESIDENT_CAUSE_EVICTION:
      return UvmEventMigrationCauseEviction;
    case UVM_MAKE_RESIDENT_CAUSE_ACCESS_COUNTER:
      return UvmEventMigrationCauseAccessCounters;
    default:
      return UvmEventMigrationCauseCoherence;
  }
}

/**
 * Copies run by run; runs, by cause where pages that faulted are told apart, are left in the context. A word at a time: the set bits
 * of `edges` are where a run begins, or ends without another after it.
 */
function copyRuns(ctx: UvmServiceBlockContext, block: UvmVaBlock, destination: UvmProcessorId): void {
  const { faulted } = ctx;
  const { copied } = ctx.scratch;
  const whole = eventCause(ctx.cause);
  const apart = whole === UvmEventMigrationCauseCoherence ? -1 : 0;
  let first = -1;
  let cause = whole;
  let copiedBefore = 0;
  let faultedBefore = 0;
  ctx.runs = 0;
  for (let word = 0; word < MASK_WORDS; word++) {
    const copy = copied[word] ?? 0;
    const fault = copy & (faulted[word] ?? 0) & apart;
    let edges = (copy ^ ((copy << 1) | copiedBefore)) | (fault ^ ((fault << 1) | faultedBefore));
    copiedBefore = copy >>> 31;
    faultedBefore = fault >>> 31;
    for (; edges !== 0; edges &= edges - 1) {
      const bit = 31 - Math.clz32(edges & -edges);
      const page = word * 32 + bit;
      if (first >= 0) copyRun(ctx, block, destination, first, page, cause);
      first = ((copy >>> bit) & 1) === 0 ? -1 : page;
      cause = apart !== 0 && ((fault >>> bit) & 1) === 0 ? UvmEventMigrationCausePrefetch : whole;
    }
  }
  if (first >= 0) copyRun(ctx, block, destination, first, block.pages, cause);
}

function copyRun(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  first: number,
  outer: number,
  cause: number,
): void {
  const { runs } = ctx;
  ctx.runFirst[runs] = first;
  ctx.runOuter[runs] = outer;
  ctx.runCause[runs] = cause;
  ctx.runs = runs + 1;
  copyFrames(ctx, block, destination, first, outer);
}

function copyFrames(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  first: number,
  outer: number,
): void {
  const { vidmem, sysmem } = ctx.hw;
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

function zeroFill(ctx: UvmServiceBlockContext, block: UvmVaBlock, destination: UvmProcessorId): void {
  const { zeroed } = ctx.scratch;
  for (let page = maskNext(zeroed, 0); page < block.pages;) {
    const outer = Math.min(maskNextClear(zeroed, page), block.pages);
    ctx.done.zeroedPages += outer - page;
    zeroFrames(ctx, block, destination, page, outer);
    page = maskNext(zeroed, outer);
  }
}

function zeroFrames(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  first: number,
  outer: number,
): void {
  ctx.tools.counters.zeroedPages += outer - first;
  if (destination === UVM_ID_CPU) ctx.hw.sysmem.fill(block.cpuFrame(first), outer - first, 0);
  else if (block.gpuBase >= 0) ctx.hw.vidmem.fill(block.gpuFrame(first), outer - first, 0);
  else for (let page = first; page < outer; page++) ctx.hw.vidmem.fill(block.gpuFrame(page), 1, 0);
}

/** Moves that faults cause feed the thrashing detector, run by run; a request or a copy starts the pages afresh. */
function feedDetector(
  ctx: UvmServiceBlockContext,
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
    if (fed) uvmPerfThrashingEvent(ctx, block, destination, 'migration', first, outer);
    else uvmPerfThrashingReset(ctx, block, first, outer);
  }
}

/** Books and records the copied runs, back to back. */
function recordMigrations(ctx: UvmServiceBlockContext, block: UvmVaBlock, destination: UvmProcessorId): void {
  const { tools, hw, done } = ctx;
  const { counters } = tools;
  const { runs, runFirst, runOuter, runCause } = ctx;
  const toDevice = destination === UVM_ID_GPU;
  const source = toDevice ? UVM_ID_CPU : UVM_ID_GPU;
  const from = ctx.copiesEnd;
  let at = from;
  for (let run = 0; run < runs; run++) {
    const first = runFirst[run] ?? 0;
    const pages = (runOuter[run] ?? 0) - first;
    const cause = runCause[run] ?? 0;
    const bytes = pages * PAGE_SIZE;
    const ns = hw.copyEngine.book(bytes, toDevice);
    tools.record(
      UvmEventTypeMigration,
      at,
      block.start + first,
      pages,
      packUvmEvent(cause, source, destination),
    );
    const totals = counters.bytes[cause];
    if (totals !== undefined) {
      if (toDevice) totals.toDevice += bytes;
      else totals.toHost += bytes;
    }
    at += ns;
    done.copiedPages += pages;
    done.copyNs += ns;
  }
  done.transfers += runs;
  counters.transfers += runs;
  counters.copyNs += at - from;
}
