import { EAGAIN, EINVAL, HmmError, type MaybeTask, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { mmuNotifierRangeBlockable, type MmuNotifierRange } from './range.js';
import { MmuNotifierSubscriptions, type NotifierMm } from './subscriptions.js';

/** What the owner of a plain notifier implements: `struct mmu_notifier_ops`. All but `release` see all of the mm. */
export interface MmuNotifierOps {
  /** The address space goes away: no translation may be made after this has returned. */
  release?(sub: MmuNotifier, mm: NotifierMm): void;
  /**
   * The pages of `range` change. 0, or `-EAGAIN` for a range that is not blockable; an ops that may return that
   * must not have an {@link invalidateRangeEnd}. A task where it has to sleep.
   */
  invalidateRangeStart?(sub: MmuNotifier, range: MmuNotifierRange): MaybeTask<number>;
  /** The invalidation is over. */
  invalidateRangeEnd?(sub: MmuNotifier, range: MmuNotifierRange): void;
  /** Hardware that shares the CPU's page table forgets the pages [start, end). Must not sleep. */
  archInvalidateSecondaryTlbs?(sub: MmuNotifier, start: number, end: number): void;
  /** Whether any of the pages [start, end) was used, clearing that mark. */
  clearFlushYoung?(sub: MmuNotifier, start: number, end: number): boolean;
  /** Whether the page was used. */
  testYoung?(sub: MmuNotifier, page: number): boolean;
  /** Makes the notifier that {@link mmuNotifierGet} hands out. */
  allocNotifier?(mm: NotifierMm): MmuNotifier;
  /** The last {@link mmuNotifierPut} was made and nobody walks over the notifier any more. */
  freeNotifier?(sub: MmuNotifier): void;
}

/** A subscription to a whole address space: `struct mmu_notifier`. */
export class MmuNotifier {
  /** What of it is state. */
  static readonly state = declareState({
    ops: 'constant',
    mm: 'value',
    users: 'value',
  });

  readonly ops: MmuNotifierOps;
  /** The mm that it is registered with. */
  mm: NotifierMm | undefined;
  /** Holds by {@link mmuNotifierGet}. */
  users = 0;

  constructor(ops: MmuNotifierOps) {
    this.ops = ops;
  }
}

/**
 * Registers `sub` with `mm` (or only makes the mm ready for interval notifiers when undefined), taking `mmap_lock`.
 * @returns 0 or `-EINVAL` (the mm has no users).
 * @kernel mm/mmu_notifier.c mmu_notifier_register (all)
 */
export function* mmuNotifierRegister(sub: MmuNotifier | undefined, mm: NotifierMm): Task<number> {
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const ret = mmuNotifierRegisterLocked(sub, mm);
  mm.mmapLock.unlockWrite();
  return ret;
}

/**
 * As {@link mmuNotifierRegister} for a caller that holds `mmap_lock` for writing, which keeps every invalidation out.
 * @kernel mm/mmu_notifier.c __mmu_notifier_register (without: allocations that fail, mm_take_all_locks, for
 * which mmap_lock stands)
 */
export function mmuNotifierRegisterLocked(sub: MmuNotifier | undefined, mm: NotifierMm): number {
  mm.kernel.sched.access(mm.usersObject, false);
  if (mm.users <= 0) return -EINVAL;
  const subs = (mm.notifierSubscriptions ??= new MmuNotifierSubscriptions(mm.kernel));
  subs.accessState(true);
  if (sub === undefined) {
    subs.hasItree = true;
    return 0;
  }
  mm.count++;
  sub.mm = mm;
  sub.users = 1;
  subs.notifiers.unshift(sub);
  return 0;
}

/**
 * Ends a subscription made by {@link mmuNotifierRegister}, after telling it of the release if that has not been
 * done. When it returns, none of its operations is running.
 * @kernel mm/mmu_notifier.c mmu_notifier_unregister (without: SRCU's grace periods, for which a count of
 * walkers stands)
 */
export function* mmuNotifierUnregister(sub: MmuNotifier, mm: NotifierMm): Task {
  const subs = mm.notifierSubscriptions;
  if (subs === undefined)
    throw new HmmError('NOT_REGISTERED', 'unregistered from an mm without subscriptions');
  const at = subs.notifiers.indexOf(sub);
  if (at >= 0) {
    sub.ops.release?.(sub, mm);
    subs.notifiers.splice(at, 1);
    subs.accessState(true);
  }
  while (subs.srcuReaders > 0) yield* mm.kernel.sched.block(subs.id);
  mm.drop();
}

/**
 * The one notifier with `ops` of this mm, made at the first call; each call takes a hold on it.
 * @returns the notifier, or a negative errno of the registration.
 * @kernel include/linux/mmu_notifier.h mmu_notifier_get (without: allocations that fail)
 */
export function* mmuNotifierGet(ops: MmuNotifierOps, mm: NotifierMm): Task<MmuNotifier | number> {
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const known = mm.notifierSubscriptions?.notifiers.find((sub) => sub.ops === ops);
  let result: MmuNotifier | number;
  if (known !== undefined) {
    known.users++;
    result = known;
  } else {
    const fresh = ops.allocNotifier?.(mm) ?? new MmuNotifier(ops);
    const ret = mmuNotifierRegisterLocked(fresh, mm);
    result = ret === 0 ? fresh : ret;
  }
  mm.mmapLock.unlockWrite();
  return result;
}

/**
 * Drops a hold of {@link mmuNotifierGet}. At the last one the notifier leaves the list at once, and is freed
 * when nobody walks over it any more; {@link mmuNotifierSynchronize} waits for that.
 * @kernel mm/mmu_notifier.c mmu_notifier_put (without: SRCU's grace periods, for which a count of walkers
 * stands)
 */
export function mmuNotifierPut(sub: MmuNotifier): void {
  const { mm } = sub;
  const subs = mm?.notifierSubscriptions;
  if (mm === undefined || subs === undefined)
    throw new HmmError('NOT_REGISTERED', 'put of an unregistered notifier');
  sub.users--;
  if (sub.users > 0) return;
  const at = subs.notifiers.indexOf(sub);
  if (at >= 0) subs.notifiers.splice(at, 1);
  subs.dying.push(sub);
  subs.accessState(true);
  if (subs.srcuReaders === 0) freeDying(subs);
}

/**
 * Waits until every notifier given up by {@link mmuNotifierPut} has been freed.
 * @kernel mm/mmu_notifier.c mmu_notifier_synchronize (without: other mms: it waits for the walkers of one)
 */
export function* mmuNotifierSynchronize(mm: NotifierMm): Task {
  const subs = mm.notifierSubscriptions;
  while (subs !== undefined && subs.srcuReaders > 0) yield* mm.kernel.sched.block(subs.id);
}

/**
 * Calls the plain notifiers of a starting invalidation. All are called, even after one has refused.
 * @kernel mm/mmu_notifier.c mn_hlist_invalidate_range_start (without: a warning for callbacks that refuse,
 * which is an error here)
 */
export function hlistInvalidateStart(
  subs: MmuNotifierSubscriptions,
  range: MmuNotifierRange,
): MaybeTask<number> {
  if (subs.notifiers.length === 0) return 0;
  subs.srcuReaders++;
  const called = [...subs.notifiers];
  let ret = 0;
  for (const [i, sub] of called.entries()) {
    const done = sub.ops.invalidateRangeStart?.(sub, range) ?? 0;
    if (typeof done !== 'number') return hlistTask(subs, range, called, i, ret, done);
    if (done !== 0) ret = refusal(range, done);
  }
  return hlistFinish(subs, range, called, ret);
}

function* hlistTask(
  subs: MmuNotifierSubscriptions,
  range: MmuNotifierRange,
  called: readonly MmuNotifier[],
  at: number,
  before: number,
  running: Task<number>,
): Task<number> {
  let ret = before;
  const first = yield* running;
  if (first !== 0) ret = refusal(range, first);
  for (const sub of called.slice(at + 1)) {
    const done = sub.ops.invalidateRangeStart?.(sub, range) ?? 0;
    const result = typeof done === 'number' ? done : yield* done;
    if (result !== 0) ret = refusal(range, result);
  }
  return hlistFinish(subs, range, called, ret);
}

function refusal(range: MmuNotifierRange, result: number): number {
  if (result !== -EAGAIN || mmuNotifierRangeBlockable(range)) {
    throw new HmmError('BLOCKABLE_REFUSED', 'a notifier refused an invalidation that it may not refuse', {
      result,
    });
  }
  return result;
}

/** After a refusal, whoever has an end is told of the end, since the caller will not. */
function hlistFinish(
  subs: MmuNotifierSubscriptions,
  range: MmuNotifierRange,
  called: readonly MmuNotifier[],
  ret: number,
): number {
  if (ret !== 0) for (const sub of called) sub.ops.invalidateRangeEnd?.(sub, range);
  srcuReadUnlock(subs);
  return ret;
}

/** Whether anybody is told of the end of an invalidation. */
export function mmuNotifierToldOfEnds(mm: NotifierMm): boolean {
  return mm.notifierSubscriptions?.notifiers.some((sub) => sub.ops.invalidateRangeEnd !== undefined) ?? false;
}

/** Leaves a walk of the plain notifiers; the last one out frees what died meanwhile. */
export function srcuReadUnlock(subs: MmuNotifierSubscriptions): void {
  subs.srcuReaders--;
  if (subs.srcuReaders > 0) return;
  if (subs.dying.length > 0) freeDying(subs);
  subs.kernel.sched.wake(subs.id);
}

function freeDying(subs: MmuNotifierSubscriptions): void {
  for (const sub of subs.dying.splice(0)) {
    sub.mm?.drop();
    sub.mm = undefined;
    sub.ops.freeNotifier?.(sub);
  }
}

/**
 * Whether hardware behind a plain notifier used any of the pages [start, end), clearing that mark.
 * @kernel mm/mmu_notifier.c __mmu_notifier_clear_flush_young (without: the SRCU read side)
 */
export function mmuNotifierClearFlushYoung(mm: NotifierMm, start: number, end: number): boolean {
  let young = false;
  for (const sub of mm.notifierSubscriptions?.notifiers ?? []) {
    if (sub.ops.clearFlushYoung?.(sub, start, end) === true) young = true;
  }
  return young;
}

/**
 * Whether hardware behind a plain notifier used the page.
 * @kernel mm/mmu_notifier.c __mmu_notifier_test_young (without: the SRCU read side)
 */
export function mmuNotifierTestYoung(mm: NotifierMm, page: number): boolean {
  for (const sub of mm.notifierSubscriptions?.notifiers ?? []) {
    if (sub.ops.testYoung?.(sub, page) === true) return true;
  }
  return false;
}
