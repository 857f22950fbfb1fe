import { useEffect, useRef } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { RunView } from '../engine/run-view.js';
import { drawEnd, paintResidency } from '../draw/residency-canvas.js';
import { cursor, cursorRow, moveCursor, panBy, selectEvent, timeWindow, zoomBy } from '../state/store.js';
import { palette } from '../state/theme.js';
import { formatBytes, formatTime } from '@hmm/report';
import { GUTTER } from './layout.js';
import { useRaster } from './use-raster.js';

const HEIGHT = 180;
const STATE_NAMES = ['nowhere', 'CPU', 'GPU', 'both'] as const;

/** Pages × time, coloured by where the data is. Arrow keys move the cursor, + and − zoom; so do wheel and pointer. */
export function ResidencyMap(props: {
  readonly run: RunView;
  readonly pane: number;
  readonly engine: Engine;
  readonly width: number;
}): preact.JSX.Element {
  const { run, pane, engine, width } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { from, to } = timeWindow.value;
  const height = Math.min(HEIGHT, Math.max(24, run.rows * 8));
  const rasterRows = Math.min(height, run.rows);

  const raster = useRaster(engine, pane, run, {
    from,
    to,
    firstRow: 0,
    lastRow: run.rows,
    width,
    height: rasterRows,
  });

  useEffect(() => {
    const ctx = canvas.current?.getContext('2d');
    if (raster?.length !== width * rasterRows || ctx === null || ctx === undefined) return;
    ctx.putImageData(paintResidency(raster, width, rasterRows, height, palette.value), 0, 0);
    drawEnd(ctx, ((run.duration - from) / (to - from)) * width, width, height, palette.value);
    const x = ((cursor.value - from) / (to - from)) * width;
    ctx.fillStyle = palette.value.mark;
    ctx.fillRect(x, 0, 1, height);
  }, [raster, cursor.value, palette.value, width, height]);

  const timeAt = (event: MouseEvent): number => from + (event.offsetX / width) * (to - from);
  const row = Math.min(cursorRow.value, run.rows - 1);
  const x = Math.min(width - 1, Math.max(0, Math.floor(((cursor.value - from) / (to - from)) * width)));
  const state = raster?.[Math.floor((row / run.rows) * rasterRows) * width + x] ?? 0;
  const readout = `At ${formatTime(cursor.value)}, ${pageName(run, row)}: ${STATE_NAMES[state] ?? ''}`;

  return (
    <figure class="map">
      <div class="strip">
        <RegionNames run={run} height={height} />
        <canvas
          ref={canvas}
          width={width}
          height={height}
          tabIndex={0}
          role="application"
          aria-label={`Residency map, ${run.client}. ${readout}. Arrow keys move, plus and minus zoom, Enter tells why.`}
          onPointerDown={(event) => {
            moveCursor(timeAt(event));
            cursorRow.value = Math.floor((event.offsetY / height) * run.rows);
            selectEvent(pane, eventOfPage(run, cursorRow.value, cursor.value));
          }}
          onWheel={(event) => {
            event.preventDefault();
            if (event.shiftKey) panBy(event.deltaY / 1000);
            else zoomBy(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event));
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') selectEvent(pane, eventOfPage(run, cursorRow.value, cursor.value));
            else if (onMapKey(event.key, (to - from) / width, run.rows)) event.preventDefault();
          }}
        />
      </div>
      <figcaption>
        <span>{readout}</span>
        <Legend />
      </figcaption>
    </figure>
  );
}

/** The regions' names beside their rows. */
function RegionNames({
  run,
  height,
}: {
  readonly run: RunView;
  readonly height: number;
}): preact.JSX.Element {
  return (
    <div
      class="gutter region-names"
      style={{ width: `${GUTTER}px`, height: `${height}px` }}
      aria-hidden="true"
    >
      {run.regions.map(({ name, row, pages }) => (
        <span key={name} style={{ top: `${(row / run.rows) * height}px` }}>
          {name} <small>{formatBytes(pages * 4096)}</small>
        </span>
      ))}
    </div>
  );
}

/** What the colours and patterns of the map mean. */
function Legend(): preact.JSX.Element {
  return (
    <ul class="legend" aria-label="Legend">
      <li>
        <i class="cpu" /> CPU memory
      </li>
      <li>
        <i class="gpu" /> GPU memory (hatched)
      </li>
      <li>
        <i class="both" /> both (dotted)
      </li>
      <li>
        <i class="nowhere" /> nowhere yet
      </li>
    </ul>
  );
}

function onMapKey(key: string, nsPerPixel: number, rows: number): boolean {
  switch (key) {
    case 'ArrowLeft':
    case 'a':
      moveCursor(cursor.value - 4 * nsPerPixel);
      return true;
    case 'ArrowRight':
    case 'd':
      moveCursor(cursor.value + 4 * nsPerPixel);
      return true;
    case 'ArrowUp':
      cursorRow.value = Math.max(0, cursorRow.value - 1);
      return true;
    case 'ArrowDown':
      cursorRow.value = Math.min(rows - 1, cursorRow.value + 1);
      return true;
    case '+':
    case 'w':
      zoomBy(0.5, cursor.value);
      return true;
    case '-':
    case 's':
      zoomBy(2, cursor.value);
      return true;
    default:
      return false;
  }
}

/** `a[17]`: the page of a map row by its region's name. */
export function pageName(run: RunView, row: number): string {
  const region = run.regions.find((r) => row >= r.row && row < r.row + r.pages);
  return region === undefined ? `page ${row}` : `${region.name}[${row - region.row}]`;
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
