import type { MmuIntervalNotifier } from '@hmm/mmu-notifier';

/*
 * A page of a range is two int32 lanes: flags, pfn. In the kernel both are one unsigned long, with VALID, WRITE and
 * ERROR in bits 63, 62 and 61, the order in five bits below the flags, and the pfn in the low bits. VALID and WRITE
 * have the values of PTE_PRESENT and PTE_WRITE, so that the walk can copy them.
 */

/** Out: the pfn is present and readable. */
export const HMM_PFN_VALID = 1 << 0;
/** Out: the CPU may write. */
export const HMM_PFN_WRITE = 1 << 1;
/** Out: the page cannot be mirrored (no VMA, no read permission, I/O …). */
export const HMM_PFN_ERROR = 1 << 2;
/** This slot has a live DMA mapping. Kept by every refill of the slot. */
export const HMM_PFN_DMA_MAPPED = 1 << 3;
/** Mapped as peer-to-peer memory. Kept by every refill. */
export const HMM_PFN_P2PDMA = 1 << 4;
/** A peer-to-peer bus address: nothing to unmap. Kept by every refill. */
export const HMM_PFN_P2PDMA_BUS = 1 << 5;
/** In: fault the page in if it is not there. */
export const HMM_PFN_REQ_FAULT = HMM_PFN_VALID;
/** In: the page must be writable; means nothing without {@link HMM_PFN_REQ_FAULT}. */
export const HMM_PFN_REQ_WRITE = HMM_PFN_WRITE;
/** The order is in five bits from here. */
export const HMM_PFN_ORDER_SHIFT = 8;
/** Flags that a refill keeps. @kernel mm/hmm.c HMM_PFN_INOUT_FLAGS (from 6.16 on) */
export const HMM_PFN_INOUT_FLAGS = HMM_PFN_DMA_MAPPED | HMM_PFN_P2PDMA | HMM_PFN_P2PDMA_BUS;

/** How long drivers retry before they give up, ns; a convention of the callers. @kernel include/linux/hmm.h */
export const HMM_RANGE_DEFAULT_TIMEOUT = 1_000_000_000;

/** Lanes of {@link HmmRange.hmmPfns} for each page. */
export const HMM_PFN_LANES = 2;

/** What to snapshot or fault, and where to put the answer. @kernel include/linux/hmm.h hmm_range */
export interface HmmRange {
  /** The subscription that covers the range; names the mm. */
  notifier: MmuIntervalNotifier;
  /** What `mmuIntervalReadBegin` gave. */
  notifierSeq: number;
  /** First page (VPN). */
  start: number;
  /** Page behind the last (VPN). */
  end: number;
  /** Two lanes a page: in, the page's requests; out, flags and pfn. */
  hmmPfns: Int32Array;
  /** Requests for every page. */
  defaultFlags: number;
  /** Which of a page's own requests count; 0 for none. */
  pfnFlagsMask: number;
  /** Owner whose device-private pages are reported rather than faulted home; 0 for none. */
  devPrivateOwner: number;
  /** Others read `hmmPfns` while the walk writes it: where interleavings are explored they may come in before it does. */
  readonly shared?: boolean;
}

/**
 * Log2 of the pages of the CPU mapping that covers the slot with these flags. The mapping may start before the slot.
 * @kernel include/linux/hmm.h hmm_pfn_to_map_order (all)
 */
export function hmmPfnToMapOrder(flags: number): number {
  return (flags >>> HMM_PFN_ORDER_SHIFT) & 31;
}
