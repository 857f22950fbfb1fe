import { Mutex, type MaybeTask, type Task } from '@hmm/kernel';
import { declareState, type PageTablePool } from '@hmm/kernel/internal';
import {
  MAX_PAGE,
  MMU_NOTIFY_MIGRATE,
  type MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
  type MmuNotifierRange,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalSetSeq,
  mmuNotifierRangeBlockable,
} from '@hmm/mmu-notifier';
import type { MmStruct } from '@hmm/mm';
import { DeviceTable } from './device-table.js';
import type { DmirrorDevice } from './dmirror-device.js';
import { dmirrorDeviceEvictChunk, inUse } from './dmirror-release.js';

/** Between two attempts of the corrected device to evict a page that is busy, ns. */
const EVICT_REPEAT_NS = 1000;

/** One open file of a test device: the mirror of one process on it. @kernel lib/test_hmm.c dmirror */
export class Dmirror implements MmuIntervalNotifierOps {
  /** What of it is state. */
  static readonly state = declareState({
    mdevice: 'constant',
    mm: 'constant',
    id: 'constant',
    pt: 'constant',
    mutex: 'constant',
    flags: 'value',
    notifier: 'value',
  });

  readonly mdevice: DmirrorDevice;
  readonly mm: MmStruct;
  /** Number by which backing pages name it; from 1. */
  readonly id: number;
  /** The device's table. */
  readonly pt: DeviceTable;
  /** Protects the table; taken by invalidations. */
  readonly mutex: Mutex;
  /** `HMM_DMIRROR_FLAG_*`. */
  flags = 0;
  /** The subscription to all of the process. */
  notifier: MmuIntervalNotifier | undefined;

  constructor(mdevice: DmirrorDevice, mm: MmStruct, id: number, pool: PageTablePool) {
    this.mdevice = mdevice;
    this.mm = mm;
    this.id = id;
    this.pt = new DeviceTable(mm.kernel, pool);
    this.mutex = new Mutex(mm.kernel.sched, mm.kernel.allocIds(1), 'dmirror.mutex');
  }

  /** @kernel lib/test_hmm.c dmirror_interval_invalidate (all) */
  invalidate(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): MaybeTask<boolean> {
    const { mdevice } = this;
    // The device takes care of its own migrations itself. It does not, when another thread is between reading the
    // page tables and entering what it read: the corrected device lets nothing pass by.
    if (range.event === MMU_NOTIFY_MIGRATE && range.owner === mdevice.owner && !mdevice.options.corrected)
      return true;
    if (this.mutex.tryFast()) return this.zap(sub, range, curSeq);
    if (!mmuNotifierRangeBlockable(range)) return this.mutex.tryLock() && this.zap(sub, range, curSeq);
    return this.lockAndZap(sub, range, curSeq);
  }

  private *lockAndZap(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): Task<boolean> {
    yield* this.mutex.lock();
    return this.zap(sub, range, curSeq);
  }

  /** What an invalidation does once it has the mutex. */
  private zap(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): true {
    mmuIntervalSetSeq(sub, curSeq);
    this.doUpdate(range.start, range.end);
    this.mutex.unlock();
    return true;
  }

  /**
   * Erases the range and, as the real driver does, one page more.
   * @kernel lib/test_hmm.c dmirror_do_update (all)
   */
  private doUpdate(start: number, end: number): void {
    this.pt.erase(start, end);
  }
}

/**
 * Opens a device for a process.
 * @returns the mirror, or a negative errno. @kernel lib/test_hmm.c dmirror_fops_open (all)
 */
export function* dmirrorFopsOpen(
  mdevice: DmirrorDevice,
  mm: MmStruct,
  pool: PageTablePool,
): Task<Dmirror | number> {
  const { mirrors } = mdevice;
  let id = mirrors.indexOf(undefined, 1);
  if (id < 0) id = Math.max(1, mirrors.length);
  const dmirror = new Dmirror(mdevice, mm, id, pool);
  const notifier = yield* mmuIntervalNotifierInsert(mm, 0, MAX_PAGE, dmirror);
  if (typeof notifier === 'number') {
    dmirror.pt.free();
    return notifier;
  }
  dmirror.notifier = notifier;
  mirrors[id] = dmirror;
  return dmirror;
}

/**
 * Closes a mirror: nothing of the process is mirrored any more, and all pages of the device come home, since they name
 * the mirror. @kernel lib/test_hmm.c dmirror_fops_release (all)
 */
export function* dmirrorFopsRelease(dmirror: Dmirror): Task {
  const { mdevice, notifier } = dmirror;
  if (notifier !== undefined) yield* mmuIntervalNotifierRemove(notifier);
  dmirror.notifier = undefined;
  for (const chunk of mdevice.chunks) {
    yield* dmirrorDeviceEvictChunk(mdevice, chunk);
    // The real device lets a page be that a CPU fault was busy with, which then faults on a mirror that is gone.
    while (mdevice.options.corrected && inUse(mdevice, chunk)) {
      yield* dmirror.mm.kernel.sched.delay(EVICT_REPEAT_NS);
      yield* dmirrorDeviceEvictChunk(mdevice, chunk);
    }
  }
  dmirror.mm.kernel.sched.access(mdevice.mirrorsObject, true);
  mdevice.mirrors[dmirror.id] = undefined;
  dmirror.pt.free();
}
