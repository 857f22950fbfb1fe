import { EINVAL, type Task } from '@hmm/kernel';
import type { Vma } from '@hmm/mm';
import { hmmRegister } from '../hmm.js';
import { type HmmRange, outsideVma } from '../hmm-range.js';
import { hmmMmuNotifierOps } from './invalidate.js';

/**
 * Holds invalidations of the pages [start, end) off, until `hmmVmaRangeUnlock`: the caller, who holds mmap_sem for reading,
 * finds in the page tables what stays there. Waits until no invalidation of the address space runs. Locks of two mirrors do not
 * exclude one another. Without a registered mirror it locks nothing, since nobody is told of invalidations (inferred); a fault under
 * it waits for its own holder.
 * @returns 0 or `-EINVAL`: not within the VMA. @v13 patch 10 hmm_vma_range_lock (without: -ENOMEM)
 */
export function* hmmVmaRangeLock(range: HmmRange, vma: Vma, start: number, end: number): Task<number> {
  const hmm = hmmRegister(range.core, vma.mm, hmmMmuNotifierOps);
  range.hmm = hmm;
  if (outsideVma(vma, start, end)) return -EINVAL;
  range.waiting = undefined;
  range.start = start;
  range.end = end;
  hmm.lock.lock();
  hmm.ranges.unshift(range);
  hmm.lock.unlock();
  while (hmm.notifierCount !== 0) {
    yield* vma.mm.kernel.sched.block(hmm.channel);
    range.core.touch();
  }
  return 0;
}
