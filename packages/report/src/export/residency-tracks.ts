import type { Timeline, TimelineSlice, TimelineTrack } from './timeline.js';

/** Where the pages of a region were: a row for each part of it, a look for each time. */
export interface SeenResidency {
  readonly name: string;
  readonly rows: number;
  /** One array a look, one byte a row: eighths of the pages on the device (low 4 bits) and on the host (high 4). */
  readonly looks: readonly Uint8Array[];
}

/** Rows of a region that get tracks at most. */
const MOST_ROWS = 8;

/**
 * The timeline with a track for each part of each region, on which a slice lasts as long as the part is in one state: `CPU`, `GPU`, `both`,
 * or `split` where some of its pages are here and some there. What is nowhere has no slice.
 * @param times of the looks, ns, ascending.
 */
export function withResidency(
  timeline: Timeline,
  times: readonly number[],
  regions: readonly SeenResidency[],
): Timeline {
  const tracks: TimelineTrack[] = [...timeline.tracks];
  const slices: TimelineSlice[] = [...timeline.slices];
  let id = Math.max(0, ...tracks.map((track) => track.id)) + 1;
  for (const { name, rows, looks } of regions) {
    const shown = Math.min(rows, MOST_ROWS);
    for (let at = 0; at < shown; at++) {
      const row = Math.floor((at * rows) / shown);
      tracks.push({ id, name: shown === 1 ? name : `${name} ${at + 1}/${shown}`, group: 'residency' });
      slices.push(...statesOf(id++, times, (look) => stateOf(looks[look]?.[row] ?? 0)));
    }
  }
  return { ...timeline, tracks, slices };
}

function* statesOf(
  track: number,
  times: readonly number[],
  state: (look: number) => string,
): Generator<TimelineSlice> {
  for (let from = 0; from < times.length;) {
    const name = state(from);
    let to = from + 1;
    while (to < times.length && state(to) === name) to++;
    const start = times[from] ?? 0;
    const ns = (times[to] ?? times.at(-1) ?? start) - start;
    if (name !== '' && ns > 0) yield { track, name, start, ns, details: {}, flow: 0, ends: false };
    from = to;
  }
}

/** The state of a part by how many eighths of it are where; empty for nowhere. */
function stateOf(eighths: number): string {
  const device = eighths & 15;
  const host = eighths >>> 4;
  if (device === 0) return host === 0 ? '' : 'CPU';
  if (host === 0) return 'GPU';
  return device === host ? 'both' : 'split';
}
