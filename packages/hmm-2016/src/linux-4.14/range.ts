import { EAGAIN, EBUSY, EFAULT, EINVAL, HmmError, SP_PREEMPT, type Task } from '@hmm/kernel';
import { FAULT_FLAG_REMOTE, FAULT_FLAG_WRITE, handleMmFault, VM_FAULT_ERROR, type Vma } from '@hmm/mm';
import {
  FAULT_FLAG_ALLOW_RETRY,
  isMigrationPte,
  isSwapPte,
  migrationEntryWait,
  PTE_PROTNONE,
  PTE_WRITE,
  VM_FAULT_RETRY,
} from '@hmm/mm/internal';
import { CpuEntry } from '../cpu-entry.js';
import { hmmRegister, type HmmCore } from '../hmm.js';
import { fillSlots, HMM_PFN_ERROR, HMM_PFN_SPECIAL } from '../hmm-pfn.js';
import { type HmmRange, outsideVma, unlist } from '../hmm-range.js';
import { storeSlot, unmirrored } from '../store-slot.js';
import { hmmMmuNotifierOps } from './invalidate.js';

/**
 * Reads what the CPU maps of [start, end), and begins to track it. Each 0 obliges to {@link hmmVmaRangeDone}: without it
 * invalidations go on writing into `pfns`. The caller holds mmap_sem for reading.
 * @returns 0; `-EINVAL`: not within the VMA, or a VMA that no device mirrors (then each slot is SPECIAL, and nothing is tracked).
 * @kernel 4.14 mm/hmm.c hmm_vma_get_pfns (without: -ENOMEM)
 */
export function hmmVmaGetPfns(
  vma: Vma,
  range: HmmRange,
  start: number,
  end: number,
  pfns: Int32Array,
): number {
  if (unmirrored(vma)) {
    fillSlots(pfns, 0, end - start, HMM_PFN_SPECIAL);
    return -EINVAL;
  }
  if (outsideVma(vma, start, end)) return -EINVAL;
  track(vma, range, start, end, pfns);
  const entry = new CpuEntry();
  for (let i = 0; i < end - start; i++) {
    entry.read(vma.mm, start + i);
    storeSlot(vma, entry, pfns, i);
  }
  return 0;
}

/** Lists the range as valid, whether or not an invalidation runs. */
function track(vma: Vma, range: HmmRange, start: number, end: number, pfns: Int32Array): void {
  const hmm = hmmRegister(range.core, vma.mm, hmmMmuNotifierOps);
  range.hmm = hmm;
  range.start = start;
  range.end = end;
  range.pfns = pfns;
  hmm.lock.lock();
  range.valid = true;
  hmm.ranges.unshift(range);
  hmm.lock.unlock();
}

/**
 * Ends the tracking of a range. Two uses are legal, both under the lock that the driver's callback takes: to commit the slots only if it
 * returns true; or to commit them whatever it returns, relying on those that were invalidated being 0. Both miss an
 * invalidation that began before the range was tracked and has not ended.
 * @returns whether nothing of it was invalidated.
 * @throws HmmError `BUG` for an empty range. @kernel 4.14 mm/hmm.c hmm_vma_range_done (all)
 */
export function hmmVmaRangeDone(range: HmmRange): boolean {
  const { hmm } = range;
  if (hmm === undefined || range.end <= range.start) throw new HmmError('BUG', 'an empty range is done');
  hmm.core.touch();
  hmm.lock.lock();
  unlist(hmm.ranges, range);
  hmm.lock.unlock();
  return range.valid;
}

/**
 * Faults all of [start, end) that is not there, or, with `write`, not writable, reads it, and tracks it as {@link hmmVmaGetPfns}
 * does. Memory of a device stays where it is, but for a write to a read-only entry. The caller holds mmap_sem for reading, and has
 * tested that the VMA allows the access: where it does not, this goes on for ever.
 * @param block has no effect: a fault may always drop mmap_sem (inferred).
 * @returns 0, also for a VMA that no device mirrors; `-EINVAL`; `-EFAULT` with ERROR in the slot of the page; `-EBUSY`: mmap_sem was
 * dropped. After an error the slots behind the failing one are 0, and nothing is tracked.
 * @kernel 4.14 mm/hmm.c hmm_vma_fault (without: -ENOMEM; faults of a whole page table for one entry; an entry that is tested before it is read)
 */
// eslint-disable-next-line max-params -- the seven arguments of hmm_vma_fault
export function* hmmVmaFault(
  vma: Vma,
  range: HmmRange,
  start: number,
  end: number,
  pfns: Int32Array,
  write: boolean,
  block: boolean,
): Task<number> {
  if (outsideVma(vma, start, end)) return -EINVAL;
  track(vma, range, start, end, pfns);
  if (unmirrored(vma)) {
    fillSlots(pfns, 0, end - start, HMM_PFN_SPECIAL);
    return 0;
  }
  const entry = new CpuEntry();
  const { sched } = vma.mm.kernel;
  for (let i = 0; i < end - start;) {
    if (sched.exploring) yield SP_PREEMPT;
    entry.read(vma.mm, start + i);
    if (isMigrationPte(entry.flags)) {
      yield* migrationEntryWait(vma.mm, start + i, entry.pfn);
      continue;
    }
    if (!needsFault(entry.flags, write)) {
      storeSlot(vma, entry, pfns, i++);
      continue;
    }
    const ret = yield* hmmVmaDoFault(range.core, vma, start + i, write, block);
    if (ret === 0) continue;
    fillSlots(pfns, i, end - start, 0);
    if (ret === -EFAULT) pfns[2 * i] = HMM_PFN_ERROR;
    hmmVmaRangeDone(range);
    return ret;
  }
  return 0;
}

function needsFault(flags: number, write: boolean): boolean {
  if (flags === 0 || isSwapPte(flags) || (flags & PTE_PROTNONE) !== 0) return true;
  return write && (flags & PTE_WRITE) === 0;
}

/** @kernel 4.14 mm/hmm.c hmm_vma_do_fault (all) */
function* hmmVmaDoFault(core: HmmCore, vma: Vma, vpn: number, write: boolean, block: boolean): Task<number> {
  const { does } = core;
  const retry = block && !does.blockIgnored ? 0 : FAULT_FLAG_ALLOW_RETRY;
  const served = handleMmFault(vma, vpn, FAULT_FLAG_REMOTE | retry | (write ? FAULT_FLAG_WRITE : 0));
  const result = typeof served === 'number' ? served : yield* served;
  if ((result & VM_FAULT_RETRY) !== 0) return does.droppedLockIsBusy ? -EBUSY : -EAGAIN;
  return (result & VM_FAULT_ERROR) !== 0 ? -EFAULT : 0;
}
