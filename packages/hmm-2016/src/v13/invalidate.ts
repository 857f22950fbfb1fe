import { HmmError, SP_PREEMPT, type Task } from '@hmm/kernel';
import { MAX_PAGE, type MmuNotifier, type MmuNotifierOps, type MmuNotifierRange } from '@hmm/mmu-notifier';
import { Hmm, updateMirrors } from '../hmm.js';
import { HmmRange, unlist } from '../hmm-range.js';
import { hmmVmaRangeUnlock } from './range-unlock.js';

/**
 * The first range on the list that overlaps [start, end), for who holds the lock.
 * @throws HmmError `STACK_GONE` where the walk comes by one whose owner has returned; the lock is dropped.
 */
function firstOverlap(hmm: Hmm, start: number, end: number): HmmRange | undefined {
  for (const range of hmm.ranges) {
    if (range.gone) {
      hmm.lock.unlock();
      throw new HmmError('STACK_GONE', 'the list of ranges names one that lay on a stack which is gone');
    }
    if (start < range.end && end > range.start) return range;
  }
  return undefined;
}

/**
 * Announces that the pages [start, end) change: takes the monitors of them off their list, waits for who holds the range, and
 * tells the mirrors.
 * @v13 patches 9, 10 and 11 hmm_invalidate_range (all)
 */
export function* hmmInvalidateRange(hmm: Hmm, start: number, end: number): Task<number> {
  const { core } = hmm;
  const { sched } = hmm.space.kernel;
  core.touch();
  const own = new HmmRange(core);
  own.hmm = hmm;
  own.start = start;
  own.end = end;
  hmm.lock.lock();
  for (const monitor of [...hmm.monitors])
    if (start < monitor.end && end > monitor.start) unlist(hmm.monitors, monitor);
  let last = firstOverlap(hmm, start, end);
  while (last?.waiting !== undefined) last = last.waiting;
  hmm.ranges.unshift(own);
  if (last !== undefined) last.waiting = own;
  hmm.lock.unlock();
  if (last !== undefined) {
    while (!own.wakeup) {
      yield* sched.block(hmm.channel);
      core.touch();
    }
    return leaveAfterWait(hmm, own);
  }
  count(hmm);
  if (sched.exploring) {
    yield SP_PREEMPT;
    core.touch();
  }
  updateMirrors(hmm, start, end);
  hmmVmaRangeUnlock(own);
  return 0;
}

/** What is left to do for an invalidation that had to wait: nothing, in v13. */
function leaveAfterWait(hmm: Hmm, own: HmmRange): number {
  const { does } = hmm.core;
  if (!does.waiterSkipsCount) count(hmm);
  if (!does.waiterSkipsUpdate) updateMirrors(hmm, own.start, own.end);
  if (does.waiterStaysListed) own.gone = true;
  else hmmVmaRangeUnlock(own);
  return 0;
}

function count(hmm: Hmm): void {
  hmm.notifierCount++;
  hmm.sequence++;
}

/** The hooks of an address space that is mirrored. @v13 patch 9 hmm_mmu_notifier_ops (without: invalidate_page, which the core does not call) */
export const hmmMmuNotifierOps: MmuNotifierOps = {
  invalidateRangeStart(sub: MmuNotifier, range: MmuNotifierRange) {
    return sub instanceof Hmm ? hmmInvalidateRange(sub, range.start, range.end) : 0;
  },
  invalidateRangeEnd(sub: MmuNotifier) {
    if (!(sub instanceof Hmm)) return;
    sub.core.touch();
    sub.notifierCount--;
    sub.space.kernel.sched.wake(sub.channel);
  },
  release(sub: MmuNotifier) {
    if (!(sub instanceof Hmm) || sub.core.does.exitUnannounced) return;
    sub.core.touch();
    updateMirrors(sub, 0, MAX_PAGE);
  },
};
