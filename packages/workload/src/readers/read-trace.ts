import { GzipStage, ZstdStage } from './decompress.js';
import type { FormatOptions, Stage } from './stream-format.js';
import type { TraceError, TraceResult, TraceSummary } from './trace-error.js';
import {
  DETECT_BYTES,
  detectFormat,
  type DetectedFormat,
  formatTitles,
  streamFormat,
  type TraceFormat,
} from './trace-format.js';
import { TraceOutput, type TraceSink } from './trace-output.js';

/** How to read a trace. */
export interface TraceReadOptions extends FormatOptions {
  /** The file's name: for messages, and for formats that only a name tells. */
  readonly file?: string;
  /** The format; detected where absent. */
  readonly format?: TraceFormat;
  /** Bytes after decompression, at most. Default 2^40. */
  readonly maxBytes?: number;
  /** Bytes out per compressed byte, at most, once 64 MiB are out. Default 500. */
  readonly maxRatio?: number;
}

type Compression = TraceSummary['compression'];

/**
 * Reads one trace from chunks that the caller pushes, in bounded memory: one line, two batches and a decoder's window.
 * Compression and format are told from the first bytes unless the options name the format.
 *
 * ```ts
 * const reader = new TraceReader({ accesses: (batch) => replay(batch) }, { file: 'app.lackey.gz' });
 * for await (const chunk of stream) if (!reader.push(chunk)) break;
 * const result = reader.end();
 * if (!result.ok) console.error(traceErrorText(result.error));
 * ```
 *
 * Errors are values; none is thrown but what the sink throws.
 */
export class TraceReader {
  private readonly out: TraceOutput;
  private readonly options: TraceReadOptions;
  private readonly file: string;
  private compression: Compression | undefined;
  private decompressor: GzipStage | ZstdStage | undefined;
  private format: DetectedFormat = 'unknown';
  private decoder: Stage | undefined;
  private head = new Uint8Array(0);
  private first = new Uint8Array(0);
  private bytesIn = 0;
  private bytes = 0;
  private result: TraceResult | undefined;

  constructor(sink: TraceSink, options: TraceReadOptions = {}) {
    this.file = options.file ?? 'trace';
    this.options = options;
    this.out = new TraceOutput(sink, this.file);
  }

  /** Takes the next chunk; false once an error has ended the stream: then {@link end} says which. */
  push(chunk: Uint8Array): boolean {
    if (this.failed() !== undefined || this.result !== undefined) return false;
    this.bytesIn += chunk.length;
    if (this.compression === undefined) {
      this.first = joined(this.first, chunk);
      if (this.first.length < 4) return true;
      this.openCompression();
    } else this.raw(chunk);
    return this.failed() === undefined;
  }

  /** The stream ends: the last rows are handed on, and the result is final. */
  end(): TraceResult {
    if (this.result !== undefined) return this.result;
    if (this.compression === undefined) this.openCompression();
    if (this.failed() === undefined) this.decompressor?.end();
    if (this.failed() === undefined && this.decoder === undefined) this.openFormat();
    if (this.failed() === undefined) this.decoder?.end();
    this.out.finish();
    const error = this.failed();
    const summary = this.summary();
    this.result = error === undefined ? { ok: true, summary } : { ok: false, error, summary };
    return this.result;
  }

  /** Ends the stream with an error of its source. */
  abort(reason: string): TraceResult {
    this.out.error ??= {
      code: 'SOURCE_FAILED',
      file: this.file,
      offset: this.bytesIn,
      expected: 'more bytes',
      found: reason,
    };
    return this.end();
  }

  private failed(): TraceError | undefined {
    return this.decompressor?.error ?? this.out.error;
  }

  private openCompression(): void {
    const first = this.first;
    this.first = new Uint8Array(0);
    const magic = detectFormat(first.subarray(0, 4));
    this.compression = magic === 'gzip' || magic === 'zstd' ? magic : 'none';
    const limits = { maxBytes: this.options.maxBytes ?? 2 ** 40, maxRatio: this.options.maxRatio ?? 500 };
    const next = (bytes: Uint8Array): boolean => this.decoded(bytes);
    if (magic === 'gzip') this.decompressor = new GzipStage(this.file, limits, next);
    else if (magic === 'zstd') this.decompressor = new ZstdStage(this.file, limits, next);
    this.raw(first);
  }

  private raw(chunk: Uint8Array): void {
    if (this.decompressor === undefined) this.decoded(chunk);
    else this.decompressor.push(chunk);
  }

  private decoded(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    if (this.decoder === undefined) {
      this.head = joined(this.head, bytes);
      if (this.head.length >= DETECT_BYTES) this.openFormat();
    } else this.decoder.push(bytes);
    return this.out.error === undefined;
  }

  private openFormat(): void {
    const head = this.head;
    this.head = new Uint8Array(0);
    this.format = this.options.format ?? detectFormat(head.subarray(0, DETECT_BYTES), this.file);
    this.decoder = streamFormat(this.format)?.open(this.out, this.options);
    if (this.decoder === undefined) this.out.error ??= notReadHere(this.format, this.file, head.length);
    else this.decoder.push(head);
  }

  private summary(): TraceSummary {
    const { out } = this;
    return {
      format: this.format,
      compression: this.compression ?? 'none',
      bytesIn: this.bytesIn,
      bytes: this.bytes,
      records: out.line,
      accesses: out.accesses,
      events: out.events,
      skipped: out.skipped,
      ...(out.firstMalformed === undefined ? {} : { firstMalformed: out.firstMalformed }),
    };
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function notReadHere(format: DetectedFormat, file: string, length: number): TraceError {
  if (format === 'sqlite') {
    const found = 'an SQLite database';
    return { code: 'WRONG_READER', file, offset: 0, expected: 'a stream', found };
  }
  if (format === 'kernelslist') {
    const found = 'an Accel-Sim kernel list';
    return {
      code: 'WRONG_READER',
      file,
      line: 1,
      expected: 'one kernel-N.traceg file',
      found,
    };
  }
  const expected = formatTitles();
  const found =
    format === 'gzip' || format === 'zstd'
      ? `${format} inside a compressed stream`
      : length === 0
        ? 'an empty file'
        : 'none of them';
  return { code: 'UNKNOWN_FORMAT', file, offset: 0, expected, found };
}

/**
 * Reads a whole trace from chunks, such as a file's or a response's stream: {@link TraceReader} in one call. A source
 * that fails ends in `SOURCE_FAILED`.
 */
export async function readTrace(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  sink: TraceSink,
  options: TraceReadOptions = {},
): Promise<TraceResult> {
  const reader = new TraceReader(sink, options);
  const source = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  for (;;) {
    let step: IteratorResult<Uint8Array>;
    try {
      step = await source.next();
    } catch (thrown) {
      return reader.abort(thrown instanceof Error ? thrown.message : 'a failure of the source');
    }
    if (step.done === true || !reader.push(step.value)) break;
  }
  await source.return?.();
  return reader.end();
}
