import { EAGAIN, EINVAL, EOVERFLOW, HmmError } from '@hmm/kernel';
import { describe, expect, test } from 'vitest';
import {
  MAX_PAGE,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_UNMAP,
  MmuNotifierRange,
  NO_OWNER,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalTryReadBegin,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInit,
} from '@hmm/mmu-notifier';
import {
  MmuNotifierSubscriptions,
  invalidationOf,
  TP_INVALIDATE_RANGE_START,
} from '@hmm/mmu-notifier/internal';
import { BareMm, LoggingDriver } from './support.js';

const clear = (mm: BareMm, start: number, end: number): MmuNotifierRange =>
  mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, start, end);

const nonBlockable = (mm: BareMm, start: number, end: number): MmuNotifierRange =>
  new MmuNotifierRange(MMU_NOTIFY_UNMAP, 0, mm, start, end, NO_OWNER);

describe('read side', () => {
  test('nothing happened: the sequence read is still valid', () => {
    const mm = new BareMm();
    const sub = mm.insert(10, 10, new LoggingDriver(mm));
    const seq = mm.run(mmuIntervalReadBegin(sub));
    expect(seq & 1).toBe(1);
    expect(mmuIntervalReadRetry(sub, seq)).toBe(false);
  });

  test('an overlapping invalidation makes the reader retry, another does not', () => {
    const mm = new BareMm();
    const driver = new LoggingDriver(mm);
    const sub = mm.insert(10, 10, driver);
    const seq = mm.run(mmuIntervalReadBegin(sub));
    for (const [start, end] of [
      [0, 10],
      [20, 30],
    ] as const) {
      const beside = clear(mm, start, end);
      expect(mm.start(beside)).toBe(0);
      mmuNotifierInvalidateRangeEnd(beside);
      expect(mmuIntervalReadRetry(sub, seq)).toBe(false);
    }
    const over = clear(mm, 19, 30);
    expect(mm.start(over)).toBe(0);
    mmuNotifierInvalidateRangeEnd(over);
    expect(mmuIntervalReadRetry(sub, seq)).toBe(true);
    expect(driver.log).toEqual(['dev 19-30']);
  });

  test('a reader that begins inside an overlapping invalidation waits for its end', () => {
    const mm = new BareMm();
    const sub = mm.insert(10, 10, new LoggingDriver(mm));
    const log: string[] = [];
    const { sched } = mm.kernel;
    const range = clear(mm, 10, 12);
    expect(mm.start(range)).toBe(0);
    expect(mmuIntervalTryReadBegin(sub)).toBe(0);
    sched.spawn(
      'reader',
      (function* () {
        const seq = yield* mmuIntervalReadBegin(sub);
        log.push(`read, retry ${String(mmuIntervalReadRetry(sub, seq))}`);
      })(),
    );
    sched.spawn(
      'invalidator',
      (function* () {
        yield* sched.delay(10);
        log.push('end');
        mmuNotifierInvalidateRangeEnd(range);
      })(),
    );
    sched.run();
    expect(log).toEqual(['end', 'read, retry false']);
  });

  test('a reader of another range does not wait', () => {
    const mm = new BareMm();
    mm.insert(10, 10, new LoggingDriver(mm));
    const other = mm.insert(100, 10, new LoggingDriver(mm));
    const range = clear(mm, 10, 12);
    expect(mm.start(range)).toBe(0);
    expect(mmuIntervalTryReadBegin(other)).not.toBe(0);
    mmuNotifierInvalidateRangeEnd(range);
  });
});

