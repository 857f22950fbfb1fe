/** The access reads. This number and the three after it are those of UVM's fault records. */
export const ACCESS_READ = 1;
/** The access writes (or reads and writes in one instruction: the fault it takes is a write fault). */
export const ACCESS_WRITE = 2;
/** An atomic read-modify-write. */
export const ACCESS_ATOMIC = 3;
/** A prefetch: brings the page near, needs no value. */
export const ACCESS_PREFETCH = 4;

/** {@link AccessBatch.agent} of an access by a CPU thread. GPU `n` has agent `n + 1`. */
export const AGENT_CPU = 0;
/** {@link AccessBatch.agent} of an access by the first GPU. */
export const AGENT_GPU = 1;

/** {@link AccessBatch.time} where the format carries no time. */
export const NO_TIME = -1;

/** Bytes in a page, as a constant of this module for the loops below. */
const PAGE = 4096;

/**
 * Accesses as columns. Only the first `length` rows mean something; the columns never move.
 * A row stays inside one page: `offset + size` is at most 4096.
 */
export class AccessBatch {
  /** Rows in use. */
  length = 0;
  /** Rows that fit. */
  readonly capacity: number;
  /** Virtual page number, below 2^45. */
  readonly page: Float64Array;
  /** Byte offset inside the page. */
  readonly offset: Uint16Array;
  /** Bytes touched inside the page. */
  readonly size: Uint16Array;
  /** `ACCESS_READ`, `ACCESS_WRITE`, `ACCESS_ATOMIC` or `ACCESS_PREFETCH`. */
  readonly kind: Uint8Array;
  /** `AGENT_CPU`, or 1 + the GPU's number. */
  readonly agent: Uint8Array;
  /** Thread id of a CPU access, warp number of a GPU access; 0 where the format has none. */
  readonly thread: Float64Array;
  /** Time in ns, or `NO_TIME`. */
  readonly time: Float64Array;

  constructor(capacity = 16384) {
    this.capacity = capacity;
    this.page = new Float64Array(capacity);
    this.offset = new Uint16Array(capacity);
    this.size = new Uint16Array(capacity);
    this.kind = new Uint8Array(capacity);
    this.agent = new Uint8Array(capacity);
    this.thread = new Float64Array(capacity);
    this.time = new Float64Array(capacity);
  }

  /** Appends one row; the caller has made sure that it fits and stays inside its page. */
  // eslint-disable-next-line max-params -- the columns of one row: an object each would be made per access
  push(
    page: number,
    offset: number,
    size: number,
    kind: number,
    agent: number,
    thread: number,
    time: number,
  ): void {
    const at = this.length;
    this.page[at] = page;
    this.offset[at] = offset;
    this.size[at] = size;
    this.kind[at] = kind;
    this.agent[at] = agent;
    this.thread[at] = thread;
    this.time[at] = time;
    this.length = at + 1;
  }

  /** Forgets all rows, keeping the columns. */
  clear(): void {
    this.length = 0;
  }
}

/** Pages that an access of `size` bytes (at least 1) at byte `offset` of its page touches. */
export function pagesTouched(offset: number, size: number): number {
  return Math.floor((offset + size - 1) / PAGE) + 1;
}

/** One row of an {@link AccessBatch}. */
export interface AccessRow {
  readonly page: number;
  readonly offset: number;
  readonly size: number;
  readonly kind: number;
  readonly agent: number;
  readonly thread: number;
  readonly time: number;
}

/** The rows of a batch as objects: for small traces and tests, not for streams of millions. */
export function accessRows(batch: AccessBatch): AccessRow[] {
  return Array.from({ length: batch.length }, (_, i) => ({
    page: batch.page[i] ?? 0,
    offset: batch.offset[i] ?? 0,
    size: batch.size[i] ?? 0,
    kind: batch.kind[i] ?? 0,
    agent: batch.agent[i] ?? 0,
    thread: batch.thread[i] ?? 0,
    time: batch.time[i] ?? 0,
  }));
}
