import { PM_FILE, PM_MMAP_EXCLUSIVE, PM_PRESENT, PM_SWAP, pagemapEntry } from '@hmm/mm';
import { operation } from '../definition.js';
import type { Outcome } from '../outcome.js';
import { pages } from '../parts/ranges.js';
import { line } from '../recorded/line.js';
import type { Shows } from '../recorded/shown.js';

const LETTERS: readonly (readonly [number, string])[] = [
  [PM_PRESENT, 'P'],
  [PM_SWAP, 'S'],
  [PM_FILE, 'F'],
  [PM_MMAP_EXCLUSIVE, 'X'],
];

function words({ values }: Outcome): string[] {
  return values.map((bits) => LETTERS.map(([bit, letter]) => ((bits & bit) !== 0 ? letter : '')).join(''));
}

/** As recorded tests of races have it: whether each page is present, somewhere else, or not there. */
function places({ values }: Outcome): string[] {
  return values.map((bits) => {
    if ((bits & PM_PRESENT) !== 0) return 'P';
    return (bits & PM_SWAP) !== 0 ? 'S' : '-';
  });
}

/** The bits of each page in letters: present, swapped out, of a file, mapped by this process alone. */
const SHOWS_PAGEMAP: Shows = {
  script: (outcome) => ({ v: words(outcome) }),
  word: (outcome) => places(outcome).join(','),
};

/** What `/proc/PID/pagemap` says of pages. Only recordings have it. */
export const pagemap = operation({
  kind: 'pagemap',
  summary: 'Reads what /proc/PID/pagemap says of pages.',
  parts: [pages],
  results: true,
  side: 'cpu',
  *run({ process }, { range }) {
    const values = Array.from({ length: range.pages }, (_, i) => pagemapEntry(process.mm, range.vpn + i));
    return { rc: 0, values, cpages: 0, faults: 0 };
  },
  returns: 'values',
  recorded: [line('pm', [pages], {}, SHOWS_PAGEMAP)],
});

/** The operations of this file; only recordings have them. */
export const RECORDED_PAGEMAP = [pagemap] as const;
