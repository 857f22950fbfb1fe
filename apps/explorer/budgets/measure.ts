import { drawLanes, LANE_HEIGHT } from '../src/draw/lanes-canvas.js';
import { LIGHT } from '../src/draw/palette.js';
import { paintResidency } from '../src/draw/residency-canvas.js';
import { buildLanes, type Lane } from '../src/tiles/lane-index.js';
import { residencyRaster } from '../src/tiles/residency-raster.js';
import MeasureWorker from './measure.worker.js?worker';
import { syntheticChanges, syntheticEvents } from './synthetic.js';

/** What the page measures, for the script that drives it. */
export interface Measured {
  readonly drawMs: number;
  readonly framesPerSecond: number;
  readonly lanes: number;
  readonly raster: number;
  readonly engineMs: number;
}

const WIDTH = 900;
const LANES = 12;
const NO_ARROWS: ReadonlySet<number> = new Set();
const SCRUB_MS = 3000;

function contextOf(id: string, height: number): CanvasRenderingContext2D {
  const canvas = document.getElementById(id);
  if (!(canvas instanceof HTMLCanvasElement)) throw new Error(`no canvas ${id}`);
  canvas.width = WIDTH;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('no context');
  return context;
}

function lanesOf(n: number): Lane[] {
  const { time, end, lane } = syntheticEvents(n, LANES);
  return buildLanes(time, end, lane, n, LANES);
}

/** One drawing of a million events, waited for until the pixels are there. */
function drawMillion(context: CanvasRenderingContext2D): number {
  const lanes = lanesOf(1_000_000);
  let least = Infinity;
  for (let round = 0; round < 5; round++) {
    const begin = performance.now();
    drawLanes(context, lanes, { from: 0, to: 1e7, width: WIDTH, selected: -1, arrows: NO_ARROWS }, LIGHT);
    context.getImageData(0, 0, 1, 1);
    least = Math.min(least, performance.now() - begin);
  }
  return least;
}

/** Frames a second while the cursor and the window move over ten million events and their map. */
async function scrub(
  lanesContext: CanvasRenderingContext2D,
  mapContext: CanvasRenderingContext2D,
): Promise<number> {
  const n = 10_000_000;
  const lanes = lanesOf(n);
  const changes = syntheticChanges(1_000_000, 4096);
  const raster = residencyRaster(changes, 4096, {
    from: 0,
    to: 1e7,
    firstRow: 0,
    lastRow: 4096,
    width: WIDTH,
    height: 180,
  });
  const begin = performance.now();
  let frames = 0;
  while (performance.now() - begin < SCRUB_MS) {
    const at = (performance.now() - begin) / SCRUB_MS;
    const span = n * 10 * (1 - 0.9 * at);
    const from = at * (n * 10 - span);
    drawLanes(
      lanesContext,
      lanes,
      { from, to: from + span, width: WIDTH, selected: -1, arrows: NO_ARROWS },
      LIGHT,
    );
    mapContext.putImageData(paintResidency(raster, WIDTH, 180, 180, LIGHT), 0, 0);
    frames++;
    await new Promise(requestAnimationFrame);
  }
  return (frames / (performance.now() - begin)) * 1000;
}

async function measure(): Promise<Measured> {
  const lanesContext = contextOf('lanes', LANES * LANE_HEIGHT);
  const drawMs = drawMillion(lanesContext);
  const framesPerSecond = await scrub(lanesContext, contextOf('map', 180));
  const worker = new MeasureWorker();
  const inWorker = await new Promise<Pick<Measured, 'lanes' | 'raster' | 'engineMs'>>((done) => {
    worker.addEventListener(
      'message',
      (event: MessageEvent<Pick<Measured, 'lanes' | 'raster' | 'engineMs'>>) => {
        done(event.data);
      },
    );
    worker.postMessage('go');
  });
  return { drawMs, framesPerSecond, ...inWorker };
}

declare global {
  interface Window {
    measured: Promise<Measured>;
  }
}
window.measured = measure();
