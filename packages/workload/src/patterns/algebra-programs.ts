import { ACCESS_ATOMIC, ACCESS_READ, ACCESS_WRITE } from '../readers/access-batch.js';
import { InOrder, Interleaved } from './combine.js';
import { Streaming } from './linear.js';
import { MatrixWalk, TiledMatmul } from './matrix.js';
import type { AccessPattern } from './pattern.js';
import { betweenCpuPhases, gpuPhase, region, stream, warpsOf } from './phases.js';
import { UniformRandom } from './random.js';
import type { Workload, WorkloadPhase, WorkloadRegion } from './workload.js';

/** Bytes of a float. */
const FLOAT = 4;

/** `z[i] = x[i] + s · y[i]` over vectors of `bytes` bytes. */
export function streamTriad(bytes: number): Workload {
  const regions = ['x', 'y', 'z'].map((name) => region(name, bytes));
  const all = new Interleaved(
    [stream(regions, 0), stream(regions, 1), stream(regions, 2, ACCESS_WRITE)],
    'triad',
  );
  return betweenCpuPhases(
    'stream triad',
    regions,
    [0, 1],
    [gpuPhase('triad', all, warpsOf(bytes / FLOAT))],
    [2],
  );
}

/** Random access: reads an input in order, updates a table at random, writes an output in order. `n` floats each. */
export function randomAccess(n: number): Workload {
  const regions = ['input', 'output', 'table'].map((name) => region(name, n * FLOAT));
  const [pages, perPage] = [regions[2]?.pages ?? 1, 32];
  const [input, output] = [0, 1].map(
    (index) =>
      new Streaming({ region: index, pages, perPage, kind: index === 0 ? ACCESS_READ : ACCESS_WRITE }),
  );
  const table = new UniformRandom({ region: 2, pages, accesses: pages * perPage, kind: ACCESS_ATOMIC });
  const parts = [input, table, output].filter((part) => part !== undefined);
  const kernel = gpuPhase('update', new Interleaved(parts, 'random access'), warpsOf(n));
  return betweenCpuPhases('random access', regions, [0, 2], [kernel], [1]);
}

const MATRIX = 0;
const X = 1;
const Y = 2;
const TMP = 3;

/** The kernel whose thread `i` runs along row `i` of the matrix, and the one whose thread runs down a column. */
function alongRows(
  regions: readonly WorkloadRegion[],
  n: number,
  matrix: number,
  input: number,
  output: number,
): AccessPattern {
  const walk = new MatrixWalk({ region: matrix, rows: n, rowBytes: n * FLOAT, order: 'columns' });
  return new InOrder(
    [stream(regions, input), walk, stream(regions, output, ACCESS_WRITE)],
    'a thread per row',
  );
}

function downColumns(
  regions: readonly WorkloadRegion[],
  n: number,
  matrix: number,
  input: number,
  output: number,
): AccessPattern {
  const walk = new MatrixWalk({ region: matrix, rows: n, rowBytes: n * FLOAT, order: 'rows' });
  return new InOrder(
    [stream(regions, input), walk, stream(regions, output, ACCESS_WRITE)],
    'a thread per column',
  );
}

/** y = Aᵀ(A x), n × n floats: tmp = A x by rows, then y = Aᵀ tmp by columns. */
export function atax(n: number): Workload {
  const regions = [region('A', n * n * FLOAT), ...['x', 'y', 'tmp'].map((name) => region(name, n * FLOAT))];
  const kernels = [
    gpuPhase('atax_kernel1', alongRows(regions, n, MATRIX, X, TMP), warpsOf(n)),
    gpuPhase('atax_kernel2', downColumns(regions, n, MATRIX, TMP, Y), warpsOf(n)),
  ];
  return betweenCpuPhases('atax', regions, [MATRIX, X], kernels, [Y]);
}

