import { atax, backPropagation, randomAccess, shortestPaths, streamTriad } from './algebra-programs.js';
import {
  convolution2d,
  fdtd2d,
  hotspot,
  needlemanWunsch,
  pathfinder,
  srad,
  stencil3d,
} from './grid-programs.js';
import { graphBfs } from './programs.js';
import { modelledIn, type ModelledWorkload } from './workload.js';

const MB = 2 ** 20;

const modelled = modelledIn('UVMSmart');

/**
 * The managed benchmarks that come with the UVMSmart simulator (Rodinia, Parboil, Lonestar, PolyBench, HPC Challenge), with the
 * working sets, iterations and kernel counts that its documentation lists. Made anew at each call: thousands of phases are
 * cheap to make and need not be kept.
 */
export function uvmSmartWorkloads(): ModelledWorkload[] {
  return [...algebraWorkloads(), ...gridWorkloads()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Those over vectors, matrices and graphs. */
function algebraWorkloads(): ModelledWorkload[] {
  return [
    modelled('atax', atax(1200), 6.1875 * MB, 'NX = NY = 1200', 'both kernels and their opposite walks of A'),
    modelled(
      'backprop',
      backPropagation(131056),
      17.5625 * MB,
      '131056 inputs, 16 hidden units',
      'both kernels, the weight matrices read and written in step',
      'the forward kernel here reads the weights that the second one updates; the original has a copy of them, which its listed total leaves out',
    ),
    modelled(
      'bfs',
      graphBfs({ vertices: 261444, edges: 1568420 }, 11),
      9.75 * MB,
      'graph256k: 261444 nodes, 1568420 edges',
      '11 levels of two kernels, mask sweeps, scattered neighbours',
      'the very graph: a random one of the same size, with equal degrees, whose frontiers grow by a formula',
    ),
    modelled(
      'ra',
      randomAccess(2 ** 20),
      12 * MB,
      'N = 2^20',
      'ordered input and output, random updates of the table',
      'all but 32 of the 1024 updates per page of input',
    ),
    modelled(
      'sssp',
      shortestPaths(2 ** 20, 2, 15),
      28 * MB,
      '2^20 vertices of two edges, 15 rounds',
      '31 kernels: ordered walks of the graph, scattered distance updates',
      'all but 16 of the 1024 updates per page of edges; which vertices are still active',
    ),
    modelled('stream_triad', streamTriad(4 * MB), 12 * MB, 'N = 2^20', 'the one kernel over three vectors'),
  ];
}

/** Those whose elements meet their neighbours in a grid. */
function gridWorkloads(): ModelledWorkload[] {
  return [
    modelled(
      '2dconv',
      convolution2d(1024),
      8 * MB,
      'NI = NJ = 1024',
      'the one kernel, both matrices, rows above and below',
    ),
    modelled(
      'fdtd',
      fdtd2d(1200, 5),
      18.0625 * MB,
      'NX = NY = 1200, tmax = 5',
      '15 kernels over three fields',
    ),
    modelled(
      'hotspot',
      hotspot(1024, 4),
      12 * MB,
      '1024 × 1024, 8 iterations, pyramid height 2',
      'four kernels that swap the grids',
      'the halo that blocks of a pyramid share',
    ),
    modelled(
      'nw',
      needlemanWunsch(1024),
      8.125 * MB,
      '1024 × 1024, blocks of 16',
      '127 kernels along the anti-diagonals',
    ),
    modelled(
      'pathfinder',
      pathfinder(50000, 200, 10),
      38.5 * MB,
      '50000 × 200, pyramid height 10',
      '20 kernels, ten rows of the wall each',
    ),
    modelled(
      'srad_v2',
      srad(1024, 4, false),
      4 * MB,
      '1024 × 1024, 4 iterations',
      'eight kernels and the CPU reading its region of interest between them',
      'the five coefficient grids, which the original allocates on the device',
    ),
    modelled(
      'stencil',
      stencil3d(512, 64, 10),
      128 * MB,
      '512 × 512 × 64, 10 iterations',
      'ten kernels that swap the grids, planes and rows on both sides',
    ),
  ];
}
