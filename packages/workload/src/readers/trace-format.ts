import { STREAM_FORMATS } from './stream-formats.js';
import type { StreamFormat } from './stream-format.js';
import { textOf } from './text-of.js';

/** The formats that {@link TraceReader} reads; Nsight Systems SQLite files have a reader of their own. */
export type TraceFormat = (typeof STREAM_FORMATS)[number]['name'];

/** What the first bytes of a file say it is. */
export type DetectedFormat = TraceFormat | 'gzip' | 'zstd' | 'sqlite' | 'kernelslist' | 'unknown';

/** Bytes of a stream that detection looks at, at most. */
export const DETECT_BYTES = 65536;

/** Lines of text that detection looks at, at most. */
const DETECT_LINES = 400;

const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const SQLITE_MAGIC = 'SQLite format 3\0';

/** A line of a list of kernels, which names traces and is none. */
const KERNELS_LIST = /^(?:MemcpyHtoD,|kernel-\d+\.traceg)/;

const FORMATS: readonly StreamFormat<TraceFormat>[] = STREAM_FORMATS;

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => head[i] === byte);
}

/**
 * What a stream is, from its first bytes (up to {@link DETECT_BYTES} of them, uncompressed or not) and, for the
 * one format without any mark of its own, its file name. `unknown` where nothing fits.
 */
export function detectFormat(head: Uint8Array, file = ''): DetectedFormat {
  if (startsWith(head, GZIP_MAGIC)) return 'gzip';
  if (startsWith(head, ZSTD_MAGIC)) return 'zstd';
  const text = textOf(head, 0, Math.min(head.length, DETECT_BYTES));
  if (text.startsWith(SQLITE_MAGIC)) return 'sqlite';
  const named = FORMATS.find(({ detect }) => detect?.(NOTHING, file) === true);
  return (
    named?.name ??
    ofLines(text) ??
    FORMATS.find(({ detect }) => detect?.(head, file) === true)?.name ??
    'unknown'
  );
}

const NOTHING = new Uint8Array(0);

/** The format of the first line that has a shape which only one has. */
function ofLines(text: string): DetectedFormat | undefined {
  for (const line of text.split('\n', DETECT_LINES)) {
    const plain = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (plain.length > 4096) continue;
    if (KERNELS_LIST.test(plain)) return 'kernelslist';
    const format = FORMATS.find(({ line: shape }) => shape?.test(plain) === true);
    if (format !== undefined) return format.name;
  }
  return undefined;
}

/** The reader of a format; undefined for what is no trace that is read as a stream. */
export function streamFormat(format: DetectedFormat): StreamFormat | undefined {
  return FORMATS.find(({ name }) => name === format);
}

/** The formats for people: `lackey, NVBit mem_trace … or CSV with a header`. */
export function formatTitles(): string {
  const titles = FORMATS.map(({ title }) => title);
  return `${titles.slice(0, -1).join(', ')} or ${titles.at(-1) ?? ''}`;
}
