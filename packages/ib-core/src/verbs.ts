import { EINVAL, EOVERFLOW, PAGE_SIZE } from '@hmm/kernel';
import {
  IB_ACCESS_LOCAL_WRITE,
  IB_ACCESS_OPTIONAL,
  IB_ACCESS_REMOTE_ATOMIC,
  IB_ACCESS_REMOTE_WRITE,
  IB_ACCESS_SUPPORTED,
} from '@hmm/rdma-nic';

/** What a program registers. */
export interface RegisterRequest {
  /** First byte in the process, and bytes. */
  readonly va: number;
  readonly length: number;
  /** `IB_ACCESS_*`. */
  readonly access: number;
  /** The address that work requests use; `va` where left out. */
  readonly iova?: number;
  /**
   * The region is one that the program had registered before it stored anything there: what the CPU has present by now is
   * not taken over, as a store after a registration tells the region nothing.
   */
  readonly early?: boolean;
}

/** Length of a registration of the whole address space, with address 0. */
export const IMPLICIT_LENGTH = Number.MAX_SAFE_INTEGER;

/** Bring the pages in for reading. @kernel include/uapi/rdma/ib_user_ioctl_verbs.h ib_uverbs_advise_mr_advice */
export const IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH = 0;
/** Bring them in for writing. */
export const IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE = 1;
/** Take over what is present, and bring nothing in. */
export const IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT = 2;

/** A piece of a region that advice is about. */
export interface AdviseSegment {
  /** Local key. */
  readonly key: number;
  /** Byte address and bytes. */
  readonly addr: number;
  readonly length: number;
}

/**
 * What the core asks of every registration: known bits, a local write with each remote one, an address that agrees with its
 * memory within a page, and a length.
 * @returns 0, `-EINVAL` or `-EOVERFLOW`.
 * @kernel drivers/infiniband/core/uverbs_cmd.c ib_uverbs_reg_mr (without: handles of user objects,
 * protection domains, dma-buf), include/rdma/ib_verbs.h ib_check_mr_access
 */
export function ibAccessCheck({ va, length, access, iova = va }: RegisterRequest): number {
  if ((access & ~(IB_ACCESS_SUPPORTED | IB_ACCESS_OPTIONAL)) !== 0) return -EINVAL;
  const remote = access & (IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_ATOMIC);
  if (remote !== 0 && (access & IB_ACCESS_LOCAL_WRITE) === 0) return -EINVAL;
  if (va % PAGE_SIZE !== iova % PAGE_SIZE) return -EINVAL;
  if (length <= 0) return -EINVAL;
  return length !== IMPLICIT_LENGTH && !Number.isSafeInteger(va + length) ? -EOVERFLOW : 0;
}
