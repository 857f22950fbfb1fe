import { tracepoint } from '@hmm/kernel';
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

const RECORD = /^nouveau:svm_fault$|^uvm:GpuFault$/;
const BATCH = /^nouveau:svm_fault_batch$/;
const DONE = /^nouveau:svm_fault_(?:replay|cancel)$|^uvm:GpuFaultReplay$/;

/**
 * When the driver's fault worker was busy: from the batch event of a driver that has one, else from the first record, to
 * the replay or cancel that ends it.
 */
export function serviceSpans({ kernel: { trace } }: Machine): Span[] {
  const spans: Span[] = [];
  let from = -1;
  let records = 0;
  for (let i = 0; i < trace.length; i++) {
    const { name } = tracepoint(trace.kind[i] ?? 0);
    const time = trace.time[i] ?? 0;
    if (RECORD.test(name)) {
      records++;
      if (from < 0) from = time;
    } else if (BATCH.test(name)) from = time;
    else if (DONE.test(name) && from >= 0) {
      const agent = trace.agent[i] ?? 0;
      spans.push({ from, to: time, agent, kind: SERVICE_KIND, lane: 'fault worker', pages: records });
      from = -1;
      records = 0;
    }
  }
  return spans;
}

const MOVE = /^nouveau:migrate_to|^uvm:Migration$/;
const RETRY = /retry/;
const ATTEMPT = /^nouveau:svm_fault|^nouveau:pfnmap$/;
const START = 'mmu_notifier:invalidate_range_start';
const END = 'mmu_notifier:invalidate_range_end';

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
  const names = Array.from({ length: trace.length }, (_, i) => tracepoint(trace.kind[i] ?? 0).name);
  closeInvalidations(names, trace.value, begin, end);
  const attempt = new Map<number, number>();
  let moved = 0;
  for (const [i, name] of names.entries()) {
    const agent = trace.agent[i] ?? 0;
    if (RETRY.test(name)) begin[i] = attempt.get(agent) ?? begin[i] ?? 0;
    if (ATTEMPT.test(name)) attempt.set(agent, end[i] ?? 0);
    if (MOVE.test(name)) moved += trace.pages[i] ?? 0;
  }
  for (const [i, name] of names.entries()) {
    if (MOVE.test(name)) end[i] = (begin[i] ?? 0) + (copyNs * (trace.pages[i] ?? 0)) / moved;
  }
  return { begin, end };
}

/** An end event closes the latest start event of the same range value. */
function closeInvalidations(
  names: readonly string[],
  value: Float64Array,
  begin: Float64Array,
  end: Float64Array,
): void {
  const open = new Map<number, number[]>();
  for (const [i, name] of names.entries()) {
    const key = value[i] ?? 0;
    if (name === START) {
      const same = open.get(key);
      if (same === undefined) open.set(key, [i]);
      else same.push(i);
    } else if (name === END) {
      const start = open.get(key)?.pop();
      if (start !== undefined) end[start] = begin[i] ?? 0;
    }
  }
}
