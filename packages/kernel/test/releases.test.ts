import { behaviour, behavioursOf, defect, isRelease, Kernel, RELEASES } from '@hmm/kernel';
import { CORE_BEHAVIOURS } from '@hmm/kernel/internal';
import { describe, expect, test } from 'vitest';

const TABLE = {
  newer: behaviour('- - + +', 'mm/hmm.c hmm_range_fault', 'It is newer.'),
  wrong: defect('+ + + -', 'mm/hmm.c hmm_range_fault', 'It was wrong.'),
};

describe('a table of behaviours', () => {
  test('has a column for each release', () => {
    expect(TABLE.newer.releases).toEqual(['6.19', '7.3']);
    expect(RELEASES.map((release) => behavioursOf(TABLE, release))).toEqual([
      { newer: false, wrong: true },
      { newer: false, wrong: true },
      { newer: true, wrong: true },
      { newer: true, wrong: false },
    ]);
    expect(() => behaviour('- +', 'mm/hmm.c', 'Too short.')).toThrow('not one sign for each of 6.1, 6.12');
  });

  test('names a file and a function for each row, and says in a sentence what is seen', () => {
    for (const [name, row] of Object.entries(CORE_BEHAVIOURS)) {
      expect(row.kernel, name).toMatch(/^[\w/-]+\.[ch] \w+/);
      expect(row.shows, name).toMatch(/^\w.*\.$/);
      expect(row.releases.length, name).toBeGreaterThan(0);
      expect(row.releases.length, name).toBeLessThan(RELEASES.length);
    }
  });
});

describe('a kernel', () => {
  test('follows the release that it is made with, 6.12 without a word', () => {
    expect(new Kernel().release).toBe('6.12');
    expect(new Kernel({ release: '7.3' }).does.collectsHugePmds).toBe(true);
    expect(new Kernel({ release: '7.3', flipped: ['newer'] }).behaviours(TABLE)).toEqual({
      newer: false,
      wrong: false,
    });
  });

  test('knows its releases by name', () => {
    expect([isRelease('7.3'), isRelease('7.4')]).toEqual([true, false]);
  });
});
