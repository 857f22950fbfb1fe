import type { Task } from '@hmm/kernel';
import {
  MMU_NOTIFY_CLEAR,
  type MmuIntervalNotifier,
  type MmuIntervalNotifierFinish,
  type MmuIntervalNotifierOps,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierRangeInit,
  MmuNotifierRange,
  NO_OWNER,
} from '@hmm/mmu-notifier';
import { mmuNotifierRelease } from '@hmm/mmu-notifier/internal';
import { beforeEach, describe, expect, test } from 'vitest';
import { BareMm } from './support.js';

let mm: BareMm;
let log: string[];
beforeEach(() => {
  mm = new BareMm(1, { release: '7.3' });
  log = [];
});

/** Begins in the first pass, and is done `ns` after the second began. */
function inTwoPasses(name: string, ns = 0): MmuIntervalNotifierOps {
  return {
    invalidate: () => false,
    invalidateStart(notifier, _range, seq): MmuIntervalNotifierFinish {
      mmuIntervalSetSeq(notifier, seq);
      log.push(`${name} begins`);
      return { notifier };
    },
    invalidateFinish({ notifier }): Task | undefined {
      log.push(`${name} from ${notifier.start}`);
      return ns === 0 ? undefined : mm.kernel.sched.delay(ns);
    },
  };
}

function inOne(name: string, answer = true): MmuIntervalNotifierOps {
  return {
    invalidate(notifier: MmuIntervalNotifier, _range, seq) {
      mmuIntervalSetSeq(notifier, seq);
      log.push(name);
      return answer;
    },
  };
}

describe('interval notifiers of two passes', () => {
  test('all begin, and plain ones are called among them, before the first is waited for', () => {
    mm.insert(10, 4, inTwoPasses('first', 5));
    mm.insert(11, 4, inOne('plain'));
    const last = mm.insert(12, 4, inTwoPasses('last', 7));
    const seq = mm.run(mmuIntervalReadBegin(last));
    const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, 12, 13);
    expect(mm.start(range)).toBe(0);
    expect(log).toEqual(['first begins', 'plain', 'last begins', 'first from 10', 'last from 12']);
    expect(mm.kernel.sched.now).toBe(12);
    mmuNotifierInvalidateRangeEnd(range);
    expect(mmuIntervalReadRetry(last, seq)).toBe(true);
  });

  test('who has begun is waited for also where a later one refuses', () => {
    mm.insert(10, 4, inTwoPasses('first'));
    mm.insert(11, 4, inOne('refuses', false));
    mm.insert(12, 4, inTwoPasses('last'));
    const range = new MmuNotifierRange(MMU_NOTIFY_CLEAR, 0, mm, 12, 13, NO_OWNER);
    expect(mm.start(range)).toBe(-11);
    expect(log).toEqual(['first begins', 'refuses', 'first from 10']);
    expect(mm.subs.activeInvalidateRanges).toBe(0);
  });

  test('a release goes in two passes as well', () => {
    mm.insert(10, 4, inTwoPasses('first'));
    mm.insert(12, 4, inTwoPasses('last'));
    mm.run(mmuNotifierRelease(mm));
    expect(log).toEqual(['first begins', 'last begins', 'first from 10', 'last from 12']);
  });

  test('one pass without the other is refused, and two on a release without them', () => {
    const half: MmuIntervalNotifierOps = { invalidate: () => true, invalidateStart: () => true };
    expect(() => mm.insert(1, 1, half)).toThrow(/one of two passes only/);
    const older = new BareMm(2, { release: '6.19' });
    expect(() => older.insert(1, 1, inTwoPasses('new'))).toThrow(/knows no interval notifiers of two passes/);
  });
});
