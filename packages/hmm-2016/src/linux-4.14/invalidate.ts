import { MAX_PAGE, type MmuNotifier, type MmuNotifierOps, type MmuNotifierRange } from '@hmm/mmu-notifier';
import { Hmm, updateMirrors } from '../hmm.js';
import type { HmmRange } from '../hmm-range.js';

/**
 * Marks the tracked ranges that overlap [start, end) as invalid, writes zeroes into their slots that do, and tells the mirrors.
 * @kernel 4.14 mm/hmm.c hmm_invalidate_range (without: the rwsem of the mirrors, under which nothing sleeps here)
 */
function hmmInvalidateRange(hmm: Hmm, start: number, end: number): void {
  const { does } = hmm.core;
  hmm.lock.lock();
  for (const range of hmm.ranges) {
    const before = does.touchingOverlaps ? end < range.start : end <= range.start;
    if (before || start >= range.end) continue;
    range.valid = false;
    eraseSlots(range, start, end);
  }
  hmm.lock.unlock();
  updateMirrors(hmm, start, end);
}

function eraseSlots(range: HmmRange, start: number, end: number): void {
  const from = Math.max(range.start, start) - range.start;
  const to = Math.min(range.end, end) - range.start;
  if (to > from) range.pfns?.fill(0, 2 * from, 2 * to);
}

/**
 * The hooks of an address space that is mirrored: the work is done at the end, when the change has been made.
 * @kernel 4.14 mm/hmm.c hmm_mmu_notifier_ops (all)
 */
export const hmmMmuNotifierOps: MmuNotifierOps = {
  invalidateRangeStart(sub: MmuNotifier, range: MmuNotifierRange) {
    if (!(sub instanceof Hmm)) return 0;
    sub.core.touch();
    sub.sequence++;
    if (!sub.core.does.callbackAtEnd) hmmInvalidateRange(sub, range.start, range.end);
    return 0;
  },
  invalidateRangeEnd(sub: MmuNotifier, range: MmuNotifierRange) {
    if (!(sub instanceof Hmm)) return;
    sub.core.touch();
    // As it is mended, a range that began to be tracked in between is still told; the mirrors know already.
    hmmInvalidateRange(sub, range.start, range.end);
  },
  release(sub: MmuNotifier) {
    if (!(sub instanceof Hmm) || sub.core.does.exitUnannounced) return;
    sub.core.touch();
    updateMirrors(sub, 0, MAX_PAGE);
  },
};
