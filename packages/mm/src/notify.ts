import { SP_PREEMPT, type Task } from '@hmm/kernel';
import {
  type MmuNotifierEvent,
  type MmuNotifierRange,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInit,
} from '@hmm/mmu-notifier';
import { mmuNotifierToldOfEnds } from '@hmm/mmu-notifier/internal';
import type { MmStruct } from './mm-struct.js';

/**
 * Raises `event` over the pages [start, end) of `mm` and waits until its subscribers are done. What it returns goes to
 * {@link notifyEnd} when the change has been made; an mm without subscribers has nothing to be ended:
 *
 * ```ts
 * const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, vpn, vpn + 1) : undefined;
 * ```
 * @kernel include/linux/mmu_notifier.h mmu_notifier_invalidate_range_start (without: lockdep's map)
 */
export function* notifyStart(
  mm: MmStruct,
  event: MmuNotifierEvent,
  start: number,
  end: number,
): Task<MmuNotifierRange> {
  const range = mmuNotifierRangeInit(event, mm, start, end);
  const started = mmuNotifierInvalidateRangeStart(range);
  if (typeof started !== 'number') yield* started;
  return range;
}

/**
 * Ends an invalidation.
 * @kernel include/linux/mmu_notifier.h mmu_notifier_invalidate_range_end (without: lockdep's map, callers
 * that may not sleep)
 */
export function notifyEnd(range: MmuNotifierRange | undefined): void {
  if (range !== undefined) mmuNotifierInvalidateRangeEnd(range);
}

/** As {@link notifyEnd}; while exploring, others may run before it, where somebody is told of ends. */
export function* notifyEndStep(range: MmuNotifierRange | undefined): Task {
  if (range === undefined) return;
  if (range.mm.kernel.sched.exploring && mmuNotifierToldOfEnds(range.mm)) yield SP_PREEMPT;
  mmuNotifierInvalidateRangeEnd(range);
}
