import { fc } from '@hmm/config/property';
import { describe, expect, test } from 'vitest';
import { Dpor, Explorer } from '@hmm/explore';
import { Full, type Strategy } from '@hmm/explore/internal';
import { randomPrograms } from './random-programs.js';
import { Toy, type ToyOp } from './toys.js';

const MAX_STEPS = 200;

interface Explored {
  readonly outcomes: string[];
  readonly violations: string[];
  readonly schedules: number;
}

function explored(threads: readonly (readonly ToyOp[])[], strategy: Strategy): Explored {
  const explorer = new Explorer(new Toy(threads), strategy, { maxSteps: MAX_STEPS, keepGoing: true });
  explorer.run(2_000_000);
  expect(strategy.exhausted).toBe(true);
  return {
    outcomes: [...explorer.outcomes.keys()].sort(),
    violations: [...explorer.violations.keys()].sort(),
    schedules: explorer.schedules,
  };
}

function bothWays(threads: readonly (readonly ToyOp[])[]): { full: Explored; reduced: Explored } {
  return { full: explored(threads, new Full()), reduced: explored(threads, new Dpor(MAX_STEPS)) };
}

describe('partial-order reduction finds what plain search finds, in fewer executions', () => {
  test('threads that share nothing need one execution', () => {
    const { full, reduced } = bothWays([
      [
        ['write', 0],
        ['read', 0],
      ],
      [
        ['write', 1],
        ['read', 1],
      ],
      [
        ['write', 2],
        ['read', 2],
      ],
    ]);
    expect(full.schedules).toBeGreaterThan(1000);
    expect(reduced.schedules).toBe(1);
    expect(reduced.outcomes).toEqual(full.outcomes);
  });

  test('two increments of one cell, read then written, lose an update', () => {
    const increment: ToyOp[] = [
      ['read', 0],
      ['write', 0],
    ];
    const { full, reduced } = bothWays([increment, increment]);
    expect(reduced.outcomes).toEqual(full.outcomes);
    expect(reduced.schedules).toBeLessThan(full.schedules);
  });

  test('counts the same way commute, counts both ways do not', () => {
    const ups = bothWays([[['up', 0]], [['up', 0]], [['up', 0]]]);
    expect(ups.full.schedules).toBeGreaterThan(1);
    expect(ups.reduced.schedules).toBe(1);
    const both = bothWays([[['up', 0]], [['down', 0]], [['read', 0]]]);
    expect(both.reduced.outcomes).toEqual(both.full.outcomes);
    expect(both.reduced.outcomes).toHaveLength(4);
  });

  test('more agents than most programs have: five that touch two cells', () => {
    const { full, reduced } = bothWays([
      [['write', 0]],
      [['read', 0]],
      [['write', 1]],
      [['write', 0]],
      [
        ['read', 1],
        ['read', 0],
      ],
    ]);
    expect(reduced.outcomes).toEqual(full.outcomes);
    expect(reduced.schedules).toBeLessThan(full.schedules);
  });

  test('critical sections over one lock: two orders of two threads, six of three', () => {
    const section: ToyOp[] = [
      ['lock', 0],
      ['read', 0],
      ['write', 0],
      ['unlock', 0],
    ];
    expect(bothWays([section, section]).reduced.schedules).toBe(2);
    const three = explored([section, section, section], new Dpor(MAX_STEPS));
    expect(three.schedules).toBe(6);
  });

  test('a lock tried, used and dropped in one step comes before and after who waits for it', () => {
    const { full, reduced } = bothWays([
      [
        ['try_at_once', 0],
        ['read', 1],
      ],
      [
        ['lock', 0],
        ['read', 2],
        ['unlock', 0],
      ],
    ]);
    expect(reduced.outcomes).toEqual(full.outcomes);
    expect(reduced.schedules).toBeLessThan(full.schedules);
  });

  test('who would touch more in one step if another had not come before is put behind a third who touches that, too', () => {
    const { full, reduced } = bothWays([
      [['try_at_once', 0]],
      [
        ['lock', 0],
        ['read', 2],
        ['unlock', 0],
      ],
      [['try_at_once', 1]],
    ]);
    expect(full.outcomes).toHaveLength(8);
    expect(reduced.outcomes).toEqual(full.outcomes);
  });

  test('two locks taken in opposite order deadlock', () => {
    const { full, reduced } = bothWays([
      [
        ['lock', 0],
        ['read', 2],
        ['lock', 1],
        ['unlock', 1],
        ['unlock', 0],
      ],
      [
        ['lock', 1],
        ['read', 2],
        ['lock', 0],
        ['unlock', 0],
        ['unlock', 1],
      ],
    ]);
    expect(full.violations).toEqual(['deadlock']);
    expect(reduced.violations).toEqual(['deadlock']);
    expect(reduced.outcomes).toEqual(full.outcomes);
  });

  test('a decision inside a step is taken both ways', () => {
    const { full, reduced } = bothWays([
      [
        ['fallible', 0],
        ['read', 1],
      ],
      [
        ['write', 1],
        ['read', 0],
      ],
    ]);
    expect(reduced.outcomes).toEqual(full.outcomes);
    expect(full.outcomes.some((text) => text.includes('!'))).toBe(true);
  });
});

describe('on random programs', () => {
  test('the outcomes and verdicts are those of plain search', () => {
    fc.assert(
      fc.property(randomPrograms, (threads) => {
        const { full, reduced } = bothWays(threads);
        expect(reduced.outcomes).toEqual(full.outcomes);
        expect(reduced.violations).toEqual(full.violations);
        expect(reduced.schedules).toBeLessThanOrEqual(full.schedules);
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
