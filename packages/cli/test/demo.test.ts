import { expect, test } from 'vitest';
import { demoCommand, type Output, runApplication } from '@hmm/cli';
import type { ClientFactory } from '@hmm/device';
import { MIRROR_STEPS, MirrorClient } from '@hmm/machine/contract';

const mirror: ClientFactory = {
  name: 'mirror',
  title: 'a mirror',
  gpus: ['none'],
  settings: {},
  steps: MIRROR_STEPS,
  rules: {
    gpuFault: 'leaves it there.',
    firstTouch: '',
    cpuFault: '',
    granularity: 'one page a fault.',
    sharing: '',
    oversubscription: '',
    atomics: '',
    hints: '',
    badAddress: '',
    fork: 'copies.',
  },
  create: ({ kernel }) => ({ ok: true, client: new MirrorClient(kernel) }),
};
const broken: ClientFactory = {
  ...mirror,
  name: 'broken',
  create: ({ kernel }) => {
    const client = new MirrorClient(kernel);
    client.capability = () => ({ ok: false, errno: -38, reason: 'there is no GPU in it' });
    return { ok: true, client };
  },
};

const demo = async (
  factories: readonly ClientFactory[],
  ...argv: string[]
): Promise<{ code: number; data: string; said: string }> => {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += line),
    progress: () => undefined,
  };
  const recording = {
    title: 'A recording.',
    replay: () =>
      Promise.resolve([
        { name: 'same', exact: true, hardware: ['f'], model: ['f'], hardwareNs: 1, modelNs: 1 },
        { name: 'other', exact: false, hardware: ['f', 'g'], model: ['f'], hardwareNs: 1, modelNs: 1 },
      ]),
  };
  const app = {
    name: 'hmm',
    version: '1',
    description: '',
    examples: [],
    commands: [demoCommand(factories, recording)],
  };
  const code = await runApplication(app, ['demo', ...argv], output);
  return { code, data, said };
};

test('the five steps are told from the run, then the recording', async () => {
  const { code, data } = await demo([mirror]);
  expect(code).toBe(0);
  expect(data).toContain('1 fault. Before: data in host memory, mapped by the CPU.');
  expect(data).toContain('Nothing moves.\nRule: leaves it there.');
  expect(data).toContain('After: data in host memory, mapped by the CPU and the GPU, to write.');
  expect(data).toMatch(/x = 5, [\d.]+ us after the launch/);
  expect(data).toContain('nowhere: every event agrees');
  expect(data).toContain('event 1: hardware g, model ends');
  expect(data.split('\n').filter((line) => line.length > 80)).toEqual([]);
});

test('a driver that cannot says why, and the others are shown', async () => {
  const { code, data } = await demo([broken, mirror]);
  expect(code).toBe(0);
  expect(data).toContain('broken on none: there is no GPU in it.');
});

test('an unknown GPU is exit code 2', async () => {
  expect(await demo([mirror], '--gpu', 'x')).toMatchObject({ code: 2, data: '' });
});
