import { Gpu, GPU_ACCESS_READ, gpuPreset } from '@hmm/gpu';
import { Kernel } from '@hmm/kernel';
import { launchKernel, uvmCpuAccess, UvmDriver } from '@hmm/nvidia-uvm-model';

const BASE = 0x7f0000000;
const PAGES_PER_GIB = 262_144;

interface Streamed {
  readonly ms: number;
  readonly driver: UvmDriver;
}

/** The CPU writes every page, then the GPU reads every byte: a fault-driven stream of `gib` GiB. */
function stream(gib: number, memoryGib: number): Streamed {
  const kernel = new Kernel();
  const gpu = new Gpu(kernel, gpuPreset('h100'), {
    memoryPages: memoryGib * PAGES_PER_GIB,
    maxTables: 20_000,
  });
  const driver = new UvmDriver(kernel, [gpu]);
  const space = driver.openVaSpace();
  const count = gib * PAGES_PER_GIB;
  space.alloc(BASE, count * 4096);
  const pages = Int32Array.from({ length: count }, (_, i) => i);
  // Written out, not spread: the hidden class of a spread object dies with it, and the next run's is another.
  const stores = { base: BASE, pages, offset: 0, width: 1, values: undefined, write: true, atomic: false };
  kernel.sched.runSync(uvmCpuAccess(space, stores));
  const shape = 'stream' as const;
  const access = GPU_ACCESS_READ;
  const start = performance.now();
  kernel.sched.runSync(
    launchKernel(space, { base: BASE, pages, offset: 0, width: 1, values: undefined, access, shape }),
  );
  return { ms: performance.now() - start, driver };
}

/** A bare loop that touches as many int32 as the stream has pages, sixteen times: what the machine gives today. */
function bareLoop(gib: number): number {
  const lanes = new Int32Array(gib * PAGES_PER_GIB);
  const start = performance.now();
  for (let round = 0; round < 16; round++) {
    for (let i = 0; i < lanes.length; i++) lanes[i] = ((lanes[i] ?? 0) + i) | 0;
  }
  return performance.now() - start;
}

/** How fast faults are simulated. */
export const benchmarks: readonly {
  readonly name: string;
  readonly unit: string;
  readonly goal?: number;
  run(): { value: number; reference?: number };
}[] = [
  {
    name: 'fault-driven stream over 1 GiB',
    unit: 'ms',
    goal: 60,
    run: () => ({ value: stream(1, 80).ms, reference: bareLoop(1) }),
  },
  {
    name: 'fault-driven stream over 16 GiB, per GiB',
    unit: 'ms',
    goal: 63,
    run: () => ({ value: stream(16, 80).ms / 16, reference: bareLoop(16) / 16 }),
  },
  {
    name: 'stream over twice the device memory, pages moved',
    unit: 'M/s',
    goal: 2,
    run: () => {
      const before = performance.now();
      const { driver } = stream(2, 1);
      return { value: driver.tools.counters.movedPages / (performance.now() - before) / 1000 };
    },
  },
];
