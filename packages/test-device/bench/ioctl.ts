import { Kernel, type Task } from '@hmm/kernel';
import {
  cpuWriteByte,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  sysMadvise,
  sysMmap,
} from '@hmm/mm';
import {
  type Dmirror,
  dmirrorIoctl,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_WRITE,
  TestDevice,
} from '@hmm/test-device';

const PAGES = 64 * 1024;
const CALL = 512;
const PAGE_SIZE = 4096;

/** 256 MiB of a process that a device with private memory mirrors, used through the ioctls in calls of 512 pages. */
class Bench {
  readonly kernel = new Kernel();
  readonly system = new MemorySystem(this.kernel, {
    frames: 4 * PAGES,
    systemFrames: 2 * PAGES + 2048,
    maxTables: 2048,
  });
  readonly mm = mmCreate(this.system);
  readonly first = this.run(sysMmap(this.mm, 0, PAGES, 3, MAP_PRIVATE | MAP_ANONYMOUS));
  private readonly device = new TestDevice(this.system, { chunkPages: PAGES, maxTables: 1024 });
  private readonly file: Dmirror;
  private readonly buffer = new Uint8Array(CALL * PAGE_SIZE);

  constructor() {
    const opened = this.run(this.device.open(0, this.mm));
    if (typeof opened === 'number') throw new Error(`open: ${opened}`);
    this.file = opened;
  }

  private run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  /** Nothing is mapped, by nobody. */
  drop(): this {
    this.run(sysMadvise(this.mm, this.first, PAGES, MADV_DONTNEED));
    return this;
  }

  /** The CPU has written every page; the device maps none. */
  populate(): this {
    this.drop();
    for (let i = 0; i < PAGES; i++) this.run(cpuWriteByte(this.mm, this.first + i, 0, 1));
    return this;
  }

  /** One request for all pages. @returns M pages/s. */
  pass(request: number): number {
    const from = performance.now();
    for (let at = this.first; at < this.first + PAGES; at += CALL) {
      const cmd = { addr: at * PAGE_SIZE, ptr: this.buffer, npages: CALL, cpages: 0, faults: 0 };
      const rc = this.run(dmirrorIoctl(this.file, request, cmd));
      if (rc !== 0 || cmd.cpages !== CALL) throw new Error(`ioctl ${request}: ${rc}, ${cmd.cpages} pages`);
    }
    return PAGES / (performance.now() - from) / 1000;
  }
}

let made: Bench | undefined;
const bench = (): Bench => (made ??= new Bench());

/** The data of as many pages written into a buffer of a call's size, without any protocol. */
function bareData(): number {
  const buffer = new Uint8Array(CALL * PAGE_SIZE);
  const from = performance.now();
  for (let i = 0; i < PAGES; i++) {
    const at = (i % CALL) * PAGE_SIZE;
    buffer.fill(i & 1, at, at + PAGE_SIZE);
  }
  return PAGES / (performance.now() - from) / 1000;
}

/** As many pairs of words looked at, and a byte for each. */
function bareStatus(): number {
  const entries = new Int32Array(2 * PAGES).fill(3);
  const status = new Uint8Array(PAGES);
  const from = performance.now();
  for (let i = 0; i < PAGES; i++) status[i] = ((entries[2 * i] ?? 0) & 2) + ((entries[2 * i + 1] ?? 0) & 1);
  return PAGES / (performance.now() - from) / 1000;
}

interface Figures {
  readonly value: number;
  readonly reference: number;
}

function migrated(request: number): Figures {
  const at = bench().populate();
  const out = at.pass(HMM_DMIRROR_MIGRATE_TO_DEV);
  const home = at.pass(HMM_DMIRROR_MIGRATE_TO_SYS);
  const value = request === HMM_DMIRROR_MIGRATE_TO_DEV ? out : home;
  return { value, reference: bareData() };
}

const reads = (): Figures => ({ value: bench().populate().pass(HMM_DMIRROR_READ), reference: bareData() });
const writes = (): Figures => ({ value: bench().drop().pass(HMM_DMIRROR_WRITE), reference: bareData() });
const readsAgain = (): Figures => {
  const at = bench().populate();
  at.pass(HMM_DMIRROR_READ);
  return { value: at.pass(HMM_DMIRROR_READ), reference: bareData() };
};
const snapshots = (): Figures => ({
  value: bench().populate().pass(HMM_DMIRROR_SNAPSHOT),
  reference: bareStatus(),
});

const unit = 'M pages/s';

export const benchmarks = [
  { name: 'test device: read faults on populated memory', unit, run: reads },
  { name: 'test device: write faults on untouched memory', unit, run: writes },
  { name: 'test device: reads through its table', unit, run: readsAgain },
  { name: 'test device: MIGRATE_TO_DEV', unit, run: (): Figures => migrated(HMM_DMIRROR_MIGRATE_TO_DEV) },
  { name: 'test device: MIGRATE_TO_SYS', unit, run: (): Figures => migrated(HMM_DMIRROR_MIGRATE_TO_SYS) },
  { name: 'test device: SNAPSHOT', unit, run: snapshots },
];
