import { density, type Lane, visible } from '../tiles/lane-index.js';
import type { Palette } from './palette.js';

/** Height of one lane, CSS pixels. */
export const LANE_HEIGHT = 16;

/** More spans than this in view are drawn as a density, fewer one by one. */
export const BARS_AT_MOST = 2000;

/** What a lane drawing needs to know. */
export interface LanesView {
  /** ns. */
  readonly from: number;
  readonly to: number;
  readonly width: number;
  /** Event drawn as selected, or -1. */
  readonly selected: number;
  /** Lanes whose events go back to an earlier point: drawn as arrows. */
  readonly arrows: ReadonlySet<number>;
}

/** Draws the lanes below each other: bars while few enough are in view, else how many there are, as darkness. */
export function drawLanes(
  ctx: CanvasRenderingContext2D,
  lanes: readonly Lane[],
  view: LanesView,
  palette: Palette,
): void {
  const scale = view.width / (view.to - view.from);
  ctx.clearRect(0, 0, view.width, lanes.length * LANE_HEIGHT);
  for (const [index, lane] of lanes.entries()) {
    const top = index * LANE_HEIGHT;
    ctx.globalAlpha = 1;
    ctx.fillStyle = palette.grid;
    ctx.fillRect(0, top + LANE_HEIGHT - 1, view.width, 1);
    ctx.fillStyle = palette.lane;
    const { first, last } = visible(lane, view.from, view.to);
    if (view.arrows.has(index)) drawArrows(ctx, lane, first, last, top, view, scale, palette);
    else if (last - first <= BARS_AT_MOST) drawBars(ctx, lane, first, last, top, view, scale, palette);
    else drawDensity(ctx, lane, top, view);
  }
  ctx.globalAlpha = 1;
}

function drawBars(
  ctx: CanvasRenderingContext2D,
  lane: Lane,
  first: number,
  last: number,
  top: number,
  view: LanesView,
  scale: number,
  palette: Palette,
): void {
  for (let i = first; i < last; i++) {
    const x = ((lane.start[i] ?? 0) - view.from) * scale;
    const width = Math.max(1.5, ((lane.end[i] ?? 0) - (lane.start[i] ?? 0)) * scale);
    if (x + width < 0) continue;
    const selected = lane.event[i] === view.selected;
    ctx.fillStyle = selected ? palette.mark : palette.lane;
    ctx.fillRect(x, top + 2, width, LANE_HEIGHT - 5);
  }
}

/** Each event as an arrow that points back in time. */
function drawArrows(
  ctx: CanvasRenderingContext2D,
  lane: Lane,
  first: number,
  last: number,
  top: number,
  view: LanesView,
  scale: number,
  palette: Palette,
): void {
  const middle = top + LANE_HEIGHT / 2 - 1;
  for (let i = first; i < Math.min(last, first + BARS_AT_MOST); i++) {
    const x = ((lane.start[i] ?? 0) - view.from) * scale;
    ctx.fillStyle = lane.event[i] === view.selected ? palette.mark : palette.lane;
    ctx.fillRect(x - 9, middle - 1, 9, 2);
    ctx.beginPath();
    ctx.moveTo(x - 13, middle);
    ctx.lineTo(x - 8, middle - 4);
    ctx.lineTo(x - 8, middle + 4);
    ctx.fill();
  }
}

function drawDensity(ctx: CanvasRenderingContext2D, lane: Lane, top: number, view: LanesView): void {
  const counts = density(lane, view.from, view.to, view.width);
  let most = 1;
  for (const count of counts) if (count > most) most = count;
  for (let x = 0; x < counts.length; x++) {
    const count = counts[x] ?? 0;
    if (count === 0) continue;
    ctx.globalAlpha = 0.25 + 0.75 * (Math.log1p(count) / Math.log1p(most));
    ctx.fillRect(x, top + 2, 1, LANE_HEIGHT - 5);
  }
}

/** The event whose span is at (x, y) of a lanes drawing, or -1; a tick can be hit 4 px beside. */
export function hitLane(lanes: readonly Lane[], view: LanesView, x: number, y: number): number {
  const lane = lanes[Math.floor(y / LANE_HEIGHT)];
  if (lane === undefined) return -1;
  const ns = (view.to - view.from) / view.width;
  const at = view.from + x * ns;
  const { first, last } = visible(lane, at - 4 * ns, at + 4 * ns);
  for (let i = last - 1; i >= first; i--) {
    if ((lane.start[i] ?? 0) <= at + 4 * ns && (lane.end[i] ?? 0) >= at - 4 * ns) return lane.event[i] ?? -1;
  }
  return -1;
}
