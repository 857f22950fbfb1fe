import { GPU_ACCESS_NEEDS, GPU_PTE_VALID } from '@hmm/gpu';
import { Machine, playScript, workloadScript } from '@hmm/machine';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import {
  type AccessPattern,
  FULL_GPU_WARPS,
  gpuPhase,
  InOrder,
  PatternBatch,
  Skewed,
  Streaming,
  UniformRandom,
  type Workload,
} from '@hmm/workload/patterns';

/** Pages of the paged trace: 1 GiB. */
const PAGES = 262_144;
const MIB = 1 / 256;

/** A workload of one region through which a GPU kernel goes. */
export function oneKernel(pages: number, pattern: AccessPattern): Workload {
  return {
    name: pattern.name,
    regions: [{ name: 'data', pages }],
    phases: [gpuPhase('kernel', pattern, FULL_GPU_WARPS)],
  };
}

/** A third in sequence, a third skewed (u⁴), a third uniform, `accesses` each. */
export function thirds(accesses: number): AccessPattern {
  return new InOrder([
    new Streaming({ pages: PAGES, passes: Math.ceil(accesses / PAGES) }),
    new Skewed({ pages: PAGES, accesses, exponent: 4 }),
    new UniformRandom({ pages: PAGES, accesses }),
  ]);
}

/** What a play did and how long that took here. */
export interface Played {
  readonly ms: number;
  readonly accesses: number;
  readonly movedPages: number;
  readonly faults: number;
}

/** Plays a workload on an H100 with `memoryMib` of device memory, all policies on. */
export function played(workload: Workload, memoryMib: number): Played {
  const pages = workload.regions.reduce((sum, region) => sum + region.pages, 0);
  const maxTables = Math.max(65_536, Math.ceil(pages / 512) + 4096);
  const frames = 1024 * 1024 + Math.ceil(memoryMib / MIB);
  const machine = new Machine({ memory: { frames, maxTables } });
  const { kernel, memory } = machine;
  const settings = new Map([['vram', String(memoryMib)]]);
  const made = uvmFactory().create({ kernel, memory, seed: 1 }, 'h100', settings);
  if (!made.ok) throw new Error(made.message);
  machine.addDevice('D0', made.client);
  const begun = performance.now();
  const { accesses, problem } = playScript(machine, workloadScript(workload, 1), { memory: 'managed' });
  const ms = performance.now() - begun;
  if (problem !== undefined) throw new Error(problem);
  const { movedPages } = made.client.driver.tools.counters;
  return { ms, accesses, movedPages, faults: made.client.counters().faults };
}

/** A bare loop: make the same accesses, look their flags up in a flat table, test them. M accesses/s. */
function bareLoop(workload: Workload): number {
  const needs = GPU_ACCESS_NEEDS[1] ?? 0;
  const batch = new PatternBatch();
  let faults = 0;
  let accesses = 0;
  const begun = performance.now();
  for (const { pattern } of workload.phases) {
    const flags = new Int32Array(workload.regions[0]?.pages ?? 0).fill(GPU_PTE_VALID);
    for (let at = 0; at < pattern.accesses; at += batch.capacity) {
      batch.clear();
      pattern.fill(batch, at, Math.min(batch.capacity, pattern.accesses - at), 1);
      faults += missing(flags, batch, needs);
      accesses += batch.length;
    }
  }
  return faults === 0 ? accesses / (performance.now() - begun) / 1000 : 0;
}

function missing(flags: Int32Array, batch: PatternBatch, needs: number): number {
  const { page, length } = batch;
  let faults = 0;
  for (let i = 0; i < length; i++) if (((flags[page[i] ?? 0] ?? 0) & needs) !== needs) faults++;
  return faults;
}

function rate(make: () => Workload, memoryMib: number): () => { value: number; reference: number } {
  return () => {
    const { accesses, ms } = played(make(), memoryMib);
    return { value: accesses / ms / 1000, reference: bareLoop(make()) };
  };
}

/** How fast workloads and traces are played on the whole stack. */
export const benchmarks: readonly {
  readonly name: string;
  readonly unit: string;
  readonly goal?: number;
  run(): { value: number; reference?: number };
}[] = [
  {
    name: 'play of resident pages, 2,048 pages at random',
    unit: 'M/s',
    goal: 50,
    run: rate(() => oneKernel(2048, new UniformRandom({ pages: 2048, accesses: 20e6 })), 4096),
  },
  {
    name: 'play of resident pages, 1 GiB in sequence, 200 times',
    unit: 'M/s',
    goal: 50,
    run: rate(() => oneKernel(PAGES, new Streaming({ pages: PAGES, passes: 200 })), 4096),
  },
  {
    name: 'play of resident pages, 1 GiB at random',
    unit: 'M/s',
    run: rate(() => oneKernel(PAGES, new UniformRandom({ pages: PAGES, accesses: 20e6 })), 4096),
  },
  {
    name: 'play of thirds in sequence, skewed and uniform, memory for half of 1 GiB',
    unit: 'M/s',
    goal: 5,
    run: rate(() => oneKernel(PAGES, thirds(200_000)), 512),
  },
  {
    name: 'play in sequence over twice the device memory, pages moved',
    unit: 'M/s',
    goal: 2,
    run: () => {
      const { movedPages, ms } = played(oneKernel(PAGES, new Streaming({ pages: PAGES, passes: 4 })), 512);
      return { value: movedPages / ms / 1000 };
    },
  },
];