describe('insert', () => {
  test.each([
    ['no pages', 10, 0, -EOVERFLOW],
    ['beyond the last page', MAX_PAGE, 2, -EOVERFLOW],
    ['a negative length', 10, -1, -EOVERFLOW],
  ])('%s is refused', (_what, start, pages, errno) => {
    const mm = new BareMm();
    expect(mm.run(mmuIntervalNotifierInsert(mm, start, pages, new LoggingDriver(mm)))).toBe(errno);
    expect(mm.count).toBe(1);
  });

  test('an address space without users takes no notifier', () => {
    const mm = new BareMm();
    mm.users = 0;
    expect(mm.run(mmuIntervalNotifierInsert(mm, 0, 1, new LoggingDriver(mm)))).toBe(-EINVAL);
  });

  test('while an overlapping invalidation runs it is deferred: told of nothing, and stale until the end', () => {
    const mm = new BareMm();
    mm.insert(10, 10, new LoggingDriver(mm));
    const first = clear(mm, 10, 11);
    mm.start(first);
    const late = new LoggingDriver(mm, 'late');
    const sub = mm.insert(10, 10, late);
    expect([sub.inTree, sub.deferred]).toEqual([false, true]);
    expect(mmuIntervalTryReadBegin(sub)).toBe(0);
    const second = clear(mm, 10, 11);
    mm.start(second);
    expect(late.log).toEqual([]);
    mmuNotifierInvalidateRangeEnd(second);
    expect(sub.inTree).toBe(false);
    mmuNotifierInvalidateRangeEnd(first);
    expect(sub.inTree).toBe(true);
    expect(mmuIntervalTryReadBegin(sub)).not.toBe(0);
  });

  test('while a range runs that overlapped nobody, the new notifier counts as overlapped', () => {
    const mm = new BareMm();
    mm.insert(10, 10, new LoggingDriver(mm));
    const range = clear(mm, 100, 200);
    mm.start(range);
    expect(mm.subs.invalidateSeq & 1).toBe(0);
    const sub = mm.insert(100, 10, new LoggingDriver(mm));
    expect(sub.inTree).toBe(true);
    expect(mm.subs.invalidateSeq & 1).toBe(1);
    expect(mmuIntervalTryReadBegin(sub)).toBe(0);
    mmuNotifierInvalidateRangeEnd(range);
    expect(mmuIntervalTryReadBegin(sub)).not.toBe(0);
  });
});

describe('remove', () => {
  test('gives the mm up and ends the calls', () => {
    const mm = new BareMm();
    const driver = new LoggingDriver(mm);
    const sub = mm.insert(10, 10, driver);
    expect(mm.count).toBe(2);
    mm.run(mmuIntervalNotifierRemove(sub));
    expect(mm.count).toBe(1);
    const range = clear(mm, 10, 20);
    mm.start(range);
    mmuNotifierInvalidateRangeEnd(range);
    expect(driver.log).toEqual([]);
  });

  test('inside an overlapping invalidation it waits for its end', () => {
    const mm = new BareMm();
    const sub = mm.insert(10, 10, new LoggingDriver(mm));
    const { sched } = mm.kernel;
    const log: string[] = [];
    const range = clear(mm, 10, 11);
    mm.start(range);
    sched.spawn(
      'remover',
      (function* () {
        yield* mmuIntervalNotifierRemove(sub);
        log.push('removed');
      })(),
    );
    sched.spawn(
      'invalidator',
      (function* () {
        yield* sched.delay(5);
        log.push('end');
        mmuNotifierInvalidateRangeEnd(range);
      })(),
    );
    sched.run();
    expect(log).toEqual(['end', 'removed']);
    expect(mm.subs.intervals.filter((s) => s !== undefined)).toEqual([]);
  });

  test('of a deferred insert it returns at once, and nothing is inserted later', () => {
    const mm = new BareMm();
    mm.insert(10, 10, new LoggingDriver(mm));
    const range = clear(mm, 10, 11);
    mm.start(range);
    const sub = mm.insert(10, 10, new LoggingDriver(mm));
    mm.run(mmuIntervalNotifierRemove(sub));
    mmuNotifierInvalidateRangeEnd(range);
    expect(sub.inTree).toBe(false);
    expect(mm.subs.deferred).toEqual([]);
  });
});

