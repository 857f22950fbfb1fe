import { EBUSY, HmmError, Mutex, SP_PREEMPT, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  HMM_PFN_REQ_FAULT,
  type HmmDmaMap,
  hmmDmaMapAlloc,
  hmmDmaMapPfn,
  hmmDmaUnmapPfn,
  hmmRangeFault,
  I68,
  type DmaDevice,
} from '@hmm/mirror';
import type { MmStruct } from '@hmm/mm';
import {
  type MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  type MmuNotifierRange,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
} from '@hmm/mmu-notifier';
import type { Violation } from '../engine/model.js';

/** An IOMMU that gives each mapping an address of its own. */
class Iommu implements DmaDevice {
  /** What of it is state. */
  static readonly state = declareState({
    needSync: 'constant',
    needUnmap: 'constant',
    live: 'frames',
    next: 'count',
  });

  readonly needSync = false;
  readonly needUnmap = true;
  /** The frame at each address. */
  readonly live = new Map<number, number>();
  private next = 1;

  /** @inheritdoc */
  p2pdma(): 'none' {
    return 'none';
  }

  /** @inheritdoc */
  mapPage(pfn: number): number {
    this.live.set(this.next, pfn);
    return this.next++;
  }

  /** @inheritdoc */
  unmapPage(dma: number): void {
    this.live.delete(dma);
  }
}

/**
 * Memory registered for DMA without pinning it, as network adapters do: pages are faulted and mapped when the adapter
 * needs them, stay mapped when it asks again, and are unmapped when the process changes.
 */
export class RegisteredMemory implements MmuIntervalNotifierOps {
  /** What of it is state. */
  static readonly state = declareState({
    mm: 'constant',
    start: 'constant',
    iommu: 'constant',
    map: 'constant',
    mutex: 'constant',
    list: 'constant',
    notifier: 'value',
    child: 'constant',
    queued: 'count',
    marked: 'value',
    queue: 'constant',
  });

  private readonly mm: MmStruct;
  private readonly start: number;
  private readonly iommu = new Iommu();
  private readonly map: HmmDmaMap;
  private readonly mutex: Mutex;
  /** Under which the list is observed: walks fill it without the mutex. */
  private readonly list: number;
  private notifier: MmuIntervalNotifier | undefined;
  /** Whether it is a part of a registration of everything, which lets go of parts that nothing maps. */
  private readonly child: boolean;
  /** Destructions that wait for the work queue, and under what the queue is observed. */
  private queued = 0;
  private marked = false;
  private readonly queue: number;

  /** @param start first page. @throws HmmError `DMA_MAP` */
  constructor(mm: MmStruct, start: number, pages: number, child: boolean) {
    const map = hmmDmaMapAlloc(this.iommu, pages);
    if (typeof map === 'number')
      throw new HmmError('DMA_MAP', 'the range cannot be registered', { ret: map });
    this.mm = mm;
    this.start = start;
    this.map = map;
    this.child = child;
    this.list = mm.kernel.allocIds(1);
    this.queue = mm.kernel.allocIds(1);
    this.mutex = new Mutex(mm.kernel.sched, mm.kernel.allocIds(1), 'umem_mutex');
  }

  /** Subscribes to the range. @throws HmmError `DMA_MAP` */
  *register(): Task {
    const { mm, start, map } = this;
    const notifier = yield* mmuIntervalNotifierInsert(mm, start, map.nrEntries, this);
    if (typeof notifier === 'number') throw new HmmError('DMA_MAP', 'no notifier', { ret: notifier });
    this.notifier = notifier;
  }

  /** The adapter asks for all pages, `times` times, and then runs what is in the work queue. */
  *use(times: number): Task {
    for (let i = 0; i < times; i++) if ((yield* this.fault()) !== 0) break;
    yield* this.work();
  }

  /** Runs the work queue until it is empty. @throws HmmError `USE_AFTER_FREE` */
  *work(): Task {
    const { sched } = this.mm.kernel;
    for (;;) {
      if (sched.exploring) yield SP_PREEMPT;
      sched.access(this.queue, true);
      if (this.queued === 0) return;
      this.queued--;
      const { notifier } = this;
      if (notifier === undefined)
        throw new HmmError('USE_AFTER_FREE', 'a registration is destroyed that was destroyed before');
      yield* mmuIntervalNotifierRemove(notifier);
      this.notifier = undefined;
    }
  }

  /** Queues the destruction of a part that nothing maps any more; the mark in the parent's table says that it is queued. */
  private queueDestroy(): void {
    this.mm.kernel.sched.access(this.queue, true);
    if (this.marked) return;
    this.marked = true;
    this.queued++;
  }

  /** Faults all pages and maps those that are not mapped yet. @returns 0 or a negative errno. */
  private *fault(): Task<number> {
    const { mm, map, mutex, start, notifier } = this;
    if (notifier === undefined) throw new HmmError('DMA_MAP', 'the range is not registered');
    const end = start + map.nrEntries;
    for (;;) {
      if (mm.kernel.sched.exploring) yield SP_PREEMPT;
      const range = {
        notifier,
        notifierSeq: yield* mmuIntervalReadBegin(notifier),
        start,
        end,
        hmmPfns: map.pfnList,
        defaultFlags: HMM_PFN_REQ_FAULT,
        pfnFlagsMask: 0,
        devPrivateOwner: 0,
      };
      if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
      const done = hmmRangeFault(mm, range);
      const ret = typeof done === 'number' ? done : yield* done;
      mm.kernel.sched.access(this.list, true);
      mm.mmapLock.unlockRead();
      if (ret === -EBUSY) continue;
      if (ret !== 0) return ret;
      if (!mutex.tryFast()) yield* mutex.lock();
      const retry = mmuIntervalReadRetry(notifier, range.notifierSeq);
      if (!retry) for (let i = 0; i < map.nrEntries; i++) hmmDmaMapPfn(this.iommu, map, i);
      mutex.unlock();
      if (!retry) return 0;
    }
  }

  /** @inheritdoc */
  *invalidate(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): Task<boolean> {
    const { map, mutex, start } = this;
    yield* mutex.lock();
    mmuIntervalSetSeq(sub, curSeq);
    this.mm.kernel.sched.access(this.list, true);
    const end = Math.min(range.end, start + map.nrEntries);
    for (let vpn = Math.max(range.start, start); vpn < end; vpn++)
      hmmDmaUnmapPfn(this.iommu, map, vpn - start);
    if (this.child && this.iommu.live.size === 0) this.queueDestroy();
    mutex.unlock();
    return true;
  }

  /** I68: mapped for DMA is what the slots say. */
  check(): Violation | undefined {
    const detail = I68(this.map, this.iommu.live);
    return detail === undefined ? undefined : { invariant: 'I68', detail };
  }
}
