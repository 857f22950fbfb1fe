import { Gunzip } from 'fflate';
import { Decompress } from 'fzstd';
import { crc32 } from './crc32.js';
import type { TraceError, TraceErrorCode } from './trace-error.js';

/** How far a compressed stream may grow: what stops a zip bomb. */
export interface DecompressLimits {
  /** Bytes that may come out in all. */
  readonly maxBytes: number;
  /** Bytes out per byte in, tested once 64 MiB are out. Deflate itself ends at 1032. */
  readonly maxRatio: number;
}

/** Below this many bytes out, the ratio means nothing. */
const RATIO_FROM = 64 * 2 ** 20;

/** Bytes fed to a decoder at once, so that one call's output stays small whatever the ratio. */
const GZIP_SLICE = 1 << 14;
const ZSTD_SLICE = 1 << 12;

/** The largest zstd window that is decoded: what `zstd -d` takes without `--long`. */
const MAX_ZSTD_WINDOW = 128 * 2 ** 20;

const TRAILER = 8;

/** Thrown through a decoder's callback to stop it; never leaves this file. */
class Stop extends Error {}

/** What {@link GzipStage} and {@link ZstdStage} share: the limits, and errors with the offset of the input. */
abstract class Stage {
  /** Set once: the stream cannot be read further. */
  error: TraceError | undefined;
  protected taken = 0;
  protected given = 0;
  private readonly file: string;
  private readonly limits: DecompressLimits;
  private readonly next: (bytes: Uint8Array) => boolean;

  /** `next` takes decompressed bytes and says whether it wants more. */
  constructor(file: string, limits: DecompressLimits, next: (bytes: Uint8Array) => boolean) {
    this.file = file;
    this.limits = limits;
    this.next = next;
  }

  protected give(bytes: Uint8Array): void {
    this.given += bytes.length;
    const { maxBytes, maxRatio } = this.limits;
    if (this.given > maxBytes)
      this.fail('TOO_LARGE', `at most ${maxBytes} bytes after decompression`, 'more');
    else if (this.given > RATIO_FROM && this.given > maxRatio * this.taken) {
      this.fail(
        'TOO_LARGE',
        `at most ${maxRatio} bytes per compressed byte`,
        `${this.given} bytes from ${this.taken}`,
      );
    }
    if (this.error !== undefined || (bytes.length > 0 && !this.next(bytes))) throw new Stop();
  }

  protected fail(code: TraceErrorCode, expected: string, found: string): void {
    this.error ??= { code, file: this.file, offset: this.taken, expected, found };
  }

  /** Runs one call of a decoder; false where the stream is over. */
  protected guard(step: () => void, format: string): boolean {
    try {
      step();
    } catch (thrown) {
      if (thrown instanceof Stop) return false;
      const found = thrown instanceof Error ? thrown.message : 'a decoder failure';
      const cut = /EOF/i.test(found);
      this.fail(
        cut ? 'TRUNCATED' : 'CORRUPT',
        cut ? `the rest of the ${format} stream` : `a ${format} stream`,
        found,
      );
      return false;
    }
    return this.error === undefined;
  }
}

/** A gzip stream, of one or several members; each member's checksum and length are verified. */
export class GzipStage extends Stage {
  private crc = 0;
  private memberBytes = 0;
  /** The last bytes before the present slice. */
  private before = new Uint8Array(0);
  private slice = new Uint8Array(0);
  private readonly gunzip: Gunzip;

  constructor(file: string, limits: DecompressLimits, next: (bytes: Uint8Array) => boolean) {
    super(file, limits, next);
    this.gunzip = new Gunzip((bytes) => {
      this.crc = crc32(bytes, this.crc);
      this.memberBytes += bytes.length;
      this.give(bytes);
    });
    this.gunzip.onmember = (offset) => {
      this.checkTrailer(offset);
      this.crc = 0;
      this.memberBytes = 0;
    };
  }

