/** Where a page's data is; also the value of a raster cell. */
export const NOWHERE = 0;
export const ON_CPU = 1;
export const ON_DEVICE = 2;
export const ON_BOTH = 3;
/** Memory of the second GPU; the states of further ones follow, up to the eighth. */
export const ON_SECOND_GPU = 4;
/** GPUs that have a state of their own; a ninth looks like the second again. */
export const GPU_STATES = 8;

/** The state of data that is on GPU `gpu` alone, counted from 0. */
export function stateOfGpu(gpu: number): number {
  return gpu === 0 ? ON_DEVICE : ON_SECOND_GPU + ((gpu - 1) % (GPU_STATES - 1));
}

/** The state of data by who has it: bit 0 the host, bit `1 + n` GPU `n`. */
export function stateOfHolders(holders: number): number {
  if (holders <= 1) return holders;
  if ((holders & (holders - 1)) !== 0) return ON_BOTH;
  return stateOfGpu(30 - Math.clz32(holders));
}

/** Residency changes in time order, as columns: from `time` on, rows [row, row + rows) are in `state`. */
export interface ResidencyChanges {
  readonly length: number;
  /** Virtual time, ns. */
  readonly time: Float64Array;
  /** First row: an index over all pages of all regions, in display order. */
  readonly row: Uint32Array;
  readonly rows: Uint32Array;
  /** {@link NOWHERE} … {@link ON_BOTH}, and {@link ON_SECOND_GPU} … for further GPUs. */
  readonly state: Uint8Array;
}

/** The part of the map that is drawn: times in ns, rows in pages, both half-open; `width` × `height` cells. */
export interface RasterView {
  readonly from: number;
  readonly to: number;
  readonly firstRow: number;
  readonly lastRow: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The residency map as a bitmap: a cell gets the state that covers most of its area (pages × time).
 *
 * One linear pass over the changes; each page's change costs a constant number of additions, since a span of time is
 * entered into difference arrays at its two ends only. `pages` is the number of rows of the whole map.
 */
export function residencyRaster(changes: ResidencyChanges, pages: number, view: RasterView): Uint8Array {
  const cells = new Spans(view, statesOf(changes));
  const state = new Uint8Array(pages);
  const since = new Float64Array(pages).fill(view.from);
  const scale = view.height / (view.lastRow - view.firstRow);
  for (let i = 0; i < changes.length; i++) {
    const time = changes.time[i] ?? 0;
    if (time >= view.to) break;
    const first = Math.max(changes.row[i] ?? 0, view.firstRow);
    const last = Math.min((changes.row[i] ?? 0) + (changes.rows[i] ?? 0), view.lastRow);
    const next = changes.state[i] ?? 0;
    for (let row = first; row < last; row++) {
      if (time > view.from)
        cells.add(((row - view.firstRow) * scale) | 0, state[row] ?? 0, since[row] ?? 0, time);
      state[row] = next;
      since[row] = Math.max(time, view.from);
    }
  }
  for (let row = view.firstRow; row < view.lastRow; row++) {
    cells.add(((row - view.firstRow) * scale) | 0, state[row] ?? 0, since[row] ?? 0, view.to);
  }
  return cells.dominant();
}

/** States that there are: more than four only where there are several GPUs. */
function statesOf({ state }: ResidencyChanges): number {
  let last = ON_BOTH;
  for (const one of state) if (one > last) last = one;
  return last + 1;
}

/** A state must win a cell by more than what rounding to single precision leaves behind. */
const CRUMBS = 1e-3;

/**
 * Accumulates how long each state covers each cell. Coverage is kept as differences along the time axis: two numbers a
 * cell and state, side by side since both are touched together: the part of a cell, and the whole cells from here on.
 * Cells of one time lie together: changes come in time order, so that what they touch stays in the processor's cache.
 */
class Spans {
  private readonly cover: Float32Array;
  private readonly view: RasterView;
  private readonly perNs: number;
  /** From a cell to the next one in time. */
  private readonly stride: number;
  private readonly states: number;

  constructor(view: RasterView, states: number) {
    this.view = view;
    this.states = states;
    this.perNs = view.width / (view.to - view.from);
    this.stride = view.height * states * 2;
    this.cover = new Float32Array((view.width + 2) * this.stride);
  }

  add(y: number, state: number, from: number, to: number): void {
    if (to <= from) return;
    const { view, perNs, cover, stride } = this;
    const base = 2 * (y * this.states + state);
    const a = (from - view.from) * perNs;
    const b = (to - view.from) * perNs;
    const x0 = a | 0;
    const x1 = Math.min(b | 0, view.width);
    const first = x0 * stride + base;
    if (x0 === x1) {
      cover[first] = (cover[first] ?? 0) + (b - a);
      return;
    }
    const whole = first + stride + 1;
    const last = x1 * stride + base;
    cover[first] = (cover[first] ?? 0) + (x0 + 1 - a);
    cover[whole] = (cover[whole] ?? 0) + 1;
    cover[last] = (cover[last] ?? 0) + (b - x1);
    cover[last + 1] = (cover[last + 1] ?? 0) - 1;
  }

  dominant(): Uint8Array {
    const { view, cover, states } = this;
    const out = new Uint8Array(view.width * view.height);
    const running = new Float64Array(view.height * states);
    for (let x = 0, at = 0; x < view.width; x++) {
      for (let y = 0, slot = 0; y < view.height; y++) {
        let best = 0;
        let most = 0;
        for (let state = 0; state < states; state++, slot++, at += 2) {
          const run = (running[slot] ?? 0) + (cover[at + 1] ?? 0);
          running[slot] = run;
          const covered = run + (cover[at] ?? 0);
          if (covered > most + CRUMBS) {
            most = covered;
            best = state;
          }
        }
        out[y * view.width + x] = best;
      }
    }
    return out;
  }
}
