import { fc } from '@hmm/config/property';
import { describe, expect, test } from 'vitest';
import {
  contextSwitches,
  decodeSchedule,
  Dpor,
  encodeSchedule,
  Explorer,
  findNondeterminism,
  formatStory,
  minimise,
  NotifierRetry,
  tell,
  type RetryOp,
} from '@hmm/explore';
import { Bounded, Full } from '@hmm/explore/internal';
import { Toy, type ToyOp } from './toys.js';

const MAX_STEPS = 400;
const LOST_UPDATE: readonly (readonly ToyOp[])[] = [
  [
    ['read', 0],
    ['read', 1],
    ['write', 0],
  ],
  [
    ['write', 1],
    ['write', 0],
  ],
  [
    ['read', 0],
    ['write', 2],
  ],
];
const FAULTS: readonly (readonly RetryOp[])[] = [
  [
    ['fault', 1],
    ['fault', 2],
  ],
  [
    ['replace', 2],
    ['replace', 1],
  ],
];

describe('preemption bounding', () => {
  test('an unlimited bound, with states remembered, finds what plain search finds', () => {
    const bounded = new Explorer(new Toy(LOST_UPDATE), new Bounded(Infinity), { maxSteps: MAX_STEPS });
    const full = new Explorer(new Toy(LOST_UPDATE), new Full(), { maxSteps: MAX_STEPS });
    while (bounded.run(1000));
    while (full.run(1000));
    expect([...bounded.outcomes.keys()].sort()).toEqual([...full.outcomes.keys()].sort());
    expect(bounded.schedules).toBeLessThan(full.schedules);
  });

  test('with no preemption allowed, threads run one after the other', () => {
    const explorer = new Explorer(new Toy(LOST_UPDATE), new Bounded(0), { maxSteps: MAX_STEPS });
    while (explorer.run(1000));
    for (const { replay } of explorer.outcomes.values()) {
      expect(contextSwitches(decodeSchedule(replay).agents)).toBe(0);
    }
    expect(explorer.outcomes.size).toBeGreaterThan(1);
  });
});

describe('a counterexample', () => {
  test('has the fewest preemptions, then the fewest steps, and tells its story', () => {
    const model = new NotifierRetry(FAULTS, 'no-retry');
    const found = minimise(model, 'I1', MAX_STEPS, 100_000);
    expect(found?.preemptions).toBe(1);
    const text = formatStory(tell(model, found?.replay ?? '', MAX_STEPS));
    expect(text).toMatch(/^broken: I1: the device maps page \d to frame \d, the CPU to \d/);
    expect(text).toContain('mmu_interval_read_begin');
    expect(text).toContain('mn_itree_inv_start_range');
    expect(text).toMatch(/device\[\d\]: none → \d/);
    expect(text).toContain(`replay: ${found?.replay}`);
  });

  test('names, at each step, who could have run instead, and how to see that', () => {
    const model = new NotifierRetry(FAULTS, 'no-retry');
    const story = tell(model, minimise(model, 'I1', MAX_STEPS, 100_000)?.replay ?? '', MAX_STEPS);
    const ways = story.steps.flatMap(({ instead }, at) => instead.map((way) => ({ ...way, at })));
    expect(ways.length).toBeGreaterThan(2);
    for (const { agent, replay, at } of ways) {
      const other = tell(model, replay, MAX_STEPS);
      expect(other.violation?.invariant).not.toBe('REPLAY_DIVERGED');
      const names = other.steps.map((step) => step.agent);
      expect(names.slice(0, at)).toEqual(story.steps.slice(0, at).map((step) => step.agent));
      expect(names[at]).toBe(agent);
      expect(agent).not.toBe(story.steps[at]?.agent);
    }
  });

  test('is not invented for a driver without mistake', () => {
    expect(minimise(new NotifierRetry(FAULTS), 'I1', MAX_STEPS, 3000)).toBeUndefined();
  });
});

describe('a replay string', () => {
  test('is read back as it was written', () => {
    const schedules = fc.record({
      agents: fc.array(fc.integer({ min: 1, max: 26 })),
      decisions: fc.array(fc.integer({ min: 0, max: 9 })),
    });
    fc.assert(
      fc.property(schedules, ({ agents, decisions }) => {
        const again = decodeSchedule(encodeSchedule({ agents, decisions }));
        expect(again.agents).toEqual(agents);
        const kept = again.decisions.length;
        expect(again.decisions).toEqual(decisions.slice(0, kept));
        expect(decisions.slice(kept).every((value) => value === 0)).toBe(true);
      }),
    );
  });

  test.each(['', 'hmm1', 'hmm2-a', 'hmm1-a b', 'hmm1-!x'])('%j is refused', (text) => {
    expect(() => decodeSchedule(text)).toThrow(/not a replay string/);
  });

  test('of another program is noticed', () => {
    const story = tell(new NotifierRetry(FAULTS), 'hmm1-c', MAX_STEPS);
    expect(story.violation?.invariant).toBe('REPLAY_DIVERGED');
  });
});

describe('uncontrolled nondeterminism', () => {
  test('is not found in the protocol model', () => {
    expect(findNondeterminism(new NotifierRetry(FAULTS), 1, 500, MAX_STEPS)).toBeUndefined();
  });

  test('is found in a model that forgets to set a cell back', () => {
    class Forgetful extends Toy {
      override start(...args: Parameters<Toy['start']>): void {
        const kept = this.cells[2] ?? 0;
        super.start(...args);
        this.cells[2] = kept;
      }
    }
    const model = new Forgetful([[['write', 2]], [['read', 2]]]);
    expect(findNondeterminism(model, 1, 10, MAX_STEPS)?.detail).toMatch(/outcome/);
  });
});

test('a search that is begun anew is the same again', () => {
  const strategy = new Dpor(MAX_STEPS);
  const results = [0, 1].map(() => {
    strategy.restart();
    const explorer = new Explorer(new NotifierRetry(FAULTS), strategy, { maxSteps: MAX_STEPS });
    while (explorer.run(1000));
    return explorer.save();
  });
  expect(results[1]).toEqual(results[0]);
});

describe('a checkpoint', () => {
  test.each([1, 7, 40])('after %i executions: the rest is explored once, with the same results', (after) => {
    const whole = new Explorer(new NotifierRetry(FAULTS), new Dpor(MAX_STEPS), { maxSteps: MAX_STEPS });
    while (whole.run(1000));

    const strategy = new Dpor(MAX_STEPS);
    const first = new Explorer(new NotifierRetry(FAULTS), strategy, { maxSteps: MAX_STEPS });
    first.run(after);
    const file = JSON.stringify({ explorer: first.save(), strategy: strategy.save() });

    const saved = JSON.parse(file) as {
      explorer: ReturnType<Explorer['save']>;
      strategy: ReturnType<Dpor['save']>;
    };
    const resumed = new Dpor(MAX_STEPS);
    resumed.resume(saved.strategy);
    const second = new Explorer(new NotifierRetry(FAULTS), resumed, { maxSteps: MAX_STEPS });
    second.resume(saved.explorer);
    while (second.run(1000));
    expect(second.executions).toBe(whole.executions);
    expect(second.save()).toEqual(whole.save());
  });
});
