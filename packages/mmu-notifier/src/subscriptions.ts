import { HmmError, SpinLock, type Kernel, type RwSemaphore } from '@hmm/kernel';
import { declareState, ownState } from '@hmm/kernel/internal';
import { IntervalTree } from './interval-tree.js';
import type { MmuIntervalNotifier } from './interval-notifier.js';
import type { MmuNotifier } from './notifier.js';

/** What this package needs to know of an address space; `struct mm_struct` of `@hmm/mm` is one. */
export interface NotifierMm {
  readonly kernel: Kernel;
  /** Small integer that names the mm in events. */
  readonly id: number;
  /** `mmap_lock`. */
  readonly mmapLock: RwSemaphore;
  /** Undefined until somebody subscribes: an invalidation then costs one test. */
  notifierSubscriptions: MmuNotifierSubscriptions | undefined;
  /** Users of the address space (`mm_users`). */
  users: number;
  /** What names it among the objects that agents share: to be last is not independent of who asks. */
  readonly usersObject: number;
  /** References to the structure itself (`mm_count`). */
  count: number;
  /** Drops one of them; the last one frees the structure. */
  drop(): void;
}

/** Bits of a sequence number unless the constructor is told otherwise. */
export const SEQ_BITS = 32;

/** Why a sequence number is saved and not hashed. */
export const SEQUENCE =
  'only compared with what somebody has read, which nobody has who is between two operations';

/**
 * All that is subscribed to one address space: `struct mmu_notifier_subscriptions`.
 *
 * Sequence numbers are two's-complement integers of `seqBits` bits (32 unless told otherwise, where Linux has 64);
 * they wrap, and are only ever compared for equality. A reader that sleeps through exactly 2^(seqBits - 1)
 * invalidations misses them all, as on a real machine it would after 2^63.
 */
export class MmuNotifierSubscriptions {
  /** What of it is state. */
  static readonly state = declareState(
    {
      kernel: 'constant',
      id: 'constant',
      invalidateSeq: { saved: SEQUENCE },
      activeInvalidateRanges: 'value',
      hasItree: 'value',
      twoPasses: 'value',
      srcuReaders: 'value',
      tree: 'constant',
      intervals: 'constant',
      deferred: 'constant',
      notifiers: 'constant',
      dying: 'constant',
      lock: 'constant',
      freeSlots: 'constant',
      wrap: 'constant',
    },
    ownState(MmuNotifierSubscriptions, {
      save: (subs) => {
        const { invalidateSeq, activeInvalidateRanges, hasItree, srcuReaders, twoPasses } = subs;
        return {
          restore: (): void => {
            subs.invalidateSeq = invalidateSeq;
            subs.activeInvalidateRanges = activeInvalidateRanges;
            subs.hasItree = hasItree;
            subs.twoPasses = twoPasses;
            subs.srcuReaders = srcuReaders;
          },
        };
      },
    }),
  );

  readonly kernel: Kernel;
  /** Wait channel of who waits for the running invalidations to end, and identity for access observation. */
  readonly id: number;
  /** Even: no overlapping invalidation runs. Odd: one does, or may. */
  invalidateSeq: number;
  /** Invalidations between start and end. */
  activeInvalidateRanges = 0;
  /** Whether interval notifiers are in use. */
  hasItree = false;
  /** Whether somebody has subscribed whose invalidations go in two passes. */
  twoPasses = false;
  /** Agents inside a walk of the plain notifiers (the SRCU read side). */
  srcuReaders = 0;
  /** Interval notifiers inside the tree. */
  readonly tree = new IntervalTree();
  /** Interval notifiers by slot, in the tree or about to be; slot 0 is never used. */
  readonly intervals: (MmuIntervalNotifier | undefined)[] = [undefined];
  /** Inserts and removals that wait for the running invalidations to end, oldest first. */
  readonly deferred: MmuIntervalNotifier[] = [];
  /** Plain notifiers, the newest first (the hlist). */
  readonly notifiers: MmuNotifier[] = [];
  /** Plain notifiers that were given up while somebody walks over the list. */
  readonly dying: MmuNotifier[] = [];
  /** `subs.lock`. */
  readonly lock: SpinLock;
  private readonly freeSlots: number[] = [];
  private readonly wrap: number;

  /** @param seqBits width of the sequence numbers, 2 to 32. @param seq the first sequence number; even. */
  constructor(kernel: Kernel, seqBits: number = SEQ_BITS, seq = 2) {
    if (seqBits < 2 || seqBits > 32)
      throw new HmmError('SEQ_BITS', 'sequence numbers have 2 to 32 bits', { seqBits });
    this.kernel = kernel;
    this.id = kernel.allocIds(1);
    this.lock = new SpinLock(kernel.sched, 'notifier_subscriptions.lock');
    this.wrap = 32 - seqBits;
    this.invalidateSeq = this.seqPlus(seq, 0);
  }

  /**
   * Reports that an invalidation is counted in or, with `end`, out. Two starts commute, and so do two ends; a start and an end
   * do not, since the sequence moves on when nothing runs between them.
   */
  accessCount(end: boolean): void {
    this.kernel.sched.counted(this.id, end);
  }

  /** Reports that the state of the subscriptions is read or, with `write`, changed: that depends on what is running. */
  accessState(write: boolean): void {
    this.kernel.sched.access(this.id, write);
  }

  /** `seq + step`, wrapped to the width of the sequence numbers. */
  seqPlus(seq: number, step: number): number {
    return ((seq + step) << this.wrap) >> this.wrap;
  }

  /** A slot for `sub`. */
  takeSlot(sub: MmuIntervalNotifier): number {
    const slot = this.freeSlots.pop() ?? this.intervals.length;
    this.intervals[slot] = sub;
    return slot;
  }

  /** Gives a slot back. */
  dropSlot(slot: number): void {
    this.intervals[slot] = undefined;
    this.freeSlots.push(slot);
  }

  /** The interval notifier in `slot`. */
  intervalAt(slot: number): MmuIntervalNotifier {
    const sub = this.intervals[slot];
    if (sub === undefined)
      throw new HmmError('NO_INTERVAL', 'the tree names a slot without notifier', { slot });
    return sub;
  }
}

/**
 * Whether anybody is subscribed to `mm`; where not, an invalidation need not be announced.
 * @kernel include/linux/mmu_notifier.h mm_has_notifiers (all)
 */
export function mmHasNotifiers(mm: NotifierMm): boolean {
  return mm.notifierSubscriptions !== undefined;
}
