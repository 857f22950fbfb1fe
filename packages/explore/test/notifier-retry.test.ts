import { describe, expect, test } from 'vitest';
import { decodeSchedule, Dpor, Explorer, NotifierRetry, type RetryMistake, type RetryOp } from '@hmm/explore';
import { Full, Pct, RandomWalk, Replay } from '@hmm/explore/internal';

const MAX_STEPS = 400;
const TWO: readonly (readonly RetryOp[])[] = [[['fault', 1]], [['replace', 1]]];

describe('the sequence-retry protocol', () => {
  test('a device fault against an invalidation: every interleaving leaves the device current', () => {
    const full = new Explorer(new NotifierRetry(TWO), new Full(), { maxSteps: MAX_STEPS });
    const reduced = new Explorer(new NotifierRetry(TWO), new Dpor(MAX_STEPS), { maxSteps: MAX_STEPS });
    while (full.run(10_000));
    while (reduced.run(10_000));
    expect([...full.violations.values()]).toEqual([]);
    expect([...reduced.violations.values()]).toEqual([]);
    expect([...reduced.outcomes.keys()].sort()).toEqual([...full.outcomes.keys()].sort());
    expect(reduced.schedules).toBeLessThan(full.schedules);
  });

  test.each<RetryMistake>(['no-retry', 'retry-unlocked', 'no-set-seq', 'begin-late'])(
    'a driver with %s keeps a stale translation, and the replay string shows it',
    (mistake) => {
      const explorer = new Explorer(new NotifierRetry(TWO, mistake), new Dpor(MAX_STEPS), {
        maxSteps: MAX_STEPS,
      });
      while (explorer.run(10_000));
      const found = explorer.violations.get('I1');
      expect(found?.detail).toMatch(/the device maps page 1 to frame 2, the CPU to 5/);
      const again = new Explorer(
        new NotifierRetry(TWO, mistake),
        new Replay(decodeSchedule(found?.replay ?? '')),
        { maxSteps: MAX_STEPS },
      );
      again.run(1);
      expect([...again.violations.values()]).toEqual([found]);
    },
  );

  test.each([
    ['random', () => new RandomWalk(7)],
    ['pct', () => new Pct(7, 3)],
  ])('the %s walk finds the missing retry too, the same one for the same seed', (_name, make) => {
    const first = new Explorer(new NotifierRetry(TWO, 'no-retry'), make(), { maxSteps: MAX_STEPS });
    const second = new Explorer(new NotifierRetry(TWO, 'no-retry'), make(), { maxSteps: MAX_STEPS });
    first.run(10_000);
    second.run(10_000);
    expect(first.violations.has('I1')).toBe(true);
    expect([...second.violations]).toEqual([...first.violations]);
    expect(second.executions).toBe(first.executions);
  });
});
