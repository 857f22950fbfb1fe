import { EINVAL, EOVERFLOW, HmmError, type MaybeTask, type Task } from '@hmm/kernel';
import { declareState, ownState } from '@hmm/kernel/internal';
import { mmuNotifierRegister, mmuNotifierRegisterLocked } from './notifier.js';
import type { MmuNotifierRange } from './range.js';
import { SEQUENCE, type MmuNotifierSubscriptions, type NotifierMm } from './subscriptions.js';

/** The last page number there is: 64-bit addresses have 52-bit page numbers. */
export const MAX_PAGE = 2 ** 52 - 1;

/** What the owner of an interval notifier implements: `struct mmu_interval_notifier_ops`. */
export interface MmuIntervalNotifierOps {
  /**
   * The pages of `range` change. Takes the driver's lock, calls {@link mmuIntervalSetSeq} with `curSeq`, removes the
   * device's translations of the range and returns true. When it returns, the device no longer uses them.
   *
   * Returns a plain boolean when that needs no sleep, else a task. For a range that is not blockable it must not
   * sleep: it may return false instead.
   */
  invalidate(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): MaybeTask<boolean>;
  /**
   * The first of two passes, in the place of {@link invalidate}, which is not called then: begins to take the range from the
   * device without waiting for it. All subscribers have begun before the first of them is waited for. Returns what
   * {@link invalidateFinish} gets, true where there is nothing to wait for, or false as {@link invalidate}. From 7.x on.
   */
  invalidateStart?(
    sub: MmuIntervalNotifier,
    range: MmuNotifierRange,
    curSeq: number,
  ): MmuIntervalNotifierFinish | boolean;
  /** The second pass: waits until the device has let go. Called also where a later subscriber has refused. */
  invalidateFinish?(finish: MmuIntervalNotifierFinish): Task | undefined;
}

/** What the first pass leaves for the second: `struct mmu_interval_notifier_finish`. */
export interface MmuIntervalNotifierFinish {
  readonly notifier: MmuIntervalNotifier;
}

/** A subscription to a range of an address space: `struct mmu_interval_notifier`. */
export class MmuIntervalNotifier {
  /** What of it is state. */
  static readonly state = declareState(
    {
      mm: 'constant',
      subscriptions: 'constant',
      ops: 'constant',
      start: 'constant',
      last: 'constant',
      invalidateSeq: { saved: SEQUENCE },
      slot: 'value',
      seqObject: 'constant',
      inTree: 'value',
      removed: 'value',
      deferred: 'value',
    },
    ownState(MmuIntervalNotifier, {
      save: (sub) => {
        const { invalidateSeq, slot, inTree, removed, deferred } = sub;
        return {
          restore: (): void => {
            sub.invalidateSeq = invalidateSeq;
            sub.slot = slot;
            sub.inTree = inTree;
            sub.removed = removed;
            sub.deferred = deferred;
          },
        };
      },
    }),
  );

  readonly mm: NotifierMm;
  readonly subscriptions: MmuNotifierSubscriptions;
  readonly ops: MmuIntervalNotifierOps;
  /** First and last page (VPN). */
  readonly start: number;
  readonly last: number;
  /** The sequence number of the latest invalidation that overlapped; always odd. */
  invalidateSeq: number;
  /** Its slot in the subscriptions. */
  slot: number;
  /** The id under which its sequence number is observed. */
  readonly seqObject: number;
  /** Whether it is in the tree. */
  inTree = false;
  /** Whether {@link mmuIntervalNotifierRemove} has returned: nobody may call it any more. */
  removed = false;
  /** Whether an insert or a removal waits on the deferred list. */
  deferred = false;

  constructor(
    mm: NotifierMm,
    subscriptions: MmuNotifierSubscriptions,
    ops: MmuIntervalNotifierOps,
    start: number,
    last: number,
  ) {
    this.mm = mm;
    this.subscriptions = subscriptions;
    this.ops = ops;
    this.start = start;
    this.last = last;
    this.invalidateSeq = subscriptions.seqPlus(subscriptions.invalidateSeq, -1);
    this.seqObject = mm.kernel.allocIds(1);
    this.slot = subscriptions.takeSlot(this);
  }
}

/**
 * Subscribes `ops` to the pages [start, start + pages) of `mm`. Sleeps for `mmap_lock` at the first use of an mm.
 * @returns the notifier, or `-EOVERFLOW` (no pages, or beyond {@link MAX_PAGE}), `-EINVAL` (the mm has no users).
 * @kernel mm/mmu_notifier.c mmu_interval_notifier_insert (without: allocations that fail)
 */
