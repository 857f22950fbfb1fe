import { density, type EventTimes, type Lane, visible } from '../tiles/lane-index.js';
import { HATCH, inGpuPattern, PATTERN_SIZE } from './gpu-pattern.js';
import { colourOfGpu, inkOnGpu, type LaneRole, type Palette } from './palette.js';

/** Height of one lane, CSS pixels. */
export const LANE_HEIGHT = 17;

/** More spans than this in view are drawn as a density, fewer one by one. */
export const BARS_AT_MOST = 2000;

/** How a lane's events are drawn: as bars, as arrows back in time, or as a line that is up while they last. */
export type LaneShape = 'bars' | 'arrows' | 'level';

/** A lane with its looks. */
export interface DrawnLane {
  readonly lane: Lane;
  readonly role: LaneRole;
  readonly shape: LaneShape;
  /** Number of the GPU whose colour and pattern it has; -1 for a lane that is no GPU's of several. */
  readonly gpu: number;
}

/** What a lane drawing needs to know. */
export interface LanesView {
  /** ns. */
  readonly from: number;
  readonly to: number;
  readonly width: number;
  /** Event drawn as selected, or -1. */
  readonly selected: number;
  /** What is written on the bar of an event, where there is room; '' for nothing. */
  readonly label?: (event: number) => string;
}

const BAR_TOP = 2;
const BAR_HEIGHT = LANE_HEIGHT - 5;
/** A bar narrower than that has nothing written on it. */
const LABEL_FROM = 28;

interface Drawing {
  readonly ctx: CanvasRenderingContext2D;
  readonly times: EventTimes;
  readonly view: LanesView;
  readonly palette: Palette;
  /** Pixels a ns. */
  readonly scale: number;
}

/** Draws the lanes below each other: one by one while few enough are in view, else how many there are, as darkness. */
export function drawLanes(
  ctx: CanvasRenderingContext2D,
  lanes: readonly DrawnLane[],
  times: EventTimes,
  view: LanesView,
  palette: Palette,
): void {
  const drawing: Drawing = { ctx, times, view, palette, scale: view.width / (view.to - view.from) };
  ctx.clearRect(0, 0, view.width, lanes.length * LANE_HEIGHT);
  ctx.font = '10px system-ui, sans-serif';
  for (const [index, drawn] of lanes.entries()) {
    const top = index * LANE_HEIGHT;
    ctx.globalAlpha = 1;
    ctx.fillStyle = palette.grid;
    ctx.fillRect(0, top + LANE_HEIGHT - 1, view.width, 1);
    const { first, last } = visible(drawn.lane, times, view.from, view.to);
    if (last - first > BARS_AT_MOST) drawDensity(drawing, drawn, top);
    else if (drawn.shape === 'arrows') drawArrows(drawing, drawn, first, last, top);
    else drawBars(drawing, drawn, first, last, top);
  }
  ctx.globalAlpha = 1;
}

function colourOf({ view, palette }: Drawing, lane: DrawnLane, event: number): string {
  return event === view.selected ? palette.mark : laneColour(palette, lane);
}

function laneColour(palette: Palette, { role, gpu }: DrawnLane): string {
  return gpu >= 0 && role === 'gpu' ? colourOfGpu(palette, gpu) : palette.lanes[role];
}

/** The pattern of the lane's GPU, to be laid over a bar; undefined for a lane that is no GPU's. */
function patternOf(ctx: CanvasRenderingContext2D, { gpu }: DrawnLane): CanvasPattern | undefined {
  if (gpu < 0) return undefined;
  const tile = new OffscreenCanvas(PATTERN_SIZE, PATTERN_SIZE);
  const on = tile.getContext('2d');
  if (on === null) return undefined;
  on.fillStyle = `rgb(0 0 0 / ${1 - HATCH})`;
  for (let x = 0; x < PATTERN_SIZE; x++)
    for (let y = 0; y < PATTERN_SIZE; y++) if (inGpuPattern(gpu, x, y)) on.fillRect(x, y, 1, 1);
  return ctx.createPattern(tile, 'repeat') ?? undefined;
}

