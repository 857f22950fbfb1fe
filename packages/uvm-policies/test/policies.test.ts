import { Gpu, GPU_ACCESS_READ, gpuPreset } from '@hmm/gpu';
import { Kernel } from '@hmm/kernel';
import { launchKernel, UvmDriver, type UvmPerfPolicy } from '@hmm/nvidia-uvm-model';
import { fifo, secondChance, UVM_POLICIES } from '@hmm/uvm-policies';
import { expect, test } from 'vitest';

const BASE = 0x7f0000000;

/** Faults and evictions of reads of `pages`, in order, one launch each, on a GPU with three chunks. */
function run(policy: UvmPerfPolicy, pages: readonly number[]): { faults: number; evictions: number } {
  const kernel = new Kernel();
  const driver = new UvmDriver(kernel, [new Gpu(kernel, gpuPreset('h100'), { memoryPages: 1536 })], {
    policy,
  });
  const space = driver.openVaSpace();
  space.alloc(BASE, 16 * 1024 * 1024);
  for (const page of pages) {
    const scan = {
      access: GPU_ACCESS_READ,
      shape: 'serial',
      base: BASE,
      offset: 0,
      width: 1,
      values: undefined,
    } as const;
    kernel.sched.runSync(launchKernel(space, { ...scan, pages: Int32Array.of(page) }));
  }
  const { gpuFaults, evictions } = driver.tools.counters;
  return { faults: gpuFaults, evictions };
}

const policy = (name: string): UvmPerfPolicy => {
  const found = UVM_POLICIES.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found.make();
};

/** The first page of a block. */
const block = (number: number): number => 512 * number;

test('in a loop over four blocks with room for three, most recently used keeps two, least recently used none', () => {
  const loop = [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3].map(block);
  expect(run(policy('driver'), loop)).toEqual({ faults: 12, evictions: 9 });
  expect(run(policy('fifo'), loop)).toEqual({ faults: 12, evictions: 9 });
  expect(run(policy('mru'), loop).evictions).toBeLessThan(6);
});

test('a chunk that faults again is spared by second chance and by least frequently used, not by first in, first out', () => {
  const again = [block(0), block(0) + 100, block(0) + 200, block(1), block(2), block(3), block(0) + 1];
  expect(run(policy('fifo'), again).evictions).toBe(2);
  expect(run(secondChance(), again).evictions).toBe(1);
  expect(run(policy('lfu'), again).evictions).toBe(1);
  expect(
    fifo().selectVictim?.([
      { root: 0, allocatedAt: 9, uses: 1 },
      { root: 1, allocatedAt: 3, uses: 7 },
    ]),
  ).toBe(1);
});

test.each([
  ['none', 512],
  ['always-max', 1],
  ['sequential', 4],
])('a scan of one block takes %s %i faults', (name, faults) => {
  expect(
    run(
      policy(name),
      Array.from({ length: 512 }, (_, i) => i),
    ).faults,
  ).toBe(faults);
});

test('a stride is believed in when it came three times, and takes away every other fault at most', () => {
  const strided = Array.from({ length: 32 }, (_, i) => i * 16);
  const { faults } = run(policy('stride'), strided);
  expect(faults).toBeGreaterThan(12);
  expect(faults).toBeLessThan(28);
});

test('a tree of 25 % takes more along than one of 75 %', () => {
  const strided = Array.from({ length: 128 }, (_, i) => i * 4);
  expect(run(policy('tree-25'), strided).faults).toBeLessThan(run(policy('tree-75'), strided).faults);
});
