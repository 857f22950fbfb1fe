import { EBUSY, EFAULT, ENOENT, ENOMEM, HmmError, SP_PREEMPT, type Task } from '@hmm/kernel';
import { HASH_SEED, hashWords } from '@hmm/kernel/internal';
import { mmuIntervalReadBegin, mmuIntervalReadRetry, mmuIntervalTryReadBegin } from '@hmm/mmu-notifier';
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_WRITE,
  HMM_RANGE_DEFAULT_TIMEOUT,
  hmmRangeFault,
  hmmRangeFaultUnlockedTimeout,
  type HmmRange,
} from '@hmm/mirror';
import { mmput } from '@hmm/mm';
import { accessData, mmgetNotZero, NO_PFN, PG_zone_device_private } from '@hmm/mm/internal';
import { DPT_XA_TAG_WRITE } from './device-table.js';
import type { DmirrorDevice } from './dmirror-device.js';
import type { Dmirror } from './dmirror.js';
import type { HmmDmirrorCmd } from './uapi.js';

/**
 * Pages of one batch of a fault, a migration or a snapshot, before the driver knew huge pages.
 * @kernel lib/test_hmm.c dmirror_fault (all)
 */
export const DMIRROR_BATCH = 64;

/** Pages of one batch of a fault or a snapshot. @kernel lib/test_hmm.c dmirror_fault (all) */
export function faultBatch({ does }: DmirrorDevice): number {
  return does.faultsInBatchesOf32 ? DMIRROR_BATCH / 2 : DMIRROR_BATCH;
}

const PAGE_SIZE = 4096;

/** Data on its way between the device and its user, and how far it got. @kernel lib/test_hmm.c dmirror_bounce */
export interface DmirrorBounce {
  readonly buffer: Uint8Array;
  /** Page of byte 0. */
  readonly vpn: number;
  /** Pages transferred. */
  cpages: number;
}

/**
 * The frame that the device reaches through its table, for data.
 * @throws HmmError `UNADDRESSABLE` when that is a page that cannot hold any: the real machine crashes there.
 */
function dataFrame(dmirror: Dmirror, pfn: number): number {
  if (pfn === NO_PFN || dmirror.mm.system.map.test(pfn, PG_zone_device_private)) {
    throw new HmmError('UNADDRESSABLE', 'the device table names device memory without data', { pfn });
  }
  return pfn;
}

/**
 * Reads through the device's table; `-ENOENT` at the first page that is not in it.
 * @kernel lib/test_hmm.c dmirror_do_read (without: data of private pages, on which the real machine crashes
 * and the model throws)
 */
export function dmirrorDoRead(dmirror: Dmirror, start: number, end: number, bounce: DmirrorBounce): number {
  const { system } = dmirror.mm;
  for (let vpn = start; vpn < end; vpn++) {
    if (dmirror.pt.tag(vpn) === 0) return -ENOENT;
    const pfn = dataFrame(dmirror, dmirror.pt.pfn(vpn));
    accessData(system, pfn, false);
    const at = (vpn - bounce.vpn) * PAGE_SIZE;
    system.data.read(pfn, 0, bounce.buffer.subarray(at, at + PAGE_SIZE));
    bounce.cpages++;
  }
  return 0;
}

/**
 * As {@link dmirrorDoRead}, for writing: the entry must say that the device may.
 * @kernel lib/test_hmm.c dmirror_do_write (without: data of private pages, on which the real machine crashes
 * and the model throws)
 */
function dmirrorDoWrite(dmirror: Dmirror, start: number, end: number, bounce: DmirrorBounce): number {
  const { system } = dmirror.mm;
  for (let vpn = start; vpn < end; vpn++) {
    if ((dmirror.pt.tag(vpn) & DPT_XA_TAG_WRITE) === 0) return -ENOENT;
    const pfn = dataFrame(dmirror, dmirror.pt.pfn(vpn));
    accessData(system, pfn, true);
    const at = (vpn - bounce.vpn) * PAGE_SIZE;
    system.data.write(pfn, 0, bounce.buffer.subarray(at, at + PAGE_SIZE));
    bounce.cpages++;
  }
  return 0;
}

