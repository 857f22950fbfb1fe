import { AGENT_READY, Prng, SP_PREEMPT, type Task } from '@hmm/kernel';
import { SavedState, StateHash } from '@hmm/kernel/internal';
import { fc } from '@hmm/config/property';
import { describe, expect, test } from 'vitest';
import {
  I12,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_MIGRATE,
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierInvariants,
  mmuNotifierProtocolInvariants,
  MmuNotifierRange,
  mmuNotifierRangeInit,
  type ProtocolStep,
} from '@hmm/mmu-notifier';
import { type TreeView, viewTree } from '@hmm/mmu-notifier/internal';
import { BareMm, LoggingDriver } from './support.js';

const PAGES = 8;

/** What the pages hold, and what a device has copied of them under the retry protocol. */
class World {
  readonly mm = new BareMm();
  readonly cpu = new Int32Array(PAGES);
  readonly device = new Int32Array(PAGES).fill(-1);
  readonly driver = new LoggingDriver(this.mm);
  readonly steps: ProtocolStep[] = [];
  broken: string[] = [];
  /** Whether an invalidation that is refused stays counted. */
  leaking = false;
  private tree: TreeView | undefined;

  constructor() {
    this.driver.onZap = (range): void => {
      this.device.fill(-1, range.start, range.end);
    };
    this.driver.onCallback = (step): void => void this.steps.push(step);
  }

  check(): void {
    const subs = this.mm.notifierSubscriptions;
    if (subs === undefined) return;
    for (const rule of Object.values(mmuNotifierInvariants)) {
      const broken = rule(subs);
      if (broken !== undefined) this.broken.push(broken);
    }
    const tree = viewTree(subs);
    const broken = this.tree === undefined ? undefined : I12(this.tree, tree);
    if (broken !== undefined) this.broken.push(broken);
    this.tree = tree;
  }

  /** What happened, once nothing is under way. */
  checkProtocol(): void {
    for (const rule of Object.values(mmuNotifierProtocolInvariants)) {
      const broken = rule(this.steps);
      if (broken !== undefined) this.broken.push(broken);
    }
  }

  private get agent(): number {
    return this.mm.kernel.sched.current.id;
  }

  /** Runs what waits for invalidations to end. */
  private *waiting<T>(task: Task<T>): Task<T> {
    this.steps.push({ step: 'wait', agent: this.agent });
    const result = yield* task;
    this.steps.push({ step: 'awake', agent: this.agent });
    return result;
  }

  *mirror(start: number, pages: number, rounds: number): Task {
    const inserted = yield* mmuIntervalNotifierInsert(this.mm, start, pages, this.driver);
    if (typeof inserted === 'number') throw new Error(`insert: ${inserted}`);
    for (let i = 0; i < rounds; i++) yield* this.faultIn(inserted, start + (i % pages));
    yield* this.waiting(mmuIntervalNotifierRemove(inserted));
    this.device.fill(-1, start, start + pages);
  }

  private *faultIn(sub: MmuIntervalNotifier, page: number): Task {
    for (;;) {
      const seq = yield* this.waiting(mmuIntervalReadBegin(sub));
      this.steps.push({ step: 'begin', reader: this.agent, sub, start: page, end: page + 1, seq });
      const seen = this.cpu[page] ?? 0;
      yield SP_PREEMPT;
      yield* this.driver.mutex.lock();
      const stale = mmuIntervalReadRetry(sub, seq);
      this.steps.push({ step: 'retry', reader: this.agent, stale });
      yield SP_PREEMPT;
      if (!stale) {
        this.device[page] = seen;
        this.steps.push({ step: 'program', reader: this.agent });
      }
      this.driver.mutex.unlock();
      if (!stale) return;
    }
  }

