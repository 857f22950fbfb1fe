import { parseRecordedTests, type RecordedTest, search, type SearchResult } from '@hmm/explore';
import { recordedModel } from '@hmm/explore/internal';
import { Prng } from '@hmm/kernel';
import { litmusDevices } from '@hmm/test-device';
import { describe, expect, test } from 'vitest';

/** A test with `pages` private pages that hold 5, 6 …, `threads` over them, as recordings write it. */
function recorded(
  pages: number,
  init: readonly string[],
  threads: readonly (readonly string[])[],
): RecordedTest {
  const line = {
    test: threads.map((thread) => thread.join('; ')).join(' | '),
    init: [`mmap 0 ${pages} rw anon`, 'dopen 0', `cw 0 0 ${pages} 5`, ...init],
    threads,
    final: [`snap 0 0 0 ${pages}`, `pm 0 0 ${pages}`, `cr 0 0 ${pages}`],
    outcomes: [],
  };
  const [read] = parseRecordedTests(JSON.stringify(line), 'growth.test.ts');
  if (read === undefined) throw new Error('no test');
  return read;
}

const explored = (one: RecordedTest, maxExecutions: number, recogniseStates = true): SearchResult =>
  search(recordedModel(one, litmusDevices), {
    keepGoing: true,
    maxExecutions,
    recogniseStates,
    minimiseExecutions: 0,
  });

const found = ({ explorer }: SearchResult): string[] =>
  [...explorer.outcomes.keys(), ...explorer.violations.keys()].sort();

const SEED = 20_261_201;
/** Executions that a search which recognises nothing may take: where it needs more, its part is to be contained in the other's. */
const PLAIN = 1500;

/** An operation on one or two pages of three. */
function operation(prng: Prng): string {
  const first = prng.below(2);
  const pages = 1 + prng.below(2);
  const on = `${first} ${pages}`;
  const all = [
    `cr 0 ${on}`,
    `cw 0 ${on} 40`,
    `dread 0 0 ${on}`,
    `dwrite 0 0 ${on} 90`,
    `todev 0 0 ${on}`,
    `tosys 0 0 ${on}`,
    `excl 0 0 ${on}`,
    `forkcr 0 ${on}`,
    `forkcw 0 ${on} 60`,
    `pin 0 ${on} 0`,
    `madvise 0 ${on} dontneed`,
    `mprotect 0 ${on} r`,
    `munmap 0 ${on}`,
  ];
  return all[prng.below(all.length)] ?? '';
}

describe('a search that recognises states in the middle of operations', () => {
  const prng = new Prng(SEED);
  const tests = Array.from({ length: 14 }, () => {
    const init = prng.below(2) === 0 ? [] : ['todev 0 0 0 2'];
    return recorded(3, init, [[operation(prng)], [operation(prng)]]);
  });

  test.each(tests.map((one) => [one.name, one] as const))(
    `finds what one finds that does not: %s`,
    (_name, one) => {
      const knowing = explored(one, 20_000);
      const plain = explored(one, PLAIN, false);
      expect(knowing.complete).toBe(true);
      if (plain.complete) expect(found(knowing)).toEqual(found(plain));
      else expect(found(knowing)).toEqual(expect.arrayContaining(found(plain)));
    },
  );
});

/** Executions of a test in which two threads write pages of their own, `pages` each, that are on the device. */
function apart(pages: number): number {
  const threads = [[`cw 0 0 ${pages} 7`], [`cw 0 ${pages} ${pages} 8`]];
  const result = explored(recorded(2 * pages, [`todev 0 0 0 ${2 * pages}`], threads), 8000);
  expect(result.complete).toBe(true);
  expect(found(result)).toHaveLength(1);
  return result.explorer.executions;
}

describe('pages do not multiply as they did', () => {
  test('pages that nothing ties together cost their square', () => {
    expect(apart(4)).toBeLessThan(6 * apart(2));
  });

  test('two pages that a device writes beside a forked child are explored', () => {
    const result = explored(recorded(2, ['todev 0 0 0 2'], [['dwrite 0 0 0 2 90'], ['forkcr 0 0 2']]), 1500);
    expect(result.complete).toBe(true);
  });

  test.each([1, 2])('a pin of %i private pages against as many CPU writes has one outcome', (pages) => {
    const threads = [[`pin 0 0 ${pages} 0`], [`cw 0 0 ${pages} 7`]];
    const result = explored(recorded(pages, [`todev 0 0 0 ${pages}`], threads), 8000);
    expect(result.complete).toBe(true);
    expect(found(result)).toHaveLength(1);
  });
});
