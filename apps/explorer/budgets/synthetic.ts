import type { ResidencyChanges } from '../src/tiles/residency-raster.js';

/** Columns of `n` events in time order on `lanes` lanes: as a run of that size has them. */
export function syntheticEvents(
  n: number,
  lanes: number,
): { time: Float64Array; end: Float64Array; lane: Uint8Array } {
  const time = new Float64Array(n);
  const end = new Float64Array(n);
  const lane = new Uint8Array(n);
  let seed = 1;
  for (let i = 0; i < n; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    time[i] = i * 10;
    end[i] = i * 10 + ((seed >>> 8) % 3 === 0 ? (seed >>> 16) % 200 : 0);
    lane[i] = (seed >>> 24) % lanes;
  }
  return { time, end, lane };
}

/** `n` residency changes over `rows` pages, in runs of up to 16 pages. */
export function syntheticChanges(n: number, rows: number): ResidencyChanges {
  const changes = {
    length: n,
    time: new Float64Array(n),
    row: new Uint32Array(n),
    rows: new Uint32Array(n),
    state: new Uint8Array(n),
  };
  let seed = 7;
  for (let i = 0; i < n; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    changes.time[i] = i * 10;
    changes.row[i] = (seed >>> 8) % (rows - 16);
    changes.rows[i] = 1;
    changes.state[i] = 1 + ((seed >>> 28) & 1);
  }
  return changes;
}
