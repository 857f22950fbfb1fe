import { HmmError, PAGE_SIZE } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';

const FIRST_PAGE = 256;
/** Frames that are known to be alike, or not, together: 2 MiB. */
const CHUNK = 512;
/** From here on one copy of columns is faster than page by page. */
const MANY_PAGES = 32;

/**
 * Contents of a physical memory, page by page. A frame whose bytes are all the same costs one integer; the first
 * write that makes its bytes differ gives it a page of storage.
 *
 * | column value | meaning |
 * | --- | --- |
 * | 0 … 255 | every byte of the frame has this value |
 * | 256 + i | the bytes are in storage page i |
 */
export class PhysicalMemory {
  /** What of it is state. */
  static readonly state = declareState({
    contents: 'value',
    alike: 'value',
    storage: 'constant',
    freeStorage: 'constant',
  });

  private contents: Int32Array<ArrayBuffer>;
  /** Of each 2 MiB: the byte that all of it has, -1 where that is not known. A play without contents never looks further. */
  private alike: Int16Array<ArrayBuffer>;
  private readonly storage: Uint8Array[] = [];
  private readonly freeStorage: number[] = [];

  /** @param frames frames to make room for at first; the column grows as higher frames are written. */
  constructor(frames = 0) {
    this.contents = new Int32Array(frames);
    this.alike = new Int16Array(chunksOf(frames));
  }

  /** Frames whose bytes differ, each with 4 KiB of storage. */
  get stored(): number {
    return this.storage.length - this.freeStorage.length;
  }

  /** The byte at `offset` of frame `pfn`. */
  readByte(pfn: number, offset: number): number {
    const value = this.contents[pfn] ?? 0;
    if (value < FIRST_PAGE) return value;
    return this.storage[value - FIRST_PAGE]?.[offset] ?? 0;
  }

  /** Stores one byte. */
  writeByte(pfn: number, offset: number, byte: number): void {
    const value = this.contents[pfn] ?? 0;
    if (value === byte) return;
    const at = value < FIRST_PAGE ? this.giveStorage(pfn, value) : value - FIRST_PAGE;
    const page = this.storage[at];
    if (page === undefined)
      throw new HmmError('NO_STORAGE', 'a frame names storage that does not exist', { pfn });
    page[offset] = byte;
  }

  /** `width` bytes from `offset` as a little-endian unsigned number. */
  read(pfn: number, offset: number, width: number): number {
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + this.readByte(pfn, offset + i);
    return value;
  }

  /** Stores the low `width` bytes of `value`, little-endian. */
  write(pfn: number, offset: number, width: number, value: number): void {
    for (let i = 0; i < width; i++) this.writeByte(pfn, offset + i, (value >>> (8 * i)) & 255);
  }

  /** Sets every byte of `pages` frames from `pfn` to `byte`, giving up their storage. */
  fill(pfn: number, pages: number, byte: number): void {
    if (pages === 0 || this.byteOf(pfn, pages) === byte) return;
    this.reach(pfn + pages);
    this.alike.fill(-1, Math.floor(pfn / CHUNK), chunksOf(pfn + pages));
    this.alike.fill(byte, chunksOf(pfn), Math.max(chunksOf(pfn), Math.floor((pfn + pages) / CHUNK)));
    const { contents } = this;
    for (let at = pfn; at < pfn + pages; at++) {
      const value = contents[at] ?? 0;
      if (value >= FIRST_PAGE) this.freeStorage.push(value - FIRST_PAGE);
      contents[at] = byte;
    }
  }

  /** Copies `pages` frames from `source`; both memories keep a copy of their own afterwards. */
  copyFrom(pfn: number, source: PhysicalMemory, sourcePfn: number, pages: number): void {
    const byte = source.byteOf(sourcePfn, pages);
    if (byte >= 0 && this.byteOf(pfn, pages) === byte) return;
    this.reach(pfn + pages);
    source.reach(sourcePfn + pages);
    this.alike.fill(-1, Math.floor(pfn / CHUNK), chunksOf(pfn + pages));
    const to = this.contents;
    const from = source.contents;
    if (this.storage.length === 0 && source.storage.length === 0) {
      if (pages >= MANY_PAGES) to.set(from.subarray(sourcePfn, sourcePfn + pages), pfn);
      else for (let i = 0; i < pages; i++) to[pfn + i] = from[sourcePfn + i] ?? 0;
      return;
    }
    for (let i = 0; i < pages; i++) {
      const old = to[pfn + i] ?? 0;
      const value = from[sourcePfn + i] ?? 0;
      if (old < FIRST_PAGE && value < FIRST_PAGE) to[pfn + i] = value;
      else this.copyStored(pfn + i, source, sourcePfn + i);
    }
  }

  /** All bytes of frame `pfn`, into `into`. */
  readPage(pfn: number, into: Uint8Array): void {
    const value = this.contents[pfn] ?? 0;
    const bytes = value < FIRST_PAGE ? undefined : this.storage[value - FIRST_PAGE];
    if (bytes === undefined) into.fill(value & 255);
    else into.set(bytes);
  }

  /** Makes `from` the bytes of frame `pfn`. */
  writePage(pfn: number, from: Uint8Array): void {
    const first = from[0] ?? 0;
    this.fill(pfn, 1, first);
    if (from.every((byte) => byte === first)) return;
    const value = this.giveStorage(pfn, first);
    this.storage[value]?.set(from);
  }

  /** The byte that all 2 MiB around the frames `pfn` … `pfn + pages - 1` have; -1 where there is none, or none is known. */
  private byteOf(pfn: number, pages: number): number {
    const { alike } = this;
    const last = Math.floor((pfn + pages - 1) / CHUNK);
    let chunk = Math.floor(pfn / CHUNK);
    const byte = alike[chunk] ?? 0;
    while (chunk < last) if ((alike[++chunk] ?? 0) !== byte) return -1;
    return byte;
  }

  private copyStored(pfn: number, source: PhysicalMemory, sourcePfn: number): void {
    const value = source.contents[sourcePfn] ?? 0;
    if (value < FIRST_PAGE) {
      this.fill(pfn, 1, value);
      return;
    }
    const bytes = source.storage[value - FIRST_PAGE];
    const old = this.contents[pfn] ?? 0;
    const at = old < FIRST_PAGE ? this.giveStorage(pfn, 0) : old - FIRST_PAGE;
    if (bytes !== undefined) this.storage[at]?.set(bytes);
  }

  private giveStorage(pfn: number, byte: number): number {
    this.reach(pfn + 1);
    let at = this.freeStorage.pop();
    if (at === undefined) {
      at = this.storage.length;
      this.storage.push(new Uint8Array(PAGE_SIZE));
    }
    this.storage[at]?.fill(byte);
    this.contents[pfn] = FIRST_PAGE + at;
    this.alike[Math.floor(pfn / CHUNK)] = -1;
    return at;
  }

  private reach(frames: number): void {
    if (frames <= this.contents.length) return;
    const grown = new Int32Array(Math.max(frames, this.contents.length * 2, 4096));
    grown.set(this.contents);
    this.contents = grown;
    const alike = new Int16Array(chunksOf(grown.length));
    alike.set(this.alike);
    this.alike = alike;
  }
}

function chunksOf(frames: number): number {
  return Math.ceil(frames / CHUNK);
}
