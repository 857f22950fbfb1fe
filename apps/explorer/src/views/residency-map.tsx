import { formatBytes } from '@hmm/report';
import type { RefObject } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { drawEnd, drawRowLines, paintResidency } from '../draw/residency-canvas.js';
import type { Engine } from '../engine/engine.js';
import { placeOf } from '../engine/page-name.js';
import type { RunView } from '../engine/run-view.js';
import { cursor, cursorRow, moveCursor, selectEvent, timeWindow } from '../state/store.js';
import { palette } from '../state/theme.js';
import { GUTTER } from './layout.js';
import { stateName } from './state-names.js';
import { onTimeKey, onTimeWheel, timeAt, xOf } from './time-gestures.js';
import { useRaster, type ViewedRaster } from './use-raster.js';
import { timeText } from './time-text.js';

const MOST_HEIGHT = 150;
const LEAST_HEIGHT = 24;
const ROW_HEIGHT = 6;
/** Names of regions closer than that would be written over each other, pixels. */
const NAME_HEIGHT = 14;
/** Share of the axis that an arrow key moves the cursor by. */
const ARROW_STEP = 1 / 200;
/** Pages × time, coloured by where the data is. Arrow keys move the cursor, + and − zoom; so do wheel and pointer. */
export function ResidencyMap(props: {
  readonly run: RunView;
  readonly pane: number;
  readonly engine: Engine;
  readonly width: number;
}): preact.JSX.Element {
  const { run, pane, engine, width } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const height = mapHeight(run);
  const raster = useWindowRaster(engine, pane, run, width);
  useDrawing(canvas, run, raster, width);

  const row = Math.min(cursorRow.value, run.rows - 1);
  const readout = useReadout(run, raster, row);
  const ask = (): void => {
    selectEvent(pane, eventOfPage(run, cursorRow.value, cursor.value));
  };
  const point = (event: PointerEvent): void => {
    moveCursor(timeAt(event, width));
    cursorRow.value = Math.min(run.rows - 1, Math.max(0, Math.floor((event.offsetY / height) * run.rows)));
  };
  return (
    <figure class="map">
      <div class="strip">
        <RegionNames run={run} height={height} row={row} />
        <canvas
          ref={canvas}
          width={width}
          height={height}
          tabIndex={0}
          role="application"
          aria-label={`Residency map, ${run.client}. ${readout}. Arrow keys move, plus and minus zoom, Enter tells why.`}
          onPointerDown={(event) => {
            point(event);
            ask();
          }}
          onPointerMove={(event) => {
            if ((event.buttons & 1) !== 0) point(event);
          }}
          onWheel={(event) => {
            onTimeWheel(event, width);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') ask();
            else if (event.ctrlKey || event.metaKey || !onMapKey(event.key, run.rows)) return;
            event.preventDefault();
          }}
        />
      </div>
      <figcaption>{readout}</figcaption>
    </figure>
  );
}

/** The bitmap of all rows over the window of time. */
function useWindowRaster(
  engine: Engine,
  pane: number,
  run: RunView,
  width: number,
): ViewedRaster | undefined {
  const { from, to } = timeWindow.value;
  const height = Math.min(mapHeight(run), run.rows);
  return useRaster(engine, pane, run, { from, to, firstRow: 0, lastRow: run.rows, width, height });
}

/** Draws the map into `canvas` whenever its bitmap, the window of time or its size changes. */
function useDrawing(
  canvas: RefObject<HTMLCanvasElement | null>,
  run: RunView,
  raster: ViewedRaster | undefined,
  width: number,
): void {
  const { from, to } = timeWindow.value;
  const height = mapHeight(run);
  const sketch = useMemo(
    () => (raster === undefined ? undefined : sketchOf(raster, height)),
    [raster, height, palette.value],
  );
  useEffect(() => {
    const ctx = canvas.current?.getContext('2d');
    if (raster === undefined || sketch === undefined || ctx === null || ctx === undefined) return;
    const { view } = raster;
    // Until the bitmap of a new view is there, the one before is shown where it belongs.
    ctx.clearRect(0, 0, width, height);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(sketch, xOf(view.from, width), 0, xOf(view.to, width) - xOf(view.from, width), height);
    drawRowLines(ctx, run.regions, run.rows, width, height, palette.value);
    drawEnd(ctx, xOf(run.duration, width), width, height, palette.value);
  }, [raster, sketch, from, to, width, height]);
}

