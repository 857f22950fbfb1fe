import type { MmuNotifierEvent } from './event.js';
import type { NotifierMm } from './subscriptions.js';

/** {@link MmuNotifierRange.flags}: callbacks of this range may sleep. Everybody sets it but the OOM reaper. */
export const MMU_NOTIFIER_RANGE_BLOCKABLE = 1;

/** The `owner` of a range that has none. */
export const NO_OWNER = 0;

/**
 * One invalidation: `struct mmu_notifier_range`. Made by {@link mmuNotifierRangeInit}, handed to
 * `mmuNotifierInvalidateRangeStart` and, the very same record, to `mmuNotifierInvalidateRangeEnd`.
 */
export class MmuNotifierRange {
  readonly mm: NotifierMm;
  /** First page (VPN). */
  readonly start: number;
  /** Page behind the last (VPN). */
  readonly end: number;
  readonly event: MmuNotifierEvent;
  /** `MMU_NOTIFIER_RANGE_*`. */
  readonly flags: number;
  /** For MIGRATE and EXCLUSIVE the owner of the device memory concerned, else {@link NO_OWNER}. */
  readonly owner: number;
  /** Whether the start was counted in the interval subscriptions, so that the end has to be. */
  counted = false;

  constructor(
    event: MmuNotifierEvent,
    flags: number,
    mm: NotifierMm,
    start: number,
    end: number,
    owner: number,
  ) {
    this.mm = mm;
    this.start = start;
    this.end = end;
    this.event = event;
    this.flags = flags;
    this.owner = owner;
  }
}

/**
 * A blockable range over the pages [start, end) of `mm`.
 * @kernel include/linux/mmu_notifier.h mmu_notifier_range_init (all)
 */
export function mmuNotifierRangeInit(
  event: MmuNotifierEvent,
  mm: NotifierMm,
  start: number,
  end: number,
): MmuNotifierRange {
  return new MmuNotifierRange(event, MMU_NOTIFIER_RANGE_BLOCKABLE, mm, start, end, NO_OWNER);
}

/**
 * As {@link mmuNotifierRangeInit} for MIGRATE and EXCLUSIVE, which carry the owner of the device memory.
 * @kernel include/linux/mmu_notifier.h mmu_notifier_range_init_owner (all)
 */
export function mmuNotifierRangeInitOwner(
  event: MmuNotifierEvent,
  mm: NotifierMm,
  start: number,
  end: number,
  owner: number,
): MmuNotifierRange {
  return new MmuNotifierRange(event, MMU_NOTIFIER_RANGE_BLOCKABLE, mm, start, end, owner);
}

/**
 * Whether callbacks of this range may sleep.
 * @kernel include/linux/mmu_notifier.h mmu_notifier_range_blockable (all)
 */
export function mmuNotifierRangeBlockable(range: MmuNotifierRange): boolean {
  return (range.flags & MMU_NOTIFIER_RANGE_BLOCKABLE) !== 0;
}
