import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allDrivers } from '@hmm/drivers';
import { compileLitmus, litmusModel, runLitmus, search } from '@hmm/explore';
import { devicesByClient, type WorldModel } from '@hmm/explore/internal';
import { type Kernel, NEWEST_EXACT_RELEASE } from '@hmm/kernel';
import { Machine, type ProgramRun, runProgram, splitSettings } from '@hmm/machine';
import { cpuReadByte, type MmStruct } from '@hmm/mm';
import { litmusDevices, MirrorOperations, TestDeviceClient } from '@hmm/test-device';
import { DEFAULT_DEVICE, MAIN_PROCESS, parseProgram, type ProgramFile } from '@hmm/workload';
import { describe, expect, test } from 'vitest';

// Programs and litmus tests are run by a machine and by an exploration: what they return, and what memory holds at their end,
// is the same. Both run the definitions of `@hmm/operations`; this is the test that they do.

const PROGRAMS = fileURLToPath(new URL('../programs/', import.meta.url));
const LITMUS = fileURLToPath(new URL('../../../packages/explore/litmus/', import.meta.url));
/** Agents besides the threads of a test, and files that a child inherits, which a machine does not have. */
const BESIDES = ['kswapd', 'reaper', 'dma', 'failures', 'plain_notifiers', 'refusing_notifiers', 'inherit'];
const CHUNK_PAGES = 4096;
const ROOMY = { frames: 131_072, systemFrames: 65_536, maxTables: 4096 };

function parse(folder: string, name: string): ProgramFile {
  const parsed = parseProgram(readFileSync(folder + name, 'utf8'), name);
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join('\n'));
  const { program } = parsed;
  if (program.settings.some(({ key }) => key.text === 'client')) return program;
  // No test device gives memory back.
  return { ...program, body: program.body.filter(({ kind }) => kind !== 'pressure') };
}

const files = (folder: string): string[] =>
  readdirSync(folder).filter((name) => /\.(hmm|litmus)$/.test(name));

interface Ran {
  readonly run: ProgramRun;
  readonly machine: Machine;
}

/** Runs a program on a machine with test devices: one of those without a client is private, and a coherent one says so. */
function onMachine(program: ProgramFile, chunkPages: number): Ran {
  const settings = new Map(program.settings.map(({ key, value }) => [key.text, value]));
  const client = settings.get('client');
  const factory = allDrivers().find(({ name }) => name === client);
  if (client !== undefined && factory === undefined) throw new Error(`there is no driver ${client}`);
  const split = splitSettings(settings, factory ?? {});
  if (!split.ok) throw new Error(split.message);
  const machine = new Machine({ memory: ROOMY, kernel: split.kernel });
  if (factory !== undefined) {
    const { kernel, memory } = machine;
    const own = new Map([...split.driver].filter(([key]) => key in factory.settings));
    const made = factory.create(
      { kernel, memory, seed: 1 },
      settings.get('gpu') ?? factory.gpus[0] ?? '',
      own,
    );
    if (!made.ok) throw new Error(made.message);
    const names = program.devices.map(({ name }) => name.text);
    // Devices of several names are several opens of the one.
    for (const name of names.length === 0 ? [DEFAULT_DEVICE] : names) machine.addDevice(name, made.client);
    return { run: runProgram(machine, program), machine };
  }
  const corrected = settings.get('corrected') === '1';
  const devices =
    program.devices.length === 0 ? [{ name: DEFAULT_DEVICE, minor: 0 }] : program.devices.map(deviceOf);
  for (const { name, minor } of devices) {
    const options = { chunkPages, corrected };
    machine.addDevice(name, new TestDeviceClient(machine.kernel, machine.memory, minor, options));
  }
  return { run: runProgram(machine, program), machine };
}

function deviceOf({ name, client }: ProgramFile['devices'][number]): { name: string; minor: number } {
  return { name: name.text, minor: client === 'coherent' ? 2 : 0 };
}

/** Byte 0 of each page of each region as the first process reads them, -1 for a signal. */
function contents(
  kernel: Kernel,
  mm: MmStruct,
  regions: Iterable<{ readonly name: string; readonly vpn: number; readonly pages: number }>,
): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  for (const { name, vpn, pages } of regions) {
    found[name] = Array.from({ length: pages }, (_, i) =>
      Math.max(kernel.sched.runSync(cpuReadByte(mm, vpn + i, 0)), -1),
    );
  }
  return found;
}

/** The results that an outcome of an exploration speaks of, `T0:x=5 v=1,2`, as the machine has them. */
function sameResults(outcome: string, run: ProgramRun): string {
  const texts = outcome.split(' ').filter((text) => text.includes('='));
  return texts
    .map((text) => {
      const name = text.slice(0, text.indexOf('='));
      return `${name}=${run.results.get(name)?.join(',') ?? 'nothing'}`;
    })
    .join(' ');
}

function isManaged(statement: ProgramFile['body'][number]): boolean {
  return statement.kind === 'alloc' && statement.memory === 'managed';
}

