import { refill } from './columns.js';

/** Folios that fit in one batch. @kernel include/linux/pagevec.h PAGEVEC_SIZE */
export const FOLIO_BATCH_SIZE = 31;

/** A saved {@link LruBatches}; opaque. */
export type LruBatchesState = readonly (readonly number[])[];

/**
 * The batches in which folios wait for the LRU lists. Each entry holds a reference, which others can see. The kernel has
 * one set a CPU; the machine modelled here has one.
 * @kernel mm/swap.c cpu_fbatches
 */
export class LruBatches {
  /** New to the LRU. */
  readonly add: number[] = [];
  /** To become lazily freed. */
  readonly lazyfree: number[] = [];
  /** To become active. */
  readonly activate: number[] = [];
  /** To be mlocked or munlocked: 4 * pfn + `MLOCK_*` of mlock-folio.ts. */
  readonly mlock: number[] = [];

  /** The batches of frames; `mlock` holds more than that. */
  lists(): readonly (readonly number[])[] {
    return [this.add, this.lazyfree, this.activate];
  }

  /** A copy of the state. */
  save(): LruBatchesState {
    return [[...this.add], [...this.lazyfree], [...this.activate], [...this.mlock]];
  }

  /** Sets the state back. */
  restore(state: LruBatchesState): void {
    const [add, lazyfree, activate, mlock] = state;
    refill(this.add, add ?? []);
    refill(this.lazyfree, lazyfree ?? []);
    refill(this.activate, activate ?? []);
    refill(this.mlock, mlock ?? []);
  }
}

/** The entries of a batch, which is empty afterwards: freeing a folio may add to it again. */
export function takeAll(batch: number[]): readonly number[] {
  const entries = batch.slice();
  batch.length = 0;
  return entries;
}
