import type { SuiteResult } from '../suite.js';
import { FLAG_SETS } from './flags.js';
import { shapes } from './shapes.js';

const LETTER: Readonly<Record<SuiteResult['result'], string>> = { passed: '.', refused: 'r', failed: 'F' };

/** A grid a client and release: a row a flag set, a letter a shape, blank where it was not run. What is no part of it comes as a count. */
export function gridTable(results: readonly SuiteResult[]): string {
  const parts = new Map<string, SuiteResult[]>();
  for (const result of results) {
    const key = `${result.client} on Linux ${result.release}`;
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [result]);
    else part.push(result);
  }
  return [...parts].map(([title, part]) => oneGrid(title, part)).join('\n\n');
}

function oneGrid(title: string, results: readonly SuiteResult[]): string {
  const byName = new Map(results.map((result) => [result.test, result]));
  const names = shapes().map(({ name }) => name);
  const inGrid = new Set<string>();
  const rows = FLAG_SETS.flatMap((set) => {
    const cells = names.map((shape) => {
      const found = byName.get(`${shape}-${set}`);
      if (found !== undefined) inGrid.add(found.test);
      return found === undefined ? ' ' : LETTER[found.result];
    });
    const text = GROUPS.map(([from, to]) => cells.slice(from, to).join('')).join(' ');
    return text.trim() === '' ? [] : [`${set.padEnd(WIDTH)} ${text}`.trimEnd()];
  });
  const count = (what: SuiteResult['result']): number =>
    results.filter(({ result }) => result === what).length;
  const head = `${title}: ${count('passed')} passed, ${count('refused')} refused, ${count('failed')} failed`;
  const rest = results.filter(({ test }) => !inGrid.has(test));
  const others = rest.map(({ test, result }) => `${test.padEnd(WIDTH)} ${LETTER[result]}`);
  const legend = rows.length === 0 ? [] : [`${''.padEnd(WIDTH)} ${LEGEND}`];
  return [head, ...legend, ...rows, ...others].join('\n');
}

/** Shapes of one agent, of threads, of threads with a common address space on the GPU, of processes. */
const GROUPS = [
  [0, 10],
  [10, 15],
  [15, 20],
  [20, 25],
] as const;
const LEGEND = 'one        threa share proce';
/** Of the longest name. */
const WIDTH = 44;
