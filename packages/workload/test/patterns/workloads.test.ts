import { describe, expect, it } from 'vitest';
import {
  bfsFrontiers,
  forEachBatch,
  graphBfs,
  hashJoin,
  multiKernel,
  nextBatch,
  oversubscriptionSweep,
  PatternBatch,
  producerConsumer,
  singlePattern,
  Streaming,
  Stencil,
  uvmBenchWorkloads,
  uvmSmartWorkloads,
  workloadAccesses,
  workloadPages,
  type Workload,
} from '../../src/patterns/index.js';
import { ACCESS_WRITE } from '../../src/readers/index.js';

/** Runs through a workload; returns the pages touched per region, and fails on any outside its region. */
function touched(workload: Workload): number[] {
  const seen = workload.regions.map(({ pages }) => new Uint8Array(pages));
  let accesses = 0;
  forEachBatch(workload, 5, new PatternBatch(), (phase, batch) => {
    accesses += batch.length;
    for (let i = 0; i < batch.length; i++) {
      const pages = seen[batch.region[i] ?? 0];
      const page = batch.page[i] ?? 0;
      if (pages === undefined || page >= pages.length)
        throw new Error(`${phase.name}: page ${page} of region ${batch.region[i] ?? 0}`);
      pages[page] = 1;
    }
  });
  expect(accesses).toBe(workloadAccesses(workload));
  return seen.map((pages) => pages.reduce((sum, one) => sum + one, 0));
}

const kernels = (workload: Workload): number => workload.phases.filter(({ agent }) => agent === 'gpu').length;

/** Kernels launched, as the suite's documentation lists them. */
const UVMSMART_KERNELS: readonly (readonly [string, number])[] = [
  ['2dconv', 1],
  ['atax', 2],
  ['backprop', 2],
  ['bfs', 22],
  ['fdtd', 15],
  ['hotspot', 4],
  ['nw', 127],
  ['pathfinder', 20],
  ['ra', 1],
  ['srad_v2', 8],
  ['sssp', 31],
  ['stencil', 10],
  ['stream_triad', 1],
];

describe('UVMSmart', () => {
  const workloads = uvmSmartWorkloads();

  it('has the published kernel counts', () => {
    expect(workloads.map((workload) => [workload.name, kernels(workload)])).toEqual(UVMSMART_KERNELS);
  });

  it.each(workloads.map((workload) => [workload.name, workload] as const))(
    '%s has its working set and touches it all',
    (_, workload) => {
      const bytes = workloadPages(workload) * 4096;
      expect(bytes / workload.workingSetBytes).toBeGreaterThan(0.88);
      expect(bytes / workload.workingSetBytes).toBeLessThan(1.02);
      expect(touched(workload)).toEqual(workload.regions.map(({ pages }) => pages));
      expect(workload.keeps).not.toBe('');
      expect(workload.leavesOut).toContain('compute time');
    },
  );
});

describe('UVMBench', () => {
  const workloads = uvmBenchWorkloads();

  it('has more than a dozen programs, each with a name of its own', () => {
    expect(workloads.length).toBeGreaterThanOrEqual(14);
    expect(new Set(workloads.map(({ name }) => name)).size).toBe(workloads.length);
  });

  it.each(workloads.map((workload) => [workload.name, workload] as const))(
    '%s has its working set and stays in its regions',
    (_, workload) => {
      const bytes = workloadPages(workload) * 4096;
      expect(bytes / workload.workingSetBytes).toBeGreaterThan(0.99);
      expect(bytes / workload.workingSetBytes).toBeLessThan(1.01);
      const { phases, regions } = workload;
      const step = Math.ceil(phases.length / 24);
      for (const [i, { pattern }] of phases.entries()) {
        // Kernels by the thousand, accesses by the million: looks at some, and at both ends of each.
        if (i % step > 0 && i < phases.length - 1) continue;
        const batch = new PatternBatch(20_000);
        for (const first of [0, Math.max(0, pattern.accesses - batch.capacity)]) {
          nextBatch(pattern, batch, first, 5);
          const rows = Array.from(batch.page.subarray(0, batch.length));
          expect(rows.findIndex((page, row) => page >= (regions[batch.region[row] ?? 0]?.pages ?? 0))).toBe(
            -1,
          );
        }
      }
    },
  );
});

describe('programs', () => {
  it('of kernels and CPU phases alternate', () => {
    const workload = multiKernel({ pages: 100, iterations: 3, kernels: 2, cpuShare: 0.05 });
    expect(workload.phases.map(({ agent }) => agent).join(' ')).toBe(
      'cpu gpu gpu cpu gpu gpu cpu gpu gpu cpu',
    );
    expect(touched(workload)).toEqual([100, 100]);
  });

  it('of producer and consumer go round the buffers', () => {
    const workload = producerConsumer({ pages: 32, rounds: 4, buffers: 2 });
    expect(touched(workload)).toEqual([32, 32, 2]);
    expect(workload.phases).toHaveLength(16);
  });

  it('of a hash join touch all tables', () => {
    expect(touched(hashJoin({ buildPages: 64, probePages: 128, hashPages: 40 }))).toEqual([64, 40, 128, 32]);
  });

  it('of a graph search visit nearly every vertex, in frontiers that grow and shrink', () => {
    const graph = { vertices: 100_000, edges: 600_000 };
    const sizes = bfsFrontiers(graph);
    const peak = sizes.indexOf(Math.max(...sizes));
    expect(sizes.slice(0, peak)).toEqual([...sizes.slice(0, peak)].sort((a, b) => a - b));
    expect(sizes.reduce((a, b) => a + b)).toBeGreaterThan(95_000);
    expect(touched(graphBfs(graph)).every((pages) => pages > 0)).toBe(true);
  });

  it('of one pattern write first; a sweep scales with the device', () => {
    const sweep = oversubscriptionSweep(1000, [0.5, 1, 1.25], (pages) =>
      singlePattern(pages, new Streaming({ pages, passes: 2 })),
    );
    expect(
      sweep.map(({ factor, workload }) => [factor, workloadPages(workload), workloadAccesses(workload)]),
    ).toEqual([
      [0.5, 500, 1500],
      [1, 1000, 3000],
      [1.25, 1250, 3750],
    ]);
    const kinds: number[] = [];
    const { workload } = sweep[0] ?? {
      workload: singlePattern(1, new Stencil({ bytes: 4096, rowBytes: 64 })),
    };
    forEachBatch(workload, 1, new PatternBatch(250), (phase, batch) =>
      kinds.push(phase.agent === 'cpu' ? (batch.kind[0] ?? 0) : 9),
    );
    expect(kinds).toEqual([ACCESS_WRITE, ACCESS_WRITE, 9, 9, 9, 9]);
  });
});
