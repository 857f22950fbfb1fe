import { ACCESS_WRITE } from '../readers/access-batch.js';
import { InOrder, Interleaved } from './combine.js';
import { Streaming } from './linear.js';
import { AntiDiagonal } from './matrix.js';
import { betweenCpuPhases, cpuPhase, gpuPhase, region, stream, warpsOf } from './phases.js';
import { PAGE_BYTES } from './row-pattern.js';
import { Stencil } from './stencil.js';
import type { Workload, WorkloadPhase } from './workload.js';

const FLOAT = 4;

/** A 3 × 3 convolution from A to B, n × n floats, in one kernel. */
export function convolution2d(n: number): Workload {
  const bytes = n * n * FLOAT;
  const regions = [region('A', bytes), region('B', bytes)];
  const kernel = gpuPhase('Convolution2D', new Stencil({ bytes, rowBytes: n * FLOAT }), warpsOf(n * n));
  return betweenCpuPhases('2D convolution', regions, [0], [kernel], [1]);
}

/** A convolution over three planes, n³ floats: one kernel per plane. */
export function convolution3d(n: number): Workload {
  const plane = n * n * FLOAT;
  const regions = [region('A', plane * n), region('B', plane * n)];
  const pages = Math.ceil(plane / PAGE_BYTES);
  const kernels = Array.from({ length: n - 2 }, (_, i) => {
    const planes = [0, 1, 2].map((up) => new Streaming({ region: 0, firstPage: (i + up) * pages, pages }));
    const out = new Streaming({ region: 1, firstPage: (i + 1) * pages, pages, kind: ACCESS_WRITE });
    return gpuPhase(`convolution3D ${i + 1}`, new Interleaved([...planes, out]), warpsOf(n * n));
  });
  return betweenCpuPhases('3D convolution', regions, [0], kernels, [1]);
}

/** Finite differences in time, n × n floats: three kernels a step over the fields ex, ey and hz. */
export function fdtd2d(n: number, steps: number): Workload {
  const bytes = n * n * FLOAT;
  const rowBytes = n * FLOAT;
  const regions = [
    region('_fict_', steps * FLOAT),
    region('ex', n * (n + 1) * FLOAT),
    region('ey', (n + 1) * n * FLOAT),
    region('hz', bytes),
  ];
  const [fict, ex, ey, hz] = [0, 1, 2, 3];
  const field = (inputs: readonly number[], output: number): Stencil =>
    new Stencil({ bytes, rowBytes, inputs, alongside: [output], outputs: [output] });
  const lanes = warpsOf(n * n);
  const kernels = Array.from({ length: steps }, (_, t): WorkloadPhase[] => [
    gpuPhase(`step1 ${t}`, new InOrder([stream(regions, fict), field([hz], ey)]), lanes),
    gpuPhase(`step2 ${t}`, field([hz], ex), lanes),
    gpuPhase(`step3 ${t}`, field([ex, ey], hz), lanes),
  ]);
  return betweenCpuPhases('FDTD 2D', regions, [fict, ex, ey, hz], kernels.flat(), [hz]);
}

/** Heat on a chip, n × n floats: each kernel reads one temperature grid and the power, and writes the other grid. */
export function hotspot(n: number, kernels: number): Workload {
  const bytes = n * n * FLOAT;
  const regions = ['MatrixTemp[0]', 'MatrixTemp[1]', 'MatrixPower'].map((name) => region(name, bytes));
  const phases = Array.from({ length: kernels }, (_, i) => {
    const shape = { bytes, rowBytes: n * FLOAT, inputs: [i % 2], alongside: [2], outputs: [1 - (i % 2)] };
    return gpuPhase(`calculate_temp ${i}`, new Stencil(shape), warpsOf(n * n));
  });
  return betweenCpuPhases('hotspot', regions, [0, 2], phases, [kernels % 2]);
}

