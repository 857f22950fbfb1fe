import { HmmError, type Task } from '@hmm/kernel';
import { MMU_NOTIFY_RELEASE } from './event.js';
import { MAX_PAGE } from './interval-notifier.js';
import { itreeInvalidateInPasses, itreeInvEnd, itreeInvStart } from './invalidate.js';
import { srcuReadUnlock } from './notifier.js';
import { mmuNotifierRangeInit } from './range.js';
import type { MmuNotifierSubscriptions, NotifierMm } from './subscriptions.js';
import { TP_RELEASE } from './tracepoints.js';

/**
 * Tells every subscriber that the address space goes away, before its pages are freed. Interval notifiers get RELEASE
 * over everything and stay subscribed: their owner still has to remove them. Plain notifiers leave the list.
 * @kernel mm/mmu_notifier.c __mmu_notifier_release (without: a wait for walks of other CPUs over the list)
 */
export function* mmuNotifierRelease(mm: NotifierMm): Task {
  const subs = mm.notifierSubscriptions;
  if (subs === undefined) return;
  if (mm.kernel.trace.on) mm.kernel.emit(TP_RELEASE, 0, 0, mm.id);
  if (subs.hasItree) yield* itreeRelease(subs, mm);
  subs.srcuReaders++;
  for (const sub of subs.notifiers.splice(0)) {
    if (sub.ops.release !== undefined) sub.ops.release(sub, mm);
  }
  srcuReadUnlock(subs);
}

/** @kernel mm/mmu_notifier.c mn_itree_release (all) */
function* itreeRelease(subs: MmuNotifierSubscriptions, mm: NotifierMm): Task {
  const range = mmuNotifierRangeInit(MMU_NOTIFY_RELEASE, mm, 0, MAX_PAGE + 1);
  const hit = itreeInvStart(subs, range) ?? [];
  const curSeq = subs.invalidateSeq;
  if (subs.twoPasses) {
    yield* itreeInvalidateInPasses(subs, range, hit, curSeq);
  } else {
    for (const slot of hit) {
      const sub = subs.intervalAt(slot);
      const done = sub.ops.invalidate(sub, range, curSeq);
      const ok = typeof done === 'boolean' ? done : yield* done;
      if (!ok) throw new HmmError('BLOCKABLE_REFUSED', 'a callback refused the release', { slot });
    }
  }
  itreeInvEnd(subs, range);
}

/**
 * Forgets the subscriptions of an mm whose structure is freed.
 * @throws HmmError `STILL_SUBSCRIBED` when an owner has not removed its notifier.
 * @kernel mm/mmu_notifier.c __mmu_notifier_subscriptions_destroy (all)
 */
export function mmuNotifierSubscriptionsDestroy(mm: NotifierMm): void {
  const subs = mm.notifierSubscriptions;
  if (subs === undefined) return;
  if (subs.notifiers.length > 0 || subs.intervals.some((sub) => sub !== undefined)) {
    throw new HmmError('STILL_SUBSCRIBED', 'the mm goes away with notifiers subscribed', { mm: mm.id });
  }
  mm.notifierSubscriptions = undefined;
}
