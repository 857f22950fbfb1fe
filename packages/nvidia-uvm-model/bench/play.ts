import { GPU_ACCESS_NEEDS, GPU_PTE_VALID } from '@hmm/gpu';
import { Machine, type PlayScript, playScript, traceScript, workloadScript } from '@hmm/machine';
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
import { AccessBatch, ACCESS_READ, AGENT_GPU, NO_TIME } from '@hmm/workload/readers';

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

/** A third in sequence, a third skewed (u⁴), a third uniform: `accesses` in all. */
export function thirds(accesses: number): AccessPattern {
  const third = Math.round(accesses / 3);
  return new InOrder([
    new Streaming({ pages: PAGES, passes: Math.ceil(third / PAGES) }),
    new Skewed({ pages: PAGES, accesses: third, exponent: 4 }),
    new UniformRandom({ pages: PAGES, accesses: third }),
  ]);
}

/** Where the addresses of the recorded traces begin. */
const TRACE_BASE = 0x7f0000000;

/** A recorded trace of `pages` pages: the rows of `pattern`, played `times` times over. */
export function recorded(pages: number, pattern: AccessPattern, times: number): PlayScript {
  const rows = new PatternBatch();
  const batches: AccessBatch[] = [];
  for (let at = 0; at < pattern.accesses; at += rows.length) {
    rows.clear();
    pattern.fill(rows, at, Math.min(rows.capacity, pattern.accesses - at), 1);
    const batch = new AccessBatch();
    for (let i = 0; i < rows.length; i++)
      batch.push(TRACE_BASE + (rows.page[i] ?? 0), 0, 4, ACCESS_READ, AGENT_GPU, 0, NO_TIME);
    batches.push(batch);
  }
  let next = 0;
  return traceScript({
    name: pattern.name,
    ranges: [{ page: TRACE_BASE, pages }],
    agents: 'recorded',
    next: () => (next < times * batches.length ? batches[next++ % batches.length] : undefined),
  });
}

/** What a play did and how long that took here. */
export interface Played {
  readonly ms: number;
  readonly accesses: number;
  readonly movedPages: number;
  readonly faults: number;
}

/** Plays a script on an H100 with `memoryMib` of device memory and module parameters of one's own. */
export function played(
  script: PlayScript,
  memoryMib: number,
  parameters: Readonly<Record<string, number>> = {},
): Played {
  const pages = script.regions.reduce((sum, region) => sum + region.pages, 0);
  const maxTables = Math.max(65_536, Math.ceil(pages / 512) + 4096);
  const frames = 1024 * 1024 + Math.ceil(memoryMib / MIB);
  const machine = new Machine({ memory: { frames, maxTables } });
  const { kernel, memory } = machine;
  const settings = new Map([['vram', String(memoryMib)]]);
  for (const [name, value] of Object.entries(parameters)) settings.set(name, String(value));
  const made = uvmFactory().create({ kernel, memory, seed: 1 }, 'h100', settings);
  if (!made.ok) throw new Error(made.message);
  machine.addDevice('D0', made.client);
  const begun = performance.now();
  const { accesses, problem } = playScript(machine, script, { memory: 'managed' });
  const ms = performance.now() - begun;
  if (problem !== undefined) throw new Error(problem);
  const { movedPages } = made.client.driver.tools.counters;
  return { ms, accesses, movedPages, faults: made.client.counters().faults };
}

/**
 * Every policy on: prefetching and thrashing detection, as by default, and access counters, with a release that migrates
 * what they name.
 */
const ALL_POLICIES = { uvm_perf_access_counter_migration_enable: 1, release: 545 };

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

/** A bare loop over a trace: read each page number, look its flags up in a flat table, test them. M accesses/s. */
function bareReplay(pages: number, pattern: AccessPattern, times: number): number {
  const needs = GPU_ACCESS_NEEDS[ACCESS_READ] ?? 0;
  const flags = new Int32Array(pages).fill(GPU_PTE_VALID);
  const batch = new PatternBatch(pattern.accesses);
  pattern.fill(batch, 0, pattern.accesses, 1);
  let faults = 0;
  const begun = performance.now();
  for (let i = 0; i < times; i++) faults += missing(flags, batch, needs);
  return faults === 0 ? (times * batch.length) / (performance.now() - begun) / 1000 : 0;
}

function rate(make: () => Workload, memoryMib: number, parameters?: Readonly<Record<string, number>>) {
  return (): { value: number; reference: number } => {
    const { accesses, ms } = played(workloadScript(make(), 1), memoryMib, parameters);
    return { value: accesses / ms / 1000, reference: bareLoop(make()) };
  };
}

function replay(pages: number, pattern: AccessPattern, times: number) {
  return (): { value: number; reference: number } => {
    const { accesses, ms } = played(recorded(pages, pattern, times), 4096);
    return { value: accesses / ms / 1000, reference: bareReplay(pages, pattern, times) };
  };
}

function moves(pattern: AccessPattern) {
  return (): { value: number } => {
    const { movedPages, ms } = played(workloadScript(oneKernel(PAGES, pattern), 1), 512);
    return { value: movedPages / ms / 1000 };
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
    name: 'replay of a resident trace, 2,048 pages at random',
    unit: 'M/s',
    goal: 50,
    run: replay(2048, new UniformRandom({ pages: 2048, accesses: 2 ** 20 }), 40),
  },
  {
    name: 'replay of a resident trace, 1 GiB in sequence',
    unit: 'M/s',
    goal: 50,
    run: replay(PAGES, new Streaming({ pages: PAGES, passes: 4 }), 100),
  },
  {
    name: 'replay of a resident trace, 1 GiB at random',
    unit: 'M/s',
    run: replay(PAGES, new UniformRandom({ pages: PAGES, accesses: 2 ** 20 }), 100),
  },
  {
    name: 'play of a workload, made as it runs, resident, 1 GiB in sequence',
    unit: 'M/s',
    run: rate(() => oneKernel(PAGES, new Streaming({ pages: PAGES, passes: 200 })), 4096),
  },
  {
    name: 'play of 20 M accesses in sequence, skewed and uniform, memory for half of 1 GiB, all policies',
    unit: 'M/s',
    goal: 5,
    run: rate(() => oneKernel(PAGES, thirds(20e6)), 512, ALL_POLICIES),
  },
  {
    name: "the same with 2 M accesses and the driver's defaults, which thrash, pages moved",
    unit: 'M/s',
    goal: 2,
    run: moves(thirds(2e6)),
  },
  {
    name: 'play in sequence over twice the device memory, pages moved',
    unit: 'M/s',
    goal: 2,
    run: moves(new Streaming({ pages: PAGES, passes: 8 })),
  },
  {
    name: 'play at random over twice the device memory, a fault an access, pages moved',
    unit: 'M/s',
    goal: 2,
    run: moves(new UniformRandom({ pages: PAGES, accesses: 200_000 })),
  },
];