/** q = A p and s = Aᵀ r, n × n floats. */
export function bicg(n: number): Workload {
  const regions = [
    region('A', n * n * FLOAT),
    ...['p', 'q', 'r', 's'].map((name) => region(name, n * FLOAT)),
  ];
  const kernels = [
    gpuPhase('bicg_kernel1', downColumns(regions, n, MATRIX, 3, 4), warpsOf(n)),
    gpuPhase('bicg_kernel2', alongRows(regions, n, MATRIX, 1, 2), warpsOf(n)),
  ];
  return betweenCpuPhases('bicg', regions, [MATRIX, 1, 3], kernels, [2, 4]);
}

/** x1 += A y1 and x2 += Aᵀ y2, n × n floats. */
export function mvt(n: number): Workload {
  const regions = [
    region('a', n * n * FLOAT),
    ...['x1', 'y1', 'x2', 'y2'].map((name) => region(name, n * FLOAT)),
  ];
  const kernels = [
    gpuPhase('mvt_kernel1', alongRows(regions, n, MATRIX, 2, 1), warpsOf(n)),
    gpuPhase('mvt_kernel2', downColumns(regions, n, MATRIX, 4, 3), warpsOf(n)),
  ];
  return betweenCpuPhases('mvt', regions, [MATRIX, 1, 2, 3, 4], kernels, [1, 3]);
}

/** y = α A x + β B x, n × n floats: one thread per row, in both matrices at once. */
export function gesummv(n: number): Workload {
  const regions = [
    ...['A', 'B'].map((name) => region(name, n * n * FLOAT)),
    ...['x', 'y', 'tmp'].map((name) => region(name, n * FLOAT)),
  ];
  const walks = [0, 1].map(
    (index) => new MatrixWalk({ region: index, rows: n, rowBytes: n * FLOAT, order: 'columns' }),
  );
  const parts = [
    stream(regions, 2),
    new Interleaved(walks),
    stream(regions, 4, ACCESS_WRITE),
    stream(regions, 3, ACCESS_WRITE),
  ];
  const kernel = gpuPhase('gesummv_kernel', new InOrder(parts, 'two matrices by columns'), warpsOf(n));
  return betweenCpuPhases('gesummv', regions, [0, 1, 2], [kernel], [3]);
}

/** A product that is one kernel: indices of the regions of A, B and C. */
type Product = readonly [name: string, a: number, b: number, c: number];

/** Square products one after another over matrices of n × n floats. */
export function matrixProducts(
  name: string,
  n: number,
  matrices: readonly string[],
  products: readonly Product[],
  inputs: readonly number[],
): Workload {
  const regions = matrices.map((matrix) => region(matrix, n * n * FLOAT));
  const kernels = products.map(([kernel, ...abc]) =>
    gpuPhase(kernel, new TiledMatmul({ rows: n, regions: abc }), warpsOf(n * n)),
  );
  return betweenCpuPhases(name, regions, inputs, kernels, [matrices.length - 1]);
}

/**
 * k nearest neighbours of `points` queries among as many references of `dim` floats: all distances, then a sort down each
 * column of the distance matrix, then the roots of the first k rows.
 */
export function nearestNeighbours(points: number, dim: number, k: number): Workload {
  const vectors = points * dim * FLOAT;
  const regions = [
    region('ref', vectors),
    region('query', vectors),
    region('dist', points * points * FLOAT),
    region('ind', points * k * 4),
  ];
  const rowBytes = points * FLOAT;
  const distances = new TiledMatmul({ rows: points, inner: dim, tile: 16, regions: [0, 1, 2] });
  const column = [ACCESS_READ, ACCESS_WRITE].map(
    (kind) => new MatrixWalk({ region: 2, rows: points, rowBytes, order: 'rows', kind }),
  );
  const roots = new MatrixWalk({ region: 2, rows: k, rowBytes, order: 'rows', kind: ACCESS_WRITE });
  const kernels = [
    gpuPhase('distances', distances, warpsOf(points * points)),
    gpuPhase(
      'insertion sort',
      new InOrder([new Interleaved(column), stream(regions, 3, ACCESS_WRITE)]),
      warpsOf(points),
    ),
    gpuPhase('square roots', roots, warpsOf(points * k)),
  ];
  return betweenCpuPhases('nearest neighbours', regions, [0, 1], kernels, [2, 3]);
}