describe('a program returns the same when it is run and when it is explored', () => {
  const programs = files(PROGRAMS).map((name) => [name, parse(PROGRAMS, name)] as const);
  // Managed memory is a driver's own: the test device has none.
  const alone = programs.filter(([, { body }]) =>
    body.every((statement) => statement.kind !== 'together' && !isManaged(statement)),
  );

  test('most of them have one thread', () => {
    expect(alone.length).toBeGreaterThanOrEqual(11);
  });

  test.each(alone)('%s', (name, program) => {
    const { run, machine } = onMachine(program, CHUNK_PAGES);
    expect(run.problem).toBeUndefined();
    const compiled = compileLitmus(program, name);
    if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
    const model: WorldModel = litmusModel(
      compiled.program,
      {
        // A program's settings are of other drivers too.
        settingNames: (settings) => [...settings.keys()],
        create: (system) => new MirrorOperations(system, { chunkPages: CHUNK_PAGES, maxTables: 4096 }),
      },
      ROOMY,
    );
    const outcomes = [...search(model, { maxExecutions: 2 }).explorer.outcomes.keys()];
    expect(outcomes).toHaveLength(1);
    const [outcome = ''] = outcomes;
    expect(sameResults(outcome, run)).toBe(outcome);
    const main = machine.processes.get(MAIN_PROCESS);
    if (main === undefined) throw new Error('there is no first process');
    const { world } = model;
    expect(contents(world.kernel, world.main, compiled.program.regions.values())).toEqual(
      contents(machine.kernel, main.mm, machine.regions.values()),
    );
  });
});

describe('what was different once is the same', () => {
  const texts: readonly (readonly [string, string, string])[] = [
    [
      'pins of one range',
      'malloc a 2pages cpu write a = 5 pin a rc p unpin a[0] rc u unpin a[0] rc v unpin a[1] rc w',
      'p=0 u=0 v=-22 w=0',
    ],
    ['a pin of too much', 'malloc a 2pages munmap a[1] pin a rc p unpin a rc u', 'p=-14 u=-22'],
    [
      'a private file',
      'memfd_private a 2pages cpu write a = 5 step 1 fork c in c { cpu write a = 9 } wait c cpu read a -> x',
      'x=5,6',
    ],
    [
      'a parameter in an assertion',
      'let n = 3 malloc a 1page cpu write a = n cpu read a -> x assert x == n',
      'x=3',
    ],
    ['a closed device', 'malloc a 1page cpu write a = 5 dread a -> x close D0 dread a rc e', 'e=-5 x=5'],
    [
      'orders and widths',
      'malloc a 3pages cpu write a rev = 1000 step 1 width 2 gpu read a[1] width 2 -> x cpu read a stride:2 width 2 -> y',
      'x=1001 y=1000,1001,1002',
    ],
    [
      'a bad access',
      'malloc a 2pages cpu write a = 5 mprotect a[1] none cpu read a -> x rc s',
      's=11 x=5,-1',
    ],
  ];

  test.each(texts)('%s', (name, text, outcome) => {
    const parsed = parseProgram(text, name);
    if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join('\n'));
    const { run } = onMachine(parsed.program, 16);
    expect(run.problem).toBeUndefined();
    expect(run.failures).toEqual([]);
    expect(sameResults(outcome, run)).toBe(outcome);
    const compiled = compileLitmus(parsed.program, name);
    if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
    const { outcomes, verdict } = runLitmus(compiled.program, litmusDevices).report;
    expect([outcomes, verdict]).toEqual([[outcome], 'ok']);
  });

  test('a parameter from outside', () => {
    const parsed = parseProgram('let n = 3 malloc a 1page cpu write a = n cpu read a -> x', 'let');
    if (!parsed.ok) throw new Error('no program');
    const compiled = compileLitmus(parsed.program, 'let', new Map([['n', 7]]));
    if (!compiled.ok) throw new Error('no litmus test');
    expect(runLitmus(compiled.program, litmusDevices).report.outcomes).toEqual(['x=7']);
  });
});

describe('what a litmus test returns on a machine is an outcome of its exploration', () => {
  const tests = files(LITMUS)
    .map((name) => [name, parse(LITMUS, name)] as const)
    .filter(([, { settings }]) => settings.every(({ key }) => !BESIDES.includes(key.text)));
  let raceFree = 0;

  test.each(tests)('%s', (name, program) => {
    const compiled = compileLitmus(program, name);
    if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
    const { settings } = compiled.program;
    const same = new Map([['release', NEWEST_EXACT_RELEASE] as const, ...settings]);
    const test = { ...compiled.program, settings: settings.has('client') ? settings : same };
    const { report } = runLitmus(test, devicesByClient(allDrivers(), litmusDevices), { maxExecutions: 200 });
    if (report.verdict === 'incomplete') return;
    const { run } = onMachine(program, 16);
    expect(run.problem).toBeUndefined();
    expect(report.outcomes.map((outcome) => outcome.replace(/ ?(exists|not)$/, ''))).toContain(
      sameResults(report.outcomes[0] ?? '', run),
    );
    if (report.outcomes.length === 1) raceFree++;
  });

  test('many have one outcome only, which both give', () => {
    expect(raceFree).toBeGreaterThanOrEqual(20);
  });
});
