import { EIO, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type MmStruct, type VmFault, type Vma } from '@hmm/mm';
import type { HmmMirror } from '../hmm.js';
import { HmmDevmem } from '../hmm-devmem.js';
import {
  HMM_PFN_DEVICE,
  HMM_PFN_FAULT,
  HMM_PFN_LOCKED,
  HMM_PFN_MIGRATE,
  HMM_PFN_UNADDRESSABLE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
} from '../hmm-pfn.js';
import { HmmRange } from '../hmm-range.js';
import {
  hmmDevmemAdd,
  hmmDevmemFaultRange,
  hmmMirrorRegister,
  hmmMirrorUnregister,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaMigrate,
  type HmmMigrateOps,
  hmmVmaRangeLock,
  hmmVmaRangeMonitorEnd,
  hmmVmaRangeMonitorStart,
  hmmVmaRangeUnlock,
} from '../v13/index.js';
import { answer } from './answer.js';
import { type DriverParts, MirrorDriver } from './driver.js';
import type { MirrorProcess, Window } from './mirror-process.js';

/** The driver on the calls of v13. */
export class DriverOfV13 extends MirrorDriver {
  /** What of it is state. */
  static override readonly state = declareState({
    devmem: 'constant',
    looksUnderLock: { outside: 'chosen when the machine is made' },
    toDevice: { outside: 'functions' },
    toHost: { outside: 'functions' },
  });

  readonly devmem: HmmDevmem;
  private readonly looksUnderLock: boolean;
  private readonly toDevice: HmmMigrateOps;
  private readonly toHost: HmmMigrateOps;

  /** @param looksUnderLock whether it looks for what is mapped already under a range lock before it faults. */
  constructor(parts: DriverParts, devicePages: number, looksUnderLock: boolean) {
    super(parts);
    this.looksUnderLock = looksUnderLock;
    this.devmem = new HmmDevmem(this.core, this);
    this.toDevice = this.ops(true);
    this.toHost = this.ops(false);
    if (hmmDevmemAdd(this.devmem, devicePages) === 0 && this.devmem.pagemap !== undefined)
      this.pages.fill(this.devmem.pagemap);
  }

  /** @inheritdoc */
  *register(mirror: HmmMirror, mm: MmStruct): Task<number> {
    return yield* hmmMirrorRegister(this.core, mirror, mm);
  }

  /** @inheritdoc */
  *unregister(mirror: HmmMirror): Task {
    yield* hmmMirrorUnregister(mirror);
  }

  /** The use that the patch describes: monitor, fault, take the driver's lock, ask the monitor, commit. */
  *ask(process: MirrorProcess, vpn: number, write: boolean, commit: boolean): Task<number> {
    const { core } = this;
    const { mm } = process;
    for (;;) {
      const window = yield* process.lookUp(vpn, write);
      if (typeof window === 'number') return window;
      const { vma, start, end, pfns } = window;
      if (commit && this.looksUnderLock && (yield* this.lookUnderLock(process, window, vpn, write))) return 0;
      const range = new HmmRange(core);
      yield* hmmVmaRangeMonitorStart(range, vma, start, end, true);
      pfns.fill(0);
      pfns[2 * (vpn - start)] = HMM_PFN_FAULT | (write ? HMM_PFN_WRITE : 0);
      const held = yield* hmmVmaFault(core, vma, start, end, pfns);
      core.touch();
      process.lock.lock();
      const valid = hmmVmaRangeMonitorEnd(range);
      if (held && valid && commit) process.enter(window);
      process.lock.unlock();
      if (held) mm.mmapLock.unlockRead();
      if (!process.isOpen) return -EIO;
      if (held && valid) return answer(pfns, vpn - start, write);
      yield* process.again(vpn);
    }
  }

  /**
   * The other use: what is mapped already is entered while a range lock holds the CPU's side off.
   * @returns whether that has served the access; mmap_sem is dropped then.
   */
  private *lookUnderLock(process: MirrorProcess, window: Window, vpn: number, write: boolean): Task<boolean> {
    const { vma, start, end, pfns } = window;
    const range = new HmmRange(this.core);
    if ((yield* hmmVmaRangeLock(range, vma, start, end)) !== 0) return false;
    hmmVmaGetPfns(vma, start, end, pfns);
    yield* this.pass(0);
    process.lock.lock();
    process.enter(window);
    process.lock.unlock();
    hmmVmaRangeUnlock(range);
    if (answer(pfns, vpn - start, write) !== 0) return false;
    process.mm.mmapLock.unlockRead();
    return true;
  }

  protected *migrate(vma: Vma, start: number, end: number, toDevice: boolean): Task<number> {
    const pfns = new Int32Array(2 * (end - start));
    const ops = toDevice ? this.toDevice : this.toHost;
    return yield* hmmVmaMigrate(ops, vma, start, end, pfns);
  }

  protected *bringHome({ vma, vpn }: VmFault): Task<number> {
    const pfns = new Int32Array(2);
    return yield* hmmDevmemFaultRange(this.toHost, vma, vpn, vpn, vpn + 1, pfns);
  }

  /** What it does in a migration: each source in the array gives place to its destination. */
  private ops(toDevice: boolean): HmmMigrateOps {
    const kind = toDevice ? HMM_PFN_DEVICE | HMM_PFN_UNADDRESSABLE : 0;
    return {
      devmem: this.devmem,
      allocAndCopy: (vma, start, end, pfns) => {
        for (let i = 0; i < 2 * (end - start); i += 2) {
          const flags = pfns[i] ?? 0;
          if ((flags & HMM_PFN_MIGRATE) === 0) continue;
          const page = this.destination(vma, pfns[i + 1] ?? 0, toDevice);
          if (page === 0) pfns[i] = flags & ~HMM_PFN_MIGRATE;
          else {
            pfns[i] = HMM_PFN_VALID | HMM_PFN_MIGRATE | HMM_PFN_LOCKED | kind | (flags & HMM_PFN_WRITE);
            pfns[i + 1] = page;
          }
        }
      },
      finalizeAndMap: (_vma, start, end, pfns) => {
        for (let i = 0; i < 2 * (end - start); i += 2)
          if (((pfns[i] ?? 0) & HMM_PFN_MIGRATE) !== 0) this.moved++;
      },
    };
  }
}
