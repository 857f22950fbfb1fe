import { type DrawnLane, drawLanes, LANE_HEIGHT } from '../src/draw/lanes-canvas.js';
import { LIGHT } from '../src/draw/palette.js';
import { buildLanes } from '../src/tiles/lane-index.js';
import MeasureWorker from './measure.worker.js?worker';
import { syntheticEvents } from './synthetic.js';

/** What the worker measures: events a second, and the engine's time in ms. */
export interface MeasuredInWorker {
  readonly lanes: number;
  readonly raster: number;
  readonly engineMs: number;
}

/** What the page measures, for the script that drives it. */
export interface Measured extends MeasuredInWorker {
  readonly drawMs: number;
}

const WIDTH = 900;
const LANES = 12;
const MILLION = 1_000_000;
const ROUNDS = 5;

function contextOf(id: string, height: number): CanvasRenderingContext2D {
  const canvas = document.getElementById(id);
  if (!(canvas instanceof HTMLCanvasElement)) throw new Error(`no canvas ${id}`);
  canvas.width = WIDTH;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('no context');
  return context;
}

/** One drawing of a million events, waited for until the pixels are there. */
function drawMillion(context: CanvasRenderingContext2D): number {
  const events = syntheticEvents(MILLION, LANES);
  const lanes = buildLanes(events, events.lane, MILLION, LANES).map((lane): DrawnLane => ({
    lane,
    role: 'gpu',
    shape: 'bars',
    gpu: -1,
  }));
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    drawLanes(context, lanes, events, { from: 0, to: 10 * MILLION, width: WIDTH, selected: -1 }, LIGHT);
    context.getImageData(0, 0, 1, 1);
    least = Math.min(least, performance.now() - begin);
  }
  return least;
}

async function measure(): Promise<Measured> {
  const drawMs = drawMillion(contextOf('lanes', LANES * LANE_HEIGHT));
  const worker = new MeasureWorker();
  const inWorker = await new Promise<MeasuredInWorker>((done) => {
    worker.addEventListener('message', (event: MessageEvent<MeasuredInWorker>) => {
      done(event.data);
    });
    worker.postMessage('go');
  });
  return { drawMs, ...inWorker };
}

declare global {
  interface Window {
    measured: Promise<Measured>;
  }
}
window.measured = measure();
