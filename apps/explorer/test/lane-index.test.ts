import { describe, expect, test } from 'vitest';
import { buildLanes, density, NO_LANE, visible } from '../src/tiles/lane-index.js';

describe('lanes', () => {
  const times = { time: Float64Array.of(0, 1, 2, 3, 10, 11), end: Float64Array.of(5, 1, 2, 4, 12, 11) };
  const [a, b] = buildLanes(times, Uint8Array.of(0, 1, 0, NO_LANE, 0, 1), 6, 2);
  if (a === undefined || b === undefined) throw new Error('no lanes');

  test('events go to their lane in time order', () => {
    expect([...a.event]).toEqual([0, 2, 4]);
    expect([...b.event]).toEqual([1, 5]);
  });

  test('density counts the spans that begin in each part of the time', () => {
    expect([...density(a, times, 0, 12, 4)]).toEqual([2, 0, 0, 1]);
    expect([...density(a, times, 0, 12, 1)]).toEqual([3]);
  });

  test('what ended before the window is not visible, what reaches into it is', () => {
    expect(visible(a, times, 9, 12)).toEqual({ first: 2, last: 3 });
    expect(visible(a, times, 4, 9)).toEqual({ first: 0, last: 2 });
  });

  test('a long span is visible however many short ones began after it', () => {
    const n = 10_000;
    const time = Float64Array.from({ length: n }, (_, i) => i);
    const end = Float64Array.from({ length: n }, (_, i) => (i === 3000 ? n : i));
    const [lane] = buildLanes({ time, end }, new Uint8Array(n), n, 1);
    if (lane === undefined) throw new Error('no lane');
    const { first, last } = visible(lane, { time, end }, 9000, 9010);
    expect(first).toBeLessThanOrEqual(3000);
    expect(last).toBe(9010);
    expect(visible(lane, { time, end }, 1000, 1010)).toEqual({ first: 1000, last: 1010 });
  });
});
