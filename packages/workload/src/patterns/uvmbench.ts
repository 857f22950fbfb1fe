import {
  atax,
  backPropagation,
  bicg,
  gesummv,
  kMeans,
  matrixProducts,
  mvt,
  nearestNeighbours,
} from './algebra-programs.js';
import {
  convolution2d,
  convolution3d,
  fdtd2d,
  hotspot,
  needlemanWunsch,
  pathfinder,
  srad,
} from './grid-programs.js';
import { modelledIn, type ModelledWorkload } from './workload.js';

const modelled = modelledIn('UVMBench');

/** The naive kernels of PolyBench give each thread one element; neighbouring threads then share rows as tiles do. */
const NAIVE = 'the naive kernel is taken as tiles of 32 × 32, the shape of its thread blocks along a row';

/** Bytes of `count` matrices of n × n floats. */
const matrices = (count: number, n: number): number => count * n * n * 4;

const matrixNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(65 + i));

function linearAlgebra(): ModelledWorkload[] {
  const twoProducts = [
    ['mm2_kernel1', 0, 1, 2],
    ['mm2_kernel2', 2, 3, 4],
  ] as const;
  const threeProducts = [
    ['mm3_kernel1', 0, 1, 4],
    ['mm3_kernel2', 2, 3, 5],
    ['mm3_kernel3', 4, 5, 6],
  ] as const;
  const gemm = matrixProducts('gemm', 512, matrixNames(3), [['gemm_kernel', 0, 1, 2]], [0, 1, 2]);
  const mm2 = matrixProducts('2mm', 2048, matrixNames(5), twoProducts, [0, 1, 3]);
  const mm3 = matrixProducts('3mm', 512, matrixNames(7), threeProducts, [0, 1, 2, 3]);
  const walks = 'both kernels and their opposite walks of the matrix';
  return [
    modelled('ATAX', atax(4096), matrices(1, 4096) + 3 * 16384, 'NX = NY = 4096', walks),
    modelled('BICG', bicg(4096), matrices(1, 4096) + 4 * 16384, 'NX = NY = 4096', walks),
    modelled('MVT', mvt(4096), matrices(1, 4096) + 4 * 16384, 'N = 4096', walks),
    modelled(
      'GESUMMV',
      gesummv(4096),
      matrices(2, 4096) + 3 * 16384,
      'N = 4096',
      'both matrices walked together by columns',
    ),
    modelled(
      'GEMM',
      gemm,
      matrices(3, 512),
      'NI = NJ = NK = 512',
      'the three matrices and the reuse between tiles',
      NAIVE,
    ),
    modelled(
      '2MM',
      mm2,
      matrices(5, 2048),
      'all sides 2048',
      'both products and the matrix between them',
      NAIVE,
    ),
    modelled(
      '3MM',
      mm3,
      matrices(7, 512),
      'all sides 512',
      'the three products and the matrices between them',
      NAIVE,
    ),
  ];
}

function grids(): ModelledWorkload[] {
  const swap = 'kernels that swap the grids';
  return [
    modelled(
      '2DCONV',
      convolution2d(4096),
      matrices(2, 4096),
      'NI = NJ = 4096',
      'the one kernel, rows above and below',
    ),
    modelled(
      '3DCONV',
      convolution3d(256),
      2 * 256 ** 3 * 4,
      'NI = NJ = NK = 256',
      '254 kernels, three planes read and one written each',
    ),
    modelled(
      'FDTD-2D',
      fdtd2d(2048, 500),
      matrices(3, 2048),
      'NX = NY = 2048, tmax = 500',
      '1500 kernels over three fields',
    ),
    modelled(
      'hotspot',
      hotspot(512, 1),
      matrices(3, 512),
      '512 × 512, 2 iterations, pyramid height 2',
      swap,
      'the halo of a pyramid',
    ),
    modelled(
      'nw',
      needlemanWunsch(2048),
      2 * 2049 ** 2 * 4,
      '2048 × 2048',
      '255 kernels along the anti-diagonals',
    ),
    modelled(
      'pathfinder',
      pathfinder(100000, 100, 20),
      100 * 100000 * 4 + 400000,
      '100000 × 100, pyramid height 20',
      'five kernels, twenty rows each',
    ),
    modelled(
      'srad',
      srad(2048, 2, true),
      matrices(6, 2048),
      '2048 × 2048, 2 iterations',
      'all six grids, the CPU reading J between iterations',
    ),
  ];
}

/**
 * Programs of UVMBench (Gu, Wu, Li, Chen 2020) with the sizes that their sources and run scripts set by default. Working sets are what
 * those sources allocate as managed memory.
 */
export function uvmBenchWorkloads(): ModelledWorkload[] {
  const knn = nearestNeighbours(4096, 32, 20);
  const knnBytes = 2 * 4096 * 32 * 4 + 4096 * 4096 * 4 + 4096 * 20 * 4;
  return [
    ...linearAlgebra(),
    ...grids(),
    modelled(
      'knn',
      knn,
      knnBytes,
      '4096 references and queries of 32 floats, k = 20',
      'the distance matrix and its walk by columns',
    ),
    modelled(
      'kmeans',
      kMeans(1_000_000, 2, 10),
      5 * 4_000_000,
      '1000000 points, two centres',
      'the points, the distances and the single block that adds them up',
      'the number of rounds, here 10',
    ),
    modelled(
      'backprop',
      backPropagation(65536),
      2 * 65537 * 17 * 4 + 65537 * 4,
      '65536 inputs',
      'both kernels, the weight matrices read and written in step',
      'partial sums of the hidden layer',
    ),
  ];
}