  /** Takes the next compressed bytes; false once the stream is over. */
  push(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; at += GZIP_SLICE) {
      // A copy: the decoder keeps what it has not used yet, and callers may use their buffer again.
      const slice = bytes.slice(at, at + GZIP_SLICE);
      this.before = lastBytes(this.before, this.slice);
      this.slice = slice;
      this.taken += slice.length;
      if (
        !this.guard(() => {
          this.gunzip.push(slice, false);
        }, 'gzip')
      )
        return false;
    }
    return true;
  }

  /** The input ends. */
  end(): void {
    const whole = this.guard(() => {
      this.gunzip.push(new Uint8Array(0), true);
    }, 'gzip');
    if (whole) this.checkTrailer(this.taken);
  }

  private checkTrailer(offset: number): void {
    const window = new Uint8Array(this.before.length + this.slice.length);
    window.set(this.before);
    window.set(this.slice, this.before.length);
    const at = offset - (this.taken - window.length) - TRAILER;
    if (at < 0 || at + TRAILER > window.length) return;
    const trailer = new DataView(window.buffer, at, TRAILER);
    const good =
      trailer.getInt32(0, true) === this.crc && trailer.getUint32(4, true) === this.memberBytes % 2 ** 32;
    if (!good)
      this.fail(
        'CORRUPT',
        'a gzip trailer with the checksum and length of the data',
        'another (cut off or damaged)',
      );
  }
}

/** The last 8 bytes of `before` and `slice` together. */
function lastBytes(before: Uint8Array, slice: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(before.length + slice.length);
  joined.set(before);
  joined.set(slice, before.length);
  return joined.slice(Math.max(0, joined.length - TRAILER));
}

/** A zstd stream. Its optional content checksum is not verified. */
export class ZstdStage extends Stage {
  private readonly decoder: Decompress;
  private head: Uint8Array | undefined = new Uint8Array(0);

  constructor(file: string, limits: DecompressLimits, next: (bytes: Uint8Array) => boolean) {
    super(file, limits, next);
    this.decoder = new Decompress((bytes) => {
      this.give(bytes);
    });
  }

  /** Takes the next compressed bytes; false once the stream is over. */
  push(bytes: Uint8Array): boolean {
    let rest = bytes;
    if (this.head !== undefined) {
      const joined = new Uint8Array(this.head.length + bytes.length);
      joined.set(this.head);
      joined.set(bytes, this.head.length);
      this.head = joined;
      if (joined.length < 14) return true;
      if (!this.start()) return false;
      rest = joined;
    }
    return this.feed(rest);
  }

  /** The input ends. */
  end(): void {
    if (this.head !== undefined) {
      const short = this.head;
      if (!this.start() || !this.feed(short)) return;
    }
    this.guard(() => {
      this.decoder.push(new Uint8Array(0), true);
    }, 'zstd');
  }

  /** Looks at the first frame's header before the decoder takes memory for it. */
  private start(): boolean {
    const window = zstdWindow(this.head ?? new Uint8Array(0));
    this.head = undefined;
    if (window > MAX_ZSTD_WINDOW)
      this.fail('TOO_LARGE', `a zstd window of at most ${MAX_ZSTD_WINDOW} bytes`, String(window));
    return this.error === undefined;
  }

  private feed(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; at += ZSTD_SLICE) {
      const slice = bytes.slice(at, at + ZSTD_SLICE);
      this.taken += slice.length;
      if (
        !this.guard(() => {
          this.decoder.push(slice, false);
        }, 'zstd')
      )
        return false;
    }
    return true;
  }
}

/** The memory that a zstd frame asks for: its window, or its content where it is a single segment. Bytes. */
function zstdWindow(frame: Uint8Array): number {
  const descriptor = frame[4] ?? 0;
  const byte = (at: number): number => frame[at] ?? 0;
  if ((descriptor & 32) === 0) return 2 ** (10 + (byte(5) >> 3)) * (1 + (byte(5) & 7) / 8);
  const sizeBytes = [1, 2, 4, 8][descriptor >> 6] ?? 1;
  const at = 5 + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  let size = 0;
  for (let i = sizeBytes - 1; i >= 0; i--) size = size * 256 + byte(at + i);
  return sizeBytes === 2 ? size + 256 : size;
}
