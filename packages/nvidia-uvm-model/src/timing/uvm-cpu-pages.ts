import { MASK_WORDS, maskNext, PAGES_PER_BLOCK, type UvmPageMask } from '../uvm-page-mask.js';

/** Where the dirty bits follow the accessed bits of a region, in words. */
const DIRTY = MASK_WORDS;

/** What the hardware notes in the page table of a process's CPUs: which pages were touched, and stored to, since they were mapped. */
export class UvmCpuPages {
  /** Of the touches since {@link begin}: the first since the page was mapped, and the first that store to it. */
  first = 0;
  dirtied = 0;
  /** Accessed and dirty bits of aligned 2 MiB, by number. */
  private readonly regions = new Map<number, Int32Array<ArrayBuffer>>();
  /** The region used last. */
  private lastNumber = -1;
  private last: Int32Array<ArrayBuffer> | undefined;

  /** Counts anew. */
  begin(): void {
    this.first = 0;
    this.dirtied = 0;
  }

  /** A touch of page `vpn`. */
  touch(vpn: number, stores: boolean): void {
    const number = Math.floor(vpn / PAGES_PER_BLOCK);
    const bits = this.last !== undefined && number === this.lastNumber ? this.last : this.region(number);
    const page = vpn - number * PAGES_PER_BLOCK;
    const word = page >>> 5;
    const bit = 1 << (page & 31);
    const accessed = bits[word] ?? 0;
    if ((accessed & bit) === 0) {
      bits[word] = accessed | bit;
      this.first++;
    }
    if (!stores) return;
    const dirty = bits[DIRTY + word] ?? 0;
    if ((dirty & bit) !== 0) return;
    bits[DIRTY + word] = dirty | bit;
    this.dirtied++;
  }

  /** The pages `pages` of a block that begins at `start` are mapped anew: their bits are clear. */
  clear(start: number, pages: UvmPageMask): void {
    const number = Math.floor(start / PAGES_PER_BLOCK);
    const bits = this.regions.get(number);
    if (bits === undefined) return;
    const shift = start - number * PAGES_PER_BLOCK;
    for (let page = maskNext(pages, 0); page < PAGES_PER_BLOCK; page = maskNext(pages, page + 1)) {
      const word = (page + shift) >>> 5;
      const keep = ~(1 << ((page + shift) & 31));
      bits[word] = (bits[word] ?? 0) & keep;
      bits[DIRTY + word] = (bits[DIRTY + word] ?? 0) & keep;
    }
  }

  private region(number: number): Int32Array<ArrayBuffer> {
    let bits = this.regions.get(number);
    if (bits === undefined) {
      bits = new Int32Array(2 * MASK_WORDS);
      this.regions.set(number, bits);
    }
    this.last = bits;
    this.lastNumber = number;
    return bits;
  }
}
