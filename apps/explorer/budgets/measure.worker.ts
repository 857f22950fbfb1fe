import { buildLanes } from '../src/tiles/lane-index.js';
import { residencyRaster } from '../src/tiles/residency-raster.js';
import { engineWork } from './engine-work.js';
import { syntheticChanges, syntheticEvents } from './synthetic.js';

const TILE_EVENTS = 5_000_000;
const ROWS = 4096;

function eventsPerSecond(events: number, work: () => void): number {
  work();
  let least = Infinity;
  for (let round = 0; round < 3; round++) {
    const begin = performance.now();
    work();
    least = Math.min(least, performance.now() - begin);
  }
  return (events / least) * 1000;
}

self.addEventListener('message', () => {
  const events = syntheticEvents(TILE_EVENTS, 12);
  const lanes = eventsPerSecond(TILE_EVENTS, () => {
    buildLanes(events, events.lane, TILE_EVENTS, 12);
  });
  const changes = syntheticChanges(TILE_EVENTS, ROWS);
  const view = { from: 0, to: TILE_EVENTS * 10, firstRow: 0, lastRow: ROWS, width: 900, height: 180 };
  const raster = eventsPerSecond(TILE_EVENTS, () => {
    residencyRaster(changes, ROWS, view);
  });
  self.postMessage({ lanes, raster, engineMs: engineWork() });
});
