/** The access reads. */
export const ACCESS_READ = 1;
/** The access writes. */
export const ACCESS_WRITE = 2;
/** The access is a system-scope atomic add. */
export const ACCESS_ATOMIC = 3;

/** One of `ACCESS_READ`, `ACCESS_WRITE`, `ACCESS_ATOMIC`. */
export type AccessKind = 1 | 2 | 3;

/** In {@link AccessStream.kinds} only: the access brings the page near and needs no value. */
export const ACCESS_PREFETCH = 4;

/**
 * How the accesses of a stream hang together on the device.
 *
 * | shape | meaning |
 * | --- | --- |
 * | `serial` | one thread; each access waits for the one before, so there is one fault at a time |
 * | `parallel` | one thread per access, all in flight at once, as far as the device can |
 * | `stream` | a grid-stride pass over every byte of the pages by as many threads as the device holds |
 * | `warps` | `lanes` warps that each take the next access when their last is done; no contents move |
 *
 * A CPU runs every stream serially.
 */
export type StreamShape = 'serial' | 'parallel' | 'stream' | 'warps';

/**
 * A sequence of accesses by one agent: what a CPU loop or a GPU kernel does to memory. Access `i` touches
 * `width` bytes at byte `offset` of page `base + pages[i]`. All of it lies in one address space.
 */
export interface AccessStream {
  readonly access: AccessKind;
  readonly shape: StreamShape;
  /** Number of the device's GPU that does it, from 0; the first when left out. */
  readonly gpu?: number;
  /** VPN that `pages` count from. */
  readonly base: number;
  /** Pages in the order of the accesses, relative to `base`. */
  readonly pages: Int32Array;
  /** Byte in the page; `offset + width` is at most 4096. */
  readonly offset: number;
  /** Bytes moved by one access, little-endian. A `stream` read still transfers whole pages. */
  readonly width: 1 | 2 | 4;
  /**
   * One value per access. A write stores it; a read overwrites it with what it loaded; an atomic adds it and
   * overwrites it with what was there before. Arithmetic is modulo `2^(8 * width)`. undefined where the contents do not
   * matter, as in a trace.
   */
  readonly values: Uint32Array | undefined;
  /** Kind of each access where they differ (`ACCESS_*`), in `warps`; `access` then only says what one costs. */
  readonly kinds?: Uint8Array | undefined;
  /** Warps of `warps`; 1 without it. */
  readonly lanes?: number | undefined;
  /** Where further accesses come from when those of `pages` are done, in `warps`: for streams longer than an array should be. */
  readonly source?: AccessSource | undefined;
}

/** The rest of a long stream, piece by piece. */
export interface AccessSource {
  /**
   * Writes the next piece to the start of the stream's `pages` (and `kinds`) and returns its length, 0 at the end. Called
   * when the present piece is used up; it must not run anything else.
   */
  fill(): number;
}

/** How a stream ended. */
export interface StreamResult {
  /**
   * 0, or the negative errno of the access that could not be done: `-EFAULT` no such address, `-EACCES` no
   * permission, `-EIO` the device or its channel is dead, `-ENOMEM` nothing left to serve it from.
   */
  readonly errno: number;
  /** Accesses done. With a serial stream these are the first `done`; else how many. */
  readonly done: number;
  /** What the driver says of a failure, as its log line would; empty when `errno` is 0. */
  readonly reason: string;
}
