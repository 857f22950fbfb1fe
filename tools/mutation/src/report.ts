import { describeFault } from './place.js';
import type { Score } from './measure.js';

const HEAD = `# Mutation scores

Written by \`pnpm mutation\`. A run plants small faults in the sources of a package, one at a time (a condition turned round, an
operator exchanged, a block emptied …), and runs the package's own tests; a fault that no test sees survives. The faults are
[Stryker](https://stryker-mutator.io)'s, drawn at random with the seed that stands in the table. What the compiler refuses is no valid
fault and not counted. A fault that makes a test run into its time limit counts as seen.

A sample of _n_ faults leaves the score of the whole uncertain: the last column is the 95 % interval (Wilson's).

`;

const COLUMNS = [
  'package',
  'faults',
  'seed',
  'planted',
  'seen',
  'of these by time limit',
  'survive',
  'score',
  'interval',
];

/** The page, with the scores of this run in it and those of other packages as `before` has them. */
export function mutationPage(scores: readonly Score[], before: string): string {
  const parts = new Map(sectionsOf(before));
  for (const score of scores) parts.set(score.package, sectionOf(score));
  const sections = [...parts.values()];
  const table = [COLUMNS, COLUMNS.map(() => '---'), ...sections.map(({ cells }) => cells)];
  const rows = table.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const survivors = sections.map(({ cells: [name], text }) => `## ${name ?? ''}\n\n${text}\n`).join('\n');
  return `${HEAD}${rows}\n\nWhat survives, by package:\n\n${survivors}`;
}

interface Section {
  readonly cells: readonly string[];
  readonly text: string;
}

function sectionOf(score: Score): Section {
  const { planted, killed, timedOut, survivors } = score;
  const seen = killed + timedOut;
  const [low, high] = wilson(seen, planted);
  const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;
  const list = survivors.map((fault) => `* ${describeFault(fault)}`).sort();
  return {
    cells: [
      score.package,
      String(score.faults),
      String(score.seed),
      String(planted),
      String(seen),
      String(timedOut),
      String(survivors.length),
      percent(planted === 0 ? 0 : seen / planted),
      `${percent(low)} to ${percent(high)}`,
    ],
    text: list.length === 0 ? 'Nothing of the sample.' : list.join('\n'),
  };
}

/** The packages of an earlier page, each with its row and its survivors. */
function sectionsOf(page: string): [string, Section][] {
  const rows = page.split('\n').filter((line) => /^\| [a-z]/.test(line) && !line.startsWith('| package'));
  const texts = new Map<string, string>();
  for (const part of page.split(/^## /m).slice(1)) {
    const end = part.indexOf('\n');
    texts.set(part.slice(0, end).trim(), part.slice(end).trim());
  }
  return rows.map((row) => {
    const cells = row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const name = cells[0] ?? '';
    return [name, { cells, text: texts.get(name) ?? '' }];
  });
}

/** The 95 % interval of a share, of which `hits` in `of` draws is a sample. */
export function wilson(hits: number, of: number): readonly [low: number, high: number] {
  if (of === 0) return [0, 1];
  const z = 1.96;
  const share = hits / of;
  const middle = share + (z * z) / (2 * of);
  const spread = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  const scale = 1 + (z * z) / of;
  return [(middle - spread) / scale, (middle + spread) / scale];
}
