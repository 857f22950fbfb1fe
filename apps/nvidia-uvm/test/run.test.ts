import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
