import { appendFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Output, runApplication, sweepCommand } from '@hmm/cli';
import { type SweepResult } from '../src/sweep/results.js';
import { gridCell, gridSize, parseAxis, parseShard } from '../src/sweep/grid.js';
import { heatGrid } from '../src/sweep/heat-grid.js';
import { appendResult, inOrder, openResults, readResults, resultsCsv } from '../src/sweep/results.js';

const folder = mkdtempSync(join(tmpdir(), 'hmm-sweep-'));
const AXES = [
  { name: 'what', values: ['a.hmm'] },
  { name: 'rounds', values: ['1', '2', '3'] },
  { name: 'client', values: ['x', 'y'] },
];

const result = (index: number, error: string | null = null): SweepResult => ({
  ...gridCell(AXES, index),
  error,
  figures: error === null ? { time_ns: 100 * (index + 1) } : {},
});

describe('axes', () => {
  test.each([
    ['seed=1..4', ['1', '2', '3', '4']],
    ['vram=4..32*2', ['4', '8', '16', '32']],
    ['client=a,b', ['a', 'b']],
    ['size=1MiB,4..5', ['1MiB', '4', '5']],
  ])('%s', (text, values) => {
    expect(parseAxis(text)).toMatchObject({ values });
  });

  test.each(['seed', 'seed=', 'a=1,,2', 'a=0..8*2', 'a=1..8*1', 'a=1,1', 'a=5..4'])('%s is none', (text) => {
    expect(typeof parseAxis(text)).toBe('string');
  });

  test('every cell comes once, and every shard has its own', () => {
    expect(gridSize(AXES)).toBe(6);
    const cells = Array.from({ length: 6 }, (_, i) => JSON.stringify(gridCell(AXES, i).values));
    expect(new Set(cells).size).toBe(6);
    expect(parseShard('2/8')).toEqual({ part: 2, parts: 8 });
    for (const bad of ['0/8', '9/8', '1', 'a/b']) expect(typeof parseShard(bad)).toBe('string');
  });
});

describe('a results file', () => {
  test('goes on after a kill in the middle of a line', () => {
    const path = join(folder, 'killed.jsonl');
    openResults(path, AXES);
    appendResult(path, result(4));
    appendResult(path, result(1, 'it failed'));
    appendFileSync(path, '{"index":2,"val');
    const again = openResults(path, AXES);
    expect(again.ok && inOrder(again.results)).toEqual([result(1, 'it failed'), result(4)]);
    appendResult(path, result(2));
    const read = readResults(path);
    expect(read.ok && [...read.results.keys()]).toEqual([4, 1, 2]);
    expect(readFileSync(path, 'utf8').endsWith('\n')).toBe(true);
  });

  test('of another sweep is refused', () => {
    const path = join(folder, 'other.jsonl');
    openResults(path, AXES);
    expect(openResults(path, AXES.slice(0, 2))).toMatchObject({ ok: false });
  });

  test('that is none is refused', () => {
    expect(readResults(join(folder, 'nosuch.jsonl'))).toMatchObject({ ok: false });
    const path = join(folder, 'garbage.jsonl');
    appendFileSync(path, 'garbage\n');
    expect(readResults(path)).toMatchObject({ ok: false });
  });
});

test('merge joins the parts; cells that none of them has are told, and are a failure', async () => {
  const [first, second] = [join(folder, 'part-1.jsonl'), join(folder, 'part-2.jsonl')];
  for (const path of [first, second]) openResults(path, AXES);
  for (const index of [0, 2, 4]) appendResult(first, result(index));
  const said: string[] = [];
  const data: string[] = [];
  const output: Output = {
    watched: false,
    data: (text) => data.push(text),
    say: (line) => said.push(line),
    progress: () => undefined,
  };
  const commands = [sweepCommand(new URL('file:///none.js'), [])];
  const app = { name: 'hmm', version: '1', description: '', examples: [], commands };
  const merge = (): Promise<number> =>
    runApplication(app, ['sweep', 'merge', first, second, '--json'], output);
  expect(await merge()).toBe(1);
  expect(said).toEqual(['3 of 6 cells are missing']);
  for (const index of [1, 3, 5]) appendResult(second, result(index));
  expect(await merge()).toBe(0);
  expect(data.at(-1)).toContain('"index":5');
});

test('CSV has the axes, the figures and the errors', () => {
  expect(resultsCsv(AXES, [result(0), result(1, 'no, it "failed"')])).toBe(
    'what,rounds,client,time_ns,error\na.hmm,1,x,100,\na.hmm,1,y,,"no, it ""failed"""\n',
  );
});

test('a heat grid shows the mean of a cell, and F where every run failed', () => {
  const [, x, y] = AXES;
  if (x === undefined || y === undefined) throw new Error('two axes are needed');
  const svg = heatGrid(x, y, 'time_ns', [result(0), result(1, 'failed'), result(2)]);
  expect(svg).toContain('>100</text>');
  expect(svg).toContain('>300</text>');
  expect(svg.match(/>F<\/text>/g)).toHaveLength(4);
});

test('the heat grid calls programs by their names, and by their paths where names are alike', () => {
  const what = { name: 'what', values: ['a/x.hmm', 'b/x.hmm', 'a/y.hmm'] };
  const seed = { name: 'seed', values: ['1', '2'] };
  const svg = heatGrid(what, seed, 'time_ns', []);
  const labels = [...svg.matchAll(/>([^<>]*)<\/text>/g)].map(([, text]) => text);
  expect(labels.slice(1, 6)).toEqual(['a/x.hmm', 'b/x.hmm', 'y.hmm', '1', '2']);
});

test('the heat grid marks a mean that some runs are missing from', () => {
  const [, x] = AXES;
  if (x === undefined) throw new Error('an axis is needed');
  const svg = heatGrid(x, { name: 'what', values: ['a.hmm'] }, 'time_ns', [
    result(0),
    result(1, 'failed'),
    result(2),
  ]);
  expect(svg).toContain('>100*</text>');
  expect(svg).toContain('>300</text>');
});
