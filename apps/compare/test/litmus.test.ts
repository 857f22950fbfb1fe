import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { litmusCommand, type Output, runApplication } from '@hmm/cli';
import { litmusDevices } from '@hmm/test-device';

const folder = mkdtempSync(join(tmpdir(), 'hmm-litmus-'));
const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const litmus = async (...argv: string[]): Promise<{ code: number; data: string; said: string }> => {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += `${line}\n`),
    progress: () => undefined,
  };
  const command = litmusCommand({ create: litmusDevices, from: '@hmm/test-device', name: 'litmusDevices' });
  const app = { name: 'hmm', version: '1', description: '', examples: [], commands: [command] };
  const code = await runApplication(app, ['litmus', ...argv], output);
  return { code, data, said };
};

const TEST = `litmus fault-vs-munmap "The device reads while the CPU unmaps."
malloc a 2pages
cpu write a = 5 step 1
open D0
 T0              | T1                 ;
 dread a -> v rc e | munmap a[0]        ;
                 | cpu read a[1] -> w ;
`;

test('a condition that holds in every interleaving is ok', async () => {
  const path = file('holds.litmus', `${TEST}forall T1:w == 6 /\\ (T0:e == 0 \\/ T0:e == -EFAULT)`);
  const { code, data } = await litmus(path, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(data)).toMatchObject({
    version: 1,
    tests: [{ name: 'fault-vs-munmap', verdict: 'ok', counterexample: null }],
  });
});

test('one that does not has its story and its replay string, and exit code 1', async () => {
  const path = file('breaks.litmus', `${TEST}forall T0:e == 0`);
  const { code, data } = await litmus(path);
  expect(code).toBe(1);
  expect(data).toContain('0 passed, 1 failed, 0 incomplete');
  expect(data).toMatch(/replay: hmm1-\w+/);
});

test('its replay string breaks it again; one of another test is refused', async () => {
  const path = file('again.litmus', `${TEST}forall T0:e == 0`);
  const found = JSON.parse((await litmus(path, '--json')).data) as {
    tests: { counterexample: { replay: string } }[];
  };
  const replay = found.tests[0]?.counterexample.replay ?? '';
  const again = await litmus(path, '--replay', replay, '--json');
  expect(again.code).toBe(1);
  expect(JSON.parse(again.data)).toMatchObject({ version: 1, invariant: 'forall', replay });
  expect((await litmus(path, '--replay', 'hmm1-c')).code).toBe(2);
  expect((await litmus(path, '--replay', 'luck')).code).toBe(2);
});

test('a search that was stopped goes on from its checkpoint', async () => {
  const path = file('long.litmus', `${TEST}forall T1:w == 6`);
  const checkpoint = join(folder, 'checkpoint.json');
  const whole = JSON.parse((await litmus(path, '--json')).data) as { tests: { outcomes: string[] }[] };
  await litmus(path, '--max-executions', '3', '--checkpoint', checkpoint);
  const rest = await litmus(path, '--checkpoint', checkpoint, '--json');
  expect(JSON.parse(rest.data)).toMatchObject({
    tests: [{ verdict: 'ok', outcomes: whole.tests[0]?.outcomes }],
  });
});

test('a recorded race: all that the kernel showed is allowed', async () => {
  const recorded = {
    test: 'read-vs-cpu-write',
    init: ['mmap 0 1 rw anon', 'dopen 0', 'cw 0 0 1 5'],
    threads: [['dread 0 0 0 1'], ['cw 0 0 1 7']],
    final: ['cr 0 0 1'],
    runs: 2,
    outcomes: [
      { threads: [['0:7'], ['ok']], final: ['7'], n: 1 },
      { threads: [['0:5'], ['ok']], final: ['7'], n: 1 },
    ],
  };
  const good = await litmus('--observed', file('races.jsonl', JSON.stringify(recorded)), '--json');
  expect(good.code).toBe(0);
  expect(JSON.parse(good.data)).toMatchObject({
    tests: [{ observed: 2, covered: 2, missing: [], violations: [] }],
  });
  const impossible = { ...recorded, outcomes: [{ threads: [['0:9'], ['ok']], final: ['7'], n: 1 }] };
  const bad = await litmus('--observed', file('never.jsonl', JSON.stringify(impossible)), '--json');
  expect(bad.code).toBe(1);
  expect(JSON.parse(bad.data)).toMatchObject({ tests: [{ observed: 1, covered: 0 }] });
});

