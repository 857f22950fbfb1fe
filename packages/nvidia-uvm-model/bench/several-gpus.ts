import { Gpu, GPU_ACCESS_READ, findGpuTopology, gpuPreset, makeGpus } from '@hmm/gpu';
import { Kernel } from '@hmm/kernel';
import { launchKernel, uvmCpuAccess, UvmDriver } from '@hmm/nvidia-uvm-model';

const BASE = 0x7f0000000;
const PAGES = 262_144;
const CARD = { memoryPages: 2 * PAGES, maxTables: 20_000 };

/** The cards of a machine of one or two H200. */
function cards(kernel: Kernel, count: 1 | 2): Gpu[] {
  if (count === 1) return [new Gpu(kernel, gpuPreset('h200'), CARD)];
  const topology = findGpuTopology('2xh200-nvlink');
  return topology === undefined ? [] : makeGpus(kernel, topology, CARD);
}

/** The CPU writes 1 GiB, then the GPUs read an equal share of it each, at once: the time here of the streams, ms. */
function stream(count: 1 | 2): number {
  const kernel = new Kernel();
  const driver = new UvmDriver(kernel, cards(kernel, count));
  const space = driver.openVaSpace();
  space.alloc(BASE, PAGES * 4096);
  const pages = Int32Array.from({ length: PAGES }, (_, i) => i);
  const stores = { base: BASE, pages, offset: 0, width: 1, values: undefined, write: true, atomic: false };
  kernel.sched.runSync(uvmCpuAccess(space, stores));
  const share = PAGES / count;
  const shape = 'stream' as const;
  const access = GPU_ACCESS_READ;
  for (const { id } of driver.gpus) {
    const own = pages.subarray((id - 1) * share, id * share);
    const kernelOf = { base: BASE, pages: own, offset: 0, width: 1, values: undefined, access, shape };
    kernel.sched.spawn(`gpu ${id}`, launchKernel(space, kernelOf, id));
  }
  const start = performance.now();
  kernel.sched.run();
  const ms = performance.now() - start;
  const { movedPages } = driver.tools.counters;
  if (movedPages < 2 * PAGES) throw new Error(`only ${movedPages} pages moved`);
  return ms;
}

/** What a second GPU costs. */
export const benchmarks: readonly {
  readonly name: string;
  readonly unit: string;
  readonly goal?: number;
  run(): { value: number; reference?: number };
}[] = [
  {
    name: 'fault-driven stream over 1 GiB by two GPUs, half each, to that of one',
    unit: 'times',
    goal: 1.3,
    run: () => {
      const one = stream(1);
      return { value: stream(2) / one };
    },
  },
];
