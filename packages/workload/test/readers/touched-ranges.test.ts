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
  it('are those of a sort, whatever the order of the accesses', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(400), { minLength: 1, maxLength: 120 }),
        fc.integer({ min: 1, max: 12 }),
        (pages, gap) => {
          expect(touch(new TouchedRanges(gap), pages).ranges()).toEqual(byDefinition(pages, gap));
        },
      ),
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

  it('grow coarser instead of more than memory allows', () => {
    const pages = Array.from({ length: 40_000 }, (_, i) => (i * 7919 * 1000) % (40_000 * 1000));
    const ranges = touch(new TouchedRanges(10), pages);
    expect(ranges.ranges().length).toBeLessThanOrEqual(16_384);
    expect(ranges.gap).toBeGreaterThan(10);
    const inside = (page: number): boolean =>
      ranges.ranges().some((range) => page >= range.page && page < range.page + range.pages);
    expect(pages.slice(0, 50).every(inside)).toBe(true);
  });
});
