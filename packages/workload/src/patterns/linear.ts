import { ACCESS_READ, ACCESS_WRITE } from '../readers/access-batch.js';
import type { AccessPattern, PatternBatch } from './pattern.js';

/** Which pages of which region an access pattern touches, and how. */
export interface RegionUse {
  /** Index of the region in the workload's list. Default 0. */
  readonly region?: number;
  /** Pages of the region that the pattern covers. */
  readonly pages: number;
  /** First of these pages. Default 0. */
  readonly firstPage?: number;
  /** `ACCESS_*`. Default read. */
  readonly kind?: number;
  /** Writes among the accesses, 0 to 1, spread evenly; the others are of `kind`. Default 0. */
  readonly writeShare?: number;
}

/** A pattern that visits one page of one region per access, given the page's number by access number. */
export abstract class OneRegionPattern implements AccessPattern {
  abstract readonly name: string;
  readonly accesses: number;
  protected readonly use: Required<RegionUse>;

  constructor(use: RegionUse, accesses: number) {
    this.use = { region: 0, firstPage: 0, kind: ACCESS_READ, writeShare: 0, ...use };
    this.accesses = accesses;
  }

  /** Writes the pages of accesses `first` … `first + count - 1`, relative to the first page, to `page[at …]`. */
  protected abstract pages(page: Uint32Array, at: number, first: number, count: number, seed: number): void;

  fill(batch: PatternBatch, first: number, count: number, seed: number): void {
    const { region, firstPage, kind, writeShare } = this.use;
    const at = batch.length;
    this.pages(batch.page, at, first, count, seed);
    batch.region.fill(region, at, at + count);
    batch.kind.fill(kind, at, at + count);
    if (firstPage > 0) for (let i = at; i < at + count; i++) batch.page[i] = (batch.page[i] ?? 0) + firstPage;
    if (writeShare > 0) markWrites(batch.kind, at, first, count, writeShare);
    batch.length = at + count;
  }
}

/** Makes every access a write at which the running share of writes passes a whole number. */
function markWrites(kind: Uint8Array, at: number, first: number, count: number, share: number): void {
  for (let i = 0; i < count; i++) {
    if (Math.floor((first + i + 1) * share) > Math.floor((first + i) * share)) kind[at + i] = ACCESS_WRITE;
  }
}

/** Pages 0, 1, 2, … (or the other way round), `perPage` accesses on each, `passes` times over. */
export class Streaming extends OneRegionPattern {
  readonly name: string;
  private readonly perPage: number;
  private readonly backwards: boolean;

  constructor(use: RegionUse & { perPage?: number; passes?: number; backwards?: boolean }) {
    const perPage = use.perPage ?? 1;
    super(use, use.pages * perPage * (use.passes ?? 1));
    this.perPage = perPage;
    this.backwards = use.backwards ?? false;
    this.name = this.backwards ? 'streaming backwards' : 'streaming';
  }

  protected pages(page: Uint32Array, at: number, first: number, count: number): void {
    const { perPage, backwards } = this;
    const { pages } = this.use;
    let next = Math.floor(first / perPage) % pages;
    let inPage = first % perPage;
    for (let i = at; i < at + count; i++) {
      page[i] = backwards ? pages - 1 - next : next;
      if (++inPage < perPage) continue;
      inPage = 0;
      if (++next === pages) next = 0;
    }
  }
}

/** Every K-th page, then, unless `sparse`, the pages between: 0, K, 2K, …, 1, K+1, … */
export class Strided extends OneRegionPattern {
  readonly name: string;
  private readonly stride: number;

  constructor(use: RegionUse & { stride: number; sparse?: boolean }) {
    super(use, use.sparse === true ? Math.ceil(use.pages / use.stride) : use.pages);
    this.stride = use.stride;
    this.name = `stride ${use.stride}`;
  }

  protected pages(page: Uint32Array, at: number, first: number, count: number): void {
    const { stride } = this;
    const { pages } = this.use;
    let [column, next] = stridedPlace(first, pages, stride);
    for (let i = at; i < at + count; i++) {
      page[i] = next;
      next += stride;
      if (next >= pages) next = ++column;
    }
  }
}

/** The offset within the stride, and the page, of access `index`: the first `pages % stride` offsets have one page more. */
function stridedPlace(index: number, pages: number, stride: number): [column: number, page: number] {
  const short = Math.floor(pages / stride);
  const long = short + 1;
  const longColumns = pages % stride;
  const inLong = longColumns * long;
  if (index < inLong) {
    const column = Math.floor(index / long);
    return [column, column + (index % long) * stride];
  }
  if (short === 0) return [stride, pages];
  const column = longColumns + Math.floor((index - inLong) / short);
  return [column, column + ((index - inLong) % short) * stride];
}
