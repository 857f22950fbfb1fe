import type { AccessBatch } from './access-batch.js';

/** A run of pages. */
export interface PageRange {
  readonly page: number;
  readonly pages: number;
}

/** Ranges kept at first; more of them double the gap. */
const MAX_RANGES = 16384;

/**
 * The ranges of pages that a trace touches, for mapping them before it is replayed: traces name addresses, not
 * allocations. Pages less than `gap` apart are one range. Memory is bounded: where there would be more than 16,384
 * ranges, the gap doubles.
 */
export class TouchedRanges {
  /** Pages apart that still count as one range. */
  gap: number;
  /** Starts and ends (the page after the last) of the ranges, ascending; the first `count` mean something. */
  private readonly starts = new Float64Array(MAX_RANGES + 1);
  private readonly ends = new Float64Array(MAX_RANGES + 1);
  private count = 0;
  /** The range of the last access: most accesses are in it. */
  private last = 0;

  /** The default gap is 2 MiB, the unit of huge pages and of UVM's blocks. */
  constructor(gap = 512) {
    this.gap = gap;
  }

  /** Takes the pages of a batch: can stand in a sink's `accesses`. */
  add(batch: AccessBatch): void {
    for (let i = 0; i < batch.length; i++) {
      const page = batch.page[i] ?? 0;
      if (this.count > 0 && page >= (this.starts[this.last] ?? 0) && page < (this.ends[this.last] ?? 0))
        continue;
      this.insert(page);
    }
  }

  /** The ranges so far, ascending. */
  ranges(): PageRange[] {
    return Array.from({ length: this.count }, (_, i) => {
      const page = this.starts[i] ?? 0;
      return { page, pages: (this.ends[i] ?? 0) - page };
    });
  }

  private insert(page: number): void {
    const { starts, ends, gap } = this;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] ?? 0) <= page) low = middle + 1;
      else high = middle;
    }
    const before = low - 1;
    if (before >= 0 && page < (ends[before] ?? 0) + gap) {
      ends[before] = Math.max(ends[before] ?? 0, page + 1);
      this.last = before;
      if (low < this.count && (starts[low] ?? 0) - (ends[before] ?? 0) < gap) this.mergeNext(before);
    } else if (low < this.count && (starts[low] ?? 0) - page - 1 < gap) {
      starts[low] = page;
      this.last = low;
    } else {
      starts.copyWithin(low + 1, low, this.count);
      ends.copyWithin(low + 1, low, this.count);
      starts[low] = page;
      ends[low] = page + 1;
      this.count++;
      this.last = low;
      if (this.count > MAX_RANGES) this.widen();
    }
  }

  private mergeNext(range: number): void {
    this.ends[range] = this.ends[range + 1] ?? 0;
    this.starts.copyWithin(range + 1, range + 2, this.count);
    this.ends.copyWithin(range + 1, range + 2, this.count);
    this.count--;
  }

  private widen(): void {
    while (this.count > MAX_RANGES / 2) {
      this.gap *= 2;
      let kept = 0;
      for (let i = 1; i < this.count; i++) {
        if ((this.starts[i] ?? 0) - (this.ends[kept] ?? 0) < this.gap) this.ends[kept] = this.ends[i] ?? 0;
        else {
          kept++;
          this.starts[kept] = this.starts[i] ?? 0;
          this.ends[kept] = this.ends[i] ?? 0;
        }
      }
      this.count = kept + 1;
    }
    this.last = 0;
  }
}
