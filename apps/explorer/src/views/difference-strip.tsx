import { useEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { differenceColumns } from '../draw/residency-canvas.js';
import { moveCursor, results, timeWindow } from '../state/store.js';
import { palette } from '../state/theme.js';
import { GUTTER } from './layout.js';
import { timeAt } from './time-gestures.js';

const HEIGHT = 22;
const ROWS = 128;

/** At which times the first two panes have which share of their pages in different places. */
export function DifferenceStrip(props: {
  readonly engine: Engine;
  readonly width: number;
}): preact.JSX.Element | null {
  const { engine, width } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [share, setShare] = useState<Float64Array>();
  const { from, to } = timeWindow.value;
  const [a, b] = results.value;
  const comparable = a?.ok === true && b?.ok === true && a.run.rows === b.run.rows;
  const until = comparable ? Math.min(a.run.duration, b.run.duration) : 0;

  useEffect(() => {
    if (!comparable) return;
    let live = true;
    const height = Math.min(ROWS, a.run.rows);
    const view = { from, to, firstRow: 0, lastRow: a.run.rows, width, height };
    const both = [0, 1].map((pane) => engine.call({ kind: 'raster', pane, view }));
    Promise.all(both).then(
      ([first, second]) => {
        if (live && first !== undefined && second !== undefined)
          setShare(differenceColumns(first, second, width, height));
      },
      () => {
        // The engine was stopped, or runs something else by now: a new run asks again.
      },
    );
    return () => {
      live = false;
    };
  }, [a, b, from, to, width]);

  useEffect(() => {
    const ctx = canvas.current?.getContext('2d');
    if (ctx === null || ctx === undefined || share?.length !== width) return;
    drawShare(ctx, share, Math.min(width, ((until - from) / (to - from)) * width));
  }, [share, width, palette.value]);

  if (!comparable) return null;
  return (
    <div class="strip difference-strip">
      <span class="gutter" style={{ width: `${GUTTER}px` }}>
        ↑ differ ↓ <small>0–100 % of pages</small>
      </span>
      <canvas
        ref={canvas}
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={`Share of pages that ${a.run.client} and ${b.run.client} have in different places, over time`}
        onPointerDown={(event) => {
          moveCursor(timeAt(event, width));
        }}
      />
    </div>
  );
}

/** One bar a column, up to column `end`: its height is the share of pages. */
function drawShare(ctx: CanvasRenderingContext2D, share: Float64Array, end: number): void {
  const width = share.length;
  ctx.clearRect(0, 0, width, HEIGHT);
  ctx.fillStyle = palette.value.differ;
  for (let x = 0; x < end; x++) {
    const high = Math.round((share[x] ?? 0) * HEIGHT);
    ctx.fillRect(x, HEIGHT - high, 1, high);
  }
  ctx.fillStyle = palette.value.grid;
  ctx.fillRect(0, HEIGHT - 1, width, 1);
}
