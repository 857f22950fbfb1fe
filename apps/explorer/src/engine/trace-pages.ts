import { END_PAGE } from '@hmm/workload/readers';
import type { RegionView } from './run-view.js';

/** A gap of more pages than that begins a new region: 2 MiB. */
const REGION_GAP = 512;
/** Where the map would have more rows than that, smaller gaps begin new regions too. */
const MANY_ROWS = 1 << 22;
/** More regions than that are not listed: their pages are on no row. */
const MAX_REGIONS = 10_000;

/** Which page of a trace is which row of the map. */
export interface PageRows {
  readonly regions: readonly RegionView[];
  readonly rows: number;
  /** The row of a virtual page number, or -1. */
  rowOf(page: number): number;
}

/** Puts the first `n` of `pages` on rows, leaving out the wide gaps between them. */
export function pageRows(pages: Float64Array, n: number): PageRows {
  const sorted = pages.subarray(0, n).slice().sort();
  let gap = REGION_GAP;
  while (gap > 1 && rowsNeeded(sorted, gap) > MANY_ROWS) gap = gap >> 3;
  return new SortedRegions(sorted, Math.max(gap, 1));
}

function isPage(page: number): boolean {
  return page >= 0 && page < END_PAGE;
}

function rowsNeeded(sorted: Float64Array, gap: number): number {
  let rows = 0;
  let last = -Infinity;
  for (const page of sorted) {
    if (!isPage(page)) continue;
    rows += page - last <= gap ? page - last : 1;
    last = page;
  }
  return rows;
}

class SortedRegions implements PageRows {
  readonly regions: RegionView[] = [];
  rows = 0;
  private readonly starts: number[] = [];

  constructor(sorted: Float64Array, gap: number) {
    let first = -1;
    let last = -1;
    for (const page of sorted) {
      if (!isPage(page)) continue;
      if (first < 0 || page - last > gap) {
        this.close(first, last);
        first = page;
      }
      last = page;
    }
    this.close(first, last);
    this.rows = Math.max(1, this.rows);
  }

  rowOf(page: number): number {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] ?? 0) <= page) low = middle + 1;
      else high = middle;
    }
    const region = this.regions[low - 1];
    const at = page - (this.starts[low - 1] ?? 0);
    return region === undefined || at < 0 || at >= region.pages ? -1 : region.row + at;
  }

  private close(first: number, last: number): void {
    if (first < 0 || this.regions.length === MAX_REGIONS) return;
    const pages = last - first + 1;
    this.starts.push(first);
    this.regions.push({ name: `0x${(first * 4096).toString(16)}`, row: this.rows, pages });
    this.rows += pages;
  }
}
