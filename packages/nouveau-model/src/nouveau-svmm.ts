import {
  EAGAIN,
  EBUSY,
  EINVAL,
  ENOMEM,
  ENOSYS,
  type MaybeTask,
  type Mutex,
  PAGE_SIZE,
  type Task,
} from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import {
  MMU_NOTIFY_MIGRATE,
  type MmuIntervalNotifierOps,
  MmuNotifier,
  mmuNotifierRangeBlockable,
  mmuNotifierRegister,
  mmuNotifierUnregister,
  type MmuNotifierRange,
} from '@hmm/mmu-notifier';
import type { DrmNouveauSvmInit } from './nouveau-drm-uapi.js';
import type { HmmRange } from '@hmm/mirror';
import type { NouveauDrm } from './nouveau-drv.js';
import { rangeNotifierOps } from './nouveau-range-fault.js';
import type { NvifVmm, Unmanaged } from './nvif.js';

/**
 * The mirror of one process: `struct nouveau_svmm`. Its notifier keeps the GPU's page table no more permissive than
 * the process's. Everything that changes that page table holds `mutex`.
 */
export class NouveauSvmm {
  /** What of it is state. */
  static readonly state = declareState({
    drm: 'constant',
    mm: 'constant',
    vmm: 'constant',
    mutex: 'constant',
    unmanaged: 'constant',
    notifier: 'constant',
    rangeOps: { outside: 'functions' },
    range: { saved: 'scratch of one walk, written before it is read' },
    id: 'constant',
  });

  readonly drm: NouveauDrm;
  readonly mm: MmStruct;
  readonly vmm: NvifVmm;
  readonly mutex: Mutex;
  readonly unmanaged: Unmanaged;
  readonly notifier: MmuNotifier;
  /** Of the notifiers by which faults watch their pages. */
  readonly rangeOps: MmuIntervalNotifierOps;
  /** The walk that a work item makes, kept for the next. */
  range: HmmRange | undefined;
  /** Small number that device pages remember it by (`zone_device_data`); from 1. */
  readonly id: number;

  constructor(drm: NouveauDrm, mm: MmStruct, unmanaged: Unmanaged, id: number) {
    this.drm = drm;
    this.mm = mm;
    this.unmanaged = unmanaged;
    this.id = id;
    this.mutex = drm.mutex('svmm->mutex');
    this.vmm = drm.device.vmmNew(unmanaged);
    this.rangeOps = rangeNotifierOps(this);
    this.notifier = new MmuNotifier({
      invalidateRangeStart: (_sub, range) => this.invalidateRangeStart(range),
    });
  }

  /**
   * Pages of the process change: the GPU's mappings of them go, those of the unmanaged interval stay. The driver's
   * own migrations look after their pages themselves.
   * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svmm_invalidate_range_start (all)
   */
  invalidateRangeStart(range: MmuNotifierRange): MaybeTask<number> {
    if (!mmuNotifierRangeBlockable(range)) return -EAGAIN;
    if (!this.mutex.tryFast()) return this.drm.calledBackTask(this.invalidateTask(range, false));
    if (this.clear(range) > 0) return this.invalidateTask(range, true);
    this.mutex.unlock();
    return 0;
  }

  /**
   * Clears the GPU's mappings of [start, limit) and waits for its TLB. Under `mutex`.
   * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svmm_invalidate (all)
   */
  *invalidate(start: number, limit: number): Task {
    if (this.vmm.pfnclr(start, limit) > 0) yield* this.awaitTlb();
  }

  /**
   * Ends the mirror: the notifier goes and the address space dies.
   * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svmm_fini (all)
   */
  *fini(): Task {
    yield* mmuNotifierUnregister(this.notifier, this.mm);
    if (!this.mutex.tryFast()) yield* this.mutex.lock();
    this.vmm.dtor();
    this.mutex.unlock();
    if (this.drm.svm !== undefined) this.drm.svm.svmms[this.id - 1] = undefined;
  }

