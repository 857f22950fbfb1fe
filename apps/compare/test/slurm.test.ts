import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noSlurm, SlurmHere } from './slurm-here.js';

const COMMAND = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const reason = process.env['HMM_TEST_BUILT'] === '1' ? noSlurm : 'the command is not built';

const folder = mkdtempSync(join(tmpdir(), 'hmm-slurm-'));
const slurm = new SlurmHere(folder);

beforeAll(async () => {
  if (reason === undefined) await slurm.start();
});
afterAll(() => slurm.stop());

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const plan = (): Ran => {
  const grid = ['touch.hmm', '--over', 'n=1..3'];
  const args = ['sweep', 'plan', ...grid, '--slurm', 'sweep.sbatch', '--submit', '--json'];
  return spawnSync(process.execPath, [COMMAND, ...args], { cwd: folder, env: slurm.env, encoding: 'utf8' });
};

test('an array of Slurm runs the cells of a sweep, and later only those that are missing', ({ skip }) => {
  if (reason !== undefined) skip(`skipped: ${reason}`);
  writeFileSync(join(folder, 'touch.hmm'), 'let n = 1\nmalloc a n * 1pages\ncpu write a = 5\n');
  const first = plan();
  expect(first.stderr).toMatch(/3 cells, 3 of them to be run\nwrote sweep.sbatch.*\nsubmitted as job 1/);
  expect(first.status).toBe(0);
  const { results } = JSON.parse(first.stdout) as { results: { index: number; error: string | null }[] };
  expect(results.map(({ index, error }) => [index, error])).toEqual([0, 1, 2].map((cell) => [cell, null]));
  const [one] = readdirSync(join(folder, 'cells')).filter((name) => name.endsWith('.json'));
  rmSync(join(folder, 'cells', one ?? ''));
  const again = plan();
  expect(again.stderr).toMatch(/3 cells, 1 of them to be run\nwrote sweep.sbatch.*\nsubmitted as job/);
  expect(again).toMatchObject({ status: 0, stdout: first.stdout });
}, 240_000);
