import { fc } from '@hmm/config/property';
import { describe, expect, it } from 'vitest';
import { AccessBatch, TouchedRanges, TraceReader } from '../../src/readers/index.js';
import { fixture } from './collect.js';

function touch(ranges: TouchedRanges, pages: readonly number[]): TouchedRanges {
  const batch = new AccessBatch(pages.length);
  for (const page of pages) batch.push(page, 0, 1, 0, 0, 0, 0);
  ranges.add(batch);
  return ranges;
}

/** The same by sorting. */
function byDefinition(pages: readonly number[], gap: number): { page: number; pages: number }[] {
  const ranges: { page: number; pages: number }[] = [];
  for (const page of [...pages].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && page - (last.page + last.pages) < gap)
      last.pages = Math.max(last.pages, page + 1 - last.page);
    else ranges.push({ page, pages: 1 });
  }
  return ranges;
}

describe('the ranges that a trace touches', () => {
  it('are those of a sort, whatever the order of the accesses and however far they are apart', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 40 }), fc.array(fc.nat(), { minLength: 1 }), (bits, numbers) => {
        const pages = numbers.map((n) => (n * 40503) % 2 ** bits);
        expect(touch(new TouchedRanges(), pages).ranges()).toEqual(byDefinition(pages, 512));
      }),
      { seed: 9, numRuns: 300 },
    );
  });

  it('of the stride program are its code with its area, and the stack', () => {
    const ranges = new TouchedRanges();
    const reader = new TraceReader(
      {
        accesses: (batch) => {
          ranges.add(batch);
        },
      },
      { instructions: true },
    );
    reader.push(fixture('stride.lackey'));
    expect(reader.end().ok).toBe(true);
    expect(ranges.ranges()).toEqual([{ page: 0x401, pages: 0x403 + 64 - 0x401 }]);
  });

  it('keep their places within 2 MiB in a play, unless they are very many', () => {
    const far = Array.from({ length: 30_000 }, (_, i) => ((i * 7919) % 30_000) * 524_288 + i);
    const { order, ranges } = touch(new TouchedRanges(), far).layout();
    expect(order).toBe(9);
    expect(ranges).toHaveLength(30_000);
  });

  it('that are scattered over too many blocks are placed by the largest pieces that fit', () => {
    const far = Array.from({ length: 40_000 }, (_, i) => ((i * 7919) % 40_000) * 524_288 + (i % 512));
    const { order, ranges } = touch(new TouchedRanges(), far).layout();
    expect(order).toBe(8);
    expect(ranges).toHaveLength(40_000);
    expect(ranges.every(({ page, pages }) => page % 256 === 0 && pages === 256)).toBe(true);
    const inside = (page: number): boolean =>
      ranges.some((range) => page >= range.page && page < range.page + range.pages);
    expect(far.slice(0, 50).every(inside)).toBe(true);
  });

  it('of a dense trace stay as they are, however large it is', () => {
    const dense = Array.from({ length: 40_000 * 32 }, (_, i) => 16 * i);
    const { order, ranges } = touch(new TouchedRanges(), dense).layout();
    expect([order, ranges.length]).toEqual([9, 1]);
  });
});
