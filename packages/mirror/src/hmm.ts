import { EBUSY, EFAULT, ENOMEM, SP_PREEMPT, type MaybeTask, type Task } from '@hmm/kernel';
import { mmuIntervalCheckRetry, mmuIntervalReadBegin, mmuIntervalTryReadBegin } from '@hmm/mmu-notifier';
import {
  FAULT_FLAG_REMOTE,
  FAULT_FLAG_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  type MmStruct,
  handleMmFault,
} from '@hmm/mm';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_REPEAT_NS,
  migrationEntryWait,
  VM_FAULT_RETRY,
} from '@hmm/mm/internal';
import type { HmmRange } from './hmm-range.js';
import { WALK_DONE, WALK_FAULT, hmmWalk, type HmmVmaWalk } from './hmm-walk.js';

/**
 * Reads the CPU's page tables over a range into `hmmPfns`, faulting in what was asked for. The caller holds
 * `mmap_lock` at least for reading, began a read of the notifier's sequence before, and asks for a retry under its
 * own lock afterwards. No references are taken.
 *
 * After a success with REQ_FAULT for every page each slot is VALID. With REQ_WRITE it is WRITE too, but for
 * the caller's own device-private pages behind a read-only entry. After an error the array is part answer, part request.
 *
 * @returns 0; `-EBUSY`: the sequence moved, begin again; `-EPERM`: a write was asked for in a VMA that cannot be
 * written; `-EFAULT`: a page cannot be had. A plain number when no fault had to sleep, else a task.
 * @kernel mm/hmm.c hmm_range_fault (all)
 */
export function hmmRangeFault(mm: MmStruct, range: HmmRange): MaybeTask<number> {
  return rangeFault(mm, range, 0);
}

/** What a fault that dropped mmap_lock ends in: the caller begins again. */
const LOCK_DROPPED = 1;

/** {@link hmmRangeFault}, whose faults have `flags` more; with `FAULT_FLAG_ALLOW_RETRY` it may return {@link LOCK_DROPPED}. */
function rangeFault(mm: MmStruct, range: HmmRange, flags: number): MaybeTask<number> {
  const walk: HmmVmaWalk = {
    range,
    mm,
    flags,
    from: range.start,
    to: range.start,
    vma: undefined,
    write: false,
    pfn: 0,
  };
  if (mm.kernel.sched.exploring) return walkAndFault(walk, undefined);
  if (mmuIntervalCheckRetry(range.notifier, range.notifierSeq)) return -EBUSY;
  const ret = hmmWalk(walk);
  if (ret <= WALK_DONE) return ret;
  const { vma, from } = walk;
  if (ret !== WALK_FAULT || vma === undefined || walk.to !== from + 1) return walkAndFault(walk, ret);
  const served = handleMmFault(vma, from, faultFlags(walk));
  if (typeof served !== 'number') return goOn(walk, served);
  const err = faultErrno(walk, served);
  if (err !== 0) return err;
  if (mmuIntervalCheckRetry(range.notifier, range.notifierSeq)) return -EBUSY;
  const again = hmmWalk(walk);
  return again <= WALK_DONE ? again : walkAndFault(walk, again);
}

/** Walks on after a fault of one page. */
function* goOn(walk: HmmVmaWalk, fault: Task<number>): Task<number> {
  const err = faultErrno(walk, yield* fault);
  return err === 0 ? yield* walkAndFault(walk, undefined) : err;
}

function faultFlags(walk: HmmVmaWalk): number {
  return walk.flags | FAULT_FLAG_REMOTE | (walk.write ? FAULT_FLAG_WRITE : 0);
}

/** What the walk ends with after a fault that ended with `VM_FAULT_*`; 0 to go on. */
function faultErrno({ mm }: HmmVmaWalk, result: number): number {
  if ((result & VM_FAULT_RETRY) !== 0) return LOCK_DROPPED;
  if ((result & VM_FAULT_ERROR) === 0) return 0;
  return (result & VM_FAULT_OOM) !== 0 && mm.kernel.does.hmmReportsOom ? -ENOMEM : -EFAULT;
}

/** Rounds of faults on one page after which it is being migrated by somebody else. */
const MAX_ROUNDS = 2;