export function* mmuIntervalNotifierInsert(
  mm: NotifierMm,
  start: number,
  pages: number,
  ops: MmuIntervalNotifierOps,
): Task<MmuIntervalNotifier | number> {
  if (mm.notifierSubscriptions?.hasItree !== true) {
    const ret = yield* mmuNotifierRegister(undefined, mm);
    if (ret !== 0) return ret;
  }
  return insert(mm, start, pages, ops);
}

/**
 * {@link mmuIntervalNotifierInsert} without sleeping.
 * @returns what that returns, or undefined where it would have to sleep: at the first use of an mm.
 */
export function mmuIntervalNotifierTryInsert(
  mm: NotifierMm,
  start: number,
  pages: number,
  ops: MmuIntervalNotifierOps,
): MmuIntervalNotifier | number | undefined {
  return mm.notifierSubscriptions?.hasItree === true ? insert(mm, start, pages, ops) : undefined;
}

/**
 * As {@link mmuIntervalNotifierInsert} for a caller that holds `mmap_lock` for writing.
 * @kernel mm/mmu_notifier.c mmu_interval_notifier_insert_locked (without: allocations that fail)
 */
export function mmuIntervalNotifierInsertLocked(
  mm: NotifierMm,
  start: number,
  pages: number,
  ops: MmuIntervalNotifierOps,
): MmuIntervalNotifier | number {
  if (mm.notifierSubscriptions?.hasItree !== true) {
    const ret = mmuNotifierRegisterLocked(undefined, mm);
    if (ret !== 0) return ret;
  }
  return insert(mm, start, pages, ops);
}

function insert(
  mm: NotifierMm,
  start: number,
  pages: number,
  ops: MmuIntervalNotifierOps,
): MmuIntervalNotifier | number {
  const subs = mm.notifierSubscriptions;
  if (subs === undefined) throw new HmmError('NO_SUBSCRIPTIONS', 'registration left no subscriptions');
  if (ops.invalidateStart !== undefined || ops.invalidateFinish !== undefined) inTwoPasses(subs, ops);
  if (pages <= 0 || start < 0 || start + pages - 1 > MAX_PAGE) return -EOVERFLOW;
  mm.kernel.sched.access(mm.usersObject, false);
  if (mm.users <= 0) return -EINVAL;
  mm.count++;
  const sub = new MmuIntervalNotifier(mm, subs, ops, start, start + pages - 1);
  subs.lock.lock();
  subs.accessState(true);
  if (subs.activeInvalidateRanges > 0) {
    if ((subs.invalidateSeq & 1) !== 0) {
      subs.deferred.push(sub);
      sub.deferred = true;
    } else {
      // Which ranges are running is not known: assume that they include this one.
      subs.invalidateSeq = subs.seqPlus(subs.invalidateSeq, 1);
      addToTree(sub);
    }
    sub.invalidateSeq = subs.invalidateSeq;
  } else {
    addToTree(sub);
  }
  subs.lock.unlock();
  return sub;
}

/**
 * From now on invalidations of this mm go in two passes.
 * @throws HmmError `HALF_NOTIFIER` for one pass without the other, `NO_TWO_PASSES` where the release has none.
 */
function inTwoPasses(subs: MmuNotifierSubscriptions, ops: MmuIntervalNotifierOps): void {
  if (ops.invalidateStart === undefined || ops.invalidateFinish === undefined)
    throw new HmmError('HALF_NOTIFIER', 'an interval notifier has one of two passes only');
  if (!subs.kernel.does.twoPassNotifiers)
    throw new HmmError('NO_TWO_PASSES', 'this release knows no interval notifiers of two passes');
  subs.twoPasses = true;
}

/** Puts a notifier into the tree. */
export function addToTree(sub: MmuIntervalNotifier): void {
  sub.subscriptions.tree.insert(sub.slot, sub.start, sub.last);
  sub.inTree = true;
}

/** Takes a notifier out of the tree and gives up its slot. */
export function dropFromTree(sub: MmuIntervalNotifier): void {
  sub.subscriptions.tree.remove(sub.slot);
  sub.inTree = false;
  sub.subscriptions.dropSlot(sub.slot);
}

/**
 * Ends a subscription. When it returns, the callback is not running and will not run. Sleeps while an invalidation
 * runs; must not be called from a callback nor under the lock that the callback takes.
 * @kernel mm/mmu_notifier.c mmu_interval_notifier_remove (all)
 */
