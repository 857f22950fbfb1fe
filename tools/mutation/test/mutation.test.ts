import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findFaults } from '../src/find-faults.js';
import { describeFault, faultKey, type PlantedFault } from '../src/place.js';
import { mutationPage, wilson } from '../src/report.js';
import { drawSample } from '../src/sample.js';
import { planted, TypeCheck } from '../src/type-check.js';

const SOURCE = `/** Of two numbers the larger. */
export function larger(a: number, b: number): number {
  return a > b ? a : b;
}
`;

let folder = '';

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'hmm-mutation-')), 'packages/toy');
  mkdirSync(join(folder, 'src/inner'), { recursive: true });
  writeFileSync(join(folder, 'src/larger.ts'), SOURCE);
  writeFileSync(join(folder, 'src/index.ts'), "export * from './larger.js';\n");
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { strict: true, lib: ['ES5'], types: [] }, include: ['src'] }),
  );
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('faults of a package', () => {
  test('are found in its sources, each at its place', async () => {
    const faults = await findFaults(folder);
    expect(faults.map(({ replacement }) => replacement)).toContain('a >= b');
    const fault = faults.find(({ replacement }) => replacement === 'a >= b');
    if (fault === undefined) throw new Error('a fault');
    expect(describeFault(fault)).toBe('src/larger.ts:3:10 EqualityOperator: `a >= b`');
    expect(planted(SOURCE, fault)).toContain('return a >= b ? a : b;');
    expect(new Set(faults.map((each) => faultKey(each, '/packages/toy/'))).size).toBe(faults.length);
  });

  test('that the compiler refuses are told from those it accepts', async () => {
    const types = new TypeCheck(folder);
    const faults = await findFaults(folder);
    const body = faults.find(({ mutatorName }) => mutatorName === 'BlockStatement');
    const condition = faults.find(({ replacement }) => replacement === 'a >= b');
    // A function that has to return a number and returns nothing does not compile.
    expect(body !== undefined && types.accepts(body)).toBe(false);
    expect(condition !== undefined && types.accepts(condition)).toBe(true);
  });

  test('are drawn by a seed, valid ones only, and no more than there are', async () => {
    const faults = await findFaults(folder);
    const valid = (fault: PlantedFault): boolean => fault.mutatorName !== 'BlockStatement';
    const draw = (seed: number, size: number): readonly PlantedFault[] =>
      drawSample(faults, size, seed, valid).faults;
    expect(draw(5, 3)).toEqual(draw(5, 3));
    expect(draw(5, 3)).toHaveLength(3);
    const all = drawSample(faults, 1000, 1, valid);
    expect([all.faults.length + all.refused, all.faults.every(valid)]).toEqual([faults.length, true]);
    expect(new Set(all.faults).size).toBe(all.faults.length);
  });
});

describe('the page', () => {
  const fault = {
    fileName: '/somewhere/packages/toy/src/larger.ts',
    location: { start: { line: 2, column: 9 }, end: { line: 2, column: 14 } },
    mutatorName: 'EqualityOperator',
    replacement: 'a >= b',
  };
  const score = {
    package: 'toy',
    faults: 9,
    seed: 3,
    planted: 4,
    refused: 1,
    killed: 2,
    timedOut: 1,
    survivors: [fault],
  };

  test('says what was planted, what was seen and what survives', () => {
    const page = mutationPage([score], '');
    expect(page).toContain('| toy | 9 | 3 | 4 | 3 | 1 | 1 | 75 % | 30 % to 95 % |');
    expect(page).toContain('## toy\n\n* src/larger.ts:3:10 EqualityOperator: `a >= b`\n');
  });

  test('keeps what it says about packages that were not measured this time', () => {
    const before = mutationPage([score, { ...score, package: 'other', survivors: [] }], '');
    const after = mutationPage([{ ...score, killed: 3, survivors: [] }], before);
    expect(after).toContain('| toy | 9 | 3 | 4 | 4 | 1 | 0 | 100 % |');
    expect(after).toContain('| other | 9 | 3 | 4 | 3 | 1 | 0 | 75 % |');
    expect(after).toContain('## other\n\nNothing of the sample.');
    expect(mutationPage([], before)).toBe(before);
  });

  test('knows how little a small sample says', () => {
    expect(wilson(0, 0)).toEqual([0, 1]);
    const [low, high] = wilson(54, 60);
    expect(low).toBeCloseTo(0.799, 2);
    expect(high).toBeCloseTo(0.953, 2);
  });
});