test.each([
  [[], /a litmus test is needed/],
  [[join(folder, 'none')], /there is no such file/],
  [[file('bad.litmus', 'litmus t\nmalloc a 4')], /bad.litmus:2:10: expected a size/],
  [['--observed', file('bad.jsonl', '{"test":1}')], /bad.jsonl:1: /],
  [
    [file('typo.litmus', `${TEST}forall T0:e == 0`.replace('malloc', 'set corected = 1\nmalloc'))],
    /typo.litmus:2:5: there is nothing called corected to set \(settings: .*corrected\)/,
  ],
  [
    [file('reaper.litmus', `${TEST}forall T0:e == 0`.replace('malloc', 'set reaper = on\nmalloc'))],
    /reaper.litmus:2:5: reaper is yes or no, not on/,
  ],
  [
    [file('many.litmus', `${TEST}forall T0:e == 0`.replace('malloc', 'set failures = some\nmalloc'))],
    /many.litmus:2:5: failures is a number from 0 to 9, not some/,
  ],
  [
    [file('driver.litmus', `${TEST}forall T0:e == 0`.replace('malloc', 'set client = test\nmalloc'))],
    /driver.litmus:2:5: there is nothing called client to set/,
  ],
  [
    [file('kind.litmus', `${TEST}forall T0:e == 0`.replace('malloc', 'device D0 corehent\nmalloc'))],
    /kind.litmus:2:\d+: a device is private or coherent, not corehent/,
  ],
  [
    [file('given.litmus', `${TEST}forall T0:e == 0`), '--set', 'corected=1'],
    /--set corected: no test has a parameter or a setting of that name/,
  ],
  [
    [file('value.litmus', `${TEST}forall T0:e == 0`), '--set', 'corrected=yes'],
    /value.litmus: corrected is 0 or 1, not yes/,
  ],
  [
    [
      '--observed',
      file('given.jsonl', '{"test":"t","init":[],"threads":[],"final":[],"runs":1,"outcomes":[]}'),
      '--set',
      'reaper=yes',
    ],
    /given.jsonl: there is nothing called reaper to set/,
  ],
  [['x', '--strategy', 'luck'], /Allowed choices are dpor/],
])('wrong input %j is one line and exit code 2', async (argv, message) => {
  const { code, data, said } = await litmus(...argv);
  expect({ code, data }).toEqual({ code: 2, data: '' });
  expect(said).toMatch(message);
  expect(said.trim().split('\n')).toHaveLength(1);
});

test('an exported test has the parameters and settings of the command line', async () => {
  const test = TEST.replace('fault-vs-munmap', 'exported').replace('malloc', 'let n = 1 malloc');
  const path = file('exported.litmus', `${test}forall T0:e == 0`);
  const before = process.cwd();
  process.chdir(folder);
  try {
    const { said } = await litmus(path, '--export', 'test', '--set', 'corrected=1', '--set', 'n=4');
    expect(said).toContain('wrote exported.test.ts');
    const text = readFileSync(join(folder, 'exported.test.ts'), 'utf8');
    expect(text).toContain('--set n=4 --set corrected=1 --set release=7.3 --replay');
    expect(text).toContain('["n", 4],');
    expect(text).toContain("'exported.litmus', PARAMETERS)");
    expect(text).toContain('["corrected", "1"],');
    expect(text).toContain('new Map([...compiled.program.settings, ...SET])');
  } finally {
    process.chdir(before);
  }
});
