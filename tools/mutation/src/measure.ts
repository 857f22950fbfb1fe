import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chdir, cwd } from 'node:process';
import type { MutantResult } from '@stryker-mutator/api/core';
import { Stryker } from '@stryker-mutator/core';
import { findFaults } from './find-faults.js';
import { faultKey, type PlantedFault } from './place.js';
import { drawSample } from './sample.js';
import { SAMPLE } from './sample-checker.js';
import { TypeCheck } from './type-check.js';

/** What a run over one package found. */
export interface Score {
  readonly package: string;
  /** Faults that can be planted. */
  readonly faults: number;
  readonly seed: number;
  /** Valid faults that were planted. */
  readonly planted: number;
  /** Faults drawn that the compiler refuses. */
  readonly refused: number;
  /** Of the planted ones: seen by a test, or by its time limit. */
  readonly killed: number;
  readonly timedOut: number;
  readonly survivors: readonly PlantedFault[];
}

/** Plants `size` valid faults drawn with `seed`, one at a time, and runs the package's own tests on each. */
export async function measure(root: string, name: string, size: number, seed: number): Promise<Score> {
  const folder = join(root, 'packages', name);
  const all = await findFaults(folder);
  const types = new TypeCheck(folder);
  const sample = drawSample(all, size, seed, (fault) => types.accepts(fault));
  const results = await runStryker(folder, sample.faults);
  const byStatus = (status: string): PlantedFault[] => results.filter((r) => r.status === status);
  return {
    package: name,
    faults: all.length,
    seed,
    planted: sample.faults.length,
    refused: sample.refused,
    killed: byStatus('Killed').length,
    timedOut: byStatus('Timeout').length,
    survivors: [...byStatus('Survived'), ...byStatus('NoCoverage')],
  };
}

type Result = PlantedFault & { readonly status: string };

/** Stryker's results for the faults of the sample; it works in the folder of the package. */
async function runStryker(folder: string, faults: readonly PlantedFault[]): Promise<readonly Result[]> {
  const before = cwd();
  const scratch = join(folder, '.stryker-tmp');
  mkdirSync(scratch, { recursive: true });
  const keys = join(scratch, 'sample.json');
  const root = `${folder.slice(folder.lastIndexOf('/packages/'))}/`;
  const wanted = new Set(faults.map((fault) => faultKey(fault, root)));
  writeFileSync(keys, JSON.stringify([...wanted]));
  chdir(folder);
  try {
    const stryker = new Stryker({
      mutate: faults.map((fault) => rangeOf(folder, fault)),
      testRunner: 'vitest',
      plugins: ['@stryker-mutator/vitest-runner', './sample-checker.js'].map(installed),
      checkers: [SAMPLE],
      [SAMPLE]: { keys, root },
      concurrency: 1,
      coverageAnalysis: 'perTest',
      reporters: ['progress'],
      tempDirName: '.stryker-tmp',
      cleanTempDir: 'always',
      ignorePatterns: ['dist', 'bench'],
      timeoutMS: 15_000,
      warnings: { unknownOptions: false, preprocessorErrors: true, unserializableOptions: true, slow: true },
      vitest: { related: false },
    });
    const results = await stryker.runMutationTest();
    return results.map(fromZero).filter((result) => wanted.has(faultKey(result, root)));
  } finally {
    chdir(before);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A result as Stryker's reports have it, where lines and columns count from 1, in its plugins' terms. */
function fromZero({
  fileName,
  location: { start, end },
  mutatorName,
  replacement,
  status,
}: MutantResult): Result {
  const location = {
    start: { line: start.line - 1, column: start.column - 1 },
    end: { line: end.line - 1, column: end.column - 1 },
  };
  return { fileName, location, mutatorName, replacement, status };
}

function installed(plugin: string): string {
  return fileURLToPath(
    plugin.startsWith('.') ? new URL(plugin, import.meta.url).href : import.meta.resolve(plugin),
  );
}

/** A range of a file as Stryker's `mutate` option wants it. */
function rangeOf(folder: string, { fileName, location: { start, end } }: PlantedFault): string {
  const range = `${start.line + 1}:${start.column}-${end.line + 1}:${end.column}`;
  return `${relative(folder, fileName)}:${range}`;
}