/** A bitmap, painted. */
function sketchOf({ view, cells }: ViewedRaster, height: number): OffscreenCanvas {
  const sketch = new OffscreenCanvas(view.width, height);
  const image = paintResidency(cells, view.width, view.height, height, palette.value);
  sketch.getContext('2d')?.putImageData(image, 0, 0);
  return sketch;
}

/** Height of a pane's map, CSS pixels. */
export function mapHeight({ rows }: RunView): number {
  return Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, rows * ROW_HEIGHT));
}

function useReadout(run: RunView, raster: ReturnType<typeof useRaster>, row: number): string {
  const page = placeOf(run.regions, row, 1);
  const where = `At ${timeText(cursor.value)}, ${page === '' ? `page ${row}` : page}`;
  if (cursor.value > run.duration) return `${where}: after the run`;
  if (raster === undefined) return where;
  const { view, cells } = raster;
  const x = Math.floor(((cursor.value - view.from) / (view.to - view.from)) * view.width);
  const column = Math.min(view.width - 1, Math.max(0, x));
  const state = cells[Math.floor((row / run.rows) * view.height) * view.width + column] ?? 0;
  return `${where}: ${stateName(state, run.gpus)}`;
}

/** The regions' names beside their rows, as far as there is room, and a mark at the row of the cursor. */
function RegionNames(props: {
  readonly run: RunView;
  readonly height: number;
  readonly row: number;
}): preact.JSX.Element {
  const { run, height, row } = props;
  let below = -NAME_HEIGHT;
  const named = run.regions.filter((region) => {
    const top = (region.row / run.rows) * height;
    if (top < below + NAME_HEIGHT || top > height - NAME_HEIGHT + 2) return false;
    below = top;
    return true;
  });
  return (
    <div
      class="gutter region-names"
      style={{ width: `${GUTTER}px`, height: `${height}px` }}
      aria-hidden="true"
    >
      {named.map(({ name, row: first, pages }) => (
        <span key={name} style={{ top: `${(first / run.rows) * height}px` }}>
          {name} <small>{formatBytes(pages * 4096)}</small>
        </span>
      ))}
      <i class="row-mark" style={{ top: `${((row + 0.5) / run.rows) * height}px` }} />
    </div>
  );
}

function onMapKey(key: string, rows: number): boolean {
  const { from, to } = timeWindow.value;
  switch (key) {
    case 'ArrowLeft':
      moveCursor(cursor.value - ARROW_STEP * (to - from));
      return true;
    case 'ArrowRight':
      moveCursor(cursor.value + ARROW_STEP * (to - from));
      return true;
    case 'ArrowUp':
      cursorRow.value = Math.max(0, cursorRow.value - 1);
      return true;
    case 'ArrowDown':
      cursorRow.value = Math.min(rows - 1, cursorRow.value + 1);
      return true;
    default:
      return onTimeKey(key);
  }
}

/** The last event up to `time` that is about the page of a map row, or -1. */
export function eventOfPage(run: RunView, row: number, time: number): number {
  const { events } = run;
  let found = -1;
  for (let i = 0; i < events.length && (events.time[i] ?? 0) <= time; i++) {
    const first = events.row[i] ?? -1;
    if (first >= 0 && row >= first && row < first + Math.max(1, events.pages[i] ?? 1)) found = i;
  }
  return found;
}
