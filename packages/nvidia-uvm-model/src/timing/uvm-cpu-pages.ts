import { hweight32 } from '@hmm/kernel/internal';
import { MASK_WORDS, PAGES_PER_BLOCK, type UvmPageMask } from '../uvm-page-mask.js';

/** Where the dirty bits follow the accessed bits of a region, in words. */
const DIRTY = MASK_WORDS;

/** What the hardware notes in the page table of a process's CPUs: which pages were touched, and stored to, since they were mapped. */
export class UvmCpuPages {
  /** Of the touches since {@link begin}: the first since the page was mapped, and the first that store to it. */
  first = 0;
  dirtied = 0;
  /** Accessed and dirty bits of aligned 2 MiB, by number. */
  private readonly regions = new Map<number, Int32Array>();

  /** Counts anew. */
  begin(): void {
    this.first = 0;
    this.dirtied = 0;
  }

  /** Touches of the pages `touched`, and stores to those of `stored`, of a block that begins at page `start`. */
  touch(start: number, touched: UvmPageMask, stored: UvmPageMask): void {
    const number = Math.floor(start / PAGES_PER_BLOCK);
    let bits = this.regions.get(number);
    if (bits === undefined) {
      bits = new Int32Array(2 * MASK_WORDS);
      this.regions.set(number, bits);
    }
    const shift = start - number * PAGES_PER_BLOCK;
    this.first += setBits(bits, 0, shift, touched);
    this.dirtied += setBits(bits, DIRTY, shift, stored);
  }

  /** The pages `pages` of a block that begins at page `start` are mapped anew: their bits are clear. */
  clear(start: number, pages: UvmPageMask): void {
    const number = Math.floor(start / PAGES_PER_BLOCK);
    const bits = this.regions.get(number);
    if (bits === undefined) return;
    const shift = start - number * PAGES_PER_BLOCK;
    for (let i = 0; i < MASK_WORDS; i++) {
      const low = shifted(pages, i, shift);
      if (low === 0) continue;
      bits[i] = (bits[i] ?? 0) & ~low;
      bits[DIRTY + i] = (bits[DIRTY + i] ?? 0) & ~low;
    }
  }
}

/** Word `i` of `mask` moved up by `shift` pages. */
function shifted(mask: UvmPageMask, i: number, shift: number): number {
  const at = i - (shift >>> 5);
  const bit = shift & 31;
  const word = mask[at] ?? 0;
  return bit === 0 ? word : (word << bit) | ((mask[at - 1] ?? 0) >>> (32 - bit));
}

/** Sets the bits of `mask`, moved up by `shift` pages, in the words from `first` on. @returns how many were not set. */
function setBits(bits: Int32Array, first: number, shift: number, mask: UvmPageMask): number {
  let fresh = 0;
  for (let i = 0; i < MASK_WORDS; i++) {
    const more = shifted(mask, i, shift) & ~(bits[first + i] ?? 0);
    if (more === 0) continue;
    bits[first + i] = (bits[first + i] ?? 0) | more;
    fresh += hweight32(more);
  }
  return fresh;
}
