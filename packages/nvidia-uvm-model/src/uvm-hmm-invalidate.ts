import type { MaybeTask, Task } from '@hmm/kernel';
import {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_SOFT_DIRTY,
  MMU_NOTIFY_UNMAP,
  type MmuIntervalNotifier,
  type MmuNotifierRange,
  mmuIntervalSetSeq,
  mmuNotifierRangeBlockable,
} from '@hmm/mmu-notifier';
import type { UvmHmmBlock, UvmHmmVaSpace } from './uvm-hmm.js';
import { maskAndNot, maskFill, newMask } from './uvm-page-mask.js';
import { uvmPerfThrashingReset } from './uvm-perf-thrashing.js';
import { UVM_ID_GPU, UVM_MAKE_RESIDENT_CAUSE_API_HINT } from './uvm-types.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';

/**
 * Pages of the process change (`uvm_hmm_invalidate`): the GPU's mappings of them go, under the block's lock, and the
 * sequence moves on. The driver's own migrations look after their pages themselves. Where the memory itself goes, so does
 * what was remembered of it.
 */
export function uvmHmmInvalidate(
  hmm: UvmHmmVaSpace,
  sub: MmuIntervalNotifier,
  range: MmuNotifierRange,
  seq: number,
): MaybeTask<boolean> {
  if (range.event === MMU_NOTIFY_SOFT_DIRTY || range.event === MMU_NOTIFY_RELEASE) return true;
  const own = range.event === MMU_NOTIFY_MIGRATE || range.event === MMU_NOTIFY_EXCLUSIVE;
  if (own && range.owner === hmm.devmem.owner) return true;
  if (!mmuNotifierRangeBlockable(range)) return false;
  hmm.space.driver.calledBack();
  const found = hmm.findBlock(sub.start);
  if (found === undefined) {
    mmuIntervalSetSeq(sub, seq);
    return true;
  }
  if (!found.block.lock.tryFast()) return invalidateTask(found, sub, range, seq);
  invalidateLocked(found, sub, range, seq);
  return true;
}

function* invalidateTask(
  found: UvmHmmBlock,
  sub: MmuIntervalNotifier,
  range: MmuNotifierRange,
  seq: number,
): Task<boolean> {
  yield* found.block.lock.lock();
  found.space.space.driver.calledBack();
  invalidateLocked(found, sub, range, seq);
  return true;
}

function invalidateLocked(
  found: UvmHmmBlock,
  sub: MmuIntervalNotifier,
  range: MmuNotifierRange,
  seq: number,
): void {
  const { block, space } = found;
  const { driver } = space.space;
  mmuIntervalSetSeq(sub, seq);
  const first = Math.max(0, range.start - block.start);
  const outer = Math.min(block.pages, range.end - block.start);
  const mask = newMask();
  maskFill(mask, first, outer);
  driver.tools.counters.invalidations++;
  const { invalidateContext: ctx } = space;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_API_HINT, driver.clock.time());
  uvmVaBlockUnmap(ctx, block, UVM_ID_GPU, mask);
  if (range.event === MMU_NOTIFY_UNMAP || range.event === MMU_NOTIFY_CLEAR) {
    uvmPerfThrashingReset(ctx, block, first, outer);
    maskAndNot(block.gpu.resident, mask);
    maskAndNot(block.cpu.resident, mask);
    maskAndNot(block.gpu.evicted, mask);
  }
  if (range.event === MMU_NOTIFY_UNMAP) space.dropPolicy(block.start + first, block.start + outer);
  block.lock.unlock();
}
