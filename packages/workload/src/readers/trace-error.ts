/** Why a trace cannot be read. Stable, for programs. */
export type TraceErrorCode =
  /** The bytes are none of the formats. */
  | 'UNKNOWN_FORMAT'
  /** The stream ends inside a record or a compressed block. */
  | 'TRUNCATED'
  /** The bytes break the format's rules. */
  | 'CORRUPT'
  /** A line longer than the limit. */
  | 'LINE_TOO_LONG'
  /** The decompressed stream is larger than the limits allow. */
  | 'TOO_LARGE'
  /** A database without the tables or columns that the format has. */
  | 'WRONG_SCHEMA'
  /** A format that another entry point reads. */
  | 'WRONG_READER'
  /** The source of bytes failed. */
  | 'SOURCE_FAILED';

/** The one value that says what is wrong with a trace, where, and what was expected there. */
export interface TraceError {
  readonly code: TraceErrorCode;
  /** The file's name as the caller gave it. */
  readonly file: string;
  /** Line, counted from 1, in text formats. */
  readonly line?: number;
  /** Byte offset in binary formats and compressed streams. */
  readonly offset?: number;
  /** What the format has at this place. */
  readonly expected: string;
  /** What was there, shortened. */
  readonly found: string;
}

/** A {@link TraceError} in one line, for people. */
export function traceErrorText(error: TraceError): string {
  const where =
    error.line === undefined
      ? error.offset === undefined
        ? error.file
        : `${error.file} at byte ${error.offset}`
      : `${error.file}:${error.line}`;
  return `${where}: expected ${error.expected}, found ${error.found}`;
}

/** Why a reader left out a line or a record that it counted. */
export type SkipReason =
  /** An instruction fetch of lackey, dropped unless asked for. */
  | 'instruction'
  /** A banner, header or comment. */
  | 'comment'
  /** A line or record that breaks the format. */
  | 'malformed'
  /** An address of 2^57 or more. */
  | 'address-range'
  /** A kind of event or record that the model has no use for. */
  | 'other-event'
  /** Events that the recorder says it has lost. */
  | 'lost'
  /** A memory instruction without an active lane, or one to shared or local memory. */
  | 'no-address'
  /** A step whose pages the file does not list. */
  | 'no-pages';

/** What a reader did with a stream. */
export interface TraceSummary {
  /** Format read, or `unknown` before detection. */
  readonly format: string;
  /** Compression in front of it. */
  readonly compression: 'none' | 'gzip' | 'zstd';
  /** Bytes taken in. */
  readonly bytesIn: number;
  /** Bytes after decompression. */
  readonly bytes: number;
  /** Lines or binary records seen. */
  readonly records: number;
  /** Access rows handed on. */
  readonly accesses: number;
  /** Observation rows handed on. */
  readonly events: number;
  /** Skipped lines and records by reason. */
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** The first malformed line or record, if any. */
  readonly firstMalformed?: TraceError;
}

/** What reading ends in. On failure the summary covers what came before. */
export type TraceResult =
  | { readonly ok: true; readonly summary: TraceSummary }
  | { readonly ok: false; readonly error: TraceError; readonly summary: TraceSummary };
