import type { GpuFaultEntry } from '@hmm/gpu';
import type { Mutex, Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import type { NouveauDrm } from './nouveau-drv.js';
import { nouveauSvmFault, nouveauSvmFaultFast } from './nouveau-svm-fault.js';
import type { NouveauSvmFault } from './nouveau-svm-fault-record.js';
import { NouveauSvmRules } from './nouveau-svm-rules.js';
import { NouveauSvmm } from './nouveau-svmm.js';
import type { PfnmapArgs } from './nouveau-range-fault.js';
import { PFN_LANES, type Unmanaged } from './nvif.js';

/** A channel instance joined to an svmm. @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_ivmm */
interface NouveauIvmm {
  readonly inst: number;
  readonly svmm: NouveauSvmm;
}

/**
 * The GPU's side of SVM: the replayable fault buffer, the work item that empties it, and which instance pointer
 * belongs to which svmm. @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm
 */
export class NouveauSvm {
  /** What of it is state. */
  static readonly state = declareState({
    drm: 'constant',
    mutex: 'constant',
    work: 'constant',
    faults: { saved: 'scratch of one work item, written before it is read' },
    faultNr: { saved: 'scratch of one work item, written before it is read' },
    get: 'value',
    put: 'value',
    entry: { saved: 'scratch of one work item, written before it is read' },
    args: { saved: 'scratch of one work item, written before it is read' },
    item: { saved: 'scratch of one work item, written before it is read' },
    rules: 'constant',
    svmms: 'constant',
    instances: 'constant',
  });

  readonly drm: NouveauDrm;
  /** Guards {@link NouveauSvm.instances}. */
  readonly mutex: Mutex;
  /** Held while a work item runs. */
  private readonly work: Mutex;
  /** Records of the running work item, in the order in which they are served; from `faultNr` on they are kept for the next. */
  readonly faults: NouveauSvmFault[] = [];
  faultNr = 0;
  /** The ring's pointers as last read. */
  get = 0;
  put = 0;
  /** One record as the ring gives it. */
  readonly entry: GpuFaultEntry = {
    instance: 0,
    vpn: 0,
    access: 0,
    type: 0,
    client: 0,
    gpc: 0,
    utlb: 0,
    timestamp: 0,
  };
  /** What the running work item maps; of the entry what was there last stays for the next fault. */
  readonly args: PfnmapArgs = { vpn: 0, pages: 1, phys: new Int32Array(PFN_LANES) };
  /** How far the running work item has come: the fault that is served, runs of faults handled, whether an atomic was among them. */
  readonly item = { at: 0, handled: 0, atomic: false };
  /** What it has to keep to; undefined where nobody asks. */
  readonly rules: NouveauSvmRules | undefined;
  /** Mirrors by id - 1; undefined where one was taken down. */
  readonly svmms: (NouveauSvmm | undefined)[] = [];
  private readonly instances: NouveauIvmm[] = [];

  constructor(drm: NouveauDrm) {
    this.drm = drm;
    this.mutex = drm.mutex('svm->mutex');
    this.work = drm.mutex('svm->work');
    this.rules = drm.exploration === undefined ? undefined : new NouveauSvmRules();
    drm.device.onFaultsPending(() => this.faultsPending());
  }

  /** A mirror of `mm` with an address space of its own on the GPU; not registered yet. */
  makeSvmm(mm: MmStruct, unmanaged: Unmanaged): NouveauSvmm {
    const svmm = new NouveauSvmm(this.drm, mm, unmanaged, this.svmms.length + 1);
    this.svmms.push(svmm);
    return svmm;
  }

  /**
   * Links a channel instance to an svmm.
   * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svmm_join (without: allocations that fail)
   */
  *join(svmm: NouveauSvmm, inst: number): Task {
    if (!this.mutex.tryFast()) yield* this.mutex.lock();
    this.instances.push({ inst, svmm });
    this.mutex.unlock();
  }

  /** Unlinks a channel instance. @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svmm_part (all) */
  *part(inst: number): Task {
    if (!this.mutex.tryFast()) yield* this.mutex.lock();
    const at = this.instances.findIndex((ivmm) => ivmm.inst === inst);
    if (at >= 0) this.instances.splice(at, 1);
    this.mutex.unlock();
  }

  /**
   * The svmm that an instance pointer belongs to. Under {@link NouveauSvm.mutex}.
   * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_ivmm_find (all)
   */
  find(inst: number): NouveauSvmm | undefined {
    return this.instances.find((ivmm) => ivmm.inst === inst)?.svmm;
  }

  /** The mirrors that have not been taken down. */
  openSvmms(): NouveauSvmm[] {
    return this.svmms.filter((svmm) => svmm !== undefined);
  }

  /**
   * The interrupt and the work item that it starts, run in the name of the kernel that waits for it. There is one work item at a time:
   * who comes meanwhile waits, and finds its faults served or not.
   * @returns what has to be waited for, as a task; undefined where the work item is over.
   */
  private faultsPending(): Task | undefined {
    const { sched } = this.drm.kernel;
    if (!this.work.tryFast()) return this.faultsPendingTask();
    if (this.drm.device.faultBuffer.pending > 0) {
      if (!sched.delayFast(this.drm.cost.interrupt.value)) return this.workTask(undefined);
      const rest = nouveauSvmFaultFast(this);
      if (rest !== undefined) return this.workTask(rest);
    }
    this.work.unlock();
    return undefined;
  }

  private *faultsPendingTask(): Task {
    yield* this.work.lock();
    if (this.drm.device.faultBuffer.pending > 0) yield* this.workTask(undefined);
    else this.work.unlock();
  }

  /** The work item from its start, or `rest` of it. */
  private *workTask(rest: Task | undefined): Task {
    const { sched } = this.drm.kernel;
    if (rest === undefined) {
      yield* sched.delay(this.drm.cost.interrupt.value);
      yield* nouveauSvmFault(this);
    } else yield* rest;
    this.work.unlock();
  }
}
