import { PAGE_SIZE } from '@hmm/kernel';
import {
  MASK_WORDS,
  maskAnd,
  maskAndNot,
  maskCopy,
  maskEmpty,
  maskNext,
  maskNextClear,
  maskOr,
} from './uvm-page-mask.js';
import type { UvmPageMask } from './uvm-page-mask.js';
import { frameOn, framesInRow } from './uvm-va-block-frames.js';
import { uvmPerfThrashingEvent, uvmPerfThrashingReset } from './uvm-perf-thrashing.js';
import type { UvmServiceBlockContext, UvmVaBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeMigration } from './uvm-tools.js';
import {
  nextProcessor,
  UVM_ID_CPU,
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
  type UvmProcessorMask,
} from './uvm-types.js';
import {
  ROW_DISCARDED,
  ROW_READ,
  ROW_READ_DUPLICATED,
  ROW_RESIDENT,
  rowOf,
  type UvmVaBlock,
} from './uvm-va-block.js';

/** What {@link selectMoving} found, a bit each: pages that come, are copied, are zero-filled. */
export const MOVES = 1;
const COPIES = 2;
const ZEROES = 4;
/** Among the pages asked for are some with several copies. */
export const DUPLICATED = 8;

/**
 * Gives the block its host chunk if it has none. One that is not filled by copies alone is zeroed, all of it, before the copies.
 * @uvm uvm_va_block.c block_populate_pages_cpu (without: NUMA nodes, chunks of other sizes, allocations that fail)
 */
export function populateCpuChunk(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  if (block.cpuBase >= 0) return;
  block.cpuBase = ctx.cpuChunks.alloc(block.pages);
  if (!block.whole || block.isFullyOnGpus) return;
  ctx.done.zeroedChunks++;
  ctx.clock.hostChunkZeroed(ctx);
}

/**
 * Which pages of `mask` have to come to `destination`, and how: left in the context's scratch (`moving`, `copied`,
 * `zeroed`), a word at a time, since every service of every block goes through here; so are the processors that map some of them
 * (`mappedBy`) and that have the data of some (`heldBy`). @returns the bits above that apply.
 */
export function selectMoving(
  { scratch }: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): number {
  const { row } = block;
  const { moving, copied, zeroed } = scratch;
  const there = rowOf(destination) + ROW_RESIDENT;
  let any = 0;
  let copies = 0;
  let zeroes = 0;
  let duplicated = 0;
  scratch.mappedBy = 0;
  scratch.heldBy = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const asked = mask[i] ?? 0;
    const move = asked === 0 ? 0 : asked & ~(row[there + i] ?? 0);
    const copy = move === 0 ? 0 : heldElsewhere(scratch, block, move, i) & ~(row[ROW_DISCARDED + i] ?? 0);
    moving[i] = move;
    copied[i] = copy;
    zeroed[i] = move & ~copy;
    if (asked === 0) continue;
    duplicated |= asked & (row[ROW_READ_DUPLICATED + i] ?? 0);
    any |= move;
    copies |= copy;
    zeroes |= move & ~copy;
  }
  let found = any === 0 ? 0 : MOVES;
  if (copies !== 0) found |= COPIES;
  if (zeroes !== 0) found |= ZEROES;
  return duplicated === 0 ? found : found | DUPLICATED;
}

