import { Kernel } from '@hmm/kernel';
import {
  allocPage,
  cpuWriteByte,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MEMORY_DEVICE_PRIVATE,
  MemorySystem,
  mmCreate,
  sysMmap,
  vmaLookup,
} from '@hmm/mm';
import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  memremapPages,
  migratePfn,
  migratePfnToPage,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
  type MigrateVma,
  zoneDevicePageInit,
} from '@hmm/migrate';

const PAGES = 256 * 1024;
const CALL = 512;

/** 1 GiB of written memory, its pages uniform, beside a device with as much; the full protocol each way, in calls of 512 pages. */
class RoundTrip {
  readonly kernel = new Kernel();
  readonly system = new MemorySystem(this.kernel, {
    frames: 4 * PAGES,
    systemFrames: 2 * PAGES + 2048,
    maxTables: 2048,
  });
  readonly mm = mmCreate(this.system);
  readonly first: number;
  readonly owner = this.kernel.allocIds(1);
  private readonly free = new Int32Array(PAGES);
  private top = 0;
  private readonly src = new Int32Array(CALL);
  private readonly dst = new Int32Array(CALL);

  constructor() {
    const { sched } = this.kernel;
    const free = this.free;
    const pgmap = memremapPages(this.system, {
      type: MEMORY_DEVICE_PRIVATE,
      nr: PAGES,
      owner: this.owner,
      ops: {
        pageFree: (pfn) => {
          free[this.top++] = pfn;
        },
        *migrateToRam() {
          return 0;
        },
      },
    });
    if (typeof pgmap === 'number') throw new Error(`memremap: ${pgmap}`);
    for (let i = PAGES; i > 0; i--) free[this.top++] = pgmap.start + i - 1;
    this.first = sched.runSync(sysMmap(this.mm, 0, PAGES, 3, MAP_PRIVATE | MAP_ANONYMOUS));
    for (let i = 0; i < PAGES; i++) sched.runSync(cpuWriteByte(this.mm, this.first + i, 0, 0));
  }

  /** Migrates all pages one way. @returns M pages/s. */
  pass(toDevice: boolean): number {
    const from = performance.now();
    for (let at = this.first; at < this.first + PAGES; at += CALL) this.call(at, toDevice);
    return PAGES / (performance.now() - from) / 1000;
  }

  private call(start: number, toDevice: boolean): void {
    const { sched } = this.kernel;
    const vma = vmaLookup(this.mm, start);
    if (vma === undefined) throw new Error('no VMA');
    const args: MigrateVma = {
      vma,
      src: this.src,
      dst: this.dst,
      cpages: 0,
      npages: 0,
      start,
      end: start + CALL,
      pgmapOwner: this.owner,
      flags: toDevice ? MIGRATE_VMA_SELECT_SYSTEM : MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
      faultPage: 0,
    };
    sched.runSync(migrateVmaSetup(args));
    this.copy(args, toDevice);
    sched.runSync(migrateVmaPages(args));
    for (let i = 0; i < CALL; i++) {
      if (((args.src[i] ?? 0) & MIGRATE_PFN_MIGRATE) === 0) throw new Error('a page stayed');
    }
    sched.runSync(migrateVmaFinalize(args));
  }

  private copy(args: MigrateVma, toDevice: boolean): void {
    const { system } = this;
    for (let i = 0; i < args.npages; i++) {
      let page: number;
      if (toDevice) {
        page = this.free[--this.top] ?? 0;
        zoneDevicePageInit(system, page);
      } else {
        page = allocPage(system);
        system.map.tryLock(page);
      }
      system.data.copyPage(page, migratePfnToPage(args.src[i] ?? 0));
      args.dst[i] = migratePfn(page);
    }
  }
}

/** A loop that moves as many words as one page's migration has to, without any protocol. */
function bare(): number {
  const columns = Array.from({ length: 5 }, () => new Int32Array(2 * PAGES));
  const move = (start: number): void => {
    for (let i = start; i < start + CALL; i++) {
      for (const column of columns) {
        column[PAGES + i] = column[i] ?? 0;
        column[i] = 0;
      }
    }
  };
  const from = performance.now();
  for (let start = 0; start < PAGES; start += CALL) move(start);
  return PAGES / (performance.now() - from) / 1000;
}

let trip: RoundTrip | undefined;

function roundTrip(): { out: number; home: number } {
  trip ??= new RoundTrip();
  return { out: trip.pass(true), home: trip.pass(false) };
}

export const benchmarks = [
  {
    name: 'migrate to a device, 512-page calls, uniform contents',
    unit: 'M pages/s',
    goal: 1.5,
    run: (): { value: number; reference: number } => ({ value: roundTrip().out, reference: bare() }),
  },
  {
    name: 'migrate back to system memory, 512-page calls, uniform contents',
    unit: 'M pages/s',
    goal: 1.5,
    run: (): { value: number; reference: number } => ({ value: roundTrip().home, reference: bare() }),
  },
];
