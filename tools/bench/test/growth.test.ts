import { describe, expect, it } from 'vitest';
import { GROWTH_TESTS, growthTable, measureGrowth, withTable } from '../src/growth.js';

const now = (): number => 0;

describe('the growth of explorations', () => {
  it('is measured with ten tests', () => {
    expect(GROWTH_TESTS).toHaveLength(10);
    const row = measureGrowth('device read, write', 4, 1, now);
    expect(row).toMatchObject({ pages: 4, agents: 2, schedules: 5, outcomes: 5, complete: true });
    expect(measureGrowth('no such test', 1, 1, now)).toBeUndefined();
  });

  it('stands in a table, in place of the one before', () => {
    const row = {
      name: 'a',
      pages: 2,
      agents: 3,
      schedules: 4,
      executions: 5000,
      outcomes: 6,
      seconds: 1.25,
    };
    const table = growthTable([
      { ...row, complete: true },
      { ...row, complete: false },
    ]);
    expect(table).toContain('| a | 2 | 3 | 4 | 5,000 | 6 | 1.25 |');
    expect(table).toContain('stopped after 1 |');
    const marked = 'x\n<!-- growth of explorations: written by tools/bench -->\nold\n<!-- end -->\ny';
    expect(withTable(marked, table)).toContain(table);
    expect(withTable(marked, table)).not.toContain('old');
    expect(withTable('nothing marked', table)).toBeUndefined();
  });
});
