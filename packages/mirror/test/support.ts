import { Kernel, type Task } from '@hmm/kernel';
import { LEVEL_PTE } from '@hmm/kernel/internal';
import {
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalReadBegin,
  mmuIntervalSetSeq,
} from '@hmm/mmu-notifier';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  PROT_READ,
  PROT_WRITE,
  cpuReadByte,
  cpuWriteByte,
  sysMmap,
  type MmStruct,
} from '@hmm/mm';
import { hmmRangeFault, type HmmRange } from '@hmm/mirror';

export const RW = PROT_READ | PROT_WRITE;

/** A process whose first mapping starts at page {@link BASE}. */
export const BASE = 0x1_0000_0100;

/** One process on a small machine, with a subscription over everything. */
export class Process {
  readonly kernel = new Kernel();
  readonly system = new MemorySystem(this.kernel, {
    frames: 32_768,
    systemFrames: 16_384,
    maxTables: 256,
    swapSlots: 64,
    nrHugepages: 2,
  });
  readonly mm: MmStruct = mmCreate(this.system);
  readonly notifier: MmuIntervalNotifier;

  constructor() {
    const ops = {
      invalidate: (sub: MmuIntervalNotifier, _range: unknown, seq: number): boolean => {
        mmuIntervalSetSeq(sub, seq);
        return true;
      },
    };
    const notifier = this.run(mmuIntervalNotifierInsert(this.mm, 0, 2 ** 40, ops));
    if (typeof notifier === 'number') throw new Error(`insert: ${notifier}`);
    this.notifier = notifier;
  }

  run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  /** Maps anonymous private memory at `page`. */
  map(page: number, pages: number, prot = RW, flags = 0): void {
    const all = flags | MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    const ret = this.run(sysMmap(this.mm, page, pages, prot, all));
    if (ret !== page) throw new Error(`mmap: ${ret}`);
  }

  write(page: number, value: number): number {
    return this.run(cpuWriteByte(this.mm, page, 0, value));
  }

  read(page: number): number {
    return this.run(cpuReadByte(this.mm, page, 0));
  }

  /** Sets the entry of a page to what no call makes it. */
  setEntry(page: number, flags: number, payload: number): void {
    const lane = this.system.tables.make(this.mm.root, page, LEVEL_PTE);
    this.system.tables.lanes[lane] = flags;
    this.system.tables.lanes[lane + 1] = payload;
  }

  range(start: number, pages: number, defaultFlags: number): HmmRange {
    return {
      notifier: this.notifier,
      notifierSeq: this.run(mmuIntervalReadBegin(this.notifier)),
      start,
      end: start + pages,
      hmmPfns: new Int32Array(2 * pages),
      defaultFlags,
      pfnFlagsMask: 0,
      devPrivateOwner: 0,
    };
  }

  /** `hmmRangeFault` under mmap_lock. */
  fault(range: HmmRange): number {
    this.mm.mmapLock.tryRead();
    const done = hmmRangeFault(this.mm, range);
    const ret = typeof done === 'number' ? done : this.run(done);
    this.mm.mmapLock.unlockRead();
    return ret;
  }
}

/** The flag lanes of a range. */
export const flagsOf = (range: HmmRange): number[] => [...range.hmmPfns].filter((_, i) => i % 2 === 0);
/** The frame lanes. */
export const pfnsOf = (range: HmmRange): number[] => [...range.hmmPfns].filter((_, i) => i % 2 === 1);
