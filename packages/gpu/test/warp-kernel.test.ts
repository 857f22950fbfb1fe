import {
  Gpu,
  GPU_ACCESS_READ,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  type GpuAccesses,
  gpuPreset,
  type GpuInstance,
} from '@hmm/gpu';
import { Kernel, type Task } from '@hmm/kernel';
import { expect, test } from 'vitest';

const BASE = 0x7f0000000;
const READ = 1;
const WRITE = 2;
const PREFETCH = 4;

interface Bench {
  readonly gpu: Gpu;
  readonly instance: GpuInstance;
  /** Page and access of each fault that was served, in order. */
  readonly served: [number, number][];
  /** By fault that was served: how many replays there were before. */
  readonly rounds: number[];
  readonly run: (accesses: Partial<GpuAccesses>) => { done: number; finished: boolean };
}

/** A GPU whose driver maps what faults, `most` faults a replay. */
function bench(most = Infinity, preset = gpuPreset('h100')): Bench {
  const kernel = new Kernel();
  const gpu = new Gpu(kernel, preset);
  const instance = gpu.openInstance();
  const served: [number, number][] = [];
  const rounds: number[] = [];
  const entry = { instance: 0, vpn: 0, access: 0, type: 0, client: 0, gpc: 0, utlb: 0, timestamp: 0 };
  gpu.handler = {
    *faultsPending(): Task {
      const { faultBuffer: buffer } = gpu;
      for (let left = most; left > 0 && buffer.pending > 0; left--) {
        buffer.read(buffer.get, entry);
        buffer.get = buffer.next(buffer.get);
        served.push([entry.vpn - BASE, entry.access]);
        rounds.push(gpu.replays);
        instance.table.map(
          entry.vpn,
          1,
          served.length,
          GPU_PTE_VALID | (entry.access > READ ? GPU_PTE_WRITE : 0),
        );
      }
      buffer.discardTo(buffer.put);
      gpu.replay();
      yield* kernel.sched.delay(1000);
    },
  };
  const run = (accesses: Partial<GpuAccesses>): { done: number; finished: boolean } => {
    const whole = { access: GPU_ACCESS_READ, shape: 'warps', base: BASE, pages: new Int32Array(0) } as const;
    const started = gpu.launch(instance, { ...whole, offset: 0, width: 1, values: undefined, ...accesses });
    kernel.sched.runSync(gpu.run(started));
    return started;
  };
  return { gpu, instance, served, rounds, run };
}

test('warps go on past an access that faults, up to one uTLB of faults', () => {
  const { gpu, served, run } = bench();
  const pages = Int32Array.from({ length: 200 }, (_, i) => i);
  expect(run({ pages, lanes: 1000 })).toMatchObject({ done: 200, finished: true });
  expect(served.map(([page]) => page)).toEqual([...pages]);
  expect(gpu.replays).toBe(Math.ceil(200 / gpu.preset.capability.utlbFaults.value));
});

test('one warp has one fault at a time', () => {
  const { gpu, run } = bench();
  expect(run({ pages: Int32Array.of(3, 3, 9, 3), lanes: 1 })).toMatchObject({ done: 4, finished: true });
  expect(gpu.replays).toBe(2);
});

test('each access faults for what it needs: a store after a load of the same page faults again', () => {
  const { served, run } = bench();
  run({ pages: Int32Array.of(5, 5), kinds: Uint8Array.of(READ, WRITE), lanes: 1 });
  expect(served).toEqual([
    [5, 1],
    [5, 2],
  ]);
});

test('a prefetch raises a fault and waits for nothing', () => {
  const { gpu, served, run } = bench();
  const kinds = Uint8Array.of(PREFETCH, READ);
  expect(run({ pages: Int32Array.of(1, 2), kinds, lanes: 1 })).toMatchObject({ done: 2, finished: true });
  expect(served).toEqual([
    [1, 0],
    [2, 1],
  ]);
  expect(gpu.replays).toBe(1);
});

test('faults that were not served come again after the replay', () => {
  const { served, run } = bench(10);
  const pages = Int32Array.from({ length: 40 }, (_, i) => i * 7);
  expect(run({ pages, lanes: 64 })).toMatchObject({ done: 40, finished: true });
  expect(new Set(served.map(([page]) => page)).size).toBe(40);
});

test('accesses that come in pieces are the same as in one', () => {
  const whole = Int32Array.from({ length: 100_000 }, (_, i) => (i * 40503) % 3000);
  const one = bench();
  one.run({ pages: whole, lanes: 32 });
  const pieces = bench();
  const pages = new Int32Array(777);
  let at = 0;
  const fill = (): number => {
    const next = whole.subarray(at, at + pages.length);
    pages.set(next);
    at += next.length;
    return next.length;
  };
  expect(pieces.run({ pages: pages.subarray(0, fill()), source: { fill }, lanes: 32 })).toMatchObject({
    done: whole.length,
    finished: true,
  });
  expect(pieces.served).toEqual(one.served);
  expect(pieces.gpu.kernel.sched.now).toBeCloseTo(one.gpu.kernel.sched.now, 3);
});

test.each(['serial', 'warps'] as const)(
  'a %s kernel stops to look up where access counters may notify',
  (shape) => {
    const { gpu, instance } = bench();
    const pages = new Int32Array(1000);
    instance.table.map(BASE, 1, 1, GPU_PTE_VALID);
    const stopsAt = (): number => {
      const whole = { access: GPU_ACCESS_READ, shape, lanes: 32, base: BASE, offset: 0, width: 1 } as const;
      const kernel = gpu.launch(instance, { ...whole, pages, values: undefined });
      kernel.advance();
      return kernel.done;
    };
    expect(stopsAt()).toBe(1000);
    gpu.accessCounters.threshold = 256;
    expect(stopsAt()).toBe(256);
    gpu.slice = 100;
    expect(stopsAt()).toBe(100);
  },
);

test('of the faults of a grid-stride pass a few are of pages far ahead of the lowest that wait', () => {
  const h100 = gpuPreset('h100');
  const { grid } = h100.faultPath;
  /** Of the second and third batch, the pages beyond those that the first one left: a batch asks for the lowest 120. */
  const far = (stray: number): number => {
    const faultPath = { ...h100.faultPath, grid: { ...grid, stray: { ...grid.stray, value: stray } } };
    const { served, rounds, run } = bench(Infinity, { ...h100, faultPath });
    run({ pages: Int32Array.from({ length: 4096 }, (_, i) => i), shape: 'stream' });
    const later = served.filter((_fault, i) => rounds[i] === 1 || rounds[i] === 2);
    return later.filter(([page]) => page > 2 * grid.firstWindow.value).length;
  };
  expect(far(0)).toBe(0);
  expect(far(grid.stray.value)).toBeGreaterThan(0);
  expect(far(10 * grid.stray.value)).toBeGreaterThan(far(grid.stray.value));
});
