/**
 * An access pattern as a function of the access's number: any part of it can be had at any time, in any order, with no
 * state kept. Page numbers are relative to a region of the workload.
 */
export interface AccessPattern {
  /** What it is, for reports: `streaming`, `zipf(1.1)`, … */
  readonly name: string;
  /** Accesses in all. */
  readonly accesses: number;
  /**
   * Writes accesses `first` … `first + count - 1` to the batch's rows from its `length` on, and adds `count` to `length`.
   * The caller sees to it that they fit and exist. The same `seed` gives the same accesses, always.
   */
  fill(batch: PatternBatch, first: number, count: number, seed: number): void;
}

/** Columns that patterns write. The arrays may be the caller's own; they never move. */
export class PatternBatch {
  /** Rows in use. */
  length = 0;
  /** Rows that fit. */
  readonly capacity: number;
  /** Index of the region in the workload's list. */
  readonly region: Uint8Array;
  /** Page in that region, counted from 0. */
  readonly page: Uint32Array;
  /** `ACCESS_READ`, `ACCESS_WRITE`, `ACCESS_ATOMIC` or `ACCESS_PREFETCH`. */
  readonly kind: Uint8Array;

  /** Makes columns for `rows` rows, or takes the caller's, which must be of one length. */
  constructor(rows: number | { region: Uint8Array; page: Uint32Array; kind: Uint8Array } = 16384) {
    const own = typeof rows === 'number';
    this.region = own ? new Uint8Array(rows) : rows.region;
    this.page = own ? new Uint32Array(rows) : rows.page;
    this.kind = own ? new Uint8Array(rows) : rows.kind;
    this.capacity = Math.min(this.region.length, this.page.length, this.kind.length);
  }

  /** Forgets all rows. */
  clear(): void {
    this.length = 0;
  }
}

/**
 * Fills the batch with the pattern's next accesses from number `first` on, as many as fit. Returns the number of the access
 * after them: the pattern is over when that is `pattern.accesses`.
 */
export function nextBatch(pattern: AccessPattern, batch: PatternBatch, first: number, seed: number): number {
  batch.clear();
  const count = Math.min(batch.capacity, pattern.accesses - first);
  pattern.fill(batch, first, count, seed);
  return first + count;
}
