import { Kernel } from '@hmm/kernel';
import {
  allocPage,
  cpuWriteByte,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MEMORY_DEVICE_PRIVATE,
  MemorySystem,
  mmCreate,
  type MmStruct,
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

const GIB = 256 * 1024;
const CALL = 512;

/** Written memory, its pages uniform or each of its own bytes, beside a device with as much; the full protocol each way, in calls of 512 pages. */
class RoundTrip {
  readonly kernel = new Kernel();
  readonly system: MemorySystem;
  readonly mm: MmStruct;
  readonly pages: number;
  readonly first: number;
  readonly owner = this.kernel.allocIds(1);
  private readonly free: Int32Array;
  private top = 0;
  private readonly src = new Int32Array(CALL);
  private readonly dst = new Int32Array(CALL);

  constructor(pages: number, uniform: boolean) {
    const { sched } = this.kernel;
    this.pages = pages;
    this.system = new MemorySystem(this.kernel, {
      frames: 4 * pages,
      systemFrames: 2 * pages + 2048,
      maxTables: 2048,
    });
    this.mm = mmCreate(this.system);
    this.free = new Int32Array(pages);
    const { free } = this;
    const pgmap = memremapPages(this.system, {
      type: MEMORY_DEVICE_PRIVATE,
      nr: pages,
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
    for (let i = pages; i > 0; i--) free[this.top++] = pgmap.start + i - 1;
    this.first = sched.runSync(sysMmap(this.mm, 0, pages, 3, MAP_PRIVATE | MAP_ANONYMOUS));
    for (let i = 0; i < pages; i++) {
      sched.runSync(cpuWriteByte(this.mm, this.first + i, 0, 0));
      if (!uniform) sched.runSync(cpuWriteByte(this.mm, this.first + i, i & 4095, 1 + (i & 127)));
    }
  }

  /** Migrates all pages one way. @returns M pages/s. */
  pass(toDevice: boolean): number {
    const from = performance.now();
    for (let at = this.first; at < this.first + this.pages; at += CALL) this.call(at, toDevice);
    return this.pages / (performance.now() - from) / 1000;
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

/** A loop that moves as many words as one page's migration has to, without any protocol; `bytes` a page beside. */
function bare(pages: number, bytes: number): number {
  const columns = Array.from({ length: 5 }, () => new Int32Array(2 * pages));
  const data = new Uint8Array(2 * CALL * bytes);
  const move = (start: number): void => {
    for (let i = start; i < start + CALL; i++) {
      for (const column of columns) {
        column[pages + i] = column[i] ?? 0;
        column[i] = 0;
      }
      const at = (i - start) * bytes;
      if (bytes > 0) data.copyWithin(CALL * bytes + at, at, at + bytes);
    }
  };
  const from = performance.now();
  for (let start = 0; start < pages; start += CALL) move(start);
  return pages / (performance.now() - from) / 1000;
}

let trip: RoundTrip | undefined;

/** There and back, and the figure of one way. A process measures one kind of contents only. */
function figures(way: 'out' | 'home', uniform: boolean): { value: number; reference: number } {
  trip ??= new RoundTrip(uniform ? GIB : GIB / 8, uniform);
  const speed = { out: trip.pass(true), home: trip.pass(false) };
  return { value: speed[way], reference: bare(trip.pages, uniform ? 0 : 4096) };
}

const benchmark = (
  way: 'out' | 'home',
  contents: 'uniform' | 'real',
): { name: string; unit: string; goal?: number; run: () => { value: number; reference: number } } => ({
  name: `migrate ${way === 'out' ? 'to a device' : 'back to system memory'}, 512-page calls, ${contents} contents`,
  unit: 'M pages/s',
  ...(contents === 'uniform' ? { goal: 1.5 } : {}),
  run: () => figures(way, contents === 'uniform'),
});

export const benchmarks = [
  benchmark('out', 'uniform'),
  benchmark('home', 'uniform'),
  benchmark('out', 'real'),
  benchmark('home', 'real'),
];