describe('invalidation', () => {
  test('calls the overlapping notifiers in the order of their start', () => {
    const mm = new BareMm();
    const log: string[] = [];
    for (const [name, start] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
      ['a2', 10],
    ] as const) {
      const driver = new LoggingDriver(mm, name);
      driver.log.push = (...items: string[]): number => log.push(...items);
      mm.insert(start, 5, driver);
    }
    const range = clear(mm, 0, 26);
    mm.start(range);
    mmuNotifierInvalidateRangeEnd(range);
    expect(log).toEqual(['a 0-26', 'a2 0-26', 'b 0-26']);
  });

  test('one that may not sleep gives -EAGAIN when a driver is busy, and leaves nothing running', () => {
    const mm = new BareMm();
    const driver = new LoggingDriver(mm);
    mm.insert(10, 10, driver);
    driver.mutex.tryFast();
    expect(mm.start(nonBlockable(mm, 10, 11))).toBe(-EAGAIN);
    expect(mm.subs.activeInvalidateRanges).toBe(0);
    expect(mm.subs.invalidateSeq & 1).toBe(0);
    driver.mutex.unlock();
    const range = nonBlockable(mm, 10, 11);
    expect(mm.start(range)).toBe(0);
    mmuNotifierInvalidateRangeEnd(range);
    expect(driver.log).toEqual(['dev 10-11']);
  });

  test('a blockable one waits for the busy driver', () => {
    const mm = new BareMm();
    const driver = new LoggingDriver(mm);
    mm.insert(10, 10, driver);
    const { sched } = mm.kernel;
    sched.spawn(
      'driver',
      (function* () {
        yield* driver.mutex.lock();
        yield* sched.delay(3);
        driver.log.push('programmed');
        driver.mutex.unlock();
      })(),
    );
    sched.spawn(
      'munmap',
      (function* () {
        const range = mmuNotifierRangeInit(MMU_NOTIFY_UNMAP, mm, 10, 11);
        const started = mmuNotifierInvalidateRangeStart(range);
        if (typeof started !== 'number') yield* started;
        driver.log.push('unmapped');
        mmuNotifierInvalidateRangeEnd(range);
      })(),
    );
    sched.run();
    expect(driver.log).toEqual(['programmed', 'dev 10-11', 'unmapped']);
  });

  test('a callback that refuses a blockable range is a defect', () => {
    const mm = new BareMm();
    mm.insert(0, 10, { invalidate: () => false });
    expect(() => mm.start(clear(mm, 0, 1))).toThrow(HmmError);
  });

  test('without subscribers it is free of effects and of events', () => {
    const mm = new BareMm();
    mm.kernel.trace.on = true;
    const range = clear(mm, 0, 1);
    expect(mmuNotifierInvalidateRangeStart(range)).toBe(0);
    mmuNotifierInvalidateRangeEnd(range);
    expect(mm.kernel.trace.length).toBe(0);
  });

  test('is recorded with event, mm, range and owner', () => {
    const mm = new BareMm();
    mm.insert(0, 4, new LoggingDriver(mm));
    mm.kernel.trace.on = true;
    const range = new MmuNotifierRange(6, 1, mm, 2, 2 ** 40, 4_000_000_000);
    mm.start(range);
    mmuNotifierInvalidateRangeEnd(range);
    const first = mm.kernel.trace.at(0);
    expect(first.kind).toBe(TP_INVALIDATE_RANGE_START);
    expect(invalidationOf(first)).toEqual({
      event: 6,
      mm: 1,
      owner: 4_000_000_000,
      page: 2,
      pages: 2 ** 40 - 2,
    });
  });

  test('of an mm beyond the 65,536th is not taken for another one; one that does not fit is refused', () => {
    const named = (id: number): number => {
      const mm = new BareMm(id);
      mm.insert(0, 4, new LoggingDriver(mm));
      mm.kernel.trace.on = true;
      mm.start(clear(mm, 2, 3));
      return invalidationOf(mm.kernel.trace.at(0)).mm;
    };
    expect([named(70_000), named(2 ** 18 - 1)]).toEqual([70_000, 2 ** 18 - 1]);
    expect(() => named(2 ** 18)).toThrow(/no event can name mm 262144/);
  });
});

describe('width of the sequence', () => {
  test('wraps at 32 bits without a false answer', () => {
    const mm = new BareMm();
    mm.notifierSubscriptions = new MmuNotifierSubscriptions(mm.kernel, 32, 0x7ffffffe);
    const sub = mm.insert(0, 10, new LoggingDriver(mm));
    let seq = mm.run(mmuIntervalReadBegin(sub));
    for (let i = 0; i < 6; i++) {
      const range = clear(mm, 0, 1);
      mm.start(range);
      expect(mmuIntervalTryReadBegin(sub)).toBe(0);
      mmuNotifierInvalidateRangeEnd(range);
      expect(mmuIntervalReadRetry(sub, seq)).toBe(true);
      seq = mm.run(mmuIntervalReadBegin(sub));
      expect(mmuIntervalReadRetry(sub, seq)).toBe(false);
    }
    expect(mm.subs.invalidateSeq).toBeLessThan(0);
  });

  test('of 4 bits: a reader that sleeps through 8 invalidations is not warned, through 7 it is', () => {
    for (const [rounds, warned] of [
      [7, true],
      [8, false],
    ] as const) {
      const mm = new BareMm();
      mm.notifierSubscriptions = new MmuNotifierSubscriptions(mm.kernel, 4);
      const sub = mm.insert(0, 10, new LoggingDriver(mm));
      const prime = clear(mm, 0, 1);
      mm.start(prime);
      mmuNotifierInvalidateRangeEnd(prime);
      const seq = mm.run(mmuIntervalReadBegin(sub));
      for (let i = 0; i < rounds; i++) {
        const range = clear(mm, 0, 1);
        mm.start(range);
        mmuNotifierInvalidateRangeEnd(range);
      }
      expect(mmuIntervalReadRetry(sub, seq)).toBe(warned);
    }
  });
});
