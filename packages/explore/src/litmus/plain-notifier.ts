import { EAGAIN } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  MmuNotifier,
  type MmuNotifierOps,
  type MmuNotifierRange,
  mmuNotifierRangeBlockable,
} from '@hmm/mmu-notifier';
import type { Violation } from '../engine/model.js';

/**
 * A plain notifier that counts the invalidations it is told of. The kind that refuses what it may refuse has no end, as
 * the rules for plain notifiers want it.
 */
export class PlainNotifier extends MmuNotifier {
  /** What of it is state. */
  static override readonly state = declareState({ running: 'value' });

  /** Invalidations begun and not ended. */
  running = 0;

  /** @param refuses whether it refuses each invalidation that must not block. */
  constructor(refuses: boolean) {
    super(refuses ? REFUSING : COUNTING);
  }
}

const COUNTING: MmuNotifierOps = {
  invalidateRangeStart(sub) {
    if (sub instanceof PlainNotifier) sub.running++;
    return 0;
  },
  invalidateRangeEnd(sub) {
    if (sub instanceof PlainNotifier) sub.running--;
  },
};

const REFUSING: MmuNotifierOps = {
  invalidateRangeStart: (_sub: MmuNotifier, range: MmuNotifierRange) =>
    mmuNotifierRangeBlockable(range) ? 0 : -EAGAIN,
};

/** I13: who was told of a start is told of its end, also when another one refused. */
export function checkPlainNotifiers(notifiers: readonly PlainNotifier[]): Violation | undefined {
  for (const [i, { running }] of notifiers.entries()) {
    if (running === 0) continue;
    const detail = `plain notifier ${i} was told of ${running} starts more than of ends`;
    return { invariant: 'I13', detail };
  }
  return undefined;
}
