import { maskSet, maskTest, PAGES_PER_BLOCK } from './uvm-page-mask.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/**
 * A page's line comes from the second-level cache while the process has touched no more than so many pages in between,
 * from farther away beyond so many: lines at the same offset of their pages share few of the cache's sets.
 */
const NEAR_PAGES = 400;
const FAR_PAGES = 1100;

/** Of the touches since {@link beginTouches}: first writes, first touches of any kind, and those of far lines. */
export const touches = { dirty: 0, first: 0, far: 0 };

/** Counts {@link touches} anew. */
export function beginTouches(): void {
  touches.dirty = 0;
  touches.first = 0;
  touches.far = 0;
}

/** A CPU touches a page that it has mapped: what the hardware notes in the PTE, and how far the line is. */
export function noteTouch(space: UvmVaSpace, block: UvmVaBlock, page: number, stores: boolean): void {
  const now = ++space.cpuTouches;
  const last = (block.cpuLastTouch ??= new Uint32Array(PAGES_PER_BLOCK));
  if (maskTest(block.cpuTouched, page)) {
    const distance = now - (last[page] ?? 0);
    if (distance > NEAR_PAGES) touches.far += Math.min(1, (distance - NEAR_PAGES) / (FAR_PAGES - NEAR_PAGES));
  } else {
    maskSet(block.cpuTouched, page);
    touches.first++;
  }
  last[page] = now;
  if (!stores || maskTest(block.cpuDirty, page)) return;
  maskSet(block.cpuDirty, page);
  touches.dirty++;
}
