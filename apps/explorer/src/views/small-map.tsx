import { formatTime } from '@hmm/report';
import { useEffect, useRef } from 'preact/hooks';
import { drawEnd, paintResidency } from '../draw/residency-canvas.js';
import type { RunView } from '../engine/run-view.js';
import { palette } from '../state/theme.js';
import { residencyRaster } from '../tiles/residency-raster.js';

const WIDTH = 560;
const HEIGHT = 56;

/** A run's residency map to look at only, over `duration` ns, with its sentence. */
export function SmallMap(props: { readonly run: RunView; readonly duration: number }): preact.JSX.Element {
  const { run, duration } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const ctx = canvas.current?.getContext('2d');
    if (ctx === null || ctx === undefined) return;
    const height = Math.min(HEIGHT, run.rows);
    const view = { from: 0, to: duration, firstRow: 0, lastRow: run.rows, width: WIDTH, height };
    const cells = residencyRaster(run.residency, run.rows, view);
    ctx.putImageData(paintResidency(cells, WIDTH, height, HEIGHT, palette.value), 0, 0);
    drawEnd(ctx, (run.duration / duration) * WIDTH, WIDTH, HEIGHT, palette.value);
  }, [run, duration, palette.value]);
  return (
    <figure class="small-map">
      <figcaption>{run.summary}</figcaption>
      <canvas
        ref={canvas}
        width={WIDTH}
        height={HEIGHT}
        role="img"
        aria-label={`Where the pages were under ${run.client}, over ${formatTime(duration)}`}
      />
    </figure>
  );
}
