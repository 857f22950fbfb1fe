import { HmmError } from '@hmm/kernel';
import { type HmmRange, unlist } from '../hmm-range.js';

/**
 * Lets go of a range, and wakes the invalidation that waits for it.
 * @throws HmmError `NOT_REGISTERED` for a range that was never locked. @v13 patch 10 hmm_vma_range_unlock (all)
 */
export function hmmVmaRangeUnlock(range: HmmRange): void {
  const { hmm } = range;
  if (hmm === undefined) throw new HmmError('NOT_REGISTERED', 'a range is unlocked that was never locked');
  hmm.core.touch();
  hmm.lock.lock();
  unlist(hmm.ranges, range);
  const { waiting } = range;
  if (waiting !== undefined) waiting.wakeup = true;
  hmm.lock.unlock();
  if (waiting !== undefined) hmm.space.kernel.sched.wake(hmm.channel);
}
