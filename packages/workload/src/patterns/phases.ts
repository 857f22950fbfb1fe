import { ACCESS_READ, ACCESS_WRITE } from '../readers/access-batch.js';
import { Streaming } from './linear.js';
import type { AccessPattern } from './pattern.js';
import { PAGE_BYTES } from './row-pattern.js';
import type { Workload, WorkloadPhase, WorkloadRegion } from './workload.js';

/** Warps of a GPU phase unless said otherwise: a grid that fills a large GPU. */
export const FULL_GPU_WARPS = 8448;

/** A CPU phase of one thread. */
export const cpuPhase = (name: string, pattern: AccessPattern): WorkloadPhase => ({
  name,
  agent: 'cpu',
  lanes: 1,
  pattern,
});

/** A GPU kernel. */
export const gpuPhase = (name: string, pattern: AccessPattern, lanes = FULL_GPU_WARPS): WorkloadPhase => ({
  name,
  agent: 'gpu',
  lanes,
  pattern,
});

/** The CPU writes (or reads) every page of a region, in order. */
export function cpuSweep(regions: readonly WorkloadRegion[], region: number, kind: number): WorkloadPhase {
  const { name, pages } = regions[region] ?? { name: '', pages: 0 };
  const verb = kind === ACCESS_READ ? 'reads' : 'writes';
  return cpuPhase(`CPU ${verb} ${name}`, new Streaming({ region, pages, kind }));
}

/** A region of `bytes` bytes. */
export const region = (name: string, bytes: number): WorkloadRegion => ({
  name,
  pages: Math.ceil(bytes / PAGE_BYTES),
});

/** Warps of a kernel with one thread per element. */
export const warpsOf = (threads: number): number => Math.ceil(threads / 32);

/** A stream over the whole of a region. */
export function stream(regions: readonly WorkloadRegion[], index: number, kind = ACCESS_READ): AccessPattern {
  return new Streaming({ region: index, pages: regions[index]?.pages ?? 0, kind });
}

/** The CPU writes the inputs first and reads the outputs last. */
export function betweenCpuPhases(
  name: string,
  regions: readonly WorkloadRegion[],
  inputs: readonly number[],
  kernels: readonly WorkloadPhase[],
  outputs: readonly number[],
): Workload {
  const before = inputs.map((index) => cpuSweep(regions, index, ACCESS_WRITE));
  const after = outputs.map((index) => cpuSweep(regions, index, ACCESS_READ));
  return { name, regions, phases: [...before, ...kernels, ...after] };
}