export function* mmuIntervalNotifierRemove(sub: MmuIntervalNotifier): Task {
  const subs = sub.subscriptions;
  const { sched } = subs.kernel;
  subs.lock.lock();
  subs.accessState(true);
  let waitFor: number | undefined;
  if (subs.activeInvalidateRanges > 0 && (subs.invalidateSeq & 1) !== 0) {
    if (!sub.inTree) {
      // The insert itself is still deferred.
      subs.deferred.splice(subs.deferred.indexOf(sub), 1);
      sub.deferred = false;
      subs.dropSlot(sub.slot);
    } else {
      subs.deferred.push(sub);
      sub.deferred = true;
      waitFor = subs.invalidateSeq;
    }
  } else {
    dropFromTree(sub);
  }
  subs.lock.unlock();
  if (waitFor !== undefined) {
    while (subs.invalidateSeq === waitFor) {
      yield sched.waitFor(subs.id);
      subs.accessState(false);
    }
  }
  sub.removed = true;
  sub.mm.drop();
}

/** {@link mmuIntervalNotifierRemove} without sleeping. @returns false, and nothing done, where an invalidation runs. */
export function mmuIntervalNotifierTryRemove(sub: MmuIntervalNotifier): boolean {
  const subs = sub.subscriptions;
  if (subs.activeInvalidateRanges > 0) return false;
  subs.lock.lock();
  subs.accessState(true);
  dropFromTree(sub);
  subs.lock.unlock();
  sub.removed = true;
  sub.mm.drop();
  return true;
}

/**
 * Stores the number of the running invalidation in the notifier. Called by the callback, under the driver's lock.
 * @kernel include/linux/mmu_notifier.h mmu_interval_set_seq (all)
 */
export function mmuIntervalSetSeq(sub: MmuIntervalNotifier, curSeq: number): void {
  sub.invalidateSeq = curSeq;
  sub.subscriptions.kernel.sched.access(sub.seqObject, true);
}

/**
 * {@link mmuIntervalReadBegin} without sleeping.
 * @returns the sequence number, which is odd, or 0 when an invalidation of the range is running.
 */
export function mmuIntervalTryReadBegin(sub: MmuIntervalNotifier): number {
  const subs = sub.subscriptions;
  subs.lock.lock();
  subs.accessState(false);
  subs.kernel.sched.access(sub.seqObject, false);
  const seq = sub.invalidateSeq;
  const busy = seq === subs.invalidateSeq;
  subs.lock.unlock();
  return busy ? 0 : seq;
}

/**
 * Begins a read of the range's page tables: waits until no invalidation of it runs. What it returns may be stale
 * already; there is no loop in here, the caller owns the time limit.
 * @returns the sequence number for {@link mmuIntervalReadRetry}.
 * @kernel mm/mmu_notifier.c mmu_interval_read_begin (without: sequences of 64 bits: they have 32 unless told
 * otherwise)
 */
export function* mmuIntervalReadBegin(sub: MmuIntervalNotifier): Task<number> {
  const subs = sub.subscriptions;
  const { sched } = subs.kernel;
  subs.lock.lock();
  subs.accessState(false);
  subs.kernel.sched.access(sub.seqObject, false);
  const seq = sub.invalidateSeq;
  const busy = seq === subs.invalidateSeq;
  subs.lock.unlock();
  if (busy) {
    while (subs.invalidateSeq === seq) {
      yield sched.waitFor(subs.id);
      subs.accessState(false);
    }
  }
  return seq;
}

/**
 * Whether what was read since {@link mmuIntervalReadBegin} returned `seq` may be stale. Only means something under
 * the lock that the callback takes.
 * @kernel include/linux/mmu_notifier.h mmu_interval_read_retry (all)
 */
export function mmuIntervalReadRetry(sub: MmuIntervalNotifier, seq: number): boolean {
  sub.subscriptions.kernel.sched.access(sub.seqObject, false);
  return sub.invalidateSeq !== seq;
}

/**
 * As {@link mmuIntervalReadRetry} without the lock: a hint that may wrongly say "still valid".
 * @kernel include/linux/mmu_notifier.h mmu_interval_check_retry (all)
 */
export function mmuIntervalCheckRetry(sub: MmuIntervalNotifier, seq: number): boolean {
  sub.subscriptions.kernel.sched.access(sub.seqObject, false);
  return sub.invalidateSeq !== seq;
}
