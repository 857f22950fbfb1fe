import type { GpuFaultEntry } from '@hmm/gpu';
import type { Mutex, Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import type { NouveauDrm } from './nouveau-drv.js';
import { nouveauSvmFault } from './nouveau-svm-fault.js';
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
    rules: 'constant',
    svmms: 'constant',
    instances: 'constant',
    pendingChannel: 'constant',
    doneChannel: 'constant',
  });

  readonly drm: NouveauDrm;
  /** Guards {@link NouveauSvm.instances}. */
  readonly mutex: Mutex;
  /** Held by the work item where it is run by who raised the interrupt. */
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
  /** What it has to keep to; undefined where nobody asks. */
  readonly rules: NouveauSvmRules | undefined;
  /** Mirrors by id - 1; undefined where one was taken down. */
  readonly svmms: (NouveauSvmm | undefined)[] = [];
  private readonly instances: NouveauIvmm[] = [];
  private readonly pendingChannel: number;
  private readonly doneChannel: number;

  constructor(drm: NouveauDrm) {
    this.drm = drm;
    this.mutex = drm.mutex('svm->mutex');
    this.work = drm.mutex('svm->work');
    this.rules = drm.exploration === undefined ? undefined : new NouveauSvmRules();
    this.pendingChannel = drm.kernel.allocIds(2);
    this.doneChannel = this.pendingChannel + 1;
    drm.device.onFaultsPending(() => (drm.exploration === undefined ? this.faultsPending() : this.runWork()));
  }

  /**
   * The fault worker: sleeps until faults are pending, handles them, and so on for ever. One per buffer, so the
   * faults of one GPU are served one work item after the other.
   */
  *worker(): Task {
    const { sched } = this.drm.kernel;
    for (;;) {
      while (this.drm.device.faultBuffer.pending === 0) yield* sched.block(this.pendingChannel);
      const { value: ns } = this.drm.cost.interrupt;
      if (!sched.delayFast(ns)) yield* sched.delay(ns);
      yield* nouveauSvmFault(this);
      sched.wake(this.doneChannel);
    }
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
   * The interrupt where interleavings are explored: the work item is run in the name of the kernel that waits for it. An agent of
   * its own would do the same steps at the same times.
   */
  private *runWork(): Task {
    if (!this.work.tryFast()) yield* this.work.lock();
    if (this.drm.device.faultBuffer.pending > 0) yield* nouveauSvmFault(this);
    this.work.unlock();
  }

  /** The interrupt: starts the worker and waits until its work item is over. */
  private *faultsPending(): Task {
    const { sched } = this.drm.kernel;
    sched.wake(this.pendingChannel);
    yield* sched.block(this.doneChannel);
  }
}
