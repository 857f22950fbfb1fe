import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Output, runApplication, sweepCommand } from '@hmm/cli';
import type { ClientFactory } from '@hmm/device';
import { MIRROR_STEPS, MirrorClient } from '@hmm/machine/contract';
import { expect, test } from 'vitest';
import { ranges } from '../src/sweep/cells.js';
import { arrayScript } from '../src/sweep/slurm.js';

const mirror: ClientFactory = {
  name: 'mirror',
  title: 'a mirror',
  gpus: ['none'],
  settings: {},
  rules: {
    gpuFault: '',
    firstTouch: '',
    cpuFault: '',
    granularity: '',
    sharing: '',
    oversubscription: '',
    atomics: '',
    hints: '',
    badAddress: '',
    fork: '',
  },
  steps: MIRROR_STEPS,
  create: ({ kernel }) => ({ ok: true, client: new MirrorClient(kernel) }),
};

const folder = mkdtempSync(join(tmpdir(), 'hmm-cells-'));
const program = join(folder, 'touch.hmm');
const [cells, out] = [join(folder, 'cells.jsonl'), join(folder, 'out')];

async function sweep(...argv: string[]): Promise<{ code: number; data: string; said: string }> {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += `${line}\n`),
    progress: () => undefined,
  };
  const commands = [sweepCommand(new URL('file:///none.js'), [mirror])];
  const app = { name: 'hmm', version: '1', description: '', examples: [], commands };
  const code = await runApplication(app, ['sweep', ...argv, '--cells', cells, '--out', out], output);
  return { code, data, said };
}

const plan = (...more: string[]): ReturnType<typeof sweep> =>
  sweep('plan', program, '--over', 'n=1..4', '--over', 'seed=1,2', ...more);

test('cells are planned, run in any order and more than once, and collected', async () => {
  writeFileSync(program, 'let n = 1\nmalloc a n * 1pages\ncpu write a = 5\n');
  expect(await plan()).toMatchObject({ code: 0, said: `${cells}: 8 cells, 8 of them to be run\n` });
  const planned = readFileSync(cells, 'utf8');
  const ids = planned
    .split('\n')
    .slice(1, -1)
    .map((line) => (JSON.parse(line) as { id: string }).id);
  expect(new Set(ids).size).toBe(8);
  for (const cell of ['6', '0', '2', '0']) expect((await sweep('run', '--cell', cell)).code).toBe(0);
  expect(readdirSync(out).sort()).toEqual([0, 2, 6].map((cell) => `${ids[cell] ?? ''}.json`).sort());
  const part = await sweep('collect', '--json');
  expect(part).toMatchObject({ code: 1, said: '5 of 8 cells are missing: 1,3-5,7\n' });
  const kept = readFileSync(join(out, `${ids[2] ?? ''}.json`), 'utf8');
  rmSync(join(out, `${ids[2] ?? ''}.json`));
  for (let cell = 0; cell < 8; cell++) await sweep('run', '--cell', String(cell));
  expect(readFileSync(join(out, `${ids[2] ?? ''}.json`), 'utf8')).toBe(kept);
  const whole = await sweep('collect', '--json');
  expect(whole).toMatchObject({ code: 0, said: '' });
  const { results } = JSON.parse(whole.data) as { results: { index: number; error: null }[] };
  expect(results.map(({ index, error }) => [index, error])).toEqual(ids.map((_, index) => [index, null]));
  expect((await plan()).said).toContain('0 of them to be run');
  expect(readFileSync(cells, 'utf8')).toBe(planned);
});

test('a cell of a program that has changed since is refused, and has another id when it is planned anew', async () => {
  writeFileSync(program, 'let n = 1\nmalloc a n * 1pages\ncpu write a = 6\n');
  const { code, said } = await sweep('run', '--cell', '0');
  expect(code).toBe(2);
  expect(said).toContain('touch.hmm has changed since the cells were planned');
  expect((await plan()).said).toContain('8 cells, 8 of them to be run');
});

test('a cell that fails is kept as it failed, and run once more only when asked to', async () => {
  writeFileSync(program, 'let n = 1\nmalloc a n * 1pages\ncpu write a = 5\nassert n < 4\n');
  await plan();
  expect(await sweep('run', '--cell', '6')).toMatchObject({ code: 1 });
  expect((await sweep('run', '--cell', '6')).said).toContain('cell 6 failed: an assertion does not hold');
  expect((await sweep('run', '--cell', '6', '--again')).code).toBe(1);
});

test.each([
  [['run', '--cell', '9'], /has 8 cells, from 0 on/],
  [['plan', 'none.hmm'], /none.hmm: there is no such file/],
  [['plan', program, '--submit'], /--submit needs --slurm/],
])('%j is refused', async (argv, message) => {
  const { code, said } = await sweep(...argv);
  expect(code).toBe(2);
  expect(said).toMatch(message);
});

test('the array script has a task a cell that is missing, or, of many, some cells a task', async () => {
  writeFileSync(program, 'let n = 1\nmalloc a n * 1pages\ncpu write a = 7\n');
  await plan();
  await sweep('run', '--cell', '3');
  const script = join(folder, "it's.sbatch");
  await plan('--slurm', script, '--sbatch', '--time=10');
  const text = readFileSync(script, 'utf8');
  expect(text).toContain('#SBATCH --array=0-2,4-7\n');
  expect(text).toContain('#SBATCH --time=10\n');
  expect(text).toContain(`--cells ${cells} --out ${out} --cell "$SLURM_ARRAY_TASK_ID"`);
  const missing = Array.from({ length: 2500 }, (_, cell) => 2 * cell);
  const many = arrayScript({ missing, command: ['hmm', 'a b'], folder: '/', logs: '/logs', options: [] });
  expect(many).toContain('#SBATCH --array=0-999\n');
  expect(many).toContain(`\n7) cells='14 2014 4014' ;;\n`);
  expect(many).toContain(`hmm 'a b' --cell "$cell" || bad=1`);
});

test('numbers are written as ranges', () => {
  expect(ranges([0, 1, 2, 5, 7, 8])).toBe('0-2,5,7-8');
  expect(ranges([])).toBe('');
});
