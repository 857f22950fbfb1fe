import { declareState, ownState, type StateHash } from '@hmm/kernel/internal';

/** Folios that fit in one batch. @kernel include/linux/pagevec.h PAGEVEC_SIZE */
export const FOLIO_BATCH_SIZE = 31;

/** All folios of a batch are dealt with in one go: their order matters to nobody. */
const UNORDERED = { saved: 'folded below, as a set' };

/**
 * The batches in which folios wait for the LRU lists. Each entry holds a reference, which others can see. The kernel has
 * one set a CPU; the machine modelled here has one.
 * @kernel mm/swap.c cpu_fbatches
 */
export class LruBatches {
  /** What of it is state. */
  static readonly state = declareState(
    { add: UNORDERED, lazyfree: UNORDERED, activate: UNORDERED, mlock: 'constant' },
    ownState(LruBatches, {
      fold: ({ add, lazyfree, activate }, hash: StateHash) => {
        for (const batch of [add, lazyfree, activate]) hash.frameSet(batch);
      },
    }),
  );

  /** New to the LRU. */
  readonly add: number[] = [];
  /** To become lazily freed. */
  readonly lazyfree: number[] = [];
  /** To become active. */
  readonly activate: number[] = [];
  /** To be mlocked or munlocked: 4 * pfn + `MLOCK_*` of mlock-folio.ts. */
  readonly mlock: number[] = [];
}

/** The entries of a batch, which is empty afterwards: freeing a folio may add to it again. */
export function takeAll(batch: number[]): readonly number[] {
  const entries = batch.slice();
  batch.length = 0;
  return entries;
}
