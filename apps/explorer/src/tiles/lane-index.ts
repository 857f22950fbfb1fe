/** One lane's spans, sorted by start; a tick has end = start. */
export interface Lane {
  /** ns. */
  readonly start: Float64Array;
  /** ns, not before start. */
  readonly end: Float64Array;
  /** Index of the span's event in the run's columns. */
  readonly event: Uint32Array;
}

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

/**
 * How many spans begin in each of `width` equal parts of [from, to): what a lane shows while there are too many spans
 * to draw one by one. Costs a binary search a cell, whatever the number of spans.
 */
export function density(lane: Lane, from: number, to: number, width: number): Uint32Array {
  const counts = new Uint32Array(width);
  let before = lowerBound(lane.start, from);
  for (let x = 0; x < width; x++) {
    const after = lowerBound(lane.start, from + ((to - from) * (x + 1)) / width);
    counts[x] = after - before;
    before = after;
  }
  return counts;
}

/** Indices [first, last) of the spans that begin in [from, to), and the one before, which may reach into it. */
export function visible(lane: Lane, from: number, to: number): { first: number; last: number } {
  return { first: Math.max(0, lowerBound(lane.start, from) - 1), last: lowerBound(lane.start, to) };
}

/** Splits events into lanes by `laneOf[i]` (255 = in no lane), keeping time order. One pass to count, one to fill. */
export function buildLanes(
  time: Float64Array,
  end: Float64Array,
  laneOf: Uint8Array,
  length: number,
  lanes: number,
): Lane[] {
  const counts = new Uint32Array(256);
  for (let i = 0; i < length; i++) {
    const lane = laneOf[i] ?? 255;
    counts[lane] = (counts[lane] ?? 0) + 1;
  }
  const built = Array.from({ length: lanes }, (_, lane) => {
    const size = counts[lane] ?? 0;
    return { start: new Float64Array(size), end: new Float64Array(size), event: new Uint32Array(size) };
  });
  const at = new Uint32Array(256);
  for (let i = 0; i < length; i++) {
    const lane = laneOf[i] ?? 255;
    const into = built[lane];
    if (into === undefined) continue;
    const slot = at[lane] ?? 0;
    into.start[slot] = time[i] ?? 0;
    into.end[slot] = end[i] ?? 0;
    into.event[slot] = i;
    at[lane] = slot + 1;
  }
  return built;
}
