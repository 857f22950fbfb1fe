import { describe, expect, test } from 'vitest';
import { openTrace } from '../src/engine/trace-view.js';
import { timeOrder } from '../src/engine/time-order.js';
import { pageRows } from '../src/engine/trace-pages.js';
import { ON_CPU } from '../src/tiles/residency-raster.js';

describe('a recorded trace', () => {
  test('becomes lanes and a map, whatever its size', async () => {
    const lines = Array.from(
      { length: 5000 },
      (_, i) => ` L ${(0x1000000 + 4096 * (i % 64)).toString(16)},4`,
    );
    const opened = await openTrace('app.lackey', new Blob([`==1== Lackey\n${lines.join('\n')}\n`]));
    if (!opened.ok) throw new Error(opened.message);
    const { run, residency } = opened;
    expect(run.timed).toBe(false);
    expect(run.rows).toBe(64);
    expect(run.lanes).toEqual(['CPU accesses']);
    expect(run.laneIndex[0]?.event).toHaveLength(5000);
    expect(residency.length).toBe(64);
    expect([...residency.state].every((state) => state === ON_CPU)).toBe(true);
  });

  test.each(['', '\0\0\0\0', 'no trace at all\n'])('%j is refused, in words', async (text) => {
    const opened = await openTrace('x', new Blob([text]));
    expect(opened.ok).toBe(false);
    if (!opened.ok) expect(opened.message).not.toBe('');
  });
});

describe('time order', () => {
  test('is none where there is order', () => {
    expect(timeOrder(Float64Array.of(0, 1, 1, 2), 4)).toBeUndefined();
    expect(timeOrder(new Float64Array(0), 0)).toBeUndefined();
  });

  test('is stable and complete, whatever comes', () => {
    let seed = 3;
    const time = Float64Array.from({ length: 1001 }, () => (seed = (seed * 16807) % 2147483647) % 50);
    const order = timeOrder(time, 1001) ?? new Uint32Array(0);
    const wanted = Array.from({ length: 1001 }, (_, i) => i).sort(
      (a, b) => (time[a] ?? 0) - (time[b] ?? 0) || a - b,
    );
    expect([...order]).toEqual(wanted);
  });
});

describe('pages of a trace', () => {
  test('wide gaps are left out', () => {
    const rows = pageRows(Float64Array.of(1000, 1001, 5000, -1), 4);
    expect(rows.regions.map(({ row, pages }) => [row, pages])).toEqual([
      [0, 2],
      [2, 1],
    ]);
    expect([1000, 1001, 5000, 4999, 1002].map((page) => rows.rowOf(page))).toEqual([0, 1, 2, -1, -1]);
  });

  test('pages scattered over the address space need no more rows than there are', () => {
    const scattered = Float64Array.from({ length: 20_000 }, (_, i) => i * 500);
    expect(pageRows(scattered, scattered.length).rows).toBeLessThan(1 << 22);
  });
});
