import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Output, runApplication, runCommand } from '@hmm/cli';
import { nouveauFactory } from '@hmm/nouveau-model';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import type { RunReport } from '@hmm/report';
import { describe, expect, test } from 'vitest';

const FACTORIES = [nouveauFactory(), uvmFactory()];
const FOLDER = mkdtempSync(join(tmpdir(), 'hmm-gpus-'));

/** A trace of 512 pages that the CPU writes, and that GPUs read one after another. */
function trace(...gpus: readonly string[]): string {
  const rows = ['addr,op,agent'];
  for (const [agent, op] of [['cpu', 'w'], ...gpus.map((gpu) => [gpu, 'r'])])
    for (let page = 0; page < 512; page++)
      rows.push(`0x${(0x7f0000000000 + page * 4096).toString(16)},${op ?? ''},${agent ?? ''}`);
  const path = join(FOLDER, `${gpus.join('-')}.csv`);
  writeFileSync(path, `${rows.join('\n')}\n`);
  return path;
}

async function run(...argv: string[]): Promise<{ code: number; data: string; said: string }> {
  let data = '';
  let said = '';
  const output: Output = {
    data: (text) => (data += text),
    say: (line) => (said += `${line}\n`),
    progress: () => undefined,
    watched: false,
  };
  const app = { name: 'hmm', version: '0', description: '', examples: [], commands: [runCommand(FACTORIES)] };
  const code = await runApplication(app, ['run', ...argv], output);
  return { code, data, said };
}

async function pairs(path: string, client: string, gpu: string): Promise<string[]> {
  const { code, data, said } = await run(path, '--client', client, '--gpu', gpu, '--json', '--no-advice');
  expect({ code, said }).toEqual({ code: 0, said: '' });
  const { run: report } = JSON.parse(data) as RunReport;
  expect(report.gpu).toBe(gpu);
  return (report.by_pair ?? []).map(({ from, to, bytes }) => `${from}>${to} ${bytes}`);
}

describe('a trace of several GPUs', () => {
  test('runs on the machine asked for, each kernel on its own GPU', async () => {
    const path = trace('gpu', 'gpu1');
    expect(await pairs(path, 'nvidia', '2xh200-nvlink')).toEqual(['cpu>gpu 2097152', 'gpu>gpu1 2097152']);
    expect(await pairs(path, 'nvidia', '2xpcie-nopeers')).toEqual([
      'cpu>gpu 2097152',
      'cpu>gpu1 2097152',
      'gpu>cpu 2097152',
    ]);
    expect(await pairs(path, 'nouveau', '2xpcie')).toEqual([]);
  });

  test('needs a machine with as many, and says so', async () => {
    const path = trace('gpu', 'gpu1');
    const { code, said } = await run(path, '--client', 'nvidia', '--gpu', 'h200');
    expect(code).toBe(2);
    expect(said).toContain('is of 2 GPUs, and h200 has 1: choose a machine with more');
    const one = await run(path, '--client', 'nvidia', '--gpu', 'h200', '--agents', 'gpu', '--no-advice');
    expect(one.code).toBe(0);
  });

  test('counts the GPUs that do something: a program on the fourth alone is of one', async () => {
    const { code } = await run(trace('gpu3'), '--client', 'nvidia', '--gpu', 'h200', '--no-advice');
    expect(code).toBe(0);
  });
});
