import { gpusCommand, type GpusReport, type Output, runApplication } from '@hmm/cli';
import { describe, expect, test } from 'vitest';
import { clients } from '../src/clients.js';

const NAMES = [...(clients[0]?.gpus ?? [])].sort();

async function gpus(...argv: string[]): Promise<{ code: number; data: string; said: string }> {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += line),
    progress: () => undefined,
  };
  const app = { name: 'hmm', version: '1', description: '', examples: [], commands: [gpusCommand(clients)] };
  const code = await runApplication(app, ['gpus', ...argv], output);
  return { code, data, said };
}

async function report(...argv: string[]): Promise<GpusReport> {
  return JSON.parse((await gpus(...argv, '--json')).data) as GpusReport;
}

describe('hmm gpus', () => {
  test('lists every preset with what each driver does there, in 80 columns', async () => {
    const { code, data } = await gpus();
    expect(code).toBe(0);
    expect(NAMES).toContain('h100');
    for (const name of NAMES) expect(data).toMatch(new RegExp(`^${name} `, 'm'));
    expect(data).toMatch(/^k80 +Tesla K80 .* no +no$/m);
    expect(data).toMatch(/^v100 .* no +managed$/m);
    expect(data).toContain('v100 under nvidia: HMM needs compute capability 7.5, and Tesla V100 has 7.0');
    expect(data.split('\n').every((line) => line.length <= 80)).toBe(true);
  });

  test('says of one GPU what it can, and of each number where it is from', async () => {
    const { data } = await gpus('h100');
    expect(data).toMatch(/^link\.toDeviceGBs +53\.4 GB\/s +measured$/m);
    expect(data).toMatch(/^memory +80\.0 GiB +vendor$/m);
    expect(data).toMatch(/^capability\.vaBits +57 bits +driver$/m);
    expect(data).toMatch(/^replayableFaults +yes$/m);
  });

  test('as JSON: all numbers of all presets, each with its origin; every refusal with its reason', async () => {
    const { version, gpus: all } = await report();
    expect(version).toBe(1);
    expect(all.map(({ name }) => name).sort()).toEqual(NAMES);
    for (const { name, drivers, figures } of all) {
      expect(figures.length, name).toBeGreaterThan(18);
      for (const { from } of figures) expect(from).toMatch(/^(?:measured|vendor|paper|driver|estimate)$/);
      for (const { client, managedMemory, systemMemory, reason } of drivers) {
        if (client === 'nvidia') expect(managedMemory && systemMemory, name).toBe(reason === '');
        else expect(systemMemory, name).toBe(reason === '');
      }
    }
    expect((await report('k80')).gpus).toHaveLength(1);
  });

  test('refuses what is no GPU', async () => {
    const { code, said } = await gpus('voodoo2');
    expect(code).toBe(2);
    expect(said).toMatch(/there is no GPU voodoo2 \(GPUs: k80, m40, p100/);
  });
});
