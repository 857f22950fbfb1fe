import { EACCES, EFAULT } from '@hmm/kernel';
import { HMM_PFN_VALID, HMM_PFN_WRITE } from '../hmm-pfn.js';

/** What a slot says of an access: 0 where the page allows it. */
export function answer(pfns: Int32Array, slot: number, write: boolean): number {
  const flags = pfns[2 * slot] ?? 0;
  if ((flags & HMM_PFN_VALID) === 0) return -EFAULT;
  return write && (flags & HMM_PFN_WRITE) === 0 ? -EACCES : 0;
}
