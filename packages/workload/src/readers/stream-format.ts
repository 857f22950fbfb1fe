import { LineSplitter, MAX_LINE_BYTES, type LineDecoder } from './line-splitter.js';
import type { ObjectIds } from './oracle-general.js';
import type { TraceOutput } from './trace-output.js';

/** Something that takes a stream's bytes and its end. */
export interface Stage {
  push(bytes: Uint8Array): unknown;
  end(): void;
}

/** What readers can be told; each looks at what concerns it. */
export interface FormatOptions {
  /** Whether instruction fetches of lackey traces count as reads. Default: they are dropped. */
  readonly instructions?: boolean;
  /** How object ids of oracleGeneral become pages. Default `page`. */
  readonly objectIds?: ObjectIds;
  /** The longest line, bytes. Default 1 MiB, at least 64 KiB. */
  readonly maxLineBytes?: number;
}

/** A format of traces that can be read as a stream: this is all that the readers know of it. */
export interface StreamFormat<N extends string = string> {
  /** Its name in options and results. */
  readonly name: N;
  /** Its name for people, in a list of formats. */
  readonly title: string;
  /** A shape that a line of it has, and of no other format; undefined for what is not text. */
  readonly line: RegExp | undefined;
  /** Whether the first bytes, or the file's name, say that it is this; asked where {@link line} cannot tell. */
  readonly detect?: (head: Uint8Array, file: string) => boolean;
  /** A reader that hands rows on to `out`. */
  open(out: TraceOutput, options: FormatOptions): Stage;
}

/** A reader of lines. */
export function lineStage(out: TraceOutput, lines: LineDecoder, options: FormatOptions): Stage {
  return new LineSplitter(out, lines, options.maxLineBytes ?? MAX_LINE_BYTES);
}
