import { HmmError } from './error.js';

/** Events that are collected before {@link Trace.drain} is called. */
export const DRAIN_EVENTS = 65536;

/** One event, as read back from the columns. */
export interface TraceEvent {
  /** Virtual time, ns. */
  time: number;
  /** Agent id. */
  agent: number;
  /** Tracepoint id. */
  kind: number;
  /** First page (VPN, pfn or page index, as the tracepoint says). */
  page: number;
  /** Pages. */
  length: number;
  /** As the tracepoint says. */
  value: number;
}

/**
 * The one event stream of a machine: typed columns that grow by doubling. Emitters test {@link Trace.on} first, so
 * that an event nobody wants costs one test:
 *
 * ```ts
 * if (trace.on) trace.emit(KIND, now, agent, page, length, value);
 * ```
 */
export class Trace {
  /** Whether events are wanted. */
  on = false;
  /**
   * Takes the columns when there are {@link DRAIN_EVENTS} events in them, which are then forgotten: for runs whose events would
   * not fit into memory. Whoever sets it takes the rest, below `length`, at the end.
   */
  drain: ((trace: Trace) => void) | undefined;
  /** Events recorded. */
  length = 0;
  /** Columns; only the first `length` entries mean something. Re-bound when they grow: do not keep them. */
  time: Float64Array = new Float64Array(0);
  agent: Uint32Array = new Uint32Array(0);
  kind: Uint16Array = new Uint16Array(0);
  page: Float64Array = new Float64Array(0);
  pages: Float64Array = new Float64Array(0);
  value: Float64Array = new Float64Array(0);

  /** Records one event; times in ns. */
  emit(kind: number, time: number, agent: number, page: number, pages: number, value: number): void {
    if (this.length === this.time.length) this.makeRoom();
    const at = this.length;
    this.time[at] = time;
    this.agent[at] = agent;
    this.kind[at] = kind;
    this.page[at] = page;
    this.pages[at] = pages;
    this.value[at] = value;
    this.length = at + 1;
  }

  /** Forgets all events, keeping the columns' memory. */
  clear(): void {
    this.length = 0;
  }

  /** Event `index` as an object; for reports and tests, not for loops over millions. */
  at(index: number): TraceEvent {
    if (index < 0 || index >= this.length) throw new HmmError('NO_EVENT', `no event ${index}`, { index });
    return {
      time: this.time[index] ?? 0,
      agent: this.agent[index] ?? 0,
      kind: this.kind[index] ?? 0,
      page: this.page[index] ?? 0,
      length: this.pages[index] ?? 0,
      value: this.value[index] ?? 0,
    };
  }

  private makeRoom(): void {
    if (this.drain !== undefined && this.length >= DRAIN_EVENTS) {
      this.drain(this);
      this.length = 0;
    } else this.grow();
  }

  private grow(): void {
    const capacity = Math.max(1024, this.time.length * 2);
    const f64 = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const column = new Float64Array(capacity);
      column.set(old);
      return column;
    };
    const agent = new Uint32Array(capacity);
    agent.set(this.agent);
    const kind = new Uint16Array(capacity);
    kind.set(this.kind);
    this.time = f64(this.time);
    this.agent = agent;
    this.kind = kind;
    this.page = f64(this.page);
    this.pages = f64(this.pages);
    this.value = f64(this.value);
  }
}
