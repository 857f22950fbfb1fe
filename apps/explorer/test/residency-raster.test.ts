import { describe, expect, test } from 'vitest';
import {
  NOWHERE,
  ON_CPU,
  ON_DEVICE,
  residencyRaster,
  type ResidencyChanges,
} from '../src/tiles/residency-raster.js';

const changesOf = (list: [time: number, row: number, rows: number, state: number][]): ResidencyChanges => ({
  length: list.length,
  time: Float64Array.from(list, (c) => c[0]),
  row: Uint32Array.from(list, (c) => c[1]),
  rows: Uint32Array.from(list, (c) => c[2]),
  state: Uint8Array.from(list, (c) => c[3]),
});

describe('residencyRaster', () => {
  const changes = changesOf([
    [10, 0, 4, ON_CPU],
    [50, 1, 2, ON_DEVICE],
  ]);

  test('given a move of two pages at half time, then their cells change colour there', () => {
    const view = { from: 0, to: 100, firstRow: 0, lastRow: 4, width: 10, height: 4 };
    const map = residencyRaster(changes, 4, view);
    const row = (y: number): number[] => [...map.subarray(y * 10, y * 10 + 10)];
    expect(row(0)).toEqual([NOWHERE, ...Array<number>(9).fill(ON_CPU)]);
    expect(row(1)).toEqual([NOWHERE, ...Array<number>(4).fill(ON_CPU), ...Array<number>(5).fill(ON_DEVICE)]);
    expect(row(3)).toEqual(row(0));
  });

  test('a cell of several pages and times shows the state that covers most of it', () => {
    const view = { from: 0, to: 100, firstRow: 0, lastRow: 4, width: 1, height: 1 };
    expect([...residencyRaster(changes, 4, view)]).toEqual([ON_CPU]);
  });

  test('a view that begins later starts from the state at that time', () => {
    const view = { from: 60, to: 80, firstRow: 1, lastRow: 3, width: 2, height: 2 };
    expect([...residencyRaster(changes, 4, view)]).toEqual([ON_DEVICE, ON_DEVICE, ON_DEVICE, ON_DEVICE]);
  });
});