/**
 * Enters what a range fault has found in the device's table. The caller holds the mutex.
 * @kernel lib/test_hmm.c dmirror_do_fault (all)
 */
function dmirrorDoFault(dmirror: Dmirror, range: HmmRange): number {
  const { hmmPfns, start } = range;
  for (let vpn = range.start; vpn < range.end; vpn++) {
    const slot = 2 * (vpn - start);
    const write = ((hmmPfns[slot] ?? 0) & HMM_PFN_WRITE) !== 0;
    if (!write && (range.defaultFlags & HMM_PFN_REQ_WRITE) !== 0) return -EFAULT;
    const page = dmirror.mdevice.backingPage(hmmPfns[slot + 1] ?? 0);
    if (!dmirror.pt.store(vpn, page, write ? DPT_XA_TAG_WRITE : 0)) return -ENOMEM;
  }
  return 0;
}

/**
 * Reads the CPU's tables under the retry protocol. On success the mutex is held, nothing has changed since, and the caller
 * drops it.
 * @param words what the caller has in mind, where a retry is to be a `Sched.place`.
 * @returns 0, or a negative errno; `-EBUSY` after a second of retries.
 * @kernel lib/test_hmm.c dmirror_range_fault (all)
 */
export function* dmirrorRangeFault(
  dmirror: Dmirror,
  range: HmmRange,
  words?: () => readonly number[],
): Task<number> {
  const { mm, mutex } = dmirror;
  const { sched } = mm.kernel;
  const deadline = sched.now + HMM_RANGE_DEFAULT_TIMEOUT;
  for (let again = false; ; again = true) {
    if (sched.now > deadline) return -EBUSY;
    if (again && sched.exploring && words !== undefined) yield* sched.restPoint(words());
    const seq = mmuIntervalTryReadBegin(range.notifier);
    range.notifierSeq = seq !== 0 ? seq : yield* mmuIntervalReadBegin(range.notifier);
    if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
    const done = hmmRangeFault(mm, range);
    const ret = typeof done === 'number' ? done : yield* done;
    mm.mmapLock.unlockRead();
    if (ret === -EBUSY) continue;
    if (ret !== 0) return ret;
    if (!mutex.tryFast()) yield* mutex.lock();
    if (!mmuIntervalReadRetry(range.notifier, range.notifierSeq)) return 0;
    mutex.unlock();
  }
}

/** As {@link dmirrorRangeFault}, each round taking the locks itself, without a limit. @kernel lib/test_hmm.c dmirror_range_fault_unlocked */
function* dmirrorRangeFaultUnlocked(
  dmirror: Dmirror,
  range: HmmRange,
  words: () => readonly number[],
): Task<number> {
  const { mm, mutex } = dmirror;
  const { sched } = mm.kernel;
  for (let again = false; ; again = true) {
    if (again && sched.exploring) yield* sched.restPoint(words());
    const ret = yield* hmmRangeFaultUnlockedTimeout(mm, range, 0);
    if (ret !== 0) return ret;
    if (!mutex.tryFast()) yield* mutex.lock();
    if (!mmuIntervalReadRetry(range.notifier, range.notifierSeq)) return 0;
    mutex.unlock();
  }
}

/** One of the two ways to fault a range: {@link dmirrorRangeFault}, {@link dmirrorRangeFaultUnlocked}. */
type RangeFault = (dmirror: Dmirror, range: HmmRange, words: () => readonly number[]) => Task<number>;

/**
 * Faults the pages [start, end) into the device's table, in batches.
 * @kernel lib/test_hmm.c dmirror_fault (all)
 */
