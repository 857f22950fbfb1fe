import { EAGAIN, EINVAL, HmmError } from '@hmm/kernel';
import { describe, expect, test } from 'vitest';
import {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_UNMAP,
  MmuNotifier,
  type MmuNotifierOps,
  MmuNotifierRange,
  NO_OWNER,
  mmuNotifierGet,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierPut,
  mmuNotifierRangeInit,
  mmuNotifierRegister,
  mmuNotifierSynchronize,
  mmuNotifierUnregister,
} from '@hmm/mmu-notifier';
import {
  mmuNotifierArchInvalidateSecondaryTlbs,
  mmuNotifierClearFlushYoung,
  mmuNotifierRelease,
  mmuNotifierSubscriptionsDestroy,
  mmuNotifierTestYoung,
} from '@hmm/mmu-notifier/internal';
import { BareMm, LoggingDriver } from './support.js';

const logging = (log: string[], name: string): MmuNotifierOps => ({
  release: () => {
    log.push(`${name} release`);
  },
  invalidateRangeStart: (_sub, range) => {
    log.push(`${name} start ${range.start}-${range.end}`);
    return 0;
  },
  invalidateRangeEnd: (_sub, range) => {
    log.push(`${name} end ${range.start}-${range.end}`);
  },
});

const register = (mm: BareMm, ops: MmuNotifierOps): MmuNotifier => {
  const sub = new MmuNotifier(ops);
  expect(mm.run(mmuNotifierRegister(sub, mm))).toBe(0);
  return sub;
};

describe('plain notifiers', () => {
  test('see every range, the newest first, start and end, after the interval notifiers', () => {
    const mm = new BareMm();
    const log: string[] = [];
    register(mm, logging(log, 'old'));
    register(mm, logging(log, 'new'));
    const driver = new LoggingDriver(mm);
    driver.log.push = (...items: string[]): number => log.push(...items);
    mm.insert(0, 10, driver);
    const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, 5, 6);
    mm.start(range);
    mmuNotifierInvalidateRangeEnd(range);
    expect(log).toEqual(['dev 5-6', 'new start 5-6', 'old start 5-6', 'new end 5-6', 'old end 5-6']);
  });

  test('registration takes mmap_lock for writing', () => {
    const mm = new BareMm();
    const { sched } = mm.kernel;
    const log: string[] = [];
    sched.spawn(
      'reader',
      (function* () {
        yield* mm.mmapLock.read();
        yield* sched.delay(5);
        log.push('unlock');
        mm.mmapLock.unlockRead();
      })(),
    );
    sched.spawn(
      'registrar',
      (function* () {
        yield* mmuNotifierRegister(new MmuNotifier({}), mm);
        log.push('registered');
      })(),
    );
    sched.run();
    expect(log).toEqual(['unlock', 'registered']);
  });

  test('an mm without users refuses', () => {
    const mm = new BareMm();
    mm.users = 0;
    expect(mm.run(mmuNotifierRegister(new MmuNotifier({}), mm))).toBe(-EINVAL);
  });

  test('a refusal of a range that may not sleep: all are called, who has an end gets it, the caller gets -EAGAIN', () => {
    const mm = new BareMm();
    const log: string[] = [];
    register(mm, logging(log, 'last'));
    register(mm, { invalidateRangeStart: () => -EAGAIN });
    expect(mm.start(new MmuNotifierRange(MMU_NOTIFY_UNMAP, 0, mm, 1, 2, NO_OWNER))).toBe(-EAGAIN);
    expect(log).toEqual(['last start 1-2', 'last end 1-2']);
  });

  test('refusing a blockable range is a defect', () => {
    const mm = new BareMm();
    register(mm, { invalidateRangeStart: () => -EAGAIN });
    expect(() => mm.start(mmuNotifierRangeInit(MMU_NOTIFY_UNMAP, mm, 1, 2))).toThrow(HmmError);
  });

  test('unregistering waits for a running walk, and releases what was not released', () => {
    const mm = new BareMm();
    const log: string[] = [];
    const { sched } = mm.kernel;
    const sub = register(mm, {
      *invalidateRangeStart() {
        yield* sched.delay(10);
        log.push('start done');
        return 0;
      },
      release: () => {
        log.push('release');
      },
    });
    sched.spawn(
      'invalidator',
      (function* () {
        const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, 0, 1);
        const started = mmuNotifierInvalidateRangeStart(range);
        if (typeof started !== 'number') yield* started;
        mmuNotifierInvalidateRangeEnd(range);
      })(),
    );
    sched.spawn(
      'driver',
      (function* () {
        yield* sched.delay(1);
        yield* mmuNotifierUnregister(sub, mm);
        log.push('unregistered');
      })(),
    );
    sched.run();
    expect(log).toEqual(['release', 'start done', 'unregistered']);
    expect(mm.count).toBe(1);
  });

  test('young: any notifier that says so decides', () => {
    const mm = new BareMm();
    register(mm, { clearFlushYoung: (_sub, start) => start === 4, testYoung: (_sub, page) => page === 7 });
    register(mm, {});
    expect([mmuNotifierClearFlushYoung(mm, 4, 5), mmuNotifierClearFlushYoung(mm, 5, 6)]).toEqual([
      true,
      false,
    ]);
    expect([mmuNotifierTestYoung(mm, 7), mmuNotifierTestYoung(mm, 8)]).toEqual([true, false]);
  });

  test('hardware that shares the page table hears of a flush at once', () => {
    const mm = new BareMm();
    const log: number[] = [];
    register(mm, { archInvalidateSecondaryTlbs: (_sub, start, end) => void log.push(start, end) });
    mmuNotifierArchInvalidateSecondaryTlbs(mm.subs, 3, 4);
    expect(log).toEqual([3, 4]);
  });
});