/** The pages of word `i` of a mask, none of them at their destination, whose data is somewhere; notes who has and who maps some. */
function heldElsewhere(
  scratch: UvmVaBlockContext,
  { processorCount, row }: UvmVaBlock,
  moving: number,
  i: number,
): number {
  let held = 0;
  for (let id = 0; id < processorCount; id++) {
    const first = rowOf(id) + i;
    const resident = moving & (row[first + ROW_RESIDENT] ?? 0);
    if (resident !== 0) scratch.heldBy |= 1 << id;
    if ((moving & (row[first + ROW_READ] ?? 0)) !== 0) scratch.mappedBy |= 1 << id;
    held |= resident;
  }
  return held;
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
  if ((found & COPIES) !== 0) copyResidentPages(ctx, block, destination, move);
  if ((found & ZEROES) !== 0) zeroFill(ctx, block, destination);
  if (ctx.runs === 0) return;
  feedDetector(ctx, block, destination, move);
  recordMigrations(ctx, block);
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
 * Copies what `copied` names from who has it: first from where the destination's copy engines reach, the closest first; the rest by way
 * of the CPU.
 * @uvm uvm_va_block.c block_copy_resident_pages (without: NUMA nodes, errors of copies)
 */
function copyResidentPages(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  destination: UvmProcessorId,
  move: boolean,
): void {
  const { links, scratch } = ctx;
  const { copied, heldBy } = scratch;
  const direct = heldBy & links.canCopyFrom(destination);
  if (direct === heldBy && (heldBy & (heldBy - 1)) === 0) {
    copyRuns(ctx, block, nextProcessor(heldBy, UVM_ID_CPU), destination, copied);
    return;
  }
  const { left } = scratch;
  maskCopy(left, copied);
  copyFromClosest(ctx, block, direct, destination);
  if (maskEmpty(left)) return;
  const { staged } = scratch;
  maskCopy(staged, left);
  populateCpuChunk(ctx, block);
  copyFromClosest(ctx, block, heldBy & ~direct, UVM_ID_CPU);
  copyRuns(ctx, block, UVM_ID_CPU, destination, staged);
  if (!move) maskOr(block.cpu.resident, staged);
}

/** Copies what `left` names, as far as `sources` have it, and takes it out of there. */
function copyFromClosest(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  sources: UvmProcessorMask,
  destination: UvmProcessorId,
): void {
  const { fromOne, left } = ctx.scratch;
  for (let rest = sources; rest !== 0;) {
    const source = ctx.links.closest(rest, destination);
    rest &= ~(1 << source);
    maskCopy(fromOne, left);
    maskAnd(fromOne, block.masks(source).resident);
    maskAndNot(left, fromOne);
    copyRuns(ctx, block, source, destination, fromOne);
  }
}

/**
 * Copies run by run; runs, by cause where pages that faulted are told apart, are left in the context. A word at a time: the set bits
 * of `edges` are where a run begins, or ends without another after it.
 */
function copyRuns(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  source: UvmProcessorId,
  destination: UvmProcessorId,
  mask: UvmPageMask,
): void {
  const { faulted } = ctx;
  const whole = eventCause(ctx.cause);
  const apart = whole === UvmEventMigrationCauseCoherence ? -1 : 0;
  const begun = ctx.runs;
  let first = -1;
  let cause = whole;
  let copiedBefore = 0;
  let faultedBefore = 0;
  for (let word = 0; word < MASK_WORDS; word++) {
    const copy = mask[word] ?? 0;
    const fault = copy & (faulted[word] ?? 0) & apart;
    let edges = (copy ^ ((copy << 1) | copiedBefore)) | (fault ^ ((fault << 1) | faultedBefore));
    copiedBefore = copy >>> 31;
    faultedBefore = fault >>> 31;
    for (; edges !== 0; edges &= edges - 1) {
      const bit = 31 - Math.clz32(edges & -edges);
      const page = word * 32 + bit;
      if (first >= 0) ctx.addRun(first, page, cause);
      first = ((copy >>> bit) & 1) === 0 ? -1 : page;
      cause = apart !== 0 && ((fault >>> bit) & 1) === 0 ? UvmEventMigrationCausePrefetch : whole;
    }
  }
  if (first >= 0) ctx.addRun(first, block.pages, cause);
  for (let run = begun; run < ctx.runs; run++) {
    ctx.runEnds[run] = source | (destination << 8);
    copyFrames(ctx, block, source, destination, run);
  }
}

/** Copies the frames of a run. */
function copyFrames(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  source: UvmProcessorId,
  destination: UvmProcessorId,
  run: number,
): void {
  const outer = ctx.runOuter[run] ?? 0;
  const from = ctx.memoryOf(source);
  const to = ctx.memoryOf(destination);
  for (let page = ctx.runFirst[run] ?? 0; page < outer;) {
    const end = Math.min(
      framesInRow(block, source, page, outer),
      framesInRow(block, destination, page, outer),
    );
    to.copyFrom(frameOn(block, destination, page), from, frameOn(block, source, page), end - page);
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
  const memory = ctx.memoryOf(destination);
  for (let page = first; page < outer;) {
    const end = framesInRow(block, destination, page, outer);
    memory.fill(frameOn(block, destination, page), end - page, 0);
    page = end;
  }
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
function recordMigrations(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  const { tools, done } = ctx;
  const { counters } = tools;
  const { runs, runFirst, runOuter, runCause, runEnds } = ctx;
  const from = ctx.copiesEnd;
  let at = from;
  for (let run = 0; run < runs; run++) {
    const first = runFirst[run] ?? 0;
    const pages = (runOuter[run] ?? 0) - first;
    const cause = runCause[run] ?? 0;
    const ends = runEnds[run] ?? 0;
    const [source, destination] = [ends & 255, ends >>> 8];
    const bytes = pages * PAGE_SIZE;
    const ns = bookCopy(ctx, source, destination, bytes);
    const value = packUvmEvent(cause, source, destination);
    tools.record(UvmEventTypeMigration, at, block.start + first, pages, value);
    tools.countBytes(cause, source, destination, bytes);
    at += ns;
    done.copiedPages += pages;
    done.copyNs += ns;
  }
  done.transfers += runs;
  counters.transfers += runs;
  counters.copyNs += at - from;
}

/** Books a copy on the engine of the GPU that does it: the destination's, where it is one. @returns its time, ns. */
export function bookCopy(
  ctx: Pick<UvmServiceBlockContext, 'gpuOf'>,
  source: UvmProcessorId,
  destination: UvmProcessorId,
  bytes: number,
): number {
  if (destination === UVM_ID_CPU) return ctx.gpuOf(source).hw.copyEngine.book(bytes, false);
  const { hw } = ctx.gpuOf(destination);
  const path = source === UVM_ID_CPU ? undefined : hw.peerPath(ctx.gpuOf(source).hw);
  return path === undefined ? hw.copyEngine.book(bytes, true) : hw.copyEngine.bookPeer(bytes, path);
}
