import { Kernel, type Task } from '@hmm/kernel';
import {
  cpuWriteByte,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  type MmStruct,
  PROT_READ,
  PROT_WRITE,
  sysMmap,
  type Vma,
  vmaLookup,
} from '@hmm/mm';
import {
  newUserfaultfd,
  UFFDIO_REGISTER_MODE_MISSING,
  type UserfaultfdCtx,
  userfaultfdCtxRead,
  userfaultfdRegister,
  userfaultfdZeropage,
} from '@hmm/mm/internal';
import { HmmCore, HmmDevmem, HmmMirror, type Hmm2016BehaviourName, type Hmm2016Version } from '@hmm/hmm-2016';
import * as v13 from '@hmm/hmm-2016/v13';
import * as linux414 from '@hmm/hmm-2016/linux-4.14';

/** A small machine with one process that a mirror of one version is registered with, and a mapping of eight pages. */
export class Bench {
  readonly kernel = new Kernel();
  readonly memory = new MemorySystem(this.kernel, { frames: 8192, systemFrames: 4096, maxTables: 256 });
  readonly core: HmmCore;
  readonly mm: MmStruct;
  readonly vpn: number;
  /** What the mirror was told, as [start, end) relative to the mapping. */
  readonly told: [number, number][] = [];
  readonly mirror = new HmmMirror((_mirror, _action, start, end) => {
    this.told.push([start - this.vpn, end - this.vpn]);
  });
  /** Device memory; its free pages by number. */
  readonly freed: number[] = [];
  readonly devmem: HmmDevmem;

  constructor(version: Hmm2016Version, mended: readonly Hmm2016BehaviourName[] = []) {
    this.core = new HmmCore(this.memory, version, mended);
    this.mm = mmCreate(this.memory);
    this.devmem = new HmmDevmem(this.core, {
      free: (page) => this.freed.push(page),
      *fault() {
        return 0;
      },
    });
    this.devmem.add(16);
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    this.vpn = this.run(sysMmap(this.mm, 0, 8, PROT_READ | PROT_WRITE, flags));
    if (version === 'v13') this.run(v13.hmmMirrorRegister(this.core, this.mirror, this.mm));
    else this.run(this.underWrite(() => linux414.hmmMirrorRegister(this.core, this.mirror, this.mm)));
  }

  /** Runs a task alone. */
  run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  /** Writes `value` to page `page` of the mapping, as the CPU. */
  write(page: number, value: number): void {
    this.run(cpuWriteByte(this.mm, this.vpn + page, 0, value));
  }

  /** The VMA of the mapping. */
  get vma(): Vma {
    const vma = vmaLookup(this.mm, this.vpn);
    if (vma === undefined) throw new Error('the mapping is gone');
    return vma;
  }

  /** Runs `work` with mmap_lock held for writing. */
  *underWrite<T>(work: () => T): Task<T> {
    yield* this.mm.mmapLock.write();
    const result = work();
    this.mm.mmapLock.unlockWrite();
    return result;
  }

  /** Runs `task` with mmap_lock held for reading; `held` says whether it is afterwards. */
  underRead<T>(task: Task<T>): T {
    return this.run(this.reading(task));
  }

  private *reading<T>(task: Task<T>): Task<T> {
    yield* this.mm.mmapLock.read();
    const result = yield* task;
    if (this.mm.mmapLock.readers > 0) this.mm.mmapLock.unlockRead();
    return result;
  }

  /**
   * Runs a fault on page 0 of the mapping, which a userfaultfd has to bring, and brings it when the fault waits.
   * @returns what it returned, and how often mmap_lock is still held.
   */
  whileMissing<T>(fault: Task<T>): { readonly result: T | undefined; readonly readers: number } {
    const { mm, kernel, vpn } = this;
    const uffd = newUserfaultfd(mm);
    this.run(userfaultfdRegister(uffd, vpn, 1, UFFDIO_REGISTER_MODE_MISSING));
    let result: T | undefined;
    kernel.sched.spawn(
      'fault',
      underLock(mm, fault, (value) => (result = value)),
    );
    kernel.sched.spawnDaemon('manager', bring(uffd, vpn));
    kernel.sched.run();
    return { result, readers: mm.mmapLock.readers };
  }

  /** Flags of the slots. */
  static flags(pfns: Int32Array): number[] {
    return [...pfns].filter((_, i) => i % 2 === 0);
  }
}

/** Runs a fault with mmap_lock held for reading, which it may drop. */
function* underLock<T>(mm: MmStruct, fault: Task<T>, done: (value: T) => void): Task {
  yield* mm.mmapLock.read();
  done(yield* fault);
}

/** Answers the next fault with a page of zeroes. */
function* bring(uffd: UserfaultfdCtx, vpn: number): Task {
  yield* userfaultfdCtxRead(uffd);
  yield* userfaultfdZeropage(uffd, vpn, 1);
}
