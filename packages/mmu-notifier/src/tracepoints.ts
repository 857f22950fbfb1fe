import { defineTracepoint, HmmError, type TraceEvent } from '@hmm/kernel';
import {
  EVENT_INVALIDATE_END,
  EVENT_INVALIDATE_START,
  EVENT_INVALIDATED,
  EVENT_LANES,
  EVENT_OTHER,
} from '@hmm/kernel/internal';
import { type MmuNotifierEvent, mmuNotifierEventName } from './event.js';
import type { MmuNotifierRange } from './range.js';

/** Address spaces that a value can tell apart, and owners: with the events 53 bits, all that a number holds exactly. */
const MMS = 2 ** 18;
const OWNERS = 2 ** 32;

const VALUE = `event + 8 * (mm id + ${MMS} * owner)`;
const text = (value: number): string => `MMU_NOTIFY_${mmuNotifierEventName(decodeRangeValue(value).event)}`;

/** An invalidation is announced: page and length are the range, the value is read by {@link decodeRangeValue}. */
export const TP_INVALIDATE_RANGE_START = defineTracepoint('mmu_notifier:invalidate_range_start', {
  value: VALUE,
  means: EVENT_INVALIDATE_START,
  says: 'a change of the address space is announced to who mirrors it',
  text,
});
/** An invalidation is over. */
export const TP_INVALIDATE_RANGE_END = defineTracepoint('mmu_notifier:invalidate_range_end', {
  value: VALUE,
  means: EVENT_INVALIDATE_END,
  says: 'an announced change of the address space is over',
  text,
});
/** A callback of an interval notifier has returned. */
export const TP_INTERVAL_INVALIDATE = defineTracepoint('mmu_notifier:interval_invalidate', {
  value: VALUE,
  means: EVENT_INVALIDATED,
  says: 'a driver has forgotten what it knew of the range',
  text,
});
/** The address space's subscribers are told that it goes away. */
export const TP_RELEASE = defineTracepoint('mmu_notifier:release', {
  value: 'mm id',
  means: EVENT_OTHER,
  says: 'the address space goes away, and who mirrors it is told',
  lane: EVENT_LANES[EVENT_INVALIDATED] ?? '',
});

/**
 * Event, mm and owner of a range in one number.
 * @throws HmmError `TRACE_VALUE` where the mm's id or the owner does not fit: it would be read as another one.
 */
export function encodeRangeValue({ event, mm, owner }: MmuNotifierRange): number {
  if (mm.id >= MMS || owner >= OWNERS)
    throw new HmmError('TRACE_VALUE', `no event can name mm ${mm.id} with owner ${owner}`);
  return event + 8 * (mm.id + MMS * owner);
}

/** What {@link encodeRangeValue} put together. */
export function decodeRangeValue(value: number): { event: MmuNotifierEvent; mm: number; owner: number } {
  const rest = Math.floor(value / 8);
  return { event: eventOf(value % 8), mm: rest % MMS, owner: Math.floor(rest / MMS) };
}

const EVENTS: readonly MmuNotifierEvent[] = [0, 1, 2, 3, 4, 5, 6, 7];

function eventOf(number: number): MmuNotifierEvent {
  return EVENTS[number] ?? 0;
}

/** The invalidation that an event of kind {@link TP_INVALIDATE_RANGE_START} announces. */
export function invalidationOf(event: TraceEvent): {
  event: MmuNotifierEvent;
  mm: number;
  owner: number;
  page: number;
  pages: number;
} {
  return { ...decodeRangeValue(event.value), page: event.page, pages: event.length };
}

/** Records a tracepoint of `range` if anyone listens. */
export function traceRange(kind: number, range: MmuNotifierRange): void {
  const { kernel } = range.mm;
  if (kernel.trace.on) kernel.emit(kind, range.start, range.end - range.start, encodeRangeValue(range));
}
