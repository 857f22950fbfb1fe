/**
 * Page masks of a 2 MiB block: one bit per 4 KiB page, sixteen 32-bit words.
 *
 * @packageDocumentation
 * @uvm uvm_va_block_types.h uvm_page_mask_t
 */

import { hweight32 } from '@hmm/kernel/internal';

/** Pages of a whole block. */
export const PAGES_PER_BLOCK = 512;
/** Words of a mask. */
export const MASK_WORDS = 16;

/** One bit per page of a block. */
export type UvmPageMask = Int32Array;

/** An empty mask. */
export function newMask(): UvmPageMask {
  return new Int32Array(MASK_WORDS);
}

/** Mask number `index` of a row of masks that lie side by side in `row`. */
export function maskOf(row: Int32Array, index: number): UvmPageMask {
  return row.subarray(index * MASK_WORDS, (index + 1) * MASK_WORDS);
}

/** Whether the bit of `page` is set. */
export function maskTest(mask: UvmPageMask, page: number): boolean {
  return (((mask[page >>> 5] ?? 0) >>> (page & 31)) & 1) !== 0;
}

/** Sets the bit of `page`. */
export function maskSet(mask: UvmPageMask, page: number): void {
  mask[page >>> 5] = (mask[page >>> 5] ?? 0) | (1 << (page & 31));
}

/** Clears the bit of `page`. */
export function maskClear(mask: UvmPageMask, page: number): void {
  mask[page >>> 5] = (mask[page >>> 5] ?? 0) & ~(1 << (page & 31));
}

/** Clears all bits. */
export function maskZero(mask: UvmPageMask): void {
  for (let i = 0; i < MASK_WORDS; i++) mask[i] = 0;
}

/** The bits `first` … 31 of a word. */
function from(first: number): number {
  return -1 << first;
}

/** Sets the bits of pages `first` … `outer - 1`. @uvm uvm_va_block.h uvm_page_mask_region_fill (all) */
export function maskFill(mask: UvmPageMask, first: number, outer: number): void {
  if (first >= outer) return;
  const firstWord = first >>> 5;
  const lastWord = (outer - 1) >>> 5;
  const head = from(first & 31);
  const tail = -1 >>> (31 - ((outer - 1) & 31));
  if (firstWord === lastWord) {
    mask[firstWord] = (mask[firstWord] ?? 0) | (head & tail);
    return;
  }
  mask[firstWord] = (mask[firstWord] ?? 0) | head;
  for (let word = firstWord + 1; word < lastWord; word++) mask[word] = -1;
  mask[lastWord] = (mask[lastWord] ?? 0) | tail;
}

/** Keeps only the bits of pages `first` … `outer - 1`. */
export function maskClip(mask: UvmPageMask, first: number, outer: number): void {
  for (let word = 0; word < MASK_WORDS; word++) {
    const low = word * 32;
    if (low + 32 <= first || low >= outer) mask[word] = 0;
    else {
      let keep = -1;
      if (low < first) keep &= from(first - low);
      if (low + 32 > outer) keep &= -1 >>> (32 - (outer - low));
      mask[word] = (mask[word] ?? 0) & keep;
    }
  }
}

/** `to = source`. */
export function maskCopy(to: UvmPageMask, source: UvmPageMask): void {
  to.set(source);
}

/** `to |= source`. */
export function maskOr(to: UvmPageMask, source: UvmPageMask): void {
  for (let i = 0; i < MASK_WORDS; i++) to[i] = (to[i] ?? 0) | (source[i] ?? 0);
}

/** `to &= source`. */
export function maskAnd(to: UvmPageMask, source: UvmPageMask): void {
  for (let i = 0; i < MASK_WORDS; i++) to[i] = (to[i] ?? 0) & (source[i] ?? 0);
}

/** `to &= ~source`. */
export function maskAndNot(to: UvmPageMask, source: UvmPageMask): void {
  for (let i = 0; i < MASK_WORDS; i++) to[i] = (to[i] ?? 0) & ~(source[i] ?? 0);
}

/** Whether no bit is set. */
export function maskEmpty(mask: UvmPageMask): boolean {
  for (let i = 0; i < MASK_WORDS; i++) if (mask[i] !== 0) return false;
  return true;
}

/** Whether every bit is set. */
export function maskFull(mask: UvmPageMask): boolean {
  for (let i = 0; i < MASK_WORDS; i++) if (mask[i] !== -1) return false;
  return true;
}

/** Whether the masks share a bit. */
export function maskIntersects(a: UvmPageMask, b: UvmPageMask): boolean {
  for (let i = 0; i < MASK_WORDS; i++) if (((a[i] ?? 0) & (b[i] ?? 0)) !== 0) return true;
  return false;
}

/** Bits set. @uvm uvm_va_block.h uvm_page_mask_weight (all) */
export function maskWeight(mask: UvmPageMask): number {
  let sum = 0;
  for (let i = 0; i < MASK_WORDS; i++) sum += hweight32(mask[i] ?? 0);
  return sum;
}

/** The first page at or after `page` whose bit is set; 512 when none is. */
export function maskNext(mask: UvmPageMask, page: number): number {
  if (page >= PAGES_PER_BLOCK) return PAGES_PER_BLOCK;
  let word = page >>> 5;
  let bits = (mask[word] ?? 0) & from(page & 31);
  while (bits === 0) {
    if (++word === MASK_WORDS) return PAGES_PER_BLOCK;
    bits = mask[word] ?? 0;
  }
  return word * 32 + 31 - Math.clz32(bits & -bits);
}

/** The first page at or after `page` whose bit is clear; 512 when none is. */
export function maskNextClear(mask: UvmPageMask, page: number): number {
  if (page >= PAGES_PER_BLOCK) return PAGES_PER_BLOCK;
  let word = page >>> 5;
  let bits = ~(mask[word] ?? 0) & from(page & 31);
  while (bits === 0) {
    if (++word === MASK_WORDS) return PAGES_PER_BLOCK;
    bits = ~(mask[word] ?? 0);
  }
  return word * 32 + 31 - Math.clz32(bits & -bits);
}

/** Moves the bits of pages `first` … 511 of `source` down to 0 … and stores them in `to`. */
export function maskShiftDown(to: UvmPageMask, source: UvmPageMask, first: number): void {
  const bit = first & 31;
  const skip = first >>> 5;
  for (let i = 0; i < MASK_WORDS; i++) {
    const low = source[i + skip] ?? 0;
    const high = source[i + skip + 1] ?? 0;
    to[i] = bit === 0 ? low : (low >>> bit) | (high << (32 - bit));
  }
}
