import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Output, runApplication } from '@hmm/cli';
import { UVM_COMMANDS } from '../src/commands.js';

const APPLICATION = {
  name: 'hmm-nvidia-uvm',
  version: '0',
  description: '',
  examples: [],
  commands: UVM_COMMANDS,
};
const CAPTURE = fileURLToPath(new URL('../../../tools/golden/h100-uvm/uvm-public.jsonl.gz', import.meta.url));

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hmm-nvidia-uvm-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A file of a program. */
function program(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const output: Output = {
    data: (text) => (out += text),
    say: (line) => (err += `${line}\n`),
    progress: () => undefined,
    watched: false,
  };
  const code = await runApplication(APPLICATION, argv, output);
  return { code, out, err };
}

interface RunJson {
  run: {
    error: string | null;
    values: Record<string, number[]>;
    gpu: string;
    faults: number;
    bytes_to_device: number;
    invalidations: number;
  };
}
const json = (text: string): RunJson => JSON.parse(text) as RunJson;

describe('run', () => {
  const first = 'malloc a 64KiB cpu write a = 5 gpu read a[0] -> x assert x == 5';

  test('the first example gives 5: the page migrates to a Hopper in HMM mode', async () => {
    const { code, out, err } = await run('run', program('first.hmm', first), '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(json(out).run).toMatchObject({
      error: null,
      values: { x: [5] },
      gpu: 'h100',
      faults: 1,
      bytes_to_device: 65_536,
      invalidations: 0,
    });
  });

  test('malloc on the Pascal of the real world: the GPU cannot reach it', async () => {
    const { code, out } = await run('run', program('p100.hmm', first), '--gpu', 'p100', '--json');
    expect(code).toBe(1);
    expect(json(out).run.error).not.toBeNull();
  });

  test('a module parameter is a --set: without prefetching, a fault brings its page alone', async () => {
    const file = program('pages.hmm', first);
    const { out } = await run('run', file, '--set', 'uvm_perf_prefetch_enable=0', '--json');
    expect(json(out).run.bytes_to_device).toBe(4096);
  });

  test('a parameter that the driver does not have: exit code 2, one line', async () => {
    const { code, err } = await run('run', program('bogus.hmm', first), '--set', 'bogus=1');
    expect(code).toBe(2);
    expect(err).toMatch(/^error: [^\n]*bogus[^\n]*\n$/);
  });
});

test('validate: a recording of the real driver is reproduced, event by event', async () => {
  const { code, out } = await run('validate', CAPTURE, '--only', 'read-2m', '--json');
  const result = JSON.parse(out) as { scenarios: number; deterministic: number; exact: number };
  expect(code).toBe(0);
  expect(result.deterministic).toBeGreaterThan(0);
  expect(result.exact).toBe(result.deterministic);
});

describe('costs of another machine', () => {
  const FIRST = 'managed a 64pages\ncpu write a = 5\ngpu read a -> x\ncpu read a -> y\n';
  const file = (name: string, figures: object): string =>
    program(name, JSON.stringify({ format: 'nvidia-uvm-costs', version: 1, machine: 'mine', figures }));

  interface Figures {
    run: { time_ns: number; faults: number; cpu_faults: number; bytes_to_device: number };
  }

  test('change what a run takes, and nothing that happens', async () => {
    const path = program('costed.hmm', FIRST);
    const costs = file('slow.json', { gpuFirstService: { value: 500_000, unit: 'ns' } });
    const shipped = await run('run', path, '--json', '--no-advice');
    const other = await run('run', path, '--json', '--no-advice', '--costs', costs);
    expect([shipped.code, other.code]).toEqual([0, 0]);
    const { run: before } = JSON.parse(shipped.out) as Figures;
    const { run: after } = JSON.parse(other.out) as Figures;
    expect(after.time_ns).toBeGreaterThan(before.time_ns + 300_000);
    for (const name of ['faults', 'cpu_faults', 'bytes_to_device'] as const)
      expect(after[name]).toBe(before[name]);
  });

  test('change the times of a validation, and no event', async () => {
    const costs = file('fast.json', { gpuFirstService: { value: 0, unit: 'ns' } });
    const one = ['validate', CAPTURE, '--only', 'read-4k-seq', '--json'];
    const shipped = JSON.parse((await run(...one)).out) as ValidateJson;
    const other = JSON.parse((await run(...one, '--costs', costs)).out) as ValidateJson;
    expect(other.exact).toBe(1);
    expect(other.per_scenario[0]?.time_ratio).toBeLessThan((shipped.per_scenario[0]?.time_ratio ?? 0) - 0.1);
  });

  test.each([
    ['run', 'broken.json', '{"format"', /broken.json: this is not JSON/],
    ['run', 'other.json', '{"format":"x"}', /other.json: this is no cost file/],
    ['validate', 'other.json', '{"format":"x"}', /other.json: this is no cost file/],
  ])('%s: %s is refused in one line', async (command, name, text, message) => {
    const what = command === 'run' ? program('costed.hmm', FIRST) : CAPTURE;
    const { code, out, err } = await run(command, what, '--costs', program(name, text));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  test('are found by calibrate, which writes a file that run takes', async () => {
    const capture = program('mine.jsonl', `${ONE_RUN}${ONE_RUN}`);
    const out = join(folder, 'mine.json');
    const made = await run('calibrate', capture, '--out', out, '--machine', 'my card');
    expect({ code: made.code, err: made.err }).toEqual({
      code: 0,
      err: `${out} is written: use it with --costs ${out}\n`,
    });
    expect(made.out).toContain('Costs of my card (h100).');
    for (const line of made.out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const used = await run('run', program('costed.hmm', FIRST), '--costs', out);
    expect(used.code).toBe(0);
  });

  test('are not written where there is nothing to fit, or nowhere to write', async () => {
    const once = program('once.jsonl', ONE_RUN);
    const out = join(folder, 'none.json');
    const nothing = await run('calibrate', once, '--out', out);
    expect(nothing.code).toBe(2);
    expect(nothing.err).toContain('nothing to fit');
    expect(existsSync(out)).toBe(false);
    const nowhere = await run('calibrate', once, '--out', join(folder, 'no', 'where.json'));
    expect(nowhere.code).toBe(2);
    expect(nowhere.err).toContain('there is no directory');
  });
});

/** A run as a capture has it: a page is written, read by the GPU, and read. */
const ONE_RUN = [
  '{"run":0,"scenario":"first-example","bytes":4096,"steps":"cw:page:0 gr:page:0 cr:page:0"}',
  '{"t0":25812,"t1":470998,"op":"cpu_write","order":"page:0","count":1,"pages":[0]}',
  '{"t0":555101,"t1":846350,"op":"gpu_chain_read","order":"page:0","count":1,"pages":[0]}',
  '{"t0":849529,"t1":979969,"op":"cpu_read","order":"page:0","count":1,"pages":[0]}',
  '{"e":"cpu_fault","at":0,"v":0,"t":52088,"dt":-1,"f":2}',
  '{"e":"gpu_fault","at":0,"v":1,"t":592173,"dt":249668,"f":1}',
  '{"e":"htod","at":0,"v":4096,"t":792176,"dt":2400,"f":2}',
  '{"e":"cpu_fault","at":0,"v":0,"t":856092,"dt":-1,"f":1}',
  '{"e":"dtoh","at":0,"v":4096,"t":911506,"dt":1568,"f":2}',
  '{"end":true}',
  '',
].join('\n');

interface ValidateJson {
  exact: number;
  per_scenario: { time_ratio: number }[];
}
