import { EAGAIN, HmmError, SP_PREEMPT, type MaybeTask, type Task } from '@hmm/kernel';
import {
  addToTree,
  dropFromTree,
  type MmuIntervalNotifier,
  type MmuIntervalNotifierFinish,
} from './interval-notifier.js';
import { hlistInvalidateStart, srcuReadUnlock } from './notifier.js';
import { mmuNotifierRangeBlockable, type MmuNotifierRange } from './range.js';
import type { MmuNotifierSubscriptions } from './subscriptions.js';
import {
  TP_INTERVAL_INVALIDATE,
  TP_INVALIDATE_RANGE_END,
  TP_INVALIDATE_RANGE_START,
  traceRange,
} from './tracepoints.js';

/**
 * Announces that the pages of `range` are about to change, and waits until every subscriber has stopped using them.
 * Interval notifiers are told first, in the order of their start, then the plain ones, the newest first.
 *
 * @returns 0, or `-EAGAIN` for a range that is not blockable when a subscriber would have to sleep (then
 * {@link mmuNotifierInvalidateRangeEnd} must not be called). A plain number when nobody had to sleep, else a task:
 *
 * ```ts
 * const started = mmuNotifierInvalidateRangeStart(range);
 * if (typeof started !== 'number') yield* started;
 * ```
 * @kernel mm/mmu_notifier.c __mmu_notifier_invalidate_range_start (all)
 */
export function mmuNotifierInvalidateRangeStart(range: MmuNotifierRange): MaybeTask<number> {
  const subs = range.mm.notifierSubscriptions;
  if (subs === undefined) return 0;
  traceRange(TP_INVALIDATE_RANGE_START, range);
  if (subs.kernel.sched.exploring) return startStepwise(subs, range);
  if (subs.hasItree) {
    const hit = itreeInvStart(subs, range);
    if (hit !== undefined) {
      const { invalidateSeq } = subs;
      const done = subs.twoPasses
        ? itreeInvalidateInPasses(subs, range, hit, invalidateSeq)
        : itreeInvalidate(subs, range, hit, invalidateSeq, 0);
      if (typeof done !== 'number') return thenHlist(subs, range, done);
      if (done !== 0) return done;
    }
  }
  return hlistInvalidateStart(subs, range);
}

/**
 * Ends an invalidation whose start returned 0. Never sleeps.
 * @kernel mm/mmu_notifier.c __mmu_notifier_invalidate_range_end (all)
 */
export function mmuNotifierInvalidateRangeEnd(range: MmuNotifierRange): void {
  const subs = range.mm.notifierSubscriptions;
  if (subs === undefined) return;
  traceRange(TP_INVALIDATE_RANGE_END, range);
  if (range.counted) itreeInvEnd(subs, range);
  for (const sub of subs.notifiers) {
    if (sub.ops.invalidateRangeEnd !== undefined) sub.ops.invalidateRangeEnd(sub, range);
  }
}

/**
 * Counts the invalidation and makes the sequence odd if a notifier overlaps.
 * @returns the slots of the notifiers that overlap, undefined when none does.
 * @kernel mm/mmu_notifier.c mn_itree_inv_start_range (all)
 */
export function itreeInvStart(subs: MmuNotifierSubscriptions, range: MmuNotifierRange): number[] | undefined {
  let hit: number[] | undefined;
  subs.lock.lock();
  subs.accessCount(false);
  subs.activeInvalidateRanges++;
  range.counted = true;
  if (range.end > range.start && subs.tree.overlaps(range.start, range.end - 1)) {
    if ((subs.invalidateSeq & 1) === 0) subs.invalidateSeq = subs.seqPlus(subs.invalidateSeq, 1);
    hit = [];
    subs.tree.collect(range.start, range.end - 1, hit);
  }
  subs.lock.unlock();
  return hit;
}

/**
 * Uncounts the invalidation; at the last one the sequence becomes even, deferred changes of the tree are made and
 * who waits goes on.
 * @kernel mm/mmu_notifier.c mn_itree_inv_end (all)
 */
export function itreeInvEnd(subs: MmuNotifierSubscriptions, range: MmuNotifierRange): void {
  const { sched } = subs.kernel;
  subs.lock.lock();
  if (subs.deferred.length > 0) subs.accessState(true);
  else subs.accessCount(true);
  range.counted = false;
  subs.activeInvalidateRanges--;
  if (subs.activeInvalidateRanges > 0 || (subs.invalidateSeq & 1) === 0) {
    subs.lock.unlock();
    return;
  }
  subs.invalidateSeq = subs.seqPlus(subs.invalidateSeq, 1);
  if (subs.deferred.length > 0) makeDeferred(subs);
  subs.lock.unlock();
  sched.wake(subs.id);
}

/** Makes the changes of the tree that had to wait for the running invalidations. */
function makeDeferred(subs: MmuNotifierSubscriptions): void {
  for (const sub of subs.deferred) {
    sub.deferred = false;
    if (sub.inTree) dropFromTree(sub);
    else addToTree(sub);
  }
  subs.deferred.length = 0;
}

/** Calls the overlapping notifiers from index `from` on, as far as that goes without a task. */
function itreeInvalidate(
  subs: MmuNotifierSubscriptions,
  range: MmuNotifierRange,
  hit: readonly number[],
  curSeq: number,
  from: number,
): MaybeTask<number> {
  for (let i = from; i < hit.length; i++) {
    const sub = subs.intervalAt(hit[i] ?? 0);
    const done = sub.ops.invalidate(sub, range, curSeq);
    if (typeof done !== 'boolean') return itreeInvalidateTask(subs, range, hit, curSeq, i, done);
    traceRange(TP_INTERVAL_INVALIDATE, range);
    if (!done) return refused(subs, range, sub);
  }
  return 0;
}

