import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { gpuDrivers } from '@hmm/drivers';
import { clients, explore, replay, simulate } from '@hmm/model';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const SHARED = 'managed a 64KiB\ncpu write a = 5\ngpu read a -> x\ncpu read a -> y\n';

describe('a simulation', () => {
  it('is finished with what was read, what it cost and why, the same each time', () => {
    const run = simulate(SHARED, { client: 'nvidia', gpu: 'h100' });
    if (run.outcome !== 'finished') throw new Error(run.outcome);
    expect(run.report).toMatchObject({ client: 'nvidia', gpu: 'h100', error: null, failed: [], fatal: null });
    expect([...new Set(run.report.values['x'])]).toEqual([5]);
    expect(run.report.bytes_to_device).toBe(65_536);
    expect(run.diagnosis.regions.map(({ name }) => name)).toEqual(['a']);
    const again = simulate(SHARED, { client: 'nvidia', gpu: 'h100' });
    expect(again).toMatchObject({ outcome: 'finished', report: run.report });
  });

  it('takes the driver, GPU and settings of the program, and those of the caller above them', () => {
    const program = `set client = nouveau\nset gpu = p100\n${SHARED.replace('managed', 'malloc')}`;
    expect(simulate(program)).toMatchObject({ report: { client: 'nouveau', gpu: 'p100' } });
    const other = simulate(program, { client: 'nvidia', gpu: 'h100', settings: { release: '7.3' } });
    expect(other).toMatchObject({ report: { client: 'nvidia', gpu: 'h100', release: '7.3' } });
  });

  it('takes parameters, and a driver of the caller', () => {
    const program = `let n = 1\nmanaged a n * 4KiB\ngpu write a = 1`;
    const [factory] = gpuDrivers().filter(({ name }) => name === 'nvidia');
    if (factory === undefined) throw new Error('no driver');
    const mine = { ...factory, name: 'mine', create: factory.create.bind(factory) };
    const run = simulate(program, { client: mine, gpu: 'h100', parameters: { n: 8 } });
    expect(run).toMatchObject({ outcome: 'finished', report: { client: 'mine' }, diagnosis: {} });
    if (run.outcome === 'finished') expect(run.diagnosis.regions[0]?.bytes).toBe(32_768);
  });

  it('counts assertions that do not hold, and stops where it cannot go on', () => {
    const failed = simulate('malloc a 1pages\ncpu write a = 1\ncpu read a -> x\nassert x[0] = 2', {
      file: 'f.hmm',
    });
    expect(failed.outcome === 'finished' && failed.report.failed[0]).toMatch(/^f\.hmm:4:/);
    const stopped = simulate('managed a 1pages\ncpu write a = 1', { client: 'nouveau' });
    expect(stopped).toMatchObject({ outcome: 'stopped' });
  });

  it.each([
    [{ client: 'radeon' }, /client is one of nouveau, nvidia/],
    [{ client: 'nvidia', gpu: 'voodoo' }, /gpu of nvidia is one of .*not voodoo/],
    [{ settings: { warp: 9 } }, /no setting warp/],
    [{ settings: { release: '1.0' } }, /release is/],
  ])('is refused for %j', (options, message) => {
    const run = simulate(SHARED, options);
    expect(run.outcome === 'refused' && run.problems[0]?.message).toMatch(message);
  });

  it('is refused with line and column for a text that is wrong', () => {
    expect(simulate('malloc a 1pages\ngpu raed a')).toMatchObject({ problems: [{ line: 2, column: 5 }] });
    expect(simulate('gpu read b')).toMatchObject({ outcome: 'refused' });
  });
});

describe('a replay', () => {
  const TRACE = ' S 1ffeff000,8\n L 1ffeff008,8\n S 1fff00000,8\n';

  it('counts what it read, and plays it on the GPU where no GPU is in it', () => {
    const run = replay(TRACE, { client: 'nvidia', gpu: 'h100' });
    expect(run).toMatchObject({ outcome: 'finished', trace: { accesses: 3 } });
    if (run.outcome === 'finished') expect(run.report.faults).toBeGreaterThan(0);
    const bytes = new TextEncoder().encode(TRACE);
    expect(replay(bytes, { client: 'nvidia', gpu: 'h100', agents: 'cpu' })).toMatchObject({
      report: { faults: 0 },
    });
  });

  it('is refused for what is no trace, and for one without an access', () => {
    expect(replay('what is this?')).toMatchObject({ outcome: 'refused' });
    expect(replay(TRACE, { client: 'none' })).toMatchObject({ outcome: 'refused' });
  });
});

describe('an exploration', () => {
  const RACE = (condition: string, set = ''): string =>
    `litmus race\n${set}malloc a 1pages\nopen D0\n T0 | T1 ;\n dread a[0] -> v rc e | munmap a[0] ;\n${condition}\n`;

  it('is ok, violated or incomplete', () => {
    expect(explore(RACE('forall (T0:e = 0 \\/ T0:e = -EFAULT)'))).toMatchObject({
      outcome: 'ok',
      story: undefined,
    });
    const violated = explore(RACE('forall (T0:e = 0)'));
    expect(violated).toMatchObject({
      outcome: 'violated',
      report: { counterexample: { invariant: 'forall' } },
    });
    const little = { maxExecutions: 1 };
    expect(explore(RACE('forall (T0:e = 0 \\/ T0:e = -EFAULT)'), little)).toMatchObject({
      outcome: 'incomplete',
    });
  });

  it('is refused for a program, a mistake, and a setting that cannot be', () => {
    expect(explore(SHARED)).toMatchObject({ outcome: 'refused' });
    expect(explore(RACE('forall (T0:e = '))).toMatchObject({ outcome: 'refused' });
    const set = 'set corrected = 2\n';
    expect(explore(RACE('forall (T0:e = 0)', set))).toMatchObject({ problems: [{ line: 2 }] });
    expect(explore(RACE('forall (T0:e = 0)'), { settings: { client: 'radeon' } })).toMatchObject({
      outcome: 'refused',
    });
  });
});

it('lists the drivers, each with its GPUs and settings', () => {
  const names = clients().map(({ name }) => name);
  expect(names).toContain('nvidia');
  for (const { gpus, title } of clients()) expect([gpus.length > 0, title.length > 0]).toEqual([true, true]);
});

it('runs where there is nothing of Node: as one script of a browser', async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../src/index.ts', import.meta.url))],
    conditions: ['@hmm/source'],
    bundle: true,
    format: 'iife',
    globalName: 'hmm',
    platform: 'browser',
    write: false,
    logLevel: 'silent',
  });
  const page = createContext({ performance, TextEncoder, TextDecoder, setTimeout });
  const call = `hmm.simulate(${JSON.stringify(SHARED)}, { client: 'nvidia', gpu: 'h100' }).report.values.x[0]`;
  expect(runInContext(`${outputFiles[0]?.text ?? ''};${call}`, page)).toBe(5);
}, 60_000);
