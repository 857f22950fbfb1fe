import { type AccessBatch, type EventBatch, NO_TIME } from '@hmm/workload/readers';

/** Rows of a trace that are kept; the rest is counted. */
export const MAX_TRACE_ROWS = 1 << 24;

/** Kinds of a row: an access by its kind, then an observation by its own. */
export const ACCESS_KINDS = [
  'access',
  'access:read',
  'access:write',
  'access:atomic',
  'access:prefetch',
] as const;
/** The kind of the first observation. */
export const FIRST_EVENT = ACCESS_KINDS.length;

const INITIAL_CAPACITY = 1024;
const PAGE_SIZE = 4096;

/** Rows of a trace in columns that grow. */
export class TraceRows {
  /** Rows kept. */
  length = 0;
  /** Rows seen. */
  total = 0;
  /** Whether all rows have had times. */
  timed = true;
  /** ns; the row's number where the trace has no times. */
  time = new Float64Array(INITIAL_CAPACITY);
  /** ns. */
  duration = new Float32Array(INITIAL_CAPACITY);
  /** Virtual page number, or -1. */
  page = new Float64Array(INITIAL_CAPACITY);
  pages = new Uint32Array(INITIAL_CAPACITY);
  kind = new Uint8Array(INITIAL_CAPACITY);
  agent = new Uint8Array(INITIAL_CAPACITY);

  /** Takes in the rows of a batch of accesses. */
  accesses(batch: AccessBatch): void {
    for (let i = 0; i < batch.length; i++) {
      this.add(batch.time[i] ?? 0, 0, batch.page[i] ?? 0, 1, batch.kind[i] ?? 0, batch.agent[i] ?? 0);
    }
  }

  /** Takes in the rows of a batch of observations. */
  events(batch: EventBatch): void {
    for (let i = 0; i < batch.length; i++) {
      const pages = Math.max(1, Math.ceil((batch.bytes[i] ?? 0) / PAGE_SIZE));
      const kind = FIRST_EVENT + (batch.kind[i] ?? 0);
      this.add(
        batch.time[i] ?? 0,
        batch.duration[i] ?? 0,
        batch.page[i] ?? -1,
        pages,
        kind,
        batch.agent[i] ?? 0,
      );
    }
  }

  private add(
    time: number,
    duration: number,
    page: number,
    pages: number,
    kind: number,
    agent: number,
  ): void {
    this.total++;
    if (this.length === MAX_TRACE_ROWS) return;
    if (this.length === this.time.length) this.grow();
    const at = this.length++;
    if (time === NO_TIME) this.timed = false;
    this.time[at] = time === NO_TIME ? at : time;
    this.duration[at] = Math.max(0, duration);
    this.page[at] = page;
    this.pages[at] = pages;
    this.kind[at] = kind;
    this.agent[at] = agent;
  }

  private grow(): void {
    const size = Math.min(MAX_TRACE_ROWS, this.time.length * 2);
    this.time = grown(this.time, new Float64Array(size));
    this.duration = grown(this.duration, new Float32Array(size));
    this.page = grown(this.page, new Float64Array(size));
    this.pages = grown(this.pages, new Uint32Array(size));
    this.kind = grown(this.kind, new Uint8Array(size));
    this.agent = grown(this.agent, new Uint8Array(size));
  }
}

function grown<C extends Float64Array | Float32Array | Uint32Array | Uint8Array>(old: C, column: C): C {
  column.set(old);
  return column;
}
