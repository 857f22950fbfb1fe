import { describe, expect, test } from 'vitest';
import { buildLanes, density, visible } from '../src/tiles/lane-index.js';

describe('lanes', () => {
  const time = Float64Array.of(0, 1, 2, 3, 10, 11);
  const end = Float64Array.of(5, 1, 2, 4, 12, 11);
  const [a, b] = buildLanes(time, end, Uint8Array.of(0, 1, 0, 255, 0, 1), 6, 2);

  test('events go to their lane in time order and keep their index', () => {
    expect([...(a?.event ?? [])]).toEqual([0, 2, 4]);
    expect([...(b?.start ?? [])]).toEqual([1, 11]);
  });

  test('density counts the spans that begin in each part of the time', () => {
    if (a === undefined) throw new Error('no lane');
    expect([...density(a, 0, 12, 4)]).toEqual([2, 0, 0, 1]);
    expect([...density(a, 0, 12, 1)]).toEqual([3]);
  });

  test('a span that began earlier but reaches into the window is among the visible ones', () => {
    if (a === undefined) throw new Error('no lane');
    expect(visible(a, 9, 12)).toEqual({ first: 1, last: 3 });
  });
});
