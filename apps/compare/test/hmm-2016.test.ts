import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compareCommand, demoCommand, type Output, runApplication } from '@hmm/cli';
import { driversByName, gpuDrivers, historicalDrivers } from '@hmm/drivers';
import type { CompareReport } from '@hmm/report';
import { expect, test } from 'vitest';

const PROGRAMS = fileURLToPath(new URL('../programs/', import.meta.url));
const TEN_YEARS = ['hmm-v13', 'hmm-4.14', 'test-device@7.3'];

/** Runs the command. @returns its exit code, what it printed, and what it said. */
async function hmm(...argv: string[]): Promise<{ code: number; data: string; said: string }> {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += line),
    progress: () => undefined,
  };
  const app = {
    name: 'hmm',
    version: '1',
    description: '',
    examples: [],
    commands: [
      demoCommand(gpuDrivers(), undefined, [{ year: '2016', factories: historicalDrivers() }]),
      compareCommand(gpuDrivers(), 'p100', driversByName()),
    ],
  };
  const code = await runApplication(app, argv, output);
  return { code, data, said };
}

/** The announcement's program in a file. */
function firstExample(): string {
  const file = join(mkdtempSync(join(tmpdir(), 'hmm-2016-')), 'first-example.hmm');
  writeFileSync(
    file,
    'malloc a 4KiB\ncpu write a[0] = 5 width 4\ngpu read a[0] width 4 -> x\nassert x == 5\n',
  );
  return file;
}

async function compared(file: string, names: readonly string[] = TEN_YEARS): Promise<CompareReport> {
  const clients = names.flatMap((client) => ['--client', client]);
  const { data } = await hmm('compare', file, '--json', ...clients);
  return JSON.parse(data) as CompareReport;
}

test('the demo of 2016 shows the five steps in the order of the announcement, on both versions', async () => {
  const { code, data } = await hmm('demo', '--year', '2016');
  expect(code).toBe(0);
  expect(data).toContain('HMM v13');
  expect(data).toContain('HMM of Linux 4.14');
  expect(data.match(/x = 5/g)).toHaveLength(2);
  const steps = ['fault', 'ask_hmm', 'migrate_to_device', 'map', 'replay'].map((name) =>
    data.indexOf(`hmm2016:${name} `),
  );
  expect(steps.every((at) => at > 0)).toBe(true);
  expect([...steps].sort((a, b) => a - b)).toEqual(steps);
  expect(Math.max(...data.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('a year without a demo is refused, and so is a GPU of today', async () => {
  const none = await hmm('demo', '--year', '2017');
  expect([none.code, none.said]).toEqual([2, expect.stringContaining('years: 2016')]);
  expect((await hmm('demo', '--year', '2016', '--gpu', 'p100')).code).toBe(2);
});

test('the first example gives 5 on all three', async () => {
  const { clients } = await compared(firstExample());
  const ran = clients.map(({ client, error, failed, values }) => [client, error, failed, values['x']]);
  expect(ran).toEqual(TEN_YEARS.map((client) => [client, null, [], [5]]));
});

test('one program, ten years: pages that go back and forth are left in place by the counter, on both versions', async () => {
  const { clients, differences } = await compared(`${PROGRAMS}04-ping-pong.hmm`);
  const ran = clients.map(({ client, error, failed }) => [client, error, failed]);
  expect(ran).toEqual(TEN_YEARS.map((client) => [client, null, []]));
  expect(differences.length).toBeGreaterThan(0);
  for (const { pinned, remote_maps: mapped } of clients.slice(0, 2)) {
    expect(pinned).toBeGreaterThan(0);
    expect(mapped).toBeGreaterThan(0);
  }
});

test('memory of 7.3, whose fault has the page locked, carries both versions too', async () => {
  const on73 = ['hmm-v13@7.3', 'hmm-4.14@7.3'];
  for (const file of [`${PROGRAMS}04-ping-pong.hmm`, `${PROGRAMS}02-gpu-init-cpu-read.hmm`]) {
    const { clients } = await compared(file, on73);
    const ran = clients.map(({ client, error, failed }) => [client, error, failed]);
    expect(ran).toEqual(on73.map((client) => [client, null, []]));
  }
});
