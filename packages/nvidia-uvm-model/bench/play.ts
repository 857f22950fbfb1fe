import { Machine, playScript, workloadScript } from '@hmm/machine';
import { uvmFactory } from '@hmm/nvidia-uvm-model';
import {
  type AccessPattern,
  FULL_GPU_WARPS,
  gpuPhase,
  InOrder,
  Skewed,
  Streaming,
  UniformRandom,
  type Workload,
} from '@hmm/workload/patterns';

/** Pages of the paged trace: 1 GiB. */
const PAGES = 262_144;
const THIRD = 6_666_667;

/** A workload of one region, `pages` long, through which a GPU kernel goes. */
function oneKernel(pages: number, pattern: AccessPattern, lanes = FULL_GPU_WARPS): Workload {
  return {
    name: pattern.name,
    regions: [{ name: 'data', pages }],
    phases: [gpuPhase('kernel', pattern, lanes)],
  };
}

/** A third in sequence, a third skewed (u⁴), a third uniform. */
function thirds(accesses: number): AccessPattern {
  const passes = Math.ceil(accesses / PAGES);
  const streaming = new Streaming({ pages: PAGES, passes });
  return new InOrder([
    streaming,
    new Skewed({ pages: PAGES, accesses, exponent: 4 }),
    new UniformRandom({ pages: PAGES, accesses }),
  ]);
}

export interface Played {
  readonly ms: number;
  readonly accesses: number;
  readonly movedPages: number;
  readonly faults: number;
  readonly batches: number;
}

/** Plays a workload on an H100 with `memoryMib` of device memory. */
export function played(workload: Workload, memoryMib: number): Played {
  const machine = new Machine();
  const { kernel, memory } = machine;
  const made = uvmFactory().create(
    { kernel, memory, seed: 1 },
    'h100',
    new Map([['vram', String(memoryMib)]]),
  );
  if (!made.ok) throw new Error(made.message);
  machine.addDevice('D0', made.client);
  const begun = performance.now();
  const { accesses, problem } = playScript(machine, workloadScript(workload, 1), { memory: 'managed' });
  const ms = performance.now() - begun;
  if (problem !== undefined) throw new Error(problem);
  const { movedPages } = made.client.driver.tools.counters;
  const { faults, batches } = made.client.counters();
  return { ms, accesses, movedPages, faults, batches };
}

export { oneKernel, thirds, THIRD, PAGES };
