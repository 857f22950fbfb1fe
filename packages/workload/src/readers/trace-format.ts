/** The formats that {@link TraceReader} reads; Nsight Systems SQLite files have a reader of their own. */
export type TraceFormat =
  'lackey' | 'perf-script' | 'ftrace' | 'cupti-jsonl' | 'nvbit' | 'accel-sim' | 'oracle-general' | 'csv';

/** What the first bytes of a file say it is. */
export type DetectedFormat = TraceFormat | 'gzip' | 'zstd' | 'sqlite' | 'kernelslist' | 'unknown';

/** Bytes of a stream that detection looks at, at most. */
export const DETECT_BYTES = 65536;

/** Lines of text that detection looks at, at most. */
const DETECT_LINES = 400;

const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const SQLITE_MAGIC = 'SQLite format 3\0';

/** Line shapes that only one format has; the first line that has one of them decides. */
const LINE_SHAPES: readonly (readonly [DetectedFormat, RegExp])[] = [
  ['lackey', /^(?:I {2}| [LSM] )[0-9a-fA-F]+,\d+$/],
  ['nvbit', /^MEMTRACE: CTX 0x/],
  ['accel-sim', /^(?:-kernel name = |#BEGIN_TB)/],
  ['kernelslist', /^(?:MemcpyHtoD,|kernel-\d+\.traceg)/],
  ['cupti-jsonl', /^\{"(?:run|e|t0|end|hist)":/],
  ['ftrace', /^# tracer: |^\s*\S.*-\d+ +(?:\([ \d-]+\) )?\[\d+\] \S+ +\d+\.\d+: \w+: /],
  ['perf-script', /^\s*\S.*\s\d+(?:\/\d+)?\s+(?:\[\d+\]\s+)?\d+\.\d+:\s+(?:\d+\s+)?[\w:-]+:/],
  ['csv', /^(?:[\w ]+,)*addr(?:ess)?(?:,[\w ]+)*$/i],
];

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => head[i] === byte);
}

/** In every browser and in Node; the compiler's library of the language alone does not know it. */
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string };

const utf8 = new TextDecoder();

/** The text of `bytes[start, end)`, as UTF-8; bytes that are none become U+FFFD, never a failure. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return utf8.decode(bytes.subarray(start, end));
}

/** Whether `head` can be a libCacheSim oracleGeneral file: small ascending times, sane sizes, no text. */
export function looksLikeOracleGeneral(head: Uint8Array): boolean {
  const records = Math.min(64, Math.floor(head.length / 24));
  if (records === 0) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let last = 0;
  for (let i = 0; i < records; i++) {
    const time = view.getUint32(i * 24, true);
    const next = view.getInt32(i * 24 + 20, true);
    if (time < last || next < -1) return false;
    last = time;
  }
  return true;
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
  if (/oracleGeneral/i.test(file)) return 'oracle-general';
  for (const line of text.split('\n', DETECT_LINES)) {
    const plain = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (plain.length > 4096) continue;
    for (const [format, shape] of LINE_SHAPES) if (shape.test(plain)) return format;
  }
  const binary = head.subarray(0, 24).includes(0);
  return binary && looksLikeOracleGeneral(head) ? 'oracle-general' : 'unknown';
}
