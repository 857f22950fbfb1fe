import { declareState } from '@hmm/kernel/internal';
import {
  maskClear,
  maskEmpty,
  maskNext,
  maskSet,
  maskTest,
  newMask,
  PAGES_PER_BLOCK,
  type UvmPageMask,
} from './uvm-page-mask.js';
import {
  UVM_PERF_THRASHING_HINT_TYPE_NONE,
  UVM_PERF_THRASHING_HINT_TYPE_PIN,
  UVM_PERF_THRASHING_HINT_TYPE_THROTTLE,
} from './uvm-perf-policy.js';
import {
  decide,
  HAS_REVOCATION,
  LET_BE,
  THROTTLE,
  updateThrottling,
  type UvmThrashingDecision,
} from './uvm-perf-thrashing-hint.js';
import type { UvmServiceBlockContext, UvmThrashingHint } from './uvm-service-block-context.js';
import {
  packUvmEvent,
  packUvmProcessors,
  UvmEventTypeThrashingDetected,
  UvmEventTypeThrottlingEnd,
  UvmEventTypeThrottlingStart,
  type UvmTools,
} from './uvm-tools.js';
import {
  processorIn,
  UVM_ID_CPU,
  UVM_ID_INVALID,
  type UvmOptionalId,
  type UvmProcessorId,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';

const HAS_MIGRATION = 1;
const MAX_EVENTS = 7;
const MAX_THROTTLINGS = 255;

/** The parameters of the detector in force, times in ns (`uvm_perf_thrashing_*`). */
export interface UvmThrashingParams {
  readonly enabled: boolean;
  readonly threshold: number;
  readonly pinThreshold: number;
  /** That a VA space begins with. */
  readonly lapse: number;
  readonly nap: number;
  readonly epoch: number;
  /** 0 pins for ever. */
  readonly pin: number;
  readonly maxResets: number;
}

/** What the detector remembers of one page, as columns over the block's pages. */
export class UvmThrashingPages {
  /** What of it is state. */
  static readonly state = declareState({
    processors: 'constant',
    lastTime: 'constant',
    events: 'constant',
    kinds: 'constant',
    throttled: 'constant',
    throttleEnd: 'constant',
    favoured: 'constant',
    throttlings: 'constant',
    pinnedAt: 'constant',
    pinDeadline: 'constant',
  });

  readonly processors: Int32Array = new Int32Array(PAGES_PER_BLOCK);
  /** Last event, ns; 0 for none. */
  readonly lastTime: Float64Array = new Float64Array(PAGES_PER_BLOCK);
  readonly events: Uint8Array = new Uint8Array(PAGES_PER_BLOCK);
  readonly kinds: Uint8Array = new Uint8Array(PAGES_PER_BLOCK);
  readonly throttled: Int32Array = new Int32Array(PAGES_PER_BLOCK);
  /** End of the throttle period, ns; 0 for none. */
  readonly throttleEnd: Float64Array = new Float64Array(PAGES_PER_BLOCK);
  /** Processor that is not throttled in the present period: its id plus one, 0 for nobody. */
  readonly favoured: Uint8Array = new Uint8Array(PAGES_PER_BLOCK);
  readonly throttlings: Uint8Array = new Uint8Array(PAGES_PER_BLOCK);
  /** Where the page is pinned: the id plus one, 0 while it is not. */
  readonly pinnedAt: Uint8Array = new Uint8Array(PAGES_PER_BLOCK);
  readonly pinDeadline: Float64Array = new Float64Array(PAGES_PER_BLOCK);
}

/** What the detector remembers of a block. @uvm uvm_perf_thrashing.c block_thrashing_info_t */
export class UvmThrashingInfo {
  /** What of it is state. */
  static readonly state = declareState({
    lastTime: 'value',
    lastProcessor: 'value',
    pages: 'value',
    thrashingPages: 'constant',
    pinnedPages: 'constant',
    lastThrashing: 'value',
    resets: 'value',
  });

  lastTime = 0;
  lastProcessor: UvmOptionalId = UVM_ID_INVALID;
  /** Made when two processors touch the block within the lapse. */
  pages: UvmThrashingPages | undefined;
  readonly thrashingPages = newMask();
  readonly pinnedPages = newMask();
  lastThrashing = 0;
  resets = 0;
}

/** Whether a page of `block` counts as thrashing. */
export function thrashes({ thrashing }: UvmVaBlock, page: number): boolean {
  return thrashing?.pages !== undefined && maskTest(thrashing.thrashingPages, page);
}

/** Why an event is fed to the detector. */
export type UvmThrashingEventKind = 'migration' | 'revocation';

/**
 * Feeds a migration to, or a revocation of, `processor` over pages `first` … `outer - 1` at the service's migration time.
 * @uvm uvm_perf_thrashing.c thrashing_event_cb (without: statistics)
 */
export function uvmPerfThrashingEvent(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  processor: UvmProcessorId,
  kind: UvmThrashingEventKind,
  first: number,
  outer: number,
): void {
  if (!ctx.global.thrashing.enabled) return;
  const info = (block.thrashing ??= new UvmThrashingInfo());
  const { lapse } = block.range.space;
  if (info.pages === undefined && !startPages(info, processor, ctx.migrationTime, lapse.ns)) return;
  const { pages } = info;
  if (pages === undefined || (kind === 'migration' && allPinned(info.pinnedPages, first, outer))) return;
  for (let page = first; page < outer; page++) {
    if (pageEvent(ctx, block, pages, page, processor, kind)) detected(ctx, block, info, pages, page);
  }
}

function allPinned(pinned: UvmPageMask, first: number, outer: number): boolean {
  for (let page = first; page < outer; page++) if (!maskTest(pinned, page)) return false;
  return true;
}

/** The columns are only made when two processors touch the block within the lapse. */
function startPages(info: UvmThrashingInfo, processor: UvmProcessorId, now: number, lapse: number): boolean {
  const { lastTime, lastProcessor } = info;
  info.lastTime = now;
  info.lastProcessor = processor;
  if (lastTime === 0 || lastProcessor === processor || now - lastTime > lapse) return false;
  info.pages = new UvmThrashingPages();
  return true;
}

/** Counts an event on a page; true where it is the one that makes the page thrash. */
function pageEvent(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  pages: UvmThrashingPages,
  page: number,
  processor: UvmProcessorId,
  kind: UvmThrashingEventKind,
): boolean {
  const { threshold } = ctx.global.thrashing;
  const now = ctx.migrationTime;
  const last = pages.lastTime[page] ?? 0;
  pages.processors[page] = (pages.processors[page] ?? 0) | (1 << processor);
  pages.lastTime[page] = now;
  if (last === 0) return false;
  const events = pages.events[page] ?? 0;
  if (now - last > block.range.space.lapse.ns) {
    if (events >= threshold && pages.pinnedAt[page] === 0)
      uvmPerfThrashingResetPage(ctx.tools, block, page, now);
    return false;
  }
  pages.kinds[page] = (pages.kinds[page] ?? 0) | (kind === 'migration' ? HAS_MIGRATION : HAS_REVOCATION);
  const count = Math.min(events + 1, MAX_EVENTS);
  pages.events[page] = count;
  if (count >= threshold && block.thrashing !== undefined) block.thrashing.lastThrashing = now;
  return count === threshold && events !== threshold;
}

/** A page thrashes from now on. */
function detected(
  { tools, migrationTime }: UvmServiceBlockContext,
  block: UvmVaBlock,
  info: UvmThrashingInfo,
  pages: UvmThrashingPages,
  page: number,
): void {
  maskSet(info.thrashingPages, page);
  tools.counters.thrashingPages++;
  const value = packUvmProcessors(pages.processors[page] ?? 0);
  tools.record(UvmEventTypeThrashingDetected, migrationTime, block.start + page, 1, value);
}

/** Forgets what a page did; the favoured processor and the number of throttlings stay. */
export function uvmPerfThrashingResetPage(
  tools: UvmTools,
  block: UvmVaBlock,
  page: number,
  now: number,
): void {
  const info = block.thrashing;
  const pages = info?.pages;
  if (info === undefined || pages === undefined) return;
  endThrottling(tools, block, pages, page, now);
  pages.lastTime[page] = 0;
  pages.events[page] = 0;
  pages.processors[page] = 0;
  pages.kinds[page] = 0;
  pages.pinnedAt[page] = 0;
  maskClear(info.thrashingPages, page);
  maskClear(info.pinnedPages, page);
}

/**
 * Forgets what thrashes among the pages `first` … `outer - 1`: they were moved by request, or are duplicated. Pages below the
 * threshold keep their count.
 * @uvm uvm_perf_thrashing.c thrashing_reset_pages_in_region (all)
 */
export function uvmPerfThrashingReset(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  first: number,
  outer: number,
): void {
  const info = block.thrashing;
  if (info?.pages === undefined) return;
  for (let page = maskNext(info.thrashingPages, first); page < outer;) {
    uvmPerfThrashingResetPage(ctx.tools, block, page, ctx.migrationTime);
    page = maskNext(info.thrashingPages, page + 1);
  }
}

/**
 * What to do with a fault of `requester` on a page, asked at the service's hint time. The result is the context's `hint`.
 * @uvm uvm_perf_thrashing.c uvm_perf_thrashing_get_hint (without: statistics)
 */
export function uvmPerfThrashingGetHint(
  ctx: UvmServiceBlockContext,
  block: UvmVaBlock,
  page: number,
  requester: UvmProcessorId,
): UvmThrashingHint {
  const { hint, hintTime: now } = ctx;
  const { policy, thrashing: params } = ctx.global;
  hint.type = UVM_PERF_THRASHING_HINT_TYPE_NONE;
  const info = block.thrashing;
  const pages = info?.pages;
  if (info === undefined || pages === undefined) return hint;
  if (epochReset(params, block, info, now)) return hint;
  if ((pages.events[page] ?? 0) < params.threshold) return hint;
  if (stillThrottled(ctx, block, pages, page, requester)) hint.type = UVM_PERF_THRASHING_HINT_TYPE_THROTTLE;
  else {
    const { lapse } = block.range.space;
    const since = now - (pages.lastTime[page] ?? 0);
    lapse.vote(since);
    if (pages.pinnedAt[page] === 0 && since > lapse.ns) return hint;
    pages.processors[page] = (pages.processors[page] ?? 0) | (1 << requester);
    updateThrottling(pages, page, requester, now, params.nap);
    setHint(hint, decide(ctx, block, pages, page, requester));
  }
  const forced = policy.thrashingHint?.(block, page, requester);
  if (forced !== undefined) hint.type = forced;
  if (hint.type === UVM_PERF_THRASHING_HINT_TYPE_PIN) pinPage(ctx, block, info, pages, page);
  else if (hint.type === UVM_PERF_THRASHING_HINT_TYPE_THROTTLE) throttle(ctx, block, pages, page, requester);
  return hint;
}

function setHint(hint: UvmThrashingHint, decision: UvmThrashingDecision): void {
  if (decision === LET_BE) return;
  if (decision === THROTTLE) hint.type = UVM_PERF_THRASHING_HINT_TYPE_THROTTLE;
  else {
    hint.type = UVM_PERF_THRASHING_HINT_TYPE_PIN;
    hint.residency = decision;
  }
}

function epochReset(
  { epoch, maxResets }: UvmThrashingParams,
  block: UvmVaBlock,
  info: UvmThrashingInfo,
  now: number,
): boolean {
  if (info.lastThrashing === 0 || now - info.lastThrashing <= epoch) return false;
  if (info.resets >= maxResets || !maskEmpty(info.pinnedPages)) return false;
  const fresh = new UvmThrashingInfo();
  fresh.resets = info.resets + 1;
  block.thrashing = fresh;
  return true;
}

/** A throttled requester stays so until the period ends or it is favoured. */
function stillThrottled(
  { hintTime: now, tools }: UvmServiceBlockContext,
  block: UvmVaBlock,
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
): boolean {
  if (!processorIn(pages.throttled[page] ?? 0, requester)) return false;
  if (now < (pages.throttleEnd[page] ?? 0) && pages.favoured[page] !== requester + 1) return true;
  endThrottlingOf(tools, block, pages, page, requester, now);
  return false;
}

/** Ends everyone's throttling. A period in which nobody is throttled goes on to its end. */
function endThrottling(
  tools: UvmTools,
  block: UvmVaBlock,
  pages: UvmThrashingPages,
  page: number,
  now: number,
): void {
  for (let id = 0; id < block.processorCount; id++) {
    if (processorIn(pages.throttled[page] ?? 0, id)) endThrottlingOf(tools, block, pages, page, id, now);
  }
}

function endThrottlingOf(
  tools: UvmTools,
  block: UvmVaBlock,
  pages: UvmThrashingPages,
  page: number,
  id: UvmProcessorId,
  now: number,
): void {
  const left = (pages.throttled[page] ?? 0) & ~(1 << id);
  pages.throttled[page] = left;
  if (left === 0) pages.throttleEnd[page] = 0;
  if (id === UVM_ID_CPU) return;
  tools.record(UvmEventTypeThrottlingEnd, now, block.start + page, 1, packUvmEvent(0, id, id));
}

/** Pins a page where the hint says. */
function pinPage(
  { global, hint, hintTime: now, tools }: UvmServiceBlockContext,
  block: UvmVaBlock,
  info: UvmThrashingInfo,
  pages: UvmThrashingPages,
  page: number,
): void {
  const { resident } = block.masks(hint.residency);
  if (pages.pinnedAt[page] === 0 || !maskTest(resident, page)) endThrottling(tools, block, pages, page, now);
  if (pages.pinnedAt[page] === 0) {
    pages.throttlings[page] = 0;
    maskSet(info.pinnedPages, page);
    tools.counters.pinned++;
    const { pin } = global.thrashing;
    pages.pinDeadline[page] = pin === 0 ? Infinity : now + pin;
    if (pin !== 0) block.range.space.pins.push({ block, page, deadline: now + pin });
  }
  pages.pinnedAt[page] = hint.residency + 1;
}

function throttle(
  { hint, hintTime: now, tools }: UvmServiceBlockContext,
  block: UvmVaBlock,
  pages: UvmThrashingPages,
  page: number,
  requester: UvmProcessorId,
): void {
  hint.end = pages.throttleEnd[page] ?? 0;
  if (processorIn(pages.throttled[page] ?? 0, requester)) return;
  pages.throttled[page] = (pages.throttled[page] ?? 0) | (1 << requester);
  tools.counters.throttled++;
  if (pages.pinnedAt[page] === 0)
    pages.throttlings[page] = Math.min((pages.throttlings[page] ?? 0) + 1, MAX_THROTTLINGS);
  if (requester === UVM_ID_CPU) return;
  const value = packUvmEvent(0, requester, requester);
  tools.record(UvmEventTypeThrottlingStart, now, block.start + page, 1, value);
}
