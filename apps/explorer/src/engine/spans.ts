import {
  EVENT_BATCH,
  EVENT_CANCELLED,
  EVENT_DEVICE_FAULT,
  EVENT_INVALIDATE_END,
  EVENT_INVALIDATE_START,
  EVENT_MAPPED_REMOTE,
  EVENT_REPLAY,
  EVENT_RETRY,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
  type EventMeaning,
  meaningOf,
} from '@hmm/kernel/internal';
import type { Machine } from '@hmm/machine';
import type { LockHold } from './lock-log.js';

/** A stretch of time that no tracepoint has by itself. */
export interface Span {
  /** ns. */
  readonly from: number;
  readonly to: number;
  readonly agent: number;
  readonly kind: string;
  readonly lane: string;
  /** Pages or fault records that it is about; 0 for none. */
  readonly pages: number;
}

/** Kind of the spans in which a driver serves faults, up to the replay. */
export const SERVICE_KIND = 'driver:fault_service';

/** The holds of locks as spans, a lane for each lock. */
export function lockSpans(holds: readonly LockHold[]): Span[] {
  return holds.map(({ from, to, agent, lock }) => ({
    from,
    to,
    agent,
    kind: `lock:${lock}`,
    lane: `lock ${lock}`,
    pages: 0,
  }));
}

/**
 * When the driver's fault worker was busy: from the batch event of a driver that has one, else from the first record, to
 * the replay or cancel that ends it.
 */
export function serviceSpans({ kernel: { trace } }: Machine): Span[] {
  const spans: Span[] = [];
  let from = -1;
  let records = 0;
  for (let i = 0; i < trace.length; i++) {
    const meaning = meaningOf(trace.kind[i] ?? 0, trace.value[i] ?? 0);
    const time = trace.time[i] ?? 0;
    if (meaning === EVENT_DEVICE_FAULT) {
      records++;
      if (from < 0) from = time;
    } else if (meaning === EVENT_BATCH) from = time;
    else if ((meaning === EVENT_REPLAY || meaning === EVENT_CANCELLED) && from >= 0) {
      const agent = trace.agent[i] ?? 0;
      spans.push({ from, to: time, agent, kind: SERVICE_KIND, lane: 'fault worker', pages: records });
      from = -1;
      records = 0;
    }
  }
  return spans;
}

/** What an agent does on the way to an entry of the device's table: where it fails, a retry does it again. */
const ATTEMPT: readonly EventMeaning[] = [
  EVENT_DEVICE_FAULT,
  EVENT_BATCH,
  EVENT_MAPPED_REMOTE,
  EVENT_RETRY,
  EVENT_REPLAY,
  EVENT_CANCELLED,
];

/** Begin and end of each tracepoint's bar, ns. */
export interface Bars {
  readonly begin: Float64Array;
  readonly end: Float64Array;
}

/**
 * How tracepoints are drawn. An invalidation lasts to its end event. A retry reaches back to what its agent did before
 * it: that is what is done again. A migration is as long as its share, by bytes, of the `copyNs` that the run copied.
 */
export function barsOf({ kernel: { trace } }: Machine, copyNs: number): Bars {
  const begin = Float64Array.from(trace.time.subarray(0, trace.length));
  const end = begin.slice();
  const meanings = Array.from({ length: trace.length }, (_, i) =>
    meaningOf(trace.kind[i] ?? 0, trace.value[i] ?? 0),
  );
  closeInvalidations(meanings, trace.value, begin, end);
  const attempt = new Map<number, number>();
  let moved = 0;
  for (const [i, meaning] of meanings.entries()) {
    const agent = trace.agent[i] ?? 0;
    if (meaning === EVENT_RETRY) begin[i] = attempt.get(agent) ?? begin[i] ?? 0;
    if (ATTEMPT.includes(meaning)) attempt.set(agent, end[i] ?? 0);
    if (isMove(meaning)) moved += trace.pages[i] ?? 0;
  }
  for (const [i, meaning] of meanings.entries()) {
    if (isMove(meaning)) end[i] = (begin[i] ?? 0) + (copyNs * (trace.pages[i] ?? 0)) / moved;
  }
  return { begin, end };
}

function isMove(meaning: EventMeaning): boolean {
  return meaning === EVENT_TO_DEVICE || meaning === EVENT_TO_HOST;
}

/** An end event closes the latest start event of the same range value. */
function closeInvalidations(
  meanings: readonly EventMeaning[],
  value: Float64Array,
  begin: Float64Array,
  end: Float64Array,
): void {
  const open = new Map<number, number[]>();
  for (const [i, meaning] of meanings.entries()) {
    const key = value[i] ?? 0;
    if (meaning === EVENT_INVALIDATE_START) {
      const same = open.get(key);
      if (same === undefined) open.set(key, [i]);
      else same.push(i);
    } else if (meaning === EVENT_INVALIDATE_END) {
      const start = open.get(key)?.pop();
      if (start !== undefined) end[start] = begin[i] ?? 0;
    }
  }
}
