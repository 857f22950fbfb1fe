/**
 * The safety invariants that speak of this package's state, as predicates: the broken rule in words, or undefined.
 * Those over what happens are in `protocol-invariants.ts`.
 *
 * @packageDocumentation
 */
import type { MmuNotifierSubscriptions } from './subscriptions.js';

/** What a broken invariant says; undefined where it holds. */
export type Broken = string | undefined;

/** I9: invalidations are never over-ended, and none running means an even sequence. */
export function I9(subs: MmuNotifierSubscriptions): Broken {
  if (subs.activeInvalidateRanges < 0) return `${subs.activeInvalidateRanges} invalidations are running`;
  if (subs.activeInvalidateRanges === 0 && (subs.invalidateSeq & 1) !== 0) {
    return `no invalidation runs, but the sequence ${subs.invalidateSeq} is odd`;
  }
  return undefined;
}

/** I10, the half that a state shows: an odd sequence or a deferred change means that an invalidation runs. */
export function I10(subs: MmuNotifierSubscriptions): Broken {
  if ((subs.invalidateSeq & 1) !== 0 && subs.activeInvalidateRanges <= 0) {
    return 'the sequence is odd while nothing is invalidated';
  }
  if (subs.deferred.length > 0 && (subs.invalidateSeq & 1) === 0) {
    return 'changes of the tree are deferred while the sequence is even';
  }
  return undefined;
}

/** I11: every notifier's sequence is odd and not ahead of the subscriptions' (by wrapped distance). */
export function I11(subs: MmuNotifierSubscriptions): Broken {
  const { intervals } = subs;
  for (let slot = 1; slot < intervals.length; slot++) {
    const sub = intervals[slot];
    if (sub === undefined) continue;
    if ((sub.invalidateSeq & 1) === 0)
      return `notifier ${sub.slot} has the even sequence ${sub.invalidateSeq}`;
    if (subs.seqPlus(subs.invalidateSeq, -sub.invalidateSeq) < 0) {
      return `notifier ${sub.slot} is at ${sub.invalidateSeq}, ahead of ${subs.invalidateSeq}`;
    }
  }
  return undefined;
}

/** I16: a notifier is in the tree, or its insert is deferred, exactly as long as it has a slot. */
export function I16(subs: MmuNotifierSubscriptions): Broken {
  const { intervals, deferred } = subs;
  for (let slot = 1; slot < intervals.length; slot++) {
    const sub = intervals[slot];
    if (sub === undefined) continue;
    if (sub.slot !== slot) return `notifier of slot ${sub.slot} is found in slot ${slot}`;
    if (!sub.inTree && !sub.deferred) return `notifier ${slot} is neither in the tree nor about to be`;
    if (sub.deferred !== (deferred.length > 0 && deferred.includes(sub)))
      return `notifier ${slot} and the deferred list disagree`;
  }
  for (const sub of deferred) {
    if (intervals[sub.slot] !== sub) return `a removed notifier is on the deferred list`;
  }
  return undefined;
}

/** All invariants of this package, by name. */
export const mmuNotifierInvariants: Readonly<Record<string, (subs: MmuNotifierSubscriptions) => Broken>> = {
  I9,
  I10,
  I11,
  I16,
};
