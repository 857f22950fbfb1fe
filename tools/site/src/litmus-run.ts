import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { filesBelow, repositoryText, ROOT } from './repository.js';

/** What exploring one litmus test said. */
export interface LitmusRow {
  readonly name: string;
  readonly verdict: string;
  /** Executions that were told apart. */
  readonly schedules: number;
  readonly outcomes: readonly string[];
  /** Of the test's text, so that an old verdict is not taken for one of a new test. */
  readonly sha256: string;
}

/** A run of the whole library, as `tools/site/data/litmus.json` has it. */
export interface LitmusRun {
  readonly version: 1;
  readonly date: string;
  readonly tests: readonly LitmusRow[];
}

/** Where the library is. */
export const LITMUS_FOLDER = 'packages/explore/litmus';

/** Path of what the last run wrote. */
export const LITMUS_FILE = 'tools/site/data/litmus.json';

/** SHA-256 of a test's text. */
export function litmusChecksum(name: string): string {
  return createHash('sha256')
    .update(repositoryText(`${LITMUS_FOLDER}/${name}.litmus`))
    .digest('hex');
}

/** Names of the tests of the library. */
export function litmusNames(): string[] {
  return filesBelow(LITMUS_FOLDER, '.litmus').map((file) => file.replace(/\.litmus$/, ''));
}

/** Explores the library by the command `hmm` as built. @throws Error where it says nothing that can be read. */
export function runLibrary(): LitmusRun {
  const command = ['apps/compare/dist/cli.js', 'litmus', LITMUS_FOLDER, '--json'];
  const { stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const said: unknown = stdout === '' ? undefined : JSON.parse(stdout);
  if (!isLibrary(said)) throw new Error(`hmm litmus: ${stderr}`);
  return {
    version: 1,
    date: new Date().toISOString().slice(0, 10),
    tests: said.tests.map(({ name, verdict, schedules, outcomes }) => ({
      name,
      verdict,
      schedules,
      outcomes,
      sha256: litmusChecksum(name),
    })),
  };
}

/** The last run. @throws Error when the file is not one of a run. */
export function lastLibrary(): LitmusRun {
  const run: unknown = JSON.parse(repositoryText(LITMUS_FILE));
  if (!isLibrary(run)) throw new Error(`${join(ROOT, LITMUS_FILE)} was not written by a run`);
  return run;
}

function isLibrary(value: unknown): value is LitmusRun {
  return typeof value === 'object' && value !== null && 'tests' in value && Array.isArray(value.tests);
}