describe('get and put', () => {
  test('one notifier for each mm and ops, freed after the last put', () => {
    const mm = new BareMm();
    const log: string[] = [];
    const ops: MmuNotifierOps = {
      allocNotifier: () => {
        log.push('alloc');
        return new MmuNotifier(ops);
      },
      freeNotifier: () => {
        log.push('free');
      },
    };
    const first = mm.run(mmuNotifierGet(ops, mm));
    const second = mm.run(mmuNotifierGet(ops, mm));
    expect(second).toBe(first);
    if (!(first instanceof MmuNotifier)) throw new Error('no notifier');
    mmuNotifierPut(first);
    expect(log).toEqual(['alloc']);
    mmuNotifierPut(first);
    expect(log).toEqual(['alloc', 'free']);
    expect(mm.count).toBe(1);
    mm.run(mmuNotifierSynchronize(mm));
  });

  test('a put inside a walk frees only when the walk is over', () => {
    const mm = new BareMm();
    const log: string[] = [];
    const ops: MmuNotifierOps = {
      invalidateRangeStart: (sub) => {
        mmuNotifierPut(sub);
        log.push('put');
        return 0;
      },
      freeNotifier: () => {
        log.push('free');
      },
    };
    mm.run(mmuNotifierGet(ops, mm));
    register(mm, { invalidateRangeStart: () => 0 });
    const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, 0, 1);
    mm.start(range);
    expect(log).toEqual(['put', 'free']);
    mmuNotifierInvalidateRangeEnd(range);
  });
});

describe('release', () => {
  test('interval notifiers get everything and stay, plain ones are told and leave', () => {
    const mm = new BareMm();
    const log: string[] = [];
    register(mm, logging(log, 'plain'));
    const driver = new LoggingDriver(mm);
    mm.insert(7, 1, driver);
    mm.run(mmuNotifierRelease(mm));
    expect(driver.log).toEqual([`dev 0-${2 ** 52}`]);
    expect(log).toEqual(['plain release']);
    expect(mm.subs.notifiers).toEqual([]);
    expect(mm.subs.activeInvalidateRanges).toBe(0);
    expect(() => {
      mmuNotifierSubscriptionsDestroy(mm);
    }).toThrow('notifiers subscribed');
  });
});
