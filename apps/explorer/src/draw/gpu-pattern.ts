import { ON_BOTH, ON_DEVICE, ON_SECOND_GPU } from '../tiles/residency-raster.js';

/** Share of a colour's light that a pattern's pixels keep. */
export const HATCH = 0.78;
/** Side of the square that every pattern repeats, pixels. */
export const PATTERN_SIZE = 8;

/**
 * Whether pixel (x, y) of memory of GPU `gpu` belongs to its pattern, by which GPUs are told apart without colours: diagonals one way,
 * the other way, lines across, lines down, a grid, diagonals both ways, squares, a chequerboard.
 */
export function inGpuPattern(gpu: number, x: number, y: number): boolean {
  const [column, row] = [x & 7, y & 7];
  switch (gpu & 7) {
    case 0:
      return ((x + y) & 7) === 0;
    case 1:
      return ((x - y) & 7) < 2;
    case 2:
      return (row & 3) === 0;
    case 3:
      return (column & 3) === 0;
    case 4:
      return column === 0 || row === 0;
    case 5:
      return ((x + y) & 7) === 0 || ((x - y) & 7) === 0;
    case 6:
      return column < 3 && row < 3;
    default:
      return column < 4 === row < 4;
  }
}

/** Whether pixel (x, y) of a cell in `state` is darker than its colour. */
export function isHatched(state: number, x: number, y: number): boolean {
  if (state === ON_BOTH) return (x & 3) === 0 && (y & 3) === 0;
  if (state < ON_DEVICE) return false;
  return inGpuPattern(state === ON_DEVICE ? 0 : state - ON_SECOND_GPU + 1, x, y);
}
