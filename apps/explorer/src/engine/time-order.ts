/**
 * The order that sorts the first `n` of `time`, stable; undefined where they are in order already. Merges the runs that
 * are there: what was recorded comes as few long ones.
 */
export function timeOrder(time: Float64Array, n: number): Uint32Array | undefined {
  let bounds = runsOf(time, n);
  if (bounds.length <= 2) return undefined;
  let from = Uint32Array.from({ length: n }, (_, i) => i);
  let into = new Uint32Array(n);
  while (bounds.length > 2) {
    const merged = [0];
    for (let run = 0; run + 1 < bounds.length; run += 2) {
      const start = bounds[run] ?? 0;
      const middle = bounds[run + 1] ?? n;
      const end = bounds[run + 2] ?? middle;
      mergeRuns(time, from, into, start, middle, end);
      merged.push(end);
    }
    [from, into] = [into, from];
    bounds = merged;
  }
  return from;
}

/** Where ascending runs begin, and the end. */
function runsOf(time: Float64Array, n: number): number[] {
  const bounds = [0];
  for (let i = 1; i < n; i++) if ((time[i] ?? 0) < (time[i - 1] ?? 0)) bounds.push(i);
  bounds.push(n);
  return bounds;
}

function mergeRuns(
  time: Float64Array,
  from: Uint32Array,
  into: Uint32Array,
  start: number,
  middle: number,
  end: number,
): void {
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    const a = from[left] ?? 0;
    const b = from[right] ?? 0;
    const takeLeft = left < middle && (right >= end || (time[a] ?? 0) <= (time[b] ?? 0));
    into[at] = takeLeft ? a : b;
    if (takeLeft) left++;
    else right++;
  }
}