  /** Changes pages; one that may not sleep gives up when a driver is busy, as the OOM reaper does. */
  *write(start: number, pages: number, blockable: boolean): Task {
    // Registration holds the lock for writing: no invalidation is under way that it knows nothing of.
    yield* this.mm.mmapLock.read();
    const range = new MmuNotifierRange(MMU_NOTIFY_CLEAR, blockable ? 1 : 0, this.mm, start, start + pages, 0);
    const started = mmuNotifierInvalidateRangeStart(range);
    const ret = typeof started === 'number' ? started : yield* started;
    this.steps.push({ step: 'start', range, ret });
    if (ret !== 0 && this.leaking) this.leak();
    for (let page = start; ret === 0 && page < start + pages; page++) {
      this.cpu[page] = (this.cpu[page] ?? 0) + 1;
      yield SP_PREEMPT;
    }
    if (ret === 0) {
      this.steps.push({ step: 'end', range });
      mmuNotifierInvalidateRangeEnd(range);
    }
    this.mm.mmapLock.unlockRead();
  }

  /** What is left where the count of a refused invalidation is not taken back. */
  private leak(): void {
    const subs = this.mm.notifierSubscriptions;
    if (subs === undefined) return;
    subs.activeInvalidateRanges++;
    subs.invalidateSeq |= 1;
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

interface Span {
  readonly start: number;
  readonly pages: number;
}

/** Runs mirrors of spans beside writers of spans until nobody can go on, in the order that `seed` gives. */
function play(
  world: World,
  mirrors: readonly Span[],
  writers: readonly { readonly span: Span; readonly blockable: boolean }[],
  seed: number,
): void {
  const { sched } = world.mm.kernel;
  for (const { start, pages } of mirrors) sched.spawn('mirror', world.mirror(start, pages, 3));
  for (const { span: at, blockable } of writers)
    sched.spawn('writer', world.write(at.start, at.pages, blockable));
  const random = new Prng(seed);
  sched.exploring = true;
  for (;;) {
    const ready = sched.agents.filter((a) => a.task !== undefined && a.state === AGENT_READY);
    const agent = ready[random.below(ready.length)];
    if (agent === undefined) break;
    sched.step(agent);
    world.check();
    if (world.mm.notifierSubscriptions?.activeInvalidateRanges === 0) expect(world.stale()).toEqual([]);
  }
  world.checkProtocol();
}

describe('any interleaving', () => {
  const span = fc
    .tuple(fc.integer({ min: 0, max: PAGES - 1 }), fc.integer({ min: 1, max: PAGES }))
    .map(([start, pages]) => ({ start, pages: Math.min(pages, PAGES - start) }));

  test('of mirrors and writers keeps the invariants, ends, and leaves no stale copy', () => {
    fc.assert(
      fc.property(
        fc.array(span, { minLength: 1, maxLength: 3 }),
        fc.array(fc.record({ span, blockable: fc.boolean() }), { minLength: 1, maxLength: 3 }),
        fc.integer(),
        (mirrors, writers, seed) => {
          const world = new World();
          play(world, mirrors, writers, seed);
          const { agents } = world.mm.kernel.sched;
          expect(world.broken).toEqual([]);
          expect(agents.filter((a) => a.id > 0 && a.state !== 2).map((a) => a.name)).toEqual([]);
          expect(world.mm.count).toBe(1);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('in which a refusal leaves its invalidation counted leaves somebody waiting: I18', () => {
    const all = { start: 0, pages: PAGES };
    const writers = [false, false, true].map((blockable) => ({ span: all, blockable }));
    const found = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const world = new World();
      world.leaking = true;
      play(world, [all, all], writers, seed);
      for (const words of world.broken) found.add(words.replace(/\d+/g, 'n'));
    }
    expect([...found]).toEqual(['agent n waits for invalidations that are all over']);
  });
});

test('a saved state is the state again after restore, whatever happened between', () => {
  const mm = new BareMm();
  const driver = new LoggingDriver(mm);
  const kept = mm.insert(0, 4, driver);
  const range = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, mm, 0, 1);
  mm.start(range);
  mm.insert(2, 4, driver);
  const hash = (): number => StateHash.of([mm.subs], [mm, driver]);
  const before = hash();
  const saved = new SavedState([mm.subs], [mm, driver]);
  mmuNotifierInvalidateRangeEnd(range);
  mm.run(mmuIntervalNotifierRemove(kept));
  mm.insert(3, 9, driver);
  expect(hash()).not.toBe(before);
  expect(saved.differences()).not.toEqual([]);
  saved.restore();
  expect(hash()).toBe(before);
  expect(saved.differences()).toEqual([]);
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

describe('each invariant of the protocol names what breaks it', () => {
  const mm = new BareMm();
  const sub = mm.insert(0, 8, new LoggingDriver(mm));
  const range = mmuNotifierRangeInit(MMU_NOTIFY_MIGRATE, mm, 2, 4);
  const reaper = new MmuNotifierRange(MMU_NOTIFY_CLEAR, 0, mm, 2, 4, 0);
  const begin: ProtocolStep = { step: 'begin', reader: 1, sub, start: 3, end: 4, seq: 1 };
  const called = { step: 'callback', sub, range, slept: false, ok: true, filtered: false } as const;
  const start: ProtocolStep = { step: 'start', range, ret: 0 };
  const end: ProtocolStep = { step: 'end', range };
  const fresh: ProtocolStep = { step: 'retry', reader: 1, stale: false };

  test.each<[string, RegExp, ProtocolStep[]]>([
    ['I13', /never ends/, [start]],
    ['I13', /without having started/, [start, end, end]],
    [
      'I13',
      /without having started/,
      [
        { step: 'start', range: reaper, ret: -11 },
        { step: 'end', range: reaper },
      ],
    ],
    ['I14', /is not told/, [begin, called, fresh]],
    ['I15', /is filtered/, [begin, { ...called, filtered: true }, fresh, { step: 'program', reader: 1 }]],
    ['I17', /slept/, [{ ...called, range: reaper, slept: true }]],
    ['I17', /refused/, [{ ...called, ok: false }]],
    ['I17', /is refused/, [{ step: 'start', range, ret: -11 }]],
    ['I18', /all over/, [start, { step: 'wait', agent: 4 }, end]],
  ])('%s %s', (name, words, steps) => {
    expect(mmuNotifierProtocolInvariants[name]?.(steps)).toMatch(words);
  });

  test('and none is broken by what is right', () => {
    const right: ProtocolStep[] = [
      { ...called, filtered: true },
      begin,
      start,
      called,
      { step: 'wait', agent: 2 },
      end,
      { step: 'awake', agent: 2 },
      { step: 'retry', reader: 1, stale: true },
      { step: 'callback', sub, range: reaper, slept: false, ok: false, filtered: false },
      { step: 'start', range: reaper, ret: -11 },
    ];
    const broken = Object.values(mmuNotifierProtocolInvariants).map((rule) => rule(right));
    expect(broken.filter((words) => words !== undefined)).toEqual([]);
  });

  test('I12', () => {
    const before = viewTree(mm.subs);
    expect(I12({ ...before, seq: 3 }, { inTree: [], seq: 3 })).toMatch('while the sequence is 3');
    expect(I12({ ...before, seq: 2 }, { inTree: [], seq: 3 })).toBeUndefined();
    expect(I12({ ...before, seq: 3 }, { inTree: [], seq: 4 })).toBeUndefined();
  });
});

test('a driver that filters an own event under a reader is found out, as its stale copy is', () => {
  const mm = new BareMm();
  const driver = new LoggingDriver(mm);
  const sub = mm.insert(0, 8, driver);
  const steps: ProtocolStep[] = [];
  const seq = mm.run(mmuIntervalReadBegin(sub));
  steps.push({ step: 'begin', reader: 1, sub, start: 3, end: 4, seq });
  driver.invalidate = (_sub, range): boolean => {
    steps.push({ step: 'callback', sub, range, slept: false, ok: true, filtered: true });
    return true;
  };
  const range = mmuNotifierRangeInit(MMU_NOTIFY_MIGRATE, mm, 3, 4);
  steps.push({ step: 'start', range, ret: mm.start(range) }, { step: 'end', range });
  mmuNotifierInvalidateRangeEnd(range);
  steps.push({ step: 'retry', reader: 1, stale: mmuIntervalReadRetry(sub, seq) });
  const broken = Object.entries(mmuNotifierProtocolInvariants).filter(
    ([, rule]) => rule(steps) !== undefined,
  );
  expect(steps.at(-1)).toMatchObject({ stale: false });
  expect(broken.map(([name]) => name)).toEqual(['I15']);
});
