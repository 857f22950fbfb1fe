import { EINVAL } from '@hmm/kernel';
import type { IbUmemOdp, PinnedUmem } from '@hmm/ib-core';

/** A memory region. Its local and its remote key are the same number. @kernel drivers/infiniband/sw/rxe/rxe_verbs.h rxe_mr */
export interface RxeMr {
  readonly key: number;
  readonly pd: number;
  /** `IB_ACCESS_*`. */
  access: number;
  /** Address that work requests use, and bytes. */
  readonly iova: number;
  readonly length: number;
  /** Where it is in the process. */
  readonly va: number;
  readonly umem: IbUmemOdp | PinnedUmem;
  /** The object that its list of frames is in, where that shares a cache with packets. */
  readonly list: Uint8Array | undefined;
}

/** Whether a region is on demand. */
export function isOdp(mr: RxeMr): mr is RxeMr & { readonly umem: IbUmemOdp } {
  return !('kind' in mr.umem);
}

/**
 * Whether [iova, iova + length) is in the region: 0 or `-EINVAL`.
 * @kernel drivers/infiniband/sw/rxe/rxe_mr.c mr_check_range (without: regions for DMA and for fast
 * registration)
 */
export function mrCheckRange(mr: RxeMr, iova: number, length: number): number {
  return iova >= mr.iova && iova + length <= mr.iova + mr.length ? 0 : -EINVAL;
}