/** Lloyd's k-means of `points` in the plane: distances, regrouping, and one block that adds up all points for each centre. */
export function kMeans(points: number, k: number, iterations: number): Workload {
  const floats = points * FLOAT;
  const regions = [
    region('group', floats),
    region('x', floats),
    region('y', floats),
    region('dst', floats * k),
    region('centres', k * 24),
  ];
  const [group, x, y, dst, centres] = [0, 1, 2, 3, 4];
  const kernels = Array.from({ length: iterations }, (_, i): WorkloadPhase[] => {
    const measure = [
      stream(regions, centres),
      new Interleaved([stream(regions, x), stream(regions, y)]),
      stream(regions, dst, ACCESS_WRITE),
    ];
    const regroup = [stream(regions, dst), stream(regions, group, ACCESS_WRITE)];
    const add = [
      new Interleaved([stream(regions, group), stream(regions, x), stream(regions, y)]),
      stream(regions, centres, ACCESS_WRITE),
    ];
    return [
      gpuPhase(`get_dst ${i}`, new InOrder(measure), points),
      gpuPhase(`regroup ${i}`, new InOrder(regroup), points),
      gpuPhase(`recenter ${i}`, new InOrder(add), 1),
    ];
  });
  return betweenCpuPhases('k-means', regions, [x, y, centres], kernels.flat(), [group, centres]);
}

/** The two kernels of a training step of a network with one hidden layer of 16: forward sums, then new weights. */
export function backPropagation(inputs: number): Workload {
  const weights = (inputs + 1) * 17 * FLOAT;
  const regions = [
    region('hidden_delta', 17 * FLOAT),
    region('input_units', (inputs + 1) * FLOAT),
    region('input_weights2', weights),
    region('input_prev_weights', weights),
  ];
  const [delta, units, now, before] = [0, 1, 2, 3];
  const both = [now, before].flatMap((index) => [
    stream(regions, index),
    stream(regions, index, ACCESS_WRITE),
  ]);
  const kernels = [
    gpuPhase(
      'layerforward',
      new InOrder([stream(regions, units), stream(regions, now)]),
      warpsOf(inputs * 16),
    ),
    gpuPhase(
      'adjust_weights',
      new InOrder([stream(regions, delta), stream(regions, units), new Interleaved(both)]),
      warpsOf(inputs * 16),
    ),
  ];
  return betweenCpuPhases('back propagation', regions, [delta, units, now, before], kernels, [now]);
}

/** Bellman-Ford as a GPU runs it: each round walks all vertices and edges and updates distances at random. */
export function shortestPaths(vertices: number, degree: number, rounds: number): Workload {
  const [perVertex, perEdge] = [vertices * 4, vertices * degree * 4];
  const regions = [
    region('vertexArray', perVertex),
    region('edgeArray', perEdge),
    region('weightArray', perEdge),
    region('distances', perVertex),
    region('updating', perVertex),
  ];
  const [vertex, edge, weight, distances, updating] = [0, 1, 2, 3, 4];
  const pages = regions[edge]?.pages ?? 1;
  const scattered = new UniformRandom({
    region: updating,
    pages: regions[updating]?.pages ?? 1,
    accesses: pages * 16,
    kind: ACCESS_ATOMIC,
  });
  const lanes = warpsOf(vertices);
  const start = new Interleaved([
    stream(regions, distances, ACCESS_WRITE),
    stream(regions, updating, ACCESS_WRITE),
  ]);
  const kernels = Array.from({ length: rounds }, (_, i): WorkloadPhase[] => {
    const edges = new Interleaved([stream(regions, edge), stream(regions, weight)]);
    const relax = new InOrder(
      [stream(regions, vertex), stream(regions, distances), edges, scattered],
      'relax',
    );
    const turn = new Interleaved([stream(regions, updating), stream(regions, distances, ACCESS_WRITE)]);
    return [gpuPhase(`Kernel1 ${i}`, relax, lanes), gpuPhase(`Kernel2 ${i}`, turn, lanes)];
  });
  const all = [gpuPhase('initialize', start, lanes), ...kernels.flat()];
  return betweenCpuPhases('shortest paths', regions, [vertex, edge, weight], all, [distances]);
}
