import type { RegionView } from './run-view.js';

/** `a[3]`, `a[3..8]` (8 not included), or '' where the rows are on no page of the program. */
export function placeOf(regions: readonly RegionView[], row: number, pages: number): string {
  const region = regions.find((r) => row >= r.row && row < r.row + r.pages);
  if (region === undefined) return '';
  const first = row - region.row;
  return pages > 1
    ? `${region.name}[${first}..${Math.min(first + pages, region.pages)}]`
    : `${region.name}[${first}]`;
}
