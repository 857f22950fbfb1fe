import { EAGAIN, EBUSY, EIO, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type MmStruct, type VmFault, type Vma } from '@hmm/mm';
import { MIGRATE_PFN_MIGRATE, migratePfn, migratePfnToPage } from '@hmm/migrate';
import type { HmmMirror } from '../hmm.js';
import { HmmDevmem } from '../hmm-devmem.js';
import { HmmRange } from '../hmm-range.js';
import {
  hmmDevmemAdd,
  hmmDevmemFaultRange,
  hmmMirrorRegister,
  hmmMirrorUnregister,
  hmmVmaFault,
  hmmVmaRangeDone,
  migrateVma,
  type MigrateVmaOps,
} from '../linux-4.14/index.js';
import { answer } from './answer.js';
import { type DriverParts, MirrorDriver } from './driver.js';
import type { MirrorProcess } from './mirror-process.js';

/** The driver on the calls of Linux 4.14. */
export class DriverOf414 extends MirrorDriver {
  /** What of it is state. */
  static override readonly state = declareState({
    devmem: 'constant',
    toDevice: { outside: 'functions' },
    toHost: { outside: 'functions' },
  });

  readonly devmem: HmmDevmem;
  private readonly toDevice: MigrateVmaOps;
  private readonly toHost: MigrateVmaOps;

  constructor(parts: DriverParts, devicePages: number) {
    super(parts);
    this.devmem = new HmmDevmem(this.core, this);
    this.toDevice = this.ops(true);
    this.toHost = this.ops(false);
    if (hmmDevmemAdd(this.devmem, devicePages) === 0 && this.devmem.pagemap !== undefined)
      this.pages.fill(this.devmem.pagemap);
  }

  /** @inheritdoc */
  *register(mirror: HmmMirror, mm: MmStruct): Task<number> {
    if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
    const ret = hmmMirrorRegister(this.core, mirror, mm);
    mm.mmapLock.unlockWrite();
    return ret;
  }

  /** @inheritdoc */
  *unregister(mirror: HmmMirror): Task {
    yield* hmmMirrorUnregister(mirror);
  }

  /** The first of the two uses that `mm/hmm.c` describes: fault, take the driver's lock, range done, commit if it was true. */
  *ask(process: MirrorProcess, vpn: number, write: boolean, commit: boolean): Task<number> {
    const { core } = this;
    for (;;) {
      const window = yield* process.lookUp(vpn, write);
      if (typeof window === 'number') return window;
      const { vma, start, end, pfns } = window;
      const range = new HmmRange(core);
      const ret = yield* hmmVmaFault(vma, range, start, end, pfns, write, true);
      core.touch();
      const dropped = ret === -EBUSY || ret === -EAGAIN;
      let valid = false;
      if (ret === 0) {
        process.lock.lock();
        valid = hmmVmaRangeDone(range);
        if (valid && commit) process.enter(window);
        process.lock.unlock();
      }
      if (!dropped) process.mm.mmapLock.unlockRead();
      if (!process.isOpen) return -EIO;
      if (ret !== 0 && !dropped) return ret;
      if (valid) return answer(pfns, vpn - start, write);
      yield* process.again(vpn);
    }
  }

  protected *migrate(vma: Vma, start: number, end: number, toDevice: boolean): Task<number> {
    const src = new Int32Array(end - start);
    const dst = new Int32Array(end - start);
    return yield* migrateVma(toDevice ? this.toDevice : this.toHost, vma, start, end, src, dst);
  }

  protected *bringHome({ vma, vpn }: VmFault): Task<number> {
    return yield* hmmDevmemFaultRange(this.toHost, vma, vpn, vpn + 1);
  }

  /** What it does in a migration: an array for the sources, and one for the destinations. Holes are populated on the device only. */
  private ops(toDevice: boolean): MigrateVmaOps {
    return {
      devmem: this.devmem,
      allocAndCopy: (vma, src, dst, start, end) => {
        for (let i = 0; i < end - start; i++) {
          const slot = src[i] ?? 0;
          const source = migratePfnToPage(slot);
          if ((slot & MIGRATE_PFN_MIGRATE) === 0 || (source === 0 && !toDevice)) continue;
          const page = this.destination(vma, source, toDevice);
          if (page !== 0) dst[i] = migratePfn(page);
        }
      },
      finalizeAndMap: (_vma, src, _dst, start, end) => {
        for (let i = 0; i < end - start; i++) if (((src[i] ?? 0) & MIGRATE_PFN_MIGRATE) !== 0) this.moved++;
      },
    };
  }
}
