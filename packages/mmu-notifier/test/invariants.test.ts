import { AGENT_READY, Prng, SP_PREEMPT, type Task } from '@hmm/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MMU_NOTIFY_CLEAR,
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierInvariants,
  mmuNotifierRangeInit,
} from '@hmm/mmu-notifier';
import { BareMm, LoggingDriver } from './support.js';

const PAGES = 8;

/** What the pages hold, and what a device has copied of them under the retry protocol. */
class World {
  readonly mm = new BareMm();
  readonly cpu = new Int32Array(PAGES);
  readonly device = new Int32Array(PAGES).fill(-1);
  readonly driver = new LoggingDriver(this.mm);
  broken: string[] = [];

  constructor() {
    this.driver.onZap = (range): void => {
      this.device.fill(-1, range.start, range.end);
    };
  }

  check(): void {
    const subs = this.mm.notifierSubscriptions;
    if (subs === undefined) return;
    for (const rule of Object.values(mmuNotifierInvariants)) {
      const broken = rule(subs);
      if (broken !== undefined) this.broken.push(broken);
    }
  }

  *mirror(start: number, pages: number, rounds: number): Task {
    const inserted = yield* mmuIntervalNotifierInsert(this.mm, start, pages, this.driver);
    if (typeof inserted === 'number') throw new Error(`insert: ${inserted}`);
    for (let i = 0; i < rounds; i++) yield* this.faultIn(inserted, start + (i % pages));
    yield* mmuIntervalNotifierRemove(inserted);
    this.device.fill(-1, start, start + pages);
  }

  private *faultIn(sub: MmuIntervalNotifier, page: number): Task {
    for (;;) {
      const seq = yield* mmuIntervalReadBegin(sub);
      const seen = this.cpu[page] ?? 0;
      yield SP_PREEMPT;
      yield* this.driver.mutex.lock();
      const stale = mmuIntervalReadRetry(sub, seq);
      if (!stale) this.device[page] = seen;
      this.driver.mutex.unlock();
      if (!stale) return;
    }
  }

  *write(start: number, pages: number): Task {
    // Registration holds the lock for writing: no invalidation is under way that it knows nothing of.
    yield* this.mm.mmapLock.read();
    const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, this.mm, start, start + pages);
    const started = mmuNotifierInvalidateRangeStart(range);
    if (typeof started !== 'number') yield* started;
    for (let page = start; page < start + pages; page++) {
      this.cpu[page] = (this.cpu[page] ?? 0) + 1;
      yield SP_PREEMPT;
    }
    mmuNotifierInvalidateRangeEnd(range);
    this.mm.mmapLock.unlockRead();
  }

  /** No device copy differs from the page it was taken from, outside an invalidation of that page. */
  stale(): number[] {
    const wrong: number[] = [];
    for (let page = 0; page < PAGES; page++) {
      const copy = this.device[page] ?? -1;
      if (copy !== -1 && copy !== this.cpu[page]) wrong.push(page);
    }
    return wrong;
  }
}

describe('any interleaving', () => {
  const span = fc
    .tuple(fc.integer({ min: 0, max: PAGES - 1 }), fc.integer({ min: 1, max: PAGES }))
    .map(([start, pages]) => ({ start, pages: Math.min(pages, PAGES - start) }));

  test('of mirrors and writers keeps the invariants, ends, and leaves no stale copy', () => {
    fc.assert(
      fc.property(
        fc.array(span, { minLength: 1, maxLength: 3 }),
        fc.array(span, { minLength: 1, maxLength: 3 }),
        fc.integer(),
        (mirrors, writers, seed) => {
          const world = new World();
          const { sched } = world.mm.kernel;
          for (const { start, pages } of mirrors) sched.spawn('mirror', world.mirror(start, pages, 3));
          for (const { start, pages } of writers) sched.spawn('writer', world.write(start, pages));
          const random = new Prng(seed);
          sched.exploring = true;
          for (;;) {
            const ready = sched.agents.filter((a) => a.task !== undefined && a.state === AGENT_READY);
            const agent = ready[random.below(ready.length)];
            if (agent === undefined) break;
            sched.step(agent);
            world.check();
            if (world.mm.notifierSubscriptions?.activeInvalidateRanges === 0)
              expect(world.stale()).toEqual([]);
          }
          expect(world.broken).toEqual([]);
          expect(sched.agents.filter((a) => a.id > 0 && a.state !== 2).map((a) => a.name)).toEqual([]);
          expect(world.mm.count).toBe(1);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('a saved state is the state again after restore, whatever happened between', () => {
  const mm = new BareMm();
  const driver = new LoggingDriver(mm);
  const kept = mm.insert(0, 4, driver);
  const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, 0, 1);
  mm.start(range);
  mm.insert(2, 4, driver);
  const before = mm.subs.hash(1);
  const saved = mm.subs.save();
  mmuNotifierInvalidateRangeEnd(range);
  mm.run(mmuIntervalNotifierRemove(kept));
  mm.insert(3, 9, driver);
  expect(mm.subs.hash(1)).not.toBe(before);
  mm.subs.restore(saved);
  expect(mm.subs.hash(1)).toBe(before);
  expect(kept.inTree).toBe(true);
  expect(mmuNotifierInvariants['I16']?.(mm.subs)).toBeUndefined();
});

test('each invariant names the state that breaks it', () => {
  const mm = new BareMm();
  const sub = mm.insert(0, 4, new LoggingDriver(mm));
  const broken = (name: string): string | undefined => mmuNotifierInvariants[name]?.(mm.subs);
  mm.subs.activeInvalidateRanges = -1;
  expect(broken('I9')).toMatch('-1');
  mm.subs.activeInvalidateRanges = 0;
  mm.subs.invalidateSeq = 3;
  expect(broken('I9')).toMatch('odd');
  expect(broken('I10')).toMatch('odd');
  mm.subs.invalidateSeq = 2;
  sub.invalidateSeq = 5;
  expect(broken('I11')).toMatch('ahead');
  sub.invalidateSeq = 2;
  expect(broken('I11')).toMatch('even');
  sub.inTree = false;
  expect(broken('I16')).toMatch('neither');
});
