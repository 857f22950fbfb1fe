/** Pages of a region. */
export interface RegionRange {
  readonly region: number;
  /** First page, from the start of the region. */
  readonly offset: number;
  readonly pages: number;
}

/** Page of region 0: address 0x100000000000. */
const REGIONS = 0x100000000;
/** Pages of a region: 1 GiB. */
const REGION_PAGES = 0x40000;

/** First page of a range of a region. */
export function pageOf({ region, offset }: { readonly region: number; readonly offset: number }): number {
  return REGIONS + region * REGION_PAGES + offset;
}

/** Region and offset of a page, undefined for a page below the regions. */
export function regionOf(vpn: number): { region: number; offset: number } | undefined {
  if (vpn < REGIONS) return undefined;
  return { region: Math.floor((vpn - REGIONS) / REGION_PAGES), offset: (vpn - REGIONS) % REGION_PAGES };
}
