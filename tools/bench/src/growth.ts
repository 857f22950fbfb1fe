import { parseRecordedTests, Search } from '@hmm/explore';
import { recordedModel } from '@hmm/explore/internal';
import { litmusDevices } from '@hmm/test-device';

/** How much it takes to explore one test. */
export interface GrowthRow {
  readonly name: string;
  readonly pages: number;
  readonly agents: number;
  /** Executions that ran to their end. */
  readonly schedules: number;
  /** All, those that were given up included. */
  readonly executions: number;
  readonly outcomes: number;
  readonly seconds: number;
  /** Whether every interleaving was looked at. */
  readonly complete: boolean;
}

/** A test that is written for any number of pages: what is done before, and one operation an agent. */
interface GrowthTest {
  readonly name: string;
  readonly atStart: (pages: number) => string[];
  readonly threads: (pages: number) => string[][];
}

const onDevice = (pages: number): string[] => [`todev 0 0 0 ${pages}`];
const inMemory = (): string[] => [];

/** As many agents as there are parts, each of which writes pages of its own; where there are fewer pages, all write the first. */
const apart =
  (parts: number) =>
  (pages: number): string[][] =>
    Array.from({ length: parts }, (_, i) => {
      const own = Math.floor(pages / parts);
      return [own === 0 ? `cw 0 0 1 ${7 + i}` : `cw 0 ${i * own} ${own} ${7 + i}`];
    });

const TESTS: readonly GrowthTest[] = [
  {
    name: 'device read, write',
    atStart: inMemory,
    threads: (n) => [[`dread 0 0 0 ${n}`], [`cw 0 0 ${n} 7`]],
  },
  {
    name: 'device write, munmap',
    atStart: inMemory,
    threads: (n) => [[`dwrite 0 0 0 ${n} 9`], [`munmap 0 0 ${n}`]],
  },
  { name: 'to the device, read', atStart: inMemory, threads: (n) => [[`todev 0 0 0 ${n}`], [`cr 0 0 ${n}`]] },
  { name: 'home, write', atStart: onDevice, threads: (n) => [[`tosys 0 0 0 ${n}`], [`cw 0 0 ${n} 7`]] },
  { name: 'pin, write', atStart: onDevice, threads: (n) => [[`pin 0 0 ${n} 0`], [`cw 0 0 ${n} 7`]] },
  {
    name: 'device write, fork and read',
    atStart: onDevice,
    threads: (n) => [[`dwrite 0 0 0 ${n} 9`], [`forkcr 0 0 ${n}`]],
  },
  { name: 'writes of halves', atStart: onDevice, threads: apart(2) },
  {
    name: 'to the device, fork and write, write',
    atStart: inMemory,
    threads: (n) => [[`todev 0 0 0 ${n}`], [`forkcw 0 0 ${n} 60`], [`cw 0 0 ${n} 40`]],
  },
  {
    name: 'read, write, device write',
    atStart: onDevice,
    threads: (n) => [[`cr 0 0 ${n}`], [`cw 0 0 ${n} 40`], [`dwrite 0 0 0 ${n} 90`]],
  },
  { name: 'writes of quarters', atStart: onDevice, threads: apart(4) },
];

/** The names of the tests whose growth is measured. */
export const GROWTH_TESTS: readonly string[] = TESTS.map(({ name }) => name);

/** Explores the test `name` of `pages` pages for up to `seconds`, by the clock `now` (seconds). */
export function measureGrowth(
  name: string,
  pages: number,
  seconds: number,
  now: () => number,
): GrowthRow | undefined {
  const found = TESTS.find((test) => test.name === name);
  if (found === undefined) return undefined;
  const threads = found.threads(pages);
  const line = {
    test: name,
    init: [`mmap 0 ${pages} rw anon`, 'dopen 0', `cw 0 0 ${pages} 5`, ...found.atStart(pages)],
    threads,
    final: [`snap 0 0 0 ${pages}`, `cr 0 0 ${pages}`],
    outcomes: [],
  };
  const [test] = parseRecordedTests(JSON.stringify(line), name);
  if (test === undefined) return undefined;
  const begin = now();
  const model = recordedModel(test, litmusDevices, new Map([['corrected', '1']]));
  const search = new Search(model, {
    keepGoing: true,
    maxSeconds: seconds,
    now,
    minimiseExecutions: 0,
  });
  while (search.advance());
  const { explorer, complete } = search.result();
  return {
    name,
    pages,
    agents: threads.length,
    schedules: explorer.schedules,
    executions: explorer.executions,
    outcomes: explorer.outcomes.size,
    seconds: now() - begin,
    complete,
  };
}

/** Rows as a table of Markdown; a search that was stopped shows how far it came. */
export function growthTable(rows: readonly GrowthRow[]): string {
  const lines = rows.map(({ name, pages, agents, schedules, executions, outcomes, seconds, complete }) => {
    const cells = [schedules, executions, outcomes].map((count) => count.toLocaleString('en-US'));
    const figures = complete
      ? [...cells, seconds.toFixed(2)]
      : [...cells, `stopped after ${seconds.toFixed(0)}`];
    return `| ${[name, pages, agents, ...figures].join(' | ')} |`;
  });
  return [
    '| test | pages | agents | schedules | executions | outcomes | CPU s |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
  ].join('\n');
}

const BEGIN = '<!-- growth of explorations: written by tools/bench -->';
const END = '<!-- end -->';

/** `text` with `table` in place of the one between its marks; undefined where it has no marks. */
export function withTable(text: string, table: string): string | undefined {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin < 0 || end < 0) return undefined;
  return `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`;
}
