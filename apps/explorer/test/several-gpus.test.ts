import { describe, expect, test } from 'vitest';
import { gpusFor } from '@hmm/machine';
import { formatBytes } from '@hmm/report';
import { parseProgram } from '@hmm/workload';
import { inGpuPattern, isHatched, PATTERN_SIZE } from '../src/draw/gpu-pattern.js';
import { DARK, LIGHT } from '../src/draw/palette.js';
import { CLIENTS } from '../src/drivers.js';
import { recordSteps } from '../src/engine/step-recorder.js';
import { runPane } from '../src/engine/run-pane.js';
import type { RunView } from '../src/engine/run-view.js';
import {
  GPU_STATES,
  NOWHERE,
  ON_BOTH,
  ON_CPU,
  ON_DEVICE,
  stateOfGpu,
  stateOfHolders,
} from '../src/tiles/residency-raster.js';

const MOVED = 'managed a 2MiB\ncpu write a = 1\ngpu write a = 2\ngpu1 read a -> x\nassert x[9] == 2\n';

function parse(text: string): Parameters<typeof runPane>[0] {
  const parsed = parseProgram(text, 'test');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  return parsed.program;
}

function runOf(text: string, client: string, gpu: string): RunView {
  const pane = runPane(parse(text), { client, gpu, settings: [] }, CLIENTS);
  if (!pane.ok) throw new Error(pane.message);
  expect(pane.run.failures).toEqual([]);
  return pane.run;
}

/** The states that row 0 of the map is in, one after another, but for moments in which it is nowhere. */
function statesOfRow(run: RunView): number[] {
  const { residency } = run;
  return [...residency.state].filter((state, i) => residency.row[i] === 0 && state !== NOWHERE);
}

const eventsOn = (run: RunView, lane: string): number =>
  run.laneIndex[run.lanes.indexOf(lane)]?.event.length ?? 0;

describe('a pane with several GPUs', () => {
  test('has a lane for each GPU, its faults and its copies, and its pages are in its own state', () => {
    const run = runOf(MOVED, 'nvidia', '2xh200-nvlink');
    expect(run.gpus).toBe(2);
    for (const lane of ['GPU 0', 'GPU 1', 'GPU 0 faults', 'GPU 1 faults', 'GPU 0 copies', 'GPU 1 copies'])
      expect(eventsOn(run, lane), lane).toBeGreaterThan(0);
    expect(run.lanes).not.toContain('GPU');
    expect(statesOfRow(run)).toEqual([ON_CPU, ON_DEVICE, stateOfGpu(1)]);
    expect(run.figures).toContainEqual({ label: 'between GPUs', value: formatBytes(2 ** 21) });
  });

  test('tells the cards of nouveau apart, which each have a driver of their own', () => {
    const text =
      'malloc a 64KiB\ncpu write a = 1\nprefetch a to gpu1\ngpu1 read a\ngpu read a -> x\nassert x[3] == 1\n';
    const run = runOf(text, 'nouveau', '2xpcie');
    expect(run.gpus).toBe(2);
    expect(statesOfRow(run)).toEqual([ON_CPU, stateOfGpu(1), ON_CPU]);
    expect(eventsOn(run, 'GPU 0 faults')).toBeGreaterThan(0);
    expect(eventsOn(run, 'GPU 1')).toBe(2);
    expect(run.report?.by_pair).toEqual([
      { from: 'cpu', to: 'gpu1', bytes: 65536 },
      { from: 'gpu1', to: 'cpu', bytes: 65536 },
    ]);
  });

  test('with one GPU the lanes are as they were', () => {
    const run = runOf('managed a 64KiB\ngpu write a = 1\n', 'nvidia', 'h100');
    expect(run.gpus).toBe(1);
    expect(eventsOn(run, 'GPU')).toBe(1);
    expect(eventsOn(run, 'GPU faults')).toBeGreaterThan(0);
  });

  test('steps say which GPU has a page', () => {
    const steps = recordSteps(
      parse(MOVED),
      { client: 'nvidia', gpu: '2xh200-nvlink', settings: [] },
      CLIENTS,
    );
    if (!steps.ok) throw new Error(steps.message);
    const changes = steps.steps.flatMap((step) => step.changes).filter(([key]) => key === 'GPU a[0]');
    expect(changes.at(-1)?.at(-1)).toBe('memory of GPU 1, rw');
  });

  test('a pane can choose machines that a driver knows card by card', () => {
    const nouveau = CLIENTS.find(({ name }) => name === 'nouveau');
    expect(nouveau && gpusFor(nouveau)).toContain('2xpcie');
  });
});

describe('states of pages by who has them', () => {
  test('each of eight GPUs has its own, and copies on two are one state more', () => {
    const alone = Array.from({ length: GPU_STATES }, (_, gpu) => stateOfHolders(2 << gpu));
    expect(new Set([...alone, NOWHERE, ON_CPU, ON_BOTH]).size).toBe(GPU_STATES + 3);
    expect(stateOfHolders(0)).toBe(NOWHERE);
    expect(stateOfHolders(1)).toBe(ON_CPU);
    expect(stateOfHolders(2 | 4)).toBe(ON_BOTH);
    expect(stateOfHolders(1 | 2)).toBe(ON_BOTH);
  });

  test('each has a colour and a pattern that no other has', () => {
    for (const { states } of [LIGHT, DARK]) expect(new Set(states.map(String)).size).toBe(GPU_STATES + 3);
    const tile = (pixel: (x: number, y: number) => boolean): string =>
      Array.from({ length: PATTERN_SIZE ** 2 }, (_, i) => Number(pixel(i % 8, i >> 3))).join('');
    const patterns = Array.from({ length: GPU_STATES }, (_, gpu) => tile((x, y) => inGpuPattern(gpu, x, y)));
    const both = tile((x, y) => isHatched(ON_BOTH, x, y));
    expect(new Set([...patterns, both, tile(() => false)]).size).toBe(GPU_STATES + 2);
    for (let gpu = 0; gpu < GPU_STATES; gpu++)
      expect(tile((x, y) => isHatched(stateOfGpu(gpu), x, y))).toBe(patterns[gpu]);
  });
});
