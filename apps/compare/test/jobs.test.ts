import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LitmusDevices, litmusCommand, type Output, runApplication } from '@hmm/cli';
import { allDrivers } from '@hmm/drivers';
import type { LitmusReport, ObservedReport } from '@hmm/explore';
import { devicesByClient } from '@hmm/explore/internal';
import { litmusDevices } from '@hmm/test-device';
import { describe, expect, test } from 'vitest';

/** The command as it was built, with its threads. */
const COMMAND = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const built = process.env['HMM_TEST_BUILT'] === '1';

const folder = mkdtempSync(join(tmpdir(), 'hmm-jobs-'));
const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const DEVICES: LitmusDevices = {
  create: devicesByClient(allDrivers(), litmusDevices),
  from: '@hmm/test-device',
  name: 'litmusDevices',
};

interface Ran {
  readonly code: number;
  readonly data: string;
  readonly said: string;
}

async function litmus(argv: readonly string[], devices = DEVICES): Promise<Ran> {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += `${line}\n`),
    progress: () => undefined,
  };
  const app = {
    name: 'hmm',
    version: '1',
    description: '',
    examples: [],
    commands: [litmusCommand(devices)],
  };
  const code = await runApplication(app, ['litmus', ...argv], output);
  return { code, data, said };
}

const reports = ({ data }: Ran): readonly LitmusReport[] =>
  (JSON.parse(data) as { tests: LitmusReport[] }).tests;

const RACE = `set corrected = 1
malloc a 2pages
cpu write a = 5 step 1
open D0
 T0           | T1                 ;
 todev a rc e | cpu write a[0] = 7 ;
              | cpu read a[1] -> w ;
`;

/** Tests that hold, that break in some executions and not in others, and that never get to an end in some. */
const TESTS: Readonly<Record<string, string>> = {
  holds: `litmus holds "All goes well."\n${RACE}forall w == 6`,
  breaks: `litmus breaks "The pages are always there."\n${RACE}forall e == 0`,
  witnessed: `litmus witnessed "The pages may be away."\n${RACE}exists e == -2`,
  waits: `litmus waits "The page that a fault waits for cannot be had."
set failures = 1
device D0
malloc a 1pages
uffd_register a
open D0
T0                      | T1                       | T2 ;
cpu read a -> x         | uffd_copy a = 7 rc c     | cpu read a -> y ;
forall c == 0`,
};

/** What must not depend on who explored what. */
const summary = ({ name, verdict, outcomes, violations, counterexample }: LitmusReport): unknown => ({
  name,
  verdict,
  outcomes,
  broken: violations.map(({ invariant }) => invariant),
  told: counterexample?.invariant,
});