/** Needleman-Wunsch on n × n ints: a kernel per anti-diagonal of 16 × 16 blocks, first growing, then shrinking. */
export function needlemanWunsch(n: number): Workload {
  const rowBytes = (n + 1) * 4;
  const regions = ['reference', 'itemsets'].map((name) => region(name, (n + 1) * rowBytes));
  const blocks = n / 16;
  const kernels = Array.from({ length: 2 * blocks - 1 }, (_, diagonal) => {
    const pattern = new AntiDiagonal({ blocks, block: 16, diagonal, rowBytes });
    return gpuPhase(pattern.name, pattern, Math.ceil(pattern.accesses / 48 / 2));
  });
  return betweenCpuPhases('needleman-wunsch', regions, [0, 1], kernels, [1]);
}

/** The cheapest way through a grid of ints, `pyramid` rows a kernel: the rows are read once, two result rows alternate. */
export function pathfinder(columns: number, rows: number, pyramid: number): Workload {
  const row = columns * 4;
  const regions = [
    region('gpuResult[0]', row),
    region('gpuResult[1]', row),
    region('gpuWall', (rows - 1) * row),
  ];
  const wallPages = regions[2]?.pages ?? 1;
  const kernels = Array.from({ length: Math.ceil((rows - 1) / pyramid) }, (_, i) => {
    const firstPage = Math.floor((i * pyramid * row) / PAGE_BYTES);
    const end = Math.min(wallPages, Math.ceil(((i + 1) * pyramid * row) / PAGE_BYTES));
    const wall = new Streaming({ region: 2, firstPage, pages: end - firstPage });
    const parts = [stream(regions, i % 2), wall, stream(regions, 1 - (i % 2), ACCESS_WRITE)];
    return gpuPhase(`dynproc ${i}`, new InOrder(parts, 'rows of the wall'), warpsOf(columns));
  });
  return betweenCpuPhases('pathfinder', regions, [0, 2], kernels, [kernels.length % 2]);
}

/**
 * Speckle-reducing diffusion, n × n floats. Each iteration: the CPU reads the first 128 rows of J, one kernel reads J with its
 * neighbours (and writes the coefficient grids, where these are managed too), the next reads them and updates J.
 */
export function srad(n: number, iterations: number, managedGrids: boolean): Workload {
  const bytes = n * n * FLOAT;
  const rowBytes = n * FLOAT;
  const names = managedGrids ? ['J', 'C', 'E_C', 'W_C', 'S_C', 'N_C'] : ['J'];
  const regions = names.map((name) => region(name, bytes));
  const grids = names.slice(1).map((_, i) => i + 1);
  const lanes = warpsOf(n * n);
  const roi = new Streaming({ region: 0, pages: Math.ceil((Math.min(n, 128) * rowBytes) / PAGE_BYTES) });
  const phases = Array.from({ length: iterations }, (_, i): WorkloadPhase[] => [
    cpuPhase(`CPU statistics ${i}`, roi),
    gpuPhase(`srad_cuda_1 ${i}`, new Stencil({ bytes, rowBytes, inputs: [0], outputs: grids }), lanes),
    gpuPhase(
      `srad_cuda_2 ${i}`,
      new Stencil({
        bytes,
        rowBytes,
        inputs: grids.slice(0, 1),
        alongside: [0, ...grids.slice(1)],
        outputs: [0],
      }),
      lanes,
    ),
  ]);
  return betweenCpuPhases('srad', regions, [0], phases.flat(), [0]);
}

/** A seven-point stencil in three dimensions, `n` × `n` × `depth` floats, from one grid to the other and back. */
export function stencil3d(n: number, depth: number, iterations: number): Workload {
  const planeBytes = n * n * FLOAT;
  const bytes = planeBytes * depth;
  const regions = [region('A0', bytes), region('Anext', bytes)];
  const kernels = Array.from({ length: iterations }, (_, i) => {
    const shape = { bytes, rowBytes: n * FLOAT, planeBytes, inputs: [i % 2], outputs: [1 - (i % 2)] };
    return gpuPhase(`block2D ${i}`, new Stencil(shape), warpsOf(n * n));
  });
  return betweenCpuPhases('3D stencil', regions, [0, 1], kernels, [iterations % 2]);
}
