import type { RegionView } from '../engine/run-view.js';
import { HATCH, isHatched } from './gpu-pattern.js';
import type { Palette } from './palette.js';

/**
 * Paints a raster of `width` × `rows` states into `width` × `height` pixels, each GPU's pages in its pattern and duplicated
 * ones dotted. Where there are more pixels than rows, a row is several pixels high.
 */
export function paintResidency(
  raster: Uint8Array,
  width: number,
  rows: number,
  height: number,
  palette: Palette,
): ImageData {
  const image = new ImageData(width, height);
  const out = image.data;
  for (let y = 0, to = 0; y < height; y++) {
    const from = Math.floor((y * rows) / height) * width;
    for (let x = 0; x < width; x++, to += 4) {
      const state = raster[from + x] ?? 0;
      const [r, g, b] = palette.states[state] ?? palette.states[0];
      const shade = isHatched(state, x, y) ? HATCH : 1;
      out[to] = r * shade;
      out[to + 1] = g * shade;
      out[to + 2] = b * shade;
      out[to + 3] = 255;
    }
  }
  return image;
}

/** Marks where two rasters of the same size differ: 1 where they do. The strip between the panes. */
export function differenceColumns(a: Uint8Array, b: Uint8Array, width: number, height: number): Float64Array {
  const share = new Float64Array(width);
  for (let at = 0; at < width * height; at++) {
    if (a[at] !== b[at]) share[at % width] = (share[at % width] ?? 0) + 1 / height;
  }
  return share;
}

/** Veils what lies after the end of a run, at `x`: there is nothing to see any more. */
export function drawEnd(
  ctx: CanvasRenderingContext2D,
  x: number,
  width: number,
  height: number,
  palette: Palette,
): void {
  if (x >= width - 1) return;
  const begin = Math.max(0, x);
  ctx.fillStyle = palette.paper;
  ctx.fillRect(begin, 0, width - begin, height);
  ctx.fillStyle = palette.grid;
  ctx.fillRect(begin, 0, 1, height);
  ctx.fillStyle = palette.ink;
  ctx.font = '11px system-ui, sans-serif';
  if (width - begin > 60) ctx.fillText('end of run', begin + 6, 14);
}

const BLOCK_ROWS = 512;
/** Lines closer than that would hide what is between them, pixels. */
const LINE_GAP = 8;

/** Thin lines where regions begin, and 2 MiB blocks of them where there is room. */
export function drawRowLines(
  ctx: CanvasRenderingContext2D,
  regions: readonly RegionView[],
  rows: number,
  width: number,
  height: number,
  palette: Palette,
): void {
  const scale = height / rows;
  ctx.fillStyle = palette.paper;
  let last = 0;
  for (const { row, pages } of regions) {
    for (let first = row; first < row + pages; first += BLOCK_ROWS) {
      const y = Math.round(first * scale);
      if (y < last + LINE_GAP) continue;
      ctx.globalAlpha = first === row ? 1 : 0.55;
      ctx.fillRect(0, y, width, 1);
      last = y;
    }
  }
  ctx.globalAlpha = 1;
}
