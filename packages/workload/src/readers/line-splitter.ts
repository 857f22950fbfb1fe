import type { TraceOutput } from './trace-output.js';

/** Decodes the lines of one text format. */
export interface LineDecoder {
  /** Takes whole lines: `bytes[end - 1]` is a newline. Adds one to the output's `line` for each. */
  lines(bytes: Uint8Array, start: number, end: number): void;
  /** The stream ends here; called after the last line. */
  end?(): void;
}

/** The longest line that is read, bytes, unless the caller says otherwise. */
export const MAX_LINE_BYTES = 1 << 20;

/**
 * Streams are cut into pieces of this many bytes, and line limits below it are raised to it: a line over the limit
 * is then always one that spans pieces, however the caller's chunks were cut.
 */
const PIECE_BYTES = 1 << 16;

const NEWLINE = 10;

/** Cuts a stream of chunks into whole lines, keeping no more than one line of bytes. */
export class LineSplitter {
  private readonly out: TraceOutput;
  private readonly decoder: LineDecoder;
  private readonly maxLine: number;
  private carry = new Uint8Array(4096);
  private carried = 0;

  constructor(out: TraceOutput, decoder: LineDecoder, maxLine: number) {
    this.out = out;
    this.decoder = decoder;
    this.maxLine = Math.max(maxLine, PIECE_BYTES);
  }

  /** Takes the next bytes of the stream. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.out.error === undefined; at += PIECE_BYTES) {
      this.piece(bytes.subarray(at, at + PIECE_BYTES));
    }
  }

  /** The stream ends: a last line without a newline is a line. */
  end(): void {
    if (this.carried > 0) this.push(Uint8Array.of(NEWLINE));
    this.decoder.end?.();
  }

  private piece(bytes: Uint8Array): void {
    let start = 0;
    if (this.carried > 0) {
      const first = bytes.indexOf(NEWLINE);
      if (first < 0) {
        this.keep(bytes, 0, bytes.length);
        return;
      }
      start = first + 1;
      if (!this.keep(bytes, 0, start)) return;
      this.decoder.lines(this.carry, 0, this.carried);
      this.carried = 0;
    }
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > start) this.decoder.lines(bytes, start, end);
    this.keep(bytes, Math.max(start, end), bytes.length);
  }

  private keep(bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.carried + end - start;
    if (length > this.maxLine) {
      this.out.line++;
      this.out.fail(
        'LINE_TOO_LONG',
        `a line of at most ${this.maxLine} bytes`,
        `${length} bytes without a newline`,
      );
      return false;
    }
    if (length > this.carry.length) {
      const larger = new Uint8Array(Math.max(length, this.carry.length * 2));
      larger.set(this.carry.subarray(0, this.carried));
      this.carry = larger;
    }
    this.carry.set(bytes.subarray(start, end), this.carried);
    this.carried = length;
    return true;
  }
}

/** Calls `take` for each line of `bytes[start, end)`, without its line end, and counts it. */
export function forEachLine(
  out: TraceOutput,
  bytes: Uint8Array,
  start: number,
  end: number,
  take: (bytes: Uint8Array, start: number, end: number) => void,
): void {
  let at = start;
  while (at < end && out.error === undefined) {
    const newline = bytes.indexOf(NEWLINE, at);
    out.line++;
    const last = newline > at && bytes[newline - 1] === 13 ? newline - 1 : newline;
    take(bytes, at, last);
    at = newline + 1;
  }
}
