import { useEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { differenceColumns } from '../draw/residency-canvas.js';
import { cursor, differences, results, timeWindow } from '../state/store.js';
import { palette } from '../state/theme.js';
import { GUTTER } from './layout.js';

const HEIGHT = 28;
const ROWS = 128;

/** At which times the first two panes have how many of their pages in different places; and what they do differently. */
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

  useEffect(() => {
    if (!comparable) return;
    let live = true;
    const height = Math.min(ROWS, a.run.rows);
    const view = { from, to, firstRow: 0, lastRow: a.run.rows, width, height };
    const both = [0, 1].map((pane) => engine.call({ kind: 'raster', pane, view }));
    void Promise.all(both).then(([first, second]) => {
      if (live && first !== undefined && second !== undefined)
        setShare(differenceColumns(first, second, width, height));
    });
    return () => {
      live = false;
    };
  }, [a, b, from, to, width]);

  useEffect(() => {
    const ctx = canvas.current?.getContext('2d');
    if (ctx === null || ctx === undefined || share?.length !== width) return;
    ctx.clearRect(0, 0, width, HEIGHT);
    ctx.fillStyle = palette.value.differ;
    for (let x = 0; x < width; x++) {
      const high = Math.round((share[x] ?? 0) * HEIGHT);
      ctx.fillRect(x, HEIGHT - high, 1, high);
    }
    ctx.fillStyle = palette.value.mark;
    ctx.fillRect(((cursor.value - from) / (to - from)) * width, 0, 1, HEIGHT);
  }, [share, width, cursor.value, palette.value]);

  if (!comparable) return null;
  return (
    <section class="card differences" aria-label="What differs">
      <h2>What differs, and why</h2>
      <div class="strip">
        <span class="gutter" style={{ width: `${GUTTER}px` }}>
          pages elsewhere, %
        </span>
        <canvas
          ref={canvas}
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={`Share of pages that ${a.run.client} and ${b.run.client} have in different places, over time`}
        />
      </div>
      {differences.value.length === 0 ? (
        <p>Nothing that is measured.</p>
      ) : (
        <ol>
          {differences.value.map(({ what, why }) => (
            <li key={what}>
              <strong>{what}.</strong> <span class="soft">{why}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
