import { ACCESS_READ, ACCESS_WRITE } from '../readers/access-batch.js';
import { Interleaved } from './combine.js';
import { bfsFrontiers, bfsLevel, BFS_REGIONS, bfsRegionPages, type GraphShape } from './graph.js';
import { HashBuild, HashProbe } from './hash-join.js';
import { Streaming } from './linear.js';
import type { AccessPattern } from './pattern.js';
import { cpuPhase, cpuSweep, gpuPhase } from './phases.js';
import type { Workload, WorkloadPhase } from './workload.js';

/** One region, written by the CPU, through which a GPU kernel goes with any pattern. */
export function singlePattern(pages: number, pattern: AccessPattern): Workload {
  const regions = [{ name: 'data', pages }];
  return {
    name: pattern.name,
    regions,
    phases: [cpuSweep(regions, 0, ACCESS_WRITE), gpuPhase(pattern.name, pattern)],
  };
}

/**
 * Iterations of GPU kernels with a CPU phase after each: the GPU reads one region and writes another, the CPU reads the
 * share `cpuShare` of the result, as solvers that test for convergence do.
 */
export function multiKernel(shape: {
  pages: number;
  iterations: number;
  kernels?: number;
  cpuShare?: number;
}): Workload {
  const { pages, iterations, kernels = 1, cpuShare = 0.01 } = shape;
  const regions = [
    { name: 'old', pages },
    { name: 'new', pages },
  ];
  const phases: WorkloadPhase[] = [cpuSweep(regions, 0, ACCESS_WRITE)];
  const looked = Math.max(1, Math.floor(pages * cpuShare));
  for (let iteration = 0; iteration < iterations; iteration++) {
    for (let kernel = 0; kernel < kernels; kernel++) {
      const from = (iteration * kernels + kernel) % 2;
      const streams = [
        new Streaming({ region: from, pages }),
        new Streaming({ region: 1 - from, pages, kind: ACCESS_WRITE }),
      ];
      phases.push(gpuPhase(`kernel ${iteration}.${kernel}`, new Interleaved(streams)));
    }
    const result = (iteration * kernels + kernels) % 2;
    phases.push(cpuPhase(`CPU looks ${iteration}`, new Streaming({ region: result, pages: looked })));
  }
  return { name: 'multi-kernel', regions, phases };
}

/** The CPU fills a buffer, the GPU reads it and writes an answer, the CPU reads that; again with the next of `buffers`. */
export function producerConsumer(shape: { pages: number; rounds: number; buffers?: number }): Workload {
  const { pages, rounds, buffers = 2 } = shape;
  const regions = Array.from({ length: buffers }, (_, i) => ({ name: `buffer ${i}`, pages }));
  regions.push({ name: 'answer', pages: Math.max(1, Math.ceil(pages / 16)) });
  const phases: WorkloadPhase[] = [];
  for (let round = 0; round < rounds; round++) {
    const region = round % buffers;
    phases.push(cpuSweep(regions, region, ACCESS_WRITE));
    phases.push(gpuPhase(`consume ${round}`, new Streaming({ region, pages }), 1056));
    const answer = { region: buffers, pages: regions[buffers]?.pages ?? 1, kind: ACCESS_WRITE };
    phases.push(gpuPhase(`answer ${round}`, new Streaming(answer), 1056));
    phases.push(cpuSweep(regions, buffers, ACCESS_READ));
  }
  return { name: 'producer-consumer', regions, phases };
}

/** A breadth-first search: the CPU writes the graph, two kernels a level, the CPU reads the costs. */
export function graphBfs(graph: GraphShape, levels?: number): Workload {
  const pages = bfsRegionPages(graph);
  const regions = BFS_REGIONS.map((name, i) => ({ name, pages: pages[i] ?? 1 }));
  const phases = regions.map((_, i) => cpuSweep(regions, i, ACCESS_WRITE));
  bfsFrontiers(graph, levels).forEach((frontier, level) => {
    const [expand, turn] = bfsLevel(graph, frontier);
    phases.push(gpuPhase(`expand ${level}`, expand), gpuPhase(`turn ${level}`, turn));
  });
  phases.push(cpuSweep(regions, regions.length - 1, ACCESS_READ));
  return { name: 'graph BFS', regions, phases };
}

/** A hash join of two tables that the CPU wrote: build, probe, and the CPU reads the matches. */
export function hashJoin(shape: {
  buildPages: number;
  probePages: number;
  hashPages: number;
  outputPages?: number;
}): Workload {
  const { buildPages, probePages, hashPages, outputPages = Math.ceil(probePages / 4) } = shape;
  const regions = [
    { name: 'build', pages: buildPages },
    { name: 'hash', pages: hashPages },
    { name: 'probe', pages: probePages },
    { name: 'output', pages: outputPages },
  ];
  return {
    name: 'hash join',
    regions,
    phases: [
      cpuSweep(regions, 0, ACCESS_WRITE),
      cpuSweep(regions, 2, ACCESS_WRITE),
      gpuPhase('build', new HashBuild({ tablePages: buildPages, hashPages, regions: [0, 1, 3] })),
      gpuPhase(
        'probe',
        new HashProbe({ tablePages: probePages, hashPages, outputPages, regions: [2, 1, 3] }),
      ),
      cpuSweep(regions, 3, ACCESS_READ),
    ],
  };
}

/** One workload per over-subscription factor: `make` is given the pages that are that many times the device's memory. */
export function oversubscriptionSweep(
  devicePages: number,
  factors: readonly number[],
  make: (pages: number) => Workload,
): { factor: number; workload: Workload }[] {
  return factors.map((factor) => ({ factor, workload: make(Math.max(1, Math.round(devicePages * factor))) }));
}
