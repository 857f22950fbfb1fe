import type { AccessPattern, PatternBatch } from './pattern.js';

/** Bytes in a page. */
export const PAGE_BYTES = 4096;

/** A pattern that computes each row of a batch on its own: for shapes that touch several regions in turn. */
export abstract class RowPattern implements AccessPattern {
  abstract readonly name: string;
  readonly accesses: number;

  constructor(accesses: number) {
    this.accesses = accesses;
  }

  /** Writes access `index` to `row` of the batch. */
  protected abstract access(batch: PatternBatch, row: number, index: number, seed: number): void;

  fill(batch: PatternBatch, first: number, count: number, seed: number): void {
    const at = batch.length;
    for (let i = 0; i < count; i++) this.access(batch, at + i, first + i, seed);
    batch.length = at + count;
  }
}

/** Writes one access into row `row` of a batch. */
export function writeAccess(
  batch: PatternBatch,
  row: number,
  region: number,
  page: number,
  kind: number,
): void {
  batch.region[row] = region;
  batch.page[row] = page;
  batch.kind[row] = kind;
}