function* itreeInvalidateTask(
  subs: MmuNotifierSubscriptions,
  range: MmuNotifierRange,
  hit: readonly number[],
  curSeq: number,
  at: number,
  running: Task<boolean>,
): Task<number> {
  const done = yield* running;
  traceRange(TP_INTERVAL_INVALIDATE, range);
  if (!done) return refused(subs, range, subs.intervalAt(hit[at] ?? 0));
  const rest = itreeInvalidate(subs, range, hit, curSeq, at + 1);
  return typeof rest === 'number' ? rest : yield* rest;
}

/**
 * As {@link itreeInvalidate} where some of the notifiers have two passes: all first passes in the order of the tree, and the
 * plain callbacks among them; then all second passes in that order, whether or not somebody has refused.
 * @returns 0 or `-EAGAIN`. @kernel mm/mmu_notifier.c mn_itree_invalidate (all)
 */
export function* itreeInvalidateInPasses(
  subs: MmuNotifierSubscriptions,
  range: MmuNotifierRange,
  hit: readonly number[],
  curSeq: number,
): Task<number> {
  const finishes: MmuIntervalNotifierFinish[] = [];
  let refusing: MmuIntervalNotifier | undefined;
  for (const slot of hit) {
    if (subs.kernel.sched.exploring) yield SP_PREEMPT;
    const sub = liveInterval(subs, slot);
    const first = sub.ops.invalidateStart?.(sub, range, curSeq);
    if (typeof first === 'object') finishes.push(first);
    const plain = first ?? sub.ops.invalidate(sub, range, curSeq);
    const ok = typeof plain === 'boolean' || 'notifier' in plain ? plain : yield* plain;
    traceRange(TP_INTERVAL_INVALIDATE, range);
    if (ok === false) {
      refusing = sub;
      break;
    }
  }
  for (const finish of finishes) {
    if (subs.kernel.sched.exploring) yield SP_PREEMPT;
    const done = finish.notifier.ops.invalidateFinish?.(finish);
    if (done !== undefined) yield* done;
  }
  return refusing === undefined ? 0 : refused(subs, range, refusing);
}

/** @throws HmmError `NOTIFIER_FREED` for one that was removed. */
function liveInterval(subs: MmuNotifierSubscriptions, slot: number): MmuIntervalNotifier {
  const sub = subs.intervalAt(slot);
  if (sub.removed) throw new HmmError('NOTIFIER_FREED', 'a notifier is called after its removal', { slot });
  return sub;
}

function refused(subs: MmuNotifierSubscriptions, range: MmuNotifierRange, sub: MmuIntervalNotifier): number {
  if (mmuNotifierRangeBlockable(range)) {
    throw new HmmError('BLOCKABLE_REFUSED', 'a callback refused a blockable invalidation', {
      slot: sub.slot,
    });
  }
  itreeInvEnd(subs, range);
  return -EAGAIN;
}

function* thenHlist(
  subs: MmuNotifierSubscriptions,
  range: MmuNotifierRange,
  itree: Task<number>,
): Task<number> {
  const done = yield* itree;
  if (done !== 0) return done;
  const rest = hlistInvalidateStart(subs, range);
  return typeof rest === 'number' ? rest : yield* rest;
}

/** The start while exploring: a scheduling point before each callback. */
function* startStepwise(subs: MmuNotifierSubscriptions, range: MmuNotifierRange): Task<number> {
  if (subs.hasItree) {
    const hit = itreeInvStart(subs, range) ?? [];
    const { invalidateSeq } = subs;
    const invalidate = subs.twoPasses ? itreeInvalidateInPasses : itreeInvalidateStepwise;
    const done = yield* invalidate(subs, range, hit, invalidateSeq);
    if (done !== 0) return done;
  }
  if (subs.notifiers.length > 0) yield SP_PREEMPT;
  const rest = hlistInvalidateStart(subs, range);
  return typeof rest === 'number' ? rest : yield* rest;
}

function* itreeInvalidateStepwise(
  subs: MmuNotifierSubscriptions,
  range: MmuNotifierRange,
  hit: readonly number[],
  curSeq: number,
): Task<number> {
  for (const slot of hit) {
    yield SP_PREEMPT;
    const sub = liveInterval(subs, slot);
    const done = sub.ops.invalidate(sub, range, curSeq);
    if (typeof done !== 'boolean' && !mmuNotifierRangeBlockable(range)) {
      throw new HmmError('NONBLOCK_SLEEP', 'a callback may sleep in an invalidation that must not', { slot });
    }
    const ok = typeof done === 'boolean' ? done : yield* done;
    traceRange(TP_INTERVAL_INVALIDATE, range);
    if (!ok) return refused(subs, range, sub);
  }
  return 0;
}

/**
 * Tells hardware that shares the CPU's page table to forget the pages [start, end). Called where the CPU's own TLB
 * is flushed, under the page-table lock.
 * @kernel mm/mmu_notifier.c __mmu_notifier_arch_invalidate_secondary_tlbs (all)
 */
export function mmuNotifierArchInvalidateSecondaryTlbs(
  subs: MmuNotifierSubscriptions | undefined,
  start: number,
  end: number,
): void {
  if (subs === undefined || subs.notifiers.length === 0) return;
  subs.srcuReaders++;
  for (const sub of subs.notifiers) {
    if (sub.ops.archInvalidateSecondaryTlbs !== undefined) {
      sub.ops.archInvalidateSecondaryTlbs(sub, start, end);
    }
  }
  srcuReadUnlock(subs);
}