function drawBars(drawing: Drawing, drawn: DrawnLane, first: number, last: number, top: number): void {
  const { ctx, times, view, scale } = drawing;
  const level = drawn.shape === 'level';
  if (level) {
    ctx.fillStyle = drawing.palette.lanes[drawn.role];
    ctx.fillRect(0, top + BAR_TOP + BAR_HEIGHT - 1, view.width, 1);
  }
  const pattern = patternOf(ctx, drawn);
  for (let i = first; i < last; i++) {
    const event = drawn.lane.event[i] ?? 0;
    const begin = times.time[event] ?? 0;
    const left = (begin - view.from) * scale;
    const x = Math.max(left, 0);
    const right = Math.min(((times.end[event] ?? 0) - view.from) * scale, view.width);
    if (right < 0) continue;
    const width = Math.max(1.5, right - x);
    ctx.fillStyle = colourOf(drawing, drawn, event);
    ctx.fillRect(x, top + BAR_TOP, width, BAR_HEIGHT);
    if (pattern !== undefined && width > PATTERN_SIZE) {
      ctx.fillStyle = pattern;
      ctx.fillRect(x, top + BAR_TOP, width, BAR_HEIGHT);
    }
    // Neighbours that touch stay two bars.
    if (left > 0 && width > 3) ctx.clearRect(x, top + BAR_TOP, 0.5, BAR_HEIGHT);
    if (width > LABEL_FROM) writeLabel(drawing, drawn, event, { x, top, width });
  }
}

function writeLabel(
  { ctx, view, palette }: Drawing,
  { role, gpu }: DrawnLane,
  event: number,
  { x, top, width }: { readonly x: number; readonly top: number; readonly width: number },
): void {
  const text = view.label?.(event) ?? '';
  if (text === '') return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, top, width - 3, LANE_HEIGHT);
  ctx.clip();
  const ink = gpu >= 0 && role === 'gpu' ? inkOnGpu(palette, gpu) : palette.onLanes[role];
  ctx.fillStyle = event === view.selected ? palette.paper : ink;
  ctx.fillText(text, x + 4, top + BAR_TOP + BAR_HEIGHT - 3);
  ctx.restore();
}

/** An arrow back from the end of each event to where it begins, and a dot at its end. */
function drawArrows(drawing: Drawing, drawn: DrawnLane, first: number, last: number, top: number): void {
  const { ctx, times, view, scale } = drawing;
  const middle = top + BAR_TOP + BAR_HEIGHT / 2;
  for (let i = first; i < last; i++) {
    const event = drawn.lane.event[i] ?? 0;
    const end = ((times.end[event] ?? 0) - view.from) * scale;
    const tip = Math.min(((times.time[event] ?? 0) - view.from) * scale, end - 12);
    ctx.fillStyle = colourOf(drawing, drawn, event);
    ctx.fillRect(tip + 4, middle - 1, end - tip - 4, 2);
    ctx.fillRect(end - 2, middle - 4, 3, 8);
    ctx.beginPath();
    ctx.moveTo(tip, middle);
    ctx.lineTo(tip + 6, middle - 5);
    ctx.lineTo(tip + 6, middle + 5);
    ctx.fill();
  }
}

function drawDensity(drawing: Drawing, drawn: DrawnLane, top: number): void {
  const { ctx, times, view, palette } = drawing;
  const counts = density(drawn.lane, times, view.from, view.to, view.width);
  let most = 1;
  for (const count of counts) if (count > most) most = count;
  ctx.fillStyle = laneColour(palette, drawn);
  for (let x = 0; x < counts.length; x++) {
    const count = counts[x] ?? 0;
    if (count === 0) continue;
    ctx.globalAlpha = 0.25 + 0.75 * (Math.log1p(count) / Math.log1p(most));
    ctx.fillRect(x, top + BAR_TOP, 1, BAR_HEIGHT);
  }
}

/** The event whose span is at (x, y) of a lanes drawing, or -1; a tick can be hit 4 px beside. */
export function hitLane(
  lanes: readonly DrawnLane[],
  times: EventTimes,
  view: LanesView,
  x: number,
  y: number,
): number {
  const lane = lanes[Math.floor(y / LANE_HEIGHT)]?.lane;
  if (lane === undefined) return -1;
  const ns = (view.to - view.from) / view.width;
  const at = view.from + x * ns;
  const { first, last } = visible(lane, times, at - 4 * ns, at + 4 * ns);
  for (let i = last - 1; i >= first; i--) {
    const event = lane.event[i] ?? 0;
    if ((times.time[event] ?? 0) <= at + 4 * ns && (times.end[event] ?? 0) >= at - 4 * ns) return event;
  }
  return -1;
}
