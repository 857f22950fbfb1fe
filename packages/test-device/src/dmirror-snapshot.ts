import { EFAULT, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalSetSeq,
  type MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
} from '@hmm/mmu-notifier';
import { HMM_PFN_ERROR, HMM_PFN_VALID, HMM_PFN_WRITE, hmmPfnToMapOrder, type HmmRange } from '@hmm/mirror';
import { mmput } from '@hmm/mm';
import { mmgetNotZero, pagePgmap, PG_zone_device, PG_zone_device_private, ZERO_PFN } from '@hmm/mm/internal';
import { dmirrorRangeFault, faultBatch } from './dmirror-fault.js';
import type { Dmirror } from './dmirror.js';
import {
  HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL,
  HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE,
  HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL,
  HMM_DMIRROR_PROT_DEV_PRIVATE_REMOTE,
  HMM_DMIRROR_PROT_ERROR,
  HMM_DMIRROR_PROT_NONE,
  HMM_DMIRROR_PROT_PMD,
  HMM_DMIRROR_PROT_PUD,
  HMM_DMIRROR_PROT_READ,
  HMM_DMIRROR_PROT_WRITE,
  HMM_DMIRROR_PROT_ZERO,
  type HmmDmirrorCmd,
} from './uapi.js';

const PAGE_SIZE = 4096;

/** The subscription of a snapshot only has to be told. @kernel lib/test_hmm.c dmirror_mrn_ops */
class SnapshotOps implements MmuIntervalNotifierOps {
  /** What of it is state. */
  static readonly state = declareState({ dmirror: 'constant' });

  private readonly dmirror: Dmirror;

  constructor(dmirror: Dmirror) {
    this.dmirror = dmirror;
  }

  /** @kernel lib/test_hmm.c dmirror_snapshot_invalidate (without: ranges that are not blockable) */
  invalidate(sub: MmuIntervalNotifier, _range: unknown, curSeq: number): Task<boolean> | boolean {
    const { mutex } = this.dmirror;
    if (!mutex.tryFast()) return this.lockAndSet(sub, curSeq);
    mmuIntervalSetSeq(sub, curSeq);
    mutex.unlock();
    return true;
  }

  private *lockAndSet(sub: MmuIntervalNotifier, curSeq: number): Task<boolean> {
    const { mutex } = this.dmirror;
    yield* mutex.lock();
    mmuIntervalSetSeq(sub, curSeq);
    mutex.unlock();
    return true;
  }
}

/**
 * What the CPU maps in the range, one byte a page, without faulting.
 * @kernel lib/test_hmm.c dmirror_snapshot (without: the copy to the user's buffer)
 */
export function* dmirrorSnapshot(dmirror: Dmirror, cmd: HmmDmirrorCmd): Task<number> {
  const { mm } = dmirror;
  const start = cmd.addr / PAGE_SIZE;
  const end = start + cmd.npages;
  if (cmd.ptr.length < cmd.npages) return -EFAULT;
  if (!mmgetNotZero(mm)) return -EFAULT;
  let ret = 0;
  const batch = faultBatch(dmirror.mdevice);
  for (let at = start; at < end && ret === 0; at += batch) {
    const next = Math.min(end, at + batch);
    ret = yield* rangeSnapshot(dmirror, at, next, cmd.ptr.subarray(at - start, next - start));
    if (ret === 0) cmd.cpages += next - at;
  }
  yield* mmput(mm);
  return ret;
}

/** One batch, under a subscription of its own. @kernel lib/test_hmm.c dmirror_range_snapshot (all) */
function* rangeSnapshot(dmirror: Dmirror, start: number, end: number, perm: Uint8Array): Task<number> {
  const notifier = yield* mmuIntervalNotifierInsert(dmirror.mm, start, end - start, new SnapshotOps(dmirror));
  if (typeof notifier === 'number') return notifier;
  const range: HmmRange = {
    notifier,
    notifierSeq: 0,
    start,
    end,
    hmmPfns: new Int32Array(2 * (end - start)),
    defaultFlags: 0,
    pfnFlagsMask: 0,
    devPrivateOwner: dmirror.mdevice.owner,
  };
  const ret = yield* dmirrorRangeFault(dmirror, range);
  if (ret === 0) {
    for (let i = 0; i < end - start; i++) {
      perm[i] = mkentry(dmirror, range.hmmPfns[2 * i] ?? 0, range.hmmPfns[2 * i + 1] ?? 0);
    }
    dmirror.mutex.unlock();
  }
  yield* mmuIntervalNotifierRemove(notifier);
  return ret;
}

/** The status byte of one page. @kernel lib/test_hmm.c dmirror_mkentry (all) */
function mkentry(dmirror: Dmirror, flags: number, pfn: number): number {
  if ((flags & HMM_PFN_ERROR) !== 0) return HMM_DMIRROR_PROT_ERROR;
  if ((flags & HMM_PFN_VALID) === 0) return HMM_DMIRROR_PROT_NONE;
  const order = hmmPfnToMapOrder(flags);
  let level = 0;
  if (order === 9) level = HMM_DMIRROR_PROT_PMD;
  else if (order === 18) level = HMM_DMIRROR_PROT_PUD;
  const access = (flags & HMM_PFN_WRITE) !== 0 ? HMM_DMIRROR_PROT_WRITE : HMM_DMIRROR_PROT_READ;
  return base(dmirror, pfn) | access | level;
}

function base(dmirror: Dmirror, pfn: number): number {
  const { system } = dmirror.mm;
  if (pfn === ZERO_PFN) return HMM_DMIRROR_PROT_ZERO;
  const page = system.map.flags[pfn] ?? 0;
  if ((page & PG_zone_device) === 0) return HMM_DMIRROR_PROT_NONE;
  const local = pagePgmap(system, pfn).owner === dmirror.mdevice.owner;
  if ((page & PG_zone_device_private) !== 0) {
    return local ? HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL : HMM_DMIRROR_PROT_DEV_PRIVATE_REMOTE;
  }
  return local ? HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL : HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE;
}