function* dmirrorFault(
  dmirror: Dmirror,
  rangeFault: RangeFault,
  start: number,
  end: number,
  write: boolean,
  words: () => readonly number[],
): Task<number> {
  const { mm, notifier } = dmirror;
  if (notifier === undefined || !mmgetNotZero(mm)) return -EFAULT;
  let ret = 0;
  const batch = faultBatch(dmirror.mdevice);
  for (let at = start; at < end && ret === 0; at += batch) {
    const stop = Math.min(end, at + batch);
    const range: HmmRange = {
      notifier,
      notifierSeq: 0,
      start: at,
      end: stop,
      hmmPfns: new Int32Array(2 * (stop - at)),
      defaultFlags: HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0),
      pfnFlagsMask: 0,
      devPrivateOwner: dmirror.mdevice.owner,
    };
    ret = yield* rangeFault(dmirror, range, () => [at, ...words()]);
    if (ret !== 0) break;
    ret = dmirrorDoFault(dmirror, range);
    dmirror.mutex.unlock();
  }
  yield* mmput(mm);
  return ret;
}

/**
 * The device reads the pages of `cmd` into its buffer, faulting where it must.
 * @kernel lib/test_hmm.c dmirror_read (without: the copy to the user's buffer)
 */
export function* dmirrorRead(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  return yield* transfer(dmirror, cmd, dmirrorDoRead, dmirrorRangeFault);
}

/**
 * As {@link dmirrorRead}, by `hmm_range_fault_unlocked_timeout`.
 * @kernel lib/test_hmm.c dmirror_read (without: the copy to the user's buffer)
 */
export function* dmirrorReadUnlocked(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  return yield* transfer(dmirror, cmd, dmirrorDoRead, dmirrorRangeFaultUnlocked);
}

/**
 * The device writes the buffer of `cmd` to its pages.
 * @kernel lib/test_hmm.c dmirror_write (without: the copy from the user's buffer)
 */
export function* dmirrorWrite(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  return yield* transfer(dmirror, cmd, dmirrorDoWrite, dmirrorRangeFault);
}

function* transfer(
  dmirror: Dmirror,
  cmd: HmmDmirrorCmd,
  step: (dmirror: Dmirror, start: number, end: number, bounce: DmirrorBounce) => number,
  rangeFault: RangeFault,
): Task<number> {
  const write = step === dmirrorDoWrite;
  const vpn = cmd.addr / PAGE_SIZE;
  const end = vpn + cmd.npages;
  const { sched } = dmirror.mm.kernel;
  if (cmd.ptr.length < cmd.npages * PAGE_SIZE) return -EFAULT;
  const bounce: DmirrorBounce = { buffer: cmd.ptr, vpn, cpages: 0 };
  let ret: number;
  for (;;) {
    if (!dmirror.mutex.tryFast()) yield* dmirror.mutex.lock();
    if (sched.exploring) yield SP_PREEMPT;
    ret = step(dmirror, vpn + bounce.cpages, end, bounce);
    dmirror.mutex.unlock();
    if (ret !== -ENOENT) break;
    const words = (): number[] => [cmd.faults, bounce.cpages, bounceHash(bounce)];
    if (sched.exploring) yield* sched.restPoint(words());
    ret = yield* dmirrorFault(dmirror, rangeFault, vpn + bounce.cpages, end, write, words);
    if (ret !== 0) break;
    cmd.faults++;
  }
  cmd.cpages = bounce.cpages;
  return ret;
}

/** A hash of what was transferred. */
function bounceHash({ buffer, cpages }: DmirrorBounce): number {
  return hashWords(HASH_SEED, buffer, 0, cpages * PAGE_SIZE);
}

/**
 * Reads a whole range through the device's table without faulting, which is how a migration is verified.
 * @returns 0 or `-ENOENT`.
 */
export function* dmirrorReadBack(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  const vpn = cmd.addr / PAGE_SIZE;
  if (cmd.ptr.length < cmd.npages * PAGE_SIZE) return -EFAULT;
  const bounce: DmirrorBounce = { buffer: cmd.ptr, vpn, cpages: 0 };
  if (!dmirror.mutex.tryFast()) yield* dmirror.mutex.lock();
  const ret = dmirrorDoRead(dmirror, vpn, vpn + cmd.npages, bounce);
  dmirror.mutex.unlock();
  cmd.cpages = bounce.cpages;
  return ret;
}
