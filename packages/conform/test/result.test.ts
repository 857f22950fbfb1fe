import { addConformResult, type ConformResult, emptyConformResult } from '@hmm/conform';
import { expect, test } from 'vitest';

test('results of several files add up', () => {
  const one = (matched: number): ConformResult => ({
    ...emptyConformResult(),
    scripts: 1,
    ops: 3,
    matched,
    families: { basic: { scripts: 1, scripts_matched: 0, ops: 3, matched } },
  });
  const sum = one(1);
  addConformResult(sum, one(2));
  expect([sum.scripts, sum.ops, sum.matched]).toEqual([2, 6, 3]);
  expect(sum.families['basic']).toEqual({ scripts: 2, scripts_matched: 0, ops: 6, matched: 3 });
});
