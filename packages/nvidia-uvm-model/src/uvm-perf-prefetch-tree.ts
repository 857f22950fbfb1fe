import { declareState, hweight32 } from '@hmm/kernel/internal';
import { MASK_WORDS, PAGES_PER_BLOCK, type UvmPageMask } from './uvm-page-mask.js';

/**
 * The bitmap tree over the pages of a region. Leaf `i` is page `i - offset` of the region: a region that does not begin
 * on a 64 KiB boundary is shifted so that 64 KiB regions are nodes.
 */
export class UvmPrefetchTree {
  /** What of it is state. */
  static readonly state = declareState({
    leaves: 'value',
    bits: 'constant',
    before: 'constant',
  });

  /** Leaves, the padding in front included; it may exceed 512 by 15. */
  leaves = 0;
  private readonly bits = new Int32Array(MASK_WORDS + 1);
  private readonly before = new Int32Array(MASK_WORDS + 2);

  /** Loads leaf bits 0 … `pages - 1` from `mask`, moved up by `offset`. */
  load(mask: UvmPageMask, pages: number, offset: number): void {
    this.leaves = pages + offset;
    const { bits, before } = this;
    for (let word = 0; word <= MASK_WORDS; word++) {
      const low = mask[word] ?? 0;
      const carry = offset === 0 ? 0 : (mask[word - 1] ?? 0) >>> (32 - offset);
      bits[word] = (low << offset) | carry;
      before[word + 1] = (before[word] ?? 0) + hweight32(bits[word] ?? 0);
    }
  }

  /**
   * The largest node above leaf `leaf` that is denser than `threshold` percent, as [first leaf, leaf after the last]
   * packed as `first * 1024 + outer`; -1 when none is.
   */
  dense(leaf: number, threshold: number): number {
    const ones = 100 * (this.before[MASK_WORDS + 1] ?? 0);
    // From the largest node down: those above 512 leaves are cut off at the last leaf, and all the same.
    for (
      let size = this.leaves > PAGES_PER_BLOCK ? 2 * PAGES_PER_BLOCK : PAGES_PER_BLOCK;
      size > 0;
      size >>= 1
    ) {
      const first = leaf & -size;
      const outer = Math.min(first + size, this.leaves);
      const least = (outer - first) * threshold;
      // With all ones in it, it would not be dense enough: nothing to count.
      if (ones <= least) continue;
      if (this.ones(first, outer) * 100 > least) return first * 1024 + outer;
    }
    return -1;
  }

  /** Ones among leaves `first` … `outer - 1`. */
  ones(first: number, outer: number): number {
    return this.count(outer) - this.count(first);
  }

  /** Ones among leaves 0 … `leaf - 1`. */
  private count(leaf: number): number {
    const word = leaf >>> 5;
    const rest = leaf & 31;
    const part = rest === 0 ? 0 : hweight32((this.bits[word] ?? 0) << (32 - rest));
    return (this.before[word] ?? 0) + part;
  }
}