describe('the number of jobs', () => {
  for (const [name, text] of Object.entries(TESTS)) file(`${name}.litmus`, text);

  test('makes no difference to outcomes, verdicts and what is broken', async () => {
    const one = await litmus([folder, '--jobs', '1', '--json']);
    expect(reports(one).map(({ name, verdict }) => `${name} ${verdict}`)).toEqual([
      'breaks violated',
      'holds ok',
      'waits violated',
      'witnessed ok',
    ]);
    expect(reports(one).flatMap(({ violations }) => violations.map(({ invariant }) => invariant))).toEqual([
      'forall',
      'deadlock',
    ]);
    for (const jobs of ['2', '3', '4']) {
      const several = await litmus([folder, '--jobs', jobs, '--json']);
      expect(several.code).toBe(one.code);
      expect(reports(several).map(summary)).toEqual(reports(one).map(summary));
    }
  });

  test('makes none to a livelock', async () => {
    const path = fileURLToPath(
      new URL('../../../packages/explore/litmus/nouveau-atomic-in-device-memory.litmus', import.meta.url),
    );
    const defect = ['--set', 'defects=retriesOwnExclusive', '--json'];
    const [one, three] = [
      await litmus([path, ...defect, '--jobs', '1']),
      await litmus([path, ...defect, '--jobs', '3']),
    ];
    expect(reports(one)[0]?.violations.map(({ invariant }) => invariant)).toContain('livelock');
    expect(reports(three).map(summary)).toEqual(reports(one).map(summary));
  });

  test('gives a schedule for everything that is broken', async () => {
    for (const name of ['breaks', 'waits']) {
      const path = join(folder, `${name}.litmus`);
      const [report] = reports(await litmus([path, '--jobs', '2', '--json']));
      for (const { invariant, replay } of report?.violations ?? []) {
        const again = await litmus([path, '--replay', replay, '--json']);
        expect(JSON.parse(again.data)).toMatchObject({ invariant });
      }
    }
  });

  test('is how many explore one test', async () => {
    let opened = 0;
    const create: LitmusDevices['create'] = {
      settingNames: (settings) => DEVICES.create.settingNames(settings),
      create: (system, settings) => {
        opened++;
        return DEVICES.create.create(system, settings);
      },
    };
    await litmus([join(folder, 'holds.litmus'), '--jobs', '1'], { ...DEVICES, create });
    const alone = opened;
    await litmus([join(folder, 'holds.litmus'), '--jobs', '3'], { ...DEVICES, create });
    expect(opened - alone).toBeGreaterThan(2 * alone);
  });

  test('makes none to what a recording shows', async () => {
    const recorded = {
      test: 'read-vs-cpu-write',
      init: ['mmap 0 2 rw anon', 'dopen 0', 'cw 0 0 2 5'],
      threads: [['dread 0 0 0 2'], ['cw 0 0 1 7'], ['cw 0 1 1 8']],
      final: ['cr 0 0 2'],
      runs: 1,
      outcomes: [],
    };
    const path = file('races.jsonl', JSON.stringify(recorded));
    const said = async (jobs: string): Promise<unknown> => {
      const { data } = await litmus(['--observed', path, '--jobs', jobs, '--json']);
      const [report] = (JSON.parse(data) as { tests: ObservedReport[] }).tests;
      return { unseen: report?.unseen, exhaustive: report?.exhaustive };
    };
    expect(await said('3')).toEqual(await said('1'));
  });
});

test('what several have not finished any number goes on with', async () => {
  const path = join(folder, 'holds.litmus');
  const checkpoint = join(folder, 'checkpoint.json');
  const whole = reports(await litmus([path, '--jobs', '1', '--json'])).map(summary);
  const begun = await litmus([
    path,
    '--jobs',
    '3',
    '--max-executions',
    '30',
    '--checkpoint',
    checkpoint,
    '--json',
  ]);
  expect(reports(begun)[0]?.verdict).toBe('incomplete');
  const saved = readFileSync(checkpoint, 'utf8');
  for (const jobs of [['--jobs', '1'], ['--jobs', '2'], []]) {
    writeFileSync(checkpoint, saved);
    const rest = await litmus([path, ...jobs, '--checkpoint', checkpoint, '--json']);
    expect(reports(rest).map(summary)).toEqual(whole);
  }
});

test.skipIf(!built)('threads of the command that was built find the same', async () => {
  const paths = [join(folder, 'breaks.litmus')];
  const run = spawnSync(process.execPath, [COMMAND, 'litmus', ...paths, '--jobs', '2', '--json'], {
    encoding: 'utf8',
  });
  const threads = { code: run.status ?? -1, data: run.stdout, said: run.stderr };
  const one = await litmus([...paths, '--jobs', '1', '--json']);
  expect(threads).toMatchObject({ code: one.code, said: '' });
  expect(reports(threads).map(summary)).toEqual(reports(one).map(summary));
});

test('an error of a worker is told, with the test that it was at', async () => {
  const worker = new URL('data:text/javascript,throw new Error("out of order")');
  const { code, data, said } = await litmus([join(folder, 'holds.litmus'), '--jobs', '2'], {
    ...DEVICES,
    worker,
  });
  expect({ code, data }).toEqual({ code: 2, data: '' });
  expect(said).toMatch(/holds.litmus: a worker that explored holds ended: out of order/);
});

test('of several tests that cannot be set up the first is told, whoever came upon it', async () => {
  const bad = (name: string): string =>
    file(`${name}.litmus`, `litmus ${name} ""\nset corected = 1\n${RACE}forall w == 6`);
  const { code, said } = await litmus([bad('x1'), bad('x2'), '--jobs', '2']);
  expect(code).toBe(2);
  expect(said).toMatch(/x1.litmus:2:5: there is nothing called corected/);
});
