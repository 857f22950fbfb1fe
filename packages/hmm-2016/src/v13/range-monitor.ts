import type { Task } from '@hmm/kernel';
import type { Vma } from '@hmm/mm';
import { hmmRegister } from '../hmm.js';
import { type HmmRange, unlist } from '../hmm-range.js';
import { hmmMmuNotifierOps } from './invalidate.js';

/**
 * Begins to notice invalidations of the pages [start, end). What is read afterwards is good if {@link hmmVmaRangeMonitorEnd} says so,
 * under the lock that the driver's callback takes. The ancestor of `mmu_interval_read_begin`, without a promise of progress.
 * @param wait whether to wait while an invalidation runs, anywhere in the address space.
 * @returns false where one runs and `wait` is false. @v13 patch 11 hmm_vma_range_monitor_start (without: allocations that fail)
 */
export function* hmmVmaRangeMonitorStart(
  range: HmmRange,
  vma: Vma,
  start: number,
  end: number,
  wait: boolean,
): Task<boolean> {
  const hmm = hmmRegister(range.core, vma.mm, hmmMmuNotifierOps);
  range.hmm = hmm;
  range.start = start;
  range.end = end;
  while (hmm.notifierCount !== 0) {
    if (!wait) return false;
    yield* vma.mm.kernel.sched.block(hmm.channel);
    range.core.touch();
  }
  hmm.lock.lock();
  hmm.monitors.push(range);
  hmm.lock.unlock();
  return true;
}

/**
 * Ends it; must come before the range is freed. @returns whether nothing of it was invalidated meanwhile. The ancestor of
 * `mmu_interval_read_retry`. @v13 patch 11 hmm_vma_range_monitor_end (all)
 */
export function hmmVmaRangeMonitorEnd(range: HmmRange): boolean {
  const { hmm } = range;
  if (hmm === undefined) return false;
  hmm.core.touch();
  hmm.lock.lock();
  const valid = unlist(hmm.monitors, range);
  hmm.lock.unlock();
  return valid;
}