  /**
   * Clears what a notifier's range covers outside the unmanaged interval; returns pages that were mapped. What is below the
   * interval is cleared to the interval's end, where nothing of SVM is. A migration by the device's driver is passed over: the
   * one who migrates has to clear. The owner does not say for which of the device's mirrors that is.
   */
  private clear(range: MmuNotifierRange): number {
    const { does, owner, counters } = this.drm;
    if (range.event === MMU_NOTIFY_MIGRATE && range.owner === owner && does.ownerIsDevice) return 0;
    counters.invalidations++;
    const { start, limit } = this.unmanaged;
    if (range.end <= start || range.start >= limit) return this.pfnclr(range.start, range.end);
    return this.pfnclr(range.start, range.start < start ? limit : 0) + this.pfnclr(limit, range.end);
  }

  private pfnclr(start: number, end: number): number {
    return end > start ? this.vmm.pfnclr(start, end) : 0;
  }

  private *invalidateTask(range: MmuNotifierRange, cleared: boolean): Task<number> {
    if (!cleared) yield* this.mutex.lock();
    if (cleared || this.clear(range) > 0) yield* this.awaitTlb();
    this.mutex.unlock();
    return 0;
  }

  private *awaitTlb(): Task {
    const { counters, cost, kernel } = this.drm;
    counters.invalidatingNs += cost.pfnclr.value;
    yield* kernel.sched.delay(cost.pfnclr.value);
  }
}

/**
 * One open of the device file: `struct nouveau_cli`, as far as SVM goes.
 * @kernel drivers/gpu/drm/nouveau/nouveau_drv.h nouveau_cli (without: all that is not SVM)
 */
export class NouveauCli {
  /** What of it is state. */
  static readonly state = declareState({
    drm: 'constant',
    mm: 'constant',
    mutex: 'constant',
    svmm: 'value',
  });

  readonly drm: NouveauDrm;
  /** The process that opened it. */
  readonly mm: MmStruct;
  readonly mutex: Mutex;
  /** Its mirror, after SVM_INIT. */
  svmm: NouveauSvmm | undefined;

  constructor(drm: NouveauDrm, mm: MmStruct) {
    this.drm = drm;
    this.mm = mm;
    this.mutex = drm.mutex('cli->mutex');
  }
}

/**
 * The ioctl SVM_INIT: makes a second GPU address space for the client, with replayable faults, which mirrors the
 * calling process outside the unmanaged interval. Channels made later use it.
 * @returns 0, `-ENOSYS` (no SVM on this GPU), `-EBUSY` (the client has one), `-ENOMEM`, `-EINVAL` (the process exits).
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svmm_init (all)
 */
export function* nouveauSvmmInit(cli: NouveauCli, args: DrmNouveauSvmInit): Task<number> {
  const { drm } = cli;
  if (drm.svm === undefined) return -ENOSYS;
  if (drm.kernel.shouldFail('nouveau_svmm')) return -ENOMEM;
  if (!cli.mutex.tryFast()) yield* cli.mutex.lock();
  const ret = cli.svmm === undefined ? yield* mirrorProcess(cli, args) : -EBUSY;
  cli.mutex.unlock();
  return ret;
}

function* mirrorProcess(cli: NouveauCli, args: DrmNouveauSvmInit): Task<number> {
  const { drm, mm } = cli;
  if (drm.svm === undefined || mm.users <= 0) return -EINVAL;
  if (drm.kernel.shouldFail('nvif_vmm')) return -ENOMEM;
  const unmanaged = {
    start: Math.floor(args.unmanagedAddr / PAGE_SIZE),
    limit: Math.ceil((args.unmanagedAddr + args.unmanagedSize) / PAGE_SIZE),
  };
  const svmm = drm.svm.makeSvmm(mm, unmanaged);
  const ret = yield* mmuNotifierRegister(svmm.notifier, mm);
  if (ret === 0) cli.svmm = svmm;
  return ret;
}
