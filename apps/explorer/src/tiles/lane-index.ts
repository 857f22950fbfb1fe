/** Times of all events of a run, sorted by `time`. */
export interface EventTimes {
  /** ns. */
  readonly time: Float64Array;
  /** ns, not before `time`. */
  readonly end: Float64Array;
}

/** One lane: which of the run's events are on it, in time order. The times stay in the run's own columns. */
export interface Lane {
  /** Indices into the columns. */
  readonly event: Uint32Array;
  /** For each {@link BLOCK} events, the latest end of these and all before, ns: long bars are found by it. */
  readonly reach: Float64Array;
}

/** Events that share one entry of {@link Lane.reach}. */
const BLOCK = 256;

/** The lane of events that are on none. */
export const NO_LANE = 255;

/** First index in sorted `values` whose value is not below `wanted`. */
export function lowerBound(values: Float64Array, wanted: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** First place on a lane, from `low` on, whose event does not begin before `wanted`. */
function firstFrom(lane: Lane, time: Float64Array, wanted: number, low: number): number {
  const { event } = lane;
  let high = event.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((time[event[middle] ?? 0] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How many spans begin in each of `width` equal parts of [from, to): what a lane shows while there are too many spans
 * to draw one by one. Costs a binary search a cell, whatever the number of spans.
 */
export function density(
  lane: Lane,
  { time }: EventTimes,
  from: number,
  to: number,
  width: number,
): Uint32Array {
  const counts = new Uint32Array(width);
  let before = firstFrom(lane, time, from, 0);
  for (let x = 0; x < width; x++) {
    const after = firstFrom(lane, time, from + ((to - from) * (x + 1)) / width, before);
    counts[x] = after - before;
    before = after;
  }
  return counts;
}

/** Places [first, last) of a lane that hold every span which reaches into [from, to), and few others. */
export function visible(
  lane: Lane,
  { time, end }: EventTimes,
  from: number,
  to: number,
): { first: number; last: number } {
  const last = firstFrom(lane, time, to, 0);
  let first = Math.min(lowerBound(lane.reach, from) * BLOCK, last);
  while (first < last && (end[lane.event[first] ?? 0] ?? 0) < from) first++;
  return { first, last };
}

/** Splits events into lanes by `laneOf[i]`, keeping their order. One pass to count, one to fill. */
export function buildLanes(times: EventTimes, laneOf: Uint8Array, length: number, lanes: number): Lane[] {
  const counts = new Uint32Array(NO_LANE + 1);
  for (let i = 0; i < length; i++) {
    const lane = laneOf[i] ?? NO_LANE;
    counts[lane] = (counts[lane] ?? 0) + 1;
  }
  const events = Array.from({ length: lanes }, (_, lane) => new Uint32Array(counts[lane] ?? 0));
  const at = new Uint32Array(NO_LANE + 1);
  for (let i = 0; i < length; i++) {
    const lane = laneOf[i] ?? NO_LANE;
    const into = events[lane];
    if (into === undefined) continue;
    const slot = at[lane] ?? 0;
    into[slot] = i;
    at[lane] = slot + 1;
  }
  return events.map((event) => ({ event, reach: reachOf(event, times.end) }));
}

function reachOf(event: Uint32Array, end: Float64Array): Float64Array {
  const reach = new Float64Array(Math.ceil(event.length / BLOCK));
  let latest = -Infinity;
  for (let i = 0; i < event.length; i++) {
    latest = Math.max(latest, end[event[i] ?? 0] ?? 0);
    if (i % BLOCK === BLOCK - 1 || i === event.length - 1) reach[Math.floor(i / BLOCK)] = latest;
  }
  return reach;
}
