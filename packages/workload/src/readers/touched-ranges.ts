import type { AccessBatch } from './access-batch.js';

/** A run of pages. */
export interface PageRange {
  readonly page: number;
  readonly pages: number;
}

/** The ranges of a trace, and how they are put into memory. */
export interface TouchedLayout {
  /** Ascending. */
  readonly ranges: readonly PageRange[];
  /** A range keeps its place within `2^order` pages: 9, unless the trace is scattered over very many 2 MiB. */
  readonly order: number;
}

/** Pages of 2 MiB, the unit of huge pages and of UVM's blocks. */
const BLOCK_PAGES = 512;
const BLOCK_ORDER = 9;
/** The smallest piece that is placed by itself: 64 KiB. A block's pieces are the bits of one word. */
const PIECE_ORDER = 4;
/**
 * Blocks of 2 MiB that a replay has for scattered pages: each costs page tables of 4 KiB for the CPU and for the GPU, and the
 * driver's state of a block.
 */
const MOST_BLOCKS = 32_768;
const FIRST_CAPACITY = 1024;
const NONE = -1;

/**
 * The pages that a trace touches, for mapping them before it is replayed: traces name addresses, not allocations. Memory grows
 * with the 2 MiB blocks that are touched (about 40 bytes each), whatever lies between them.
 */
export class TouchedRanges {
  /** Number of each block (page / 512), at its place by hash, or {@link NONE}; twice as many places as blocks at least. */
  private keys = new Float64Array(FIRST_CAPACITY).fill(NONE);
  /** Beside each key: first and last page touched in the block, and a bit for each 64 KiB touched. */
  private low = new Uint16Array(FIRST_CAPACITY);
  private high = new Uint16Array(FIRST_CAPACITY);
  private pieces = new Int32Array(FIRST_CAPACITY);
  private count = 0;

  /** Takes the pages of a batch: can stand in a sink's `accesses`. */
  add(batch: AccessBatch): void {
    const { page: pages, length } = batch;
    let block = NONE;
    let at = 0;
    for (let i = 0; i < length; i++) {
      const page = pages[i] ?? 0;
      const within = page % BLOCK_PAGES;
      if (page - within !== block) {
        block = page - within;
        at = this.place(block / BLOCK_PAGES);
      }
      if (within < (this.low[at] ?? 0)) this.low[at] = within;
      if (within > (this.high[at] ?? 0)) this.high[at] = within;
      this.pieces[at] = (this.pieces[at] ?? 0) | (1 << (within >>> PIECE_ORDER));
    }
  }

  /** Ranges of pages, ascending: pages less than 2 MiB apart are in one. */
  ranges(): PageRange[] {
    const found: { page: number; pages: number }[] = [];
    let last: { page: number; pages: number } | undefined;
    for (const at of this.inOrder()) {
      const first = (this.keys[at] ?? 0) * BLOCK_PAGES;
      const page = first + (this.low[at] ?? 0);
      const end = first + (this.high[at] ?? 0) + 1;
      if (last !== undefined && page - (last.page + last.pages) < BLOCK_PAGES) last.pages = end - last.page;
      else found.push((last = { page, pages: end - page }));
    }
    return found;
  }

  /**
   * Ranges as they are mapped. A trace that is scattered over more than 32,768 blocks of 2 MiB, and would take fewer in smaller
   * pieces, is given in pieces of 1 MiB, or of half of that, and so on down to 64 KiB: whole pieces, neighbours together.
   */
  layout(): TouchedLayout {
    const order = this.order();
    return { ranges: order === BLOCK_ORDER ? this.ranges() : this.inPieces(order), order };
  }

  private inPieces(order: number): PageRange[] {
    const unit = 2 ** order;
    const found: { page: number; pages: number }[] = [];
    let last: { page: number; pages: number } | undefined;
    for (const at of this.inOrder()) {
      const first = (this.keys[at] ?? 0) * BLOCK_PAGES;
      for (let page = first; page < first + BLOCK_PAGES; page += unit) {
        if (((this.pieces[at] ?? 0) & pieceBits((page - first) / unit, order)) === 0) continue;
        if (last?.page === page - (last?.pages ?? 0)) last.pages += unit;
        else found.push((last = { page, pages: unit }));
      }
    }
    return found;
  }

  /** The largest pieces that need no more blocks than there may be, or not many more than the smallest pieces need. */
  private order(): number {
    if (this.count <= MOST_BLOCKS) return BLOCK_ORDER;
    const most = Math.max(MOST_BLOCKS, 1.25 * this.blocksInPieces(PIECE_ORDER));
    let order = BLOCK_ORDER;
    while (order > PIECE_ORDER && this.blocksInPieces(order) > most) order--;
    return order;
  }

  private blocksInPieces(order: number): number {
    let touched = 0;
    for (const pieces of this.pieces) {
      if (pieces === 0) continue;
      for (let piece = 0; piece < BLOCK_PAGES >>> order; piece++)
        if ((pieces & pieceBits(piece, order)) !== 0) touched++;
    }
    return (touched * 2 ** order) / BLOCK_PAGES;
  }

  /** Places of the blocks, by address. */
  private inOrder(): Uint32Array {
    const numbers = this.keys.filter((key) => key !== NONE).sort();
    return Uint32Array.from(numbers, (key) => this.find(key));
  }

  /** The place of block number `key`, made if it is new. */
  private place(key: number): number {
    let at = this.find(key);
    if (this.keys[at] === key) return at;
    if (2 * (this.count + 1) > this.keys.length) {
      this.grow();
      at = this.find(key);
    }
    this.count++;
    this.keys[at] = key;
    this.low[at] = BLOCK_PAGES - 1;
    return at;
  }

  /** Where `key` is, or the free place where it goes. */
  private find(key: number): number {
    const { keys } = this;
    const mask = keys.length - 1;
    let at = (Math.imul(key % 2 ** 32, 0x9e3779b1) ^ Math.imul(key / 2 ** 32, 0x85ebca6b)) >>> 0;
    at = (at ^ (at >>> 15)) & mask;
    while (keys[at] !== key && keys[at] !== NONE) at = (at + 1) & mask;
    return at;
  }

  private grow(): void {
    const { keys, low, high, pieces } = this;
    const capacity = 2 * keys.length;
    this.keys = new Float64Array(capacity).fill(NONE);
    this.low = new Uint16Array(capacity);
    this.high = new Uint16Array(capacity);
    this.pieces = new Int32Array(capacity);
    for (let from = 0; from < keys.length; from++) {
      const key = keys[from] ?? NONE;
      if (key === NONE) continue;
      const at = this.find(key);
      this.keys[at] = key;
      this.low[at] = low[from] ?? 0;
      this.high[at] = high[from] ?? 0;
      this.pieces[at] = pieces[from] ?? 0;
    }
  }
}

/** The bits of the 64 KiB pieces that piece `piece` of `2^order` pages is made of. */
function pieceBits(piece: number, order: number): number {
  const each = 1 << (order - PIECE_ORDER);
  const bits = each === 32 ? -1 : (1 << each) - 1;
  return bits << (piece * each);
}
