import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Output, runApplication, runCommand } from '@hmm/cli';
import type { RunReport } from '@hmm/report';
import { afterAll, describe, expect, test } from 'vitest';
import { clients } from '../src/clients.js';

const folder = mkdtempSync(join(tmpdir(), 'hmm-scattered-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function run(...argv: string[]): Promise<{ code: number; data: string; said: string }> {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += `${line}\n`),
    progress: () => undefined,
  };
  const app = { name: 'hmm', version: '1', description: '', examples: [], commands: [runCommand(clients)] };
  const code = await runApplication(app, ['run', ...argv], output);
  return { code, data, said };
}

/** A trace of GPU reads, `bytes` of address space apart, in an order that is not ascending. */
function scattered(count: number, bytes: number): string {
  const path = join(folder, `${count}-${bytes}.csv`);
  const rows = Array.from({ length: count }, (_, i) => {
    const address = 4096 + ((i * 7919) % count) * bytes;
    return `gpu,r,0x${address.toString(16)},4`;
  });
  writeFileSync(path, `agent,op,addr,size\n${rows.join('\n')}\n`);
  return path;
}

const GIB = 2 ** 30;
const MODES = [
  ['nvidia', 'managed'],
  ['nvidia', 'malloc'],
  ['nouveau', 'malloc'],
] as const;

describe.each(MODES)('a trace of scattered addresses under %s, %s', (client, memory) => {
  test.each([
    [3, 16 * 1024 * GIB],
    [120, GIB / 2],
    [700, 64 * GIB],
  ])('of %i pages, %i bytes apart, faults for each page', async (count, bytes) => {
    const options = ['--client', client, '--memory', memory, '--no-advice', '--json'];
    const { code, data, said } = await run(scattered(count, bytes), ...options);
    expect(said).not.toContain('scattered');
    expect(code).toBe(0);
    const { run: report, diagnosis } = JSON.parse(data) as RunReport;
    // What is behind in the buffer when faults are replayed may fault again under nouveau.
    expect(report.faults).toBeGreaterThanOrEqual(count);
    expect(report.faults).toBeLessThanOrEqual(client === 'nvidia' ? count : 2 * count);
    expect(diagnosis?.regions).toHaveLength(count);
  });
});