/** The loop of walk, fault, walk again; `first` is the result of a walk that was made already. */
function* walkAndFault(walk: HmmVmaWalk, first: number | undefined): Task<number> {
  const { range, mm } = walk;
  const { sched } = mm.kernel;
  let ret = first;
  let faulted = -1;
  let faults = 0;
  const since = sched.steps + 1;
  for (;;) {
    if (ret === undefined) {
      if (sched.exploring) {
        forgetRound(walk, since, [faulted === walk.from ? Math.min(faults, MAX_ROUNDS) : 0]);
        yield SP_PREEMPT;
      }
      if (mmuIntervalCheckRetry(range.notifier, range.notifierSeq)) return -EBUSY;
      if (sched.exploring && range.shared === true) yield SP_PREEMPT;
      ret = hmmWalk(walk);
    }
    if (ret <= WALK_DONE) return ret;
    if (ret === WALK_FAULT) {
      if (walk.from !== faulted) faults = 0;
      faulted = walk.from;
      if (++faults > MAX_ROUNDS) yield* sched.delay(FAULT_REPEAT_NS);
      const err = yield* hmmVmaFault(walk, since);
      if (err !== 0) return err;
    } else {
      yield* migrationEntryWait(mm, walk.from, walk.pfn);
    }
    ret = undefined;
  }
}

/** Of what was read since the step `since`, all that matters is `words` and what the walk has stored for the pages before the one it stopped at. */
function forgetRound({ range, mm, from }: HmmVmaWalk, since: number, words: number[]): void {
  if (!mm.kernel.sched.forgets) return;
  const { hmmPfns, start } = range;
  words.push(from - start);
  const frames: number[] = [];
  for (let i = 0; i < 2 * (from - start); i += 2) {
    words.push(hmmPfns[i] ?? 0);
    frames.push(hmmPfns[i + 1] ?? 0);
  }
  mm.kernel.sched.forget(since, words, frames);
}

/**
 * Faults every page of the block that the walk stopped at, needed or not.
 * @kernel mm/hmm.c hmm_vma_fault (all)
 */
function* hmmVmaFault(walk: HmmVmaWalk, since: number): Task<number> {
  const { vma } = walk;
  if (vma === undefined) return -EFAULT;
  const flags = faultFlags(walk);
  const { sched } = walk.mm.kernel;
  for (let vpn = walk.from; vpn < walk.to; vpn++) {
    if (sched.exploring) {
      forgetRound(walk, since, [vpn, walk.to, walk.write ? 1 : 0]);
      yield SP_PREEMPT;
    }
    const served = handleMmFault(vma, vpn, flags);
    const err = faultErrno(walk, typeof served === 'number' ? served : yield* served);
    if (err !== 0) return err;
  }
  return 0;
}

/**
 * {@link hmmRangeFault} for a caller that holds no lock: it takes `mmap_lock` and begins the read of the notifier's sequence
 * itself, and begins again as often as the sequence moves. The caller still asks for a retry under its own lock.
 *
 * @param timeoutNs how long it may go on, 0 for ever. The time begins anew with each fault that had to drop the lock.
 * @returns as {@link hmmRangeFault}; `-EBUSY` when the time is up. @kernel mm/hmm.c hmm_range_fault_unlocked_timeout
 */
export function* hmmRangeFaultUnlockedTimeout(
  mm: MmStruct,
  range: HmmRange,
  timeoutNs: number,
): Task<number> {
  const { sched } = mm.kernel;
  let deadline = sched.now + timeoutNs;
  for (;;) {
    const seq = mmuIntervalTryReadBegin(range.notifier);
    range.notifierSeq = seq !== 0 ? seq : yield* mmuIntervalReadBegin(range.notifier);
    if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
    if (mm.unstable) {
      mm.mmapLock.unlockRead();
      return -EFAULT;
    }
    if (timeoutNs > 0 && sched.now > deadline) {
      mm.mmapLock.unlockRead();
      return -EBUSY;
    }
    const done = rangeFault(mm, range, FAULT_FLAG_ALLOW_RETRY);
    const ret = typeof done === 'number' ? done : yield* done;
    if (ret === LOCK_DROPPED) {
      deadline = sched.now + timeoutNs;
      continue;
    }
    mm.mmapLock.unlockRead();
    if (ret !== -EBUSY) return ret;
  }
}
