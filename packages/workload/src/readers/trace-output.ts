import { AccessBatch, pagesTouched } from './access-batch.js';
import { EventBatch, type TraceObservation } from './event-batch.js';
import type { SkipReason, TraceError, TraceErrorCode } from './trace-error.js';
import { textOf } from './text-of.js';

/** Takes what a reader produces. A batch is valid during the call only: copy what has to stay. */
export interface TraceSink {
  /** A full or last batch of accesses. */
  accesses?(batch: AccessBatch): void;
  /** A full or last batch of observations. */
  events?(batch: EventBatch): void;
}

/** The end of the address space of 57 bits, in pages. */
export const END_PAGE = 2 ** 45;

/** The most pages that one access of a trace may cover: 4 GiB. */
const MAX_ACCESS_PAGES = 2 ** 20;

/** Malformed lines before a stream with more of them than good ones counts as corrupt at once. */
const MALFORMED_PATIENCE = 1000;

/**
 * Where the format decoders put their rows: batches that are handed on when full, counts of everything left out,
 * and the one error that ends a stream.
 */
export class TraceOutput {
  /** The file's name, for errors. */
  readonly file: string;
  /** Accesses not handed on yet. Decoders with a hot loop write its columns themselves. */
  readonly accessBatch = new AccessBatch();
  /** Lines or records seen: the number of the present one, counted from 1. */
  line = 0;
  /** Whether `line` counts binary records. */
  binary = false;
  /** Set once: the stream cannot be read further. */
  error: TraceError | undefined;
  /** Skips by reason. */
  readonly skipped: Partial<Record<SkipReason, number>> = {};
  /** The first malformed line. */
  firstMalformed: TraceError | undefined;

  private readonly eventBatch = new EventBatch();
  private readonly sink: TraceSink;
  private accessesDone = 0;
  private eventsDone = 0;

  constructor(sink: TraceSink, file: string) {
    this.sink = sink;
    this.file = file;
  }

  /** Access rows so far. */
  get accesses(): number {
    return this.accessesDone + this.accessBatch.length;
  }

  /** Observation rows so far. */
  get events(): number {
    return this.eventsDone + this.eventBatch.length;
  }

  /**
   * Adds an access of `size` bytes, as one row a page. Counts a skip instead where it has no bytes or leaves the
   * address space.
   */
  // eslint-disable-next-line max-params -- the columns of one row: an object each would be made per access
  access(
    page: number,
    offset: number,
    size: number,
    kind: number,
    agent: number,
    thread: number,
    time: number,
  ): void {
    const pages = pagesTouched(offset, size);
    if (page + pages > END_PAGE) {
      this.skip('address-range');
      return;
    }
    if (size < 1 || pages > MAX_ACCESS_PAGES) {
      this.malformed('a size from 1 byte to 4 GiB', String(size));
      return;
    }
    const batch = this.accessBatch;
    let left = size;
    let start = offset;
    for (let at = page; left > 0; at++) {
      const here = Math.min(left, 4096 - start);
      if (batch.length === batch.capacity) this.flushAccesses();
      batch.push(at, start, here, kind, agent, thread, time);
      left -= here;
      start = 0;
    }
  }

  /** Adds an observation, or counts a skip where its address leaves the address space. */
  event(seen: TraceObservation): void {
    if ((seen.page ?? 0) >= END_PAGE) {
      this.skip('address-range');
      return;
    }
    if (this.eventBatch.length === this.eventBatch.capacity) this.flushEvents();
    this.eventBatch.push(seen);
  }

  /** Counts `count` left-out lines or records. */
  skip(reason: SkipReason, count = 1): void {
    this.skipped[reason] = (this.skipped[reason] ?? 0) + count;
  }

  /** Counts a malformed line; too many of them without good ones end the stream. */
  malformed(expected: string, found: string): void {
    this.skip('malformed');
    this.firstMalformed ??= this.errorHere('CORRUPT', expected, found);
    const bad = this.skipped.malformed ?? 0;
    if (bad >= MALFORMED_PATIENCE && bad > this.accesses + this.events) this.error ??= this.firstMalformed;
  }

  /** {@link malformed} with the present line's text as what was found. */
  malformedLine(expected: string, bytes: Uint8Array, start: number, end: number): void {
    const text = textOf(bytes, start, Math.min(end, start + 60)).trimEnd();
    this.malformed(expected, text === '' ? 'an empty line' : `'${text}'`);
  }

  /** Ends the stream with an error at the present line or record, unless it has one already. */
  fail(code: TraceErrorCode, expected: string, found: string): void {
    this.error ??= this.errorHere(code, expected, found);
  }

  /** Hands on the accesses in the batch. */
  flushAccesses(): void {
    if (this.accessBatch.length === 0) return;
    this.accessesDone += this.accessBatch.length;
    this.sink.accesses?.(this.accessBatch);
    this.accessBatch.clear();
  }

  /** Hands on everything left; a stream with malformed lines only ends in an error. */
  finish(): void {
    if (this.firstMalformed !== undefined && this.accesses + this.events === 0)
      this.error ??= this.firstMalformed;
    this.flushAccesses();
    this.flushEvents();
  }

  private flushEvents(): void {
    if (this.eventBatch.length === 0) return;
    this.eventsDone += this.eventBatch.length;
    this.sink.events?.(this.eventBatch);
    this.eventBatch.clear();
  }

  private errorHere(code: TraceErrorCode, expected: string, found: string): TraceError {
    const place = this.binary ? { offset: this.line } : { line: this.line };
    return { code, file: this.file, ...place, expected, found };
  }
}
