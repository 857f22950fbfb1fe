import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discoverBenchmarks, measure, median, runCase } from '../src/index.js';
import { outcomeOf } from '../src/run.js';

let root = '';

beforeEach(() => {
  const parent = join(import.meta.dirname, '..', '.vitest');
  mkdirSync(parent, { recursive: true });
  root = mkdtempSync(join(parent, 'workspace-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(file: string, text: string): void {
  mkdirSync(join(root, file, '..'), { recursive: true });
  writeFileSync(join(root, file), text);
}

describe('a benchmark', () => {
  it.each([0, -1, NaN])('that comes to %d has not measured anything, and reaches no goal', (value) => {
    const result = measure({ name: 'n', unit: 'bytes/page', goal: 24, run: () => ({ value }) }, 1, 0);
    expect(outcomeOf(result)).toMatchObject({ ok: false });
  });

  it('is warmed up, and told as the medians of its repetitions', () => {
    const values = [1000, 5, 1, 3];
    const result = measure(
      { name: 'n', unit: 'ms', goal: 3, run: () => ({ value: values.shift() ?? 0, reference: 2 }) },
      3,
      0,
    );
    expect(result).toEqual({
      name: 'n',
      unit: 'ms',
      value: 3,
      range: [1, 5],
      reference: 2,
      goal: 3,
      met: true,
      repetitions: 3,
    });
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('reaches its goal from above for a rate and from below for a cost', () => {
    const met = (unit: string, value: number) =>
      measure({ name: 'n', unit, goal: 10, run: () => ({ value }) }, 1, 0).met;
    expect([met('M pages/s', 11), met('M pages/s', 9), met('ms', 9), met('ms', 11)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(measure({ name: 'n', unit: 'ms', run: () => ({ value: 1 }) }, 1, 0).met).toBeNull();
  });
});

describe('the benchmarks of a workspace', () => {
  it('are those that the bench folders export, beside the files these share', async () => {
    write('packages/mm/bench/loop.ts', 'export const five = (): number => 5;\n');
    write(
      'packages/mm/bench/walk.ts',
      "import { five } from './loop.js';\nexport const benchmarks = [{ name: 'walk', unit: 'ms', run: () => ({ value: five() }) }];\n",
    );
    write('packages/gpu/src/index.ts', '');
    const [found, ...others] = await discoverBenchmarks(root);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ package: 'mm', name: 'walk', unit: 'ms' });
    const outcome = found && (await runCase(found, { repetitions: 2, together: true, cpu: false }));
    expect(outcome).toMatchObject({ ok: true, result: { value: 5, repetitions: 2 } });
  });

  it('are refused without a run, or with one name twice', async () => {
    write('packages/mm/bench/none.ts', "export const benchmarks = [{ name: 'a', unit: 'ms' }];\n");
    await expect(discoverBenchmarks(root)).rejects.toThrow('none.js: exports no benchmarks');
    const twice = "{ name: 'a', unit: 'ms', run: () => ({ value: 1 }) }";
    rmSync(join(root, 'packages/mm'), { recursive: true });
    write('packages/mm/bench/twice.ts', `export const benchmarks = [${twice}, ${twice}];\n`);
    await expect(discoverBenchmarks(root)).rejects.toThrow('the same name');
  });
});
