import { EAGAIN, EOVERFLOW, HmmError, tracepoint, type Task } from '@hmm/kernel';
import { describe, expect, test } from 'vitest';
import {
  MAX_PAGE,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_UNMAP,
  MmuNotifier,
  type MmuNotifierOps,
  MmuNotifierRange,
  NO_OWNER,
  mmHasNotifiers,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuNotifierGet,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierRangeInit,
  mmuNotifierRegister,
} from '@hmm/mmu-notifier';
import {
  MmuNotifierSubscriptions,
  TP_INTERVAL_INVALIDATE,
  TP_INVALIDATE_RANGE_END,
  TP_INVALIDATE_RANGE_START,
  TP_RELEASE,
  mmuNotifierRelease,
  mmuNotifierSubscriptionsDestroy,
} from '@hmm/mmu-notifier/internal';
import { BareMm, LoggingDriver } from './support.js';

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
  return 'none';
};

describe('a subscription', () => {
  test('has pages, of which the last may be the last there is', () => {
    const mm = new BareMm();
    const insert = (start: number, pages: number): unknown =>
      mm.run(mmuIntervalNotifierInsert(mm, start, pages, new LoggingDriver(mm)));
    expect([insert(0, 0), insert(-1, 1), insert(MAX_PAGE, 2), insert(0, MAX_PAGE + 2)]).toEqual(
      new Array(4).fill(-EOVERFLOW),
    );
    expect(insert(MAX_PAGE, 1)).toMatchObject({ start: MAX_PAGE, last: MAX_PAGE });
    expect(insert(0, MAX_PAGE + 1)).toMatchObject({ start: 0, last: MAX_PAGE });
  });

  test('keeps the mm from going away, also a plain one; nobody is left once it has ended', () => {
    const mm = new BareMm();
    expect(mmHasNotifiers(mm)).toBe(false);
    const sub = mm.insert(0, 4, new LoggingDriver(mm));
    expect(mmHasNotifiers(mm)).toBe(true);
    expect(
      codeOf(() => {
        mmuNotifierSubscriptionsDestroy(mm);
      }),
    ).toBe('STILL_SUBSCRIBED');
    mm.run(mmuIntervalNotifierRemove(sub));
    mm.run(mmuNotifierRegister(new MmuNotifier({}), mm));
    expect(
      codeOf(() => {
        mmuNotifierSubscriptionsDestroy(mm);
      }),
    ).toBe('STILL_SUBSCRIBED');
    mm.run(mmuNotifierRelease(mm));
    expect(
      codeOf(() => {
        mmuNotifierSubscriptionsDestroy(mm);
      }),
    ).toBe('none');
    expect(mmHasNotifiers(mm)).toBe(false);
    expect(
      codeOf(() => {
        mmuNotifierSubscriptionsDestroy(mm);
      }),
    ).toBe('none');
  });

  test('is one for each driver, not for each mm', () => {
    const mm = new BareMm();
    const [a, b]: MmuNotifierOps[] = [{ release: () => undefined }, { release: () => undefined }];
    if (a === undefined || b === undefined) throw new Error('two drivers');
    const get = (ops: MmuNotifierOps): unknown => mm.run(mmuNotifierGet(ops, mm));
    const first = get(a);
    expect(get(b)).not.toBe(first);
    expect(get(a)).toBe(first);
    expect(mm.subs.notifiers.map(({ users }) => users).sort()).toEqual([1, 2]);
  });
});

describe('an invalidation with callbacks that sleep', () => {
  const sleeping = (mm: BareMm, log: string[], name: string, result = 0): MmuNotifierOps => ({
    *invalidateRangeStart(): Task<number> {
      log.push(`${name} begins`);
      yield* mm.kernel.sched.delay(5);
      log.push(`${name} is done`);
      return result;
    },
  });

  test('calls one after the other, interval notifiers first, and ends when all are done', () => {
    const mm = new BareMm();
    const log: string[] = [];
    mm.insert(0, 4, {
      *invalidate(): Task<boolean> {
        log.push('mirror begins');
        yield* mm.kernel.sched.delay(5);
        log.push('mirror is done');
        return true;
      },
    });
    mm.run(mmuNotifierRegister(new MmuNotifier(sleeping(mm, log, 'old')), mm));
    mm.run(mmuNotifierRegister(new MmuNotifier(sleeping(mm, log, 'new')), mm));
    const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, 1, 2);
    expect(mm.start(range)).toBe(0);
    const order = [
      'mirror begins',
      'mirror is done',
      'new begins',
      'new is done',
      'old begins',
      'old is done',
    ];
    expect(log).toEqual(order);
    expect(mm.kernel.sched.now).toBe(15);
  });

  test.each([
    ['the first', [-EAGAIN, 0]],
    ['the last', [0, -EAGAIN]],
    ['nobody', [0, 0]],
  ])('that may not sleep is refused where %s refuses', (who, results) => {
    const mm = new BareMm();
    const log: string[] = [];
    // The newest is called first.
    for (const [i, result] of [...results.entries()].reverse())
      mm.run(mmuNotifierRegister(new MmuNotifier(sleeping(mm, log, String(i), result)), mm));
    const range = new MmuNotifierRange(MMU_NOTIFY_UNMAP, 0, mm, 0, 4, NO_OWNER);
    expect(mm.start(range)).toBe(who === 'nobody' ? 0 : -EAGAIN);
    expect(log).toHaveLength(4);
  });
});

describe('what a search is told', () => {
  test('a start and an end count, changes write, a reader reads', () => {
    const mm = new BareMm();
    const { sched } = mm.kernel;
    const seen: string[] = [];
    const sub = mm.insert(0, 4, new LoggingDriver(mm));
    const { id } = mm.subs;
    sched.observer = {
      access: (object, write) => object === id && seen.push(write ? 'writes' : 'reads'),
      count: (object, down) => object === id && seen.push(down ? 'counts down' : 'counts up'),
      acquire: () => undefined,
      release: () => undefined,
    };
    const during = (run: () => unknown): string[] => {
      seen.length = 0;
      run();
      return [...new Set(seen)];
    };
    const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, 1, 2);
    expect(during(() => mm.start(range))).toContain('counts up');
    expect(
      during(() => {
        mmuNotifierInvalidateRangeEnd(range);
      }),
    ).toContain('counts down');
    expect(during(() => mm.run(mmuIntervalReadBegin(sub)))).toEqual(['reads']);
    expect(during(() => mm.insert(8, 1, new LoggingDriver(mm)))).toContain('writes');
    expect(
      during(() => {
        mm.run(mmuIntervalNotifierRemove(sub));
      }),
    ).toContain('writes');
  });
});

test('sequence numbers have 2 to 32 bits', () => {
  const { kernel } = new BareMm();
  for (const bits of [1, 33])
    expect(codeOf(() => new MmuNotifierSubscriptions(kernel, bits))).toBe('SEQ_BITS');
  for (const bits of [2, 32]) expect(codeOf(() => new MmuNotifierSubscriptions(kernel, bits))).toBe('none');
});

test('every tracepoint says what its value means', () => {
  const names = [TP_INVALIDATE_RANGE_START, TP_INVALIDATE_RANGE_END, TP_INTERVAL_INVALIDATE, TP_RELEASE].map(
    tracepoint,
  );
  expect(names.map(({ name }) => name)).toEqual([
    'mmu_notifier:invalidate_range_start',
    'mmu_notifier:invalidate_range_end',
    'mmu_notifier:interval_invalidate',
    'mmu_notifier:release',
  ]);
  for (const { value } of names) expect(value).toMatch(/mm id/);
});
