/**
 * The slots of a snapshot: two lanes a page, flags and frame. In the kernel both are one word, `hmm_pfn_t`, with the frame above the
 * flags. The flags have the bits of v13 as its last patch leaves them.
 *
 * @packageDocumentation
 */

/** The frame is one. @v13 patch 12 */
export const HMM_PFN_VALID = 1 << 0;
/** The VMA may be read. */
export const HMM_PFN_READ = 1 << 1;
/** The entry allows writes; v13, in: the fault is for writing. */
export const HMM_PFN_WRITE = 1 << 2;
/** The page cannot be had. */
export const HMM_PFN_ERROR = 1 << 3;
/** Nothing is mapped. */
export const HMM_PFN_EMPTY = 1 << 4;
/** In, v13 only: fault this page. @v13 patch 13 */
export const HMM_PFN_FAULT = 1 << 5;
/** Memory of a device. */
export const HMM_PFN_DEVICE = 1 << 6;
/** A mapping that no device may mirror. */
export const HMM_PFN_SPECIAL = 1 << 7;
/** Memory of a device that the CPU cannot reach. */
export const HMM_PFN_UNADDRESSABLE = 1 << 8;
/** v13's migration: the page is locked. @v13 patch 16 */
export const HMM_PFN_LOCKED = 1 << 9;
/** v13's migration: the page is to be moved; after it: has been. @v13 patch 16 */
export const HMM_PFN_MIGRATE = 1 << 10;

/** Lanes of a slot. */
export const HMM_PFN_LANES = 2;

/** Sets slots [from, to) to `flags` without a frame. */
export function fillSlots(pfns: Int32Array, from: number, to: number, flags: number): void {
  for (let i = 2 * from; i < 2 * to; i += 2) {
    pfns[i] = flags;
    pfns[i + 1] = 0;
  }
}
