/** What memory an allocation makes. */
export type MemoryKind =
  'malloc' | 'shared' | 'file' | 'memfd' | 'memfd_private' | 'stack' | 'managed' | 'vram' | 'hugetlb';

/** A named piece of memory: where it is, how large, what made it. */
export interface Region {
  readonly name: string;
  /** First page, VPN. */
  readonly vpn: number;
  readonly pages: number;
  /** Size asked for, bytes. */
  readonly bytes: number;
  /** Allocated by a driver (its device's name), or undefined for memory of the kernel's own. */
  readonly managedBy: string | undefined;
  /** Name of the process that made it. */
  readonly process: string;
}

/** Pages that a statement speaks of. */
export interface PageRange {
  /** First page, VPN. */
  readonly vpn: number;
  readonly pages: number;
  /** The region that they are of; undefined where the pages have no name, as in recordings. */
  readonly region: Region | undefined;
}

/** First page of region 0 of a recorded script or a litmus test: address 0x100000000000. */
const REGIONS = 0x100000000;
/** Pages of such a region: 1 GiB. */
const REGION_PAGES = 0x40000;

/** The page at `offset` of region `region`, as recorded scripts and litmus tests lay them out. */
export function regionPage(region: number, offset: number): number {
  return REGIONS + region * REGION_PAGES + offset;
}

/** Region and offset of a page, undefined for a page below the regions. */
export function regionOf(vpn: number): { readonly region: number; readonly offset: number } | undefined {
  if (vpn < REGIONS) return undefined;
  return { region: Math.floor((vpn - REGIONS) / REGION_PAGES), offset: (vpn - REGIONS) % REGION_PAGES };
}
