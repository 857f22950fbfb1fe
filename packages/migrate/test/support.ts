import { Kernel, type Release, type Task } from '@hmm/kernel';
import {
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalSetSeq,
  mmuNotifierEventName,
} from '@hmm/mmu-notifier';
import { invalidationOf, TP_INVALIDATE_RANGE_START } from '@hmm/mmu-notifier/internal';
import {
  allocPage,
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  type DevPagemap,
  type DevPagemapOps,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MEMORY_DEVICE_COHERENT,
  MEMORY_DEVICE_PRIVATE,
  MemorySystem,
  mmCreate,
  type MmStruct,
  PROT_READ,
  PROT_WRITE,
  sysMmap,
  type VmFault,
  vmaLookup,
  type Vma,
} from '@hmm/mm';
import { NO_PFN } from '@hmm/mm/internal';
import {
  I36,
  I40,
  I42,
  I45,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
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
import { type Broken, cpagesMatch } from '@hmm/migrate/internal';

export const RW = PROT_READ | PROT_WRITE;
/** A 2 MiB boundary. */
export const BASE = 0x1_0000_0000;

/** One process on a small machine, whose announcements are recorded. */
export class Host {
  readonly kernel: Kernel;
  readonly system: MemorySystem;
  readonly mm: MmStruct;

  constructor(systemFrames = 8192, release: Release = '6.12') {
    this.kernel = new Kernel({ release });
    this.system = new MemorySystem(this.kernel, {
      frames: systemFrames + 8192,
      systemFrames,
      maxTables: 512,
      swapSlots: 256,
      nrHugepages: 1,
    });
    this.mm = mmCreate(this.system);
    const ops = {
      invalidate: (sub: MmuIntervalNotifier, _range: unknown, seq: number): boolean => {
        mmuIntervalSetSeq(sub, seq);
        return true;
      },
    };
    this.run(mmuIntervalNotifierInsert(this.mm, 0, 2 ** 40, ops));
    this.kernel.trace.on = true;
  }

  run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  map(page: number, pages: number, prot = RW, shared = false): void {
    const flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED;
    const ret = this.run(sysMmap(this.mm, page, pages, prot, flags));
    if (ret !== page) throw new Error(`mmap: ${ret}`);
  }

  fork(): MmStruct {
    const child = this.run(dupMm(this.mm));
    if (typeof child === 'number') throw new Error(`fork: ${child}`);
    return child;
  }

  write(page: number, value: number, mm = this.mm): number {
    return this.run(cpuWriteByte(mm, page, 0, value));
  }

  read(page: number, mm = this.mm): number {
    return this.run(cpuReadByte(mm, page, 0));
  }

  vma(page: number): Vma {
    const vma = vmaLookup(this.mm, page);
    if (vma === undefined) throw new Error(`no VMA at ${page}`);
    return vma;
  }

  /** Flags lane of the entry of `page`, 0 for none. */
  pte(page: number, mm = this.mm): number {
    const entry = this.system.tables.findPte(mm.root, page);
    return entry < 0 ? 0 : (this.system.tables.lanes[entry] ?? 0);
  }

  /** Frame lane of the entry of `page`. */
  pfn(page: number, mm = this.mm): number {
    const entry = this.system.tables.findPte(mm.root, page);
    return entry < 0 ? 0 : (this.system.tables.lanes[entry + 1] ?? 0);
  }

  /** What was announced since the last call: event, first page (from BASE), pages. */
  events(): [string, number, number][] {
    const { trace } = this.kernel;
    const found: [string, number, number][] = [];
    for (let i = 0; i < trace.length; i++) {
      if (trace.kind[i] !== TP_INVALIDATE_RANGE_START) continue;
      const { event, page, pages } = invalidationOf(trace.at(i));
      found.push([mmuNotifierEventName(event), page - BASE, pages]);
    }
    trace.clear();
    return found;
  }
}

/** A driver with nothing but memory: data lives in its frames themselves. */
export class MemoryDriver implements DevPagemapOps {
  readonly host: Host;
  readonly pgmap: DevPagemap;
  readonly owner: number;
  readonly free: number[] = [];
  frees = 0;
  allocs = 0;
  /** Rules of a running migration that were broken. */
  readonly broken: string[] = [];
  /** Pages that may still be allocated; for failure in the middle. */
  budget = Infinity;
  protected readonly select: number;

  constructor(host: Host, nr = 1024, coherent = false) {
    this.host = host;
    this.owner = host.kernel.allocIds(1);
    this.select = coherent ? MIGRATE_VMA_SELECT_DEVICE_COHERENT : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const pgmap = memremapPages(host.system, {
      type: coherent ? MEMORY_DEVICE_COHERENT : MEMORY_DEVICE_PRIVATE,
      nr,
      owner: this.owner,
      ops: this,
    });
    if (typeof pgmap === 'number') throw new Error(`memremap: ${pgmap}`);
    this.pgmap = pgmap;
    for (let i = 0; i < nr; i++) this.free.push(pgmap.start + i);
  }

  pageFree(pfn: number): void {
    this.frees++;
    this.free.push(pfn);
  }

  *migrateToRam(vmf: VmFault): Task<number> {
    const args = this.args(vmf.vma, vmf.vpn, 1, this.select, vmf.page);
    this.note(I36(this.host.system, vmf.page));
    if ((yield* migrateVmaSetup(args)) !== 0) return 2;
    this.copyHome(args);
    yield* migrateVmaPages(args);
    yield* migrateVmaFinalize(args);
    return 0;
  }

  /** The rules that hold between setup and the copy, and after it. */
  protected checkSlots({ src, dst, npages }: MigrateVma): void {
    const { system } = this.host;
    this.note(I42(system, src, npages));
    this.note(I45(system, src, dst, npages));
  }

  protected note(words: Broken): void {
    if (words !== undefined) this.broken.push(words);
  }

  args(vma: Vma, start: number, pages: number, flags: number, faultPage = NO_PFN): MigrateVma {
    return {
      vma,
      src: new Int32Array(pages),
      dst: new Int32Array(pages),
      cpages: 0,
      npages: 0,
      start,
      end: start + pages,
      pgmapOwner: this.owner,
      flags,
      faultPage,
    };
  }

  /** A page of the device, ready as a destination; 0 when there is none. */
  take(): number {
    if (this.budget <= 0) return NO_PFN;
    const pfn = this.free.pop() ?? NO_PFN;
    if (pfn === NO_PFN) return NO_PFN;
    this.budget--;
    this.allocs++;
    zoneDevicePageInit(this.host.system, pfn);
    return pfn;
  }

  copyOut(args: MigrateVma): void {
    const { data } = this.host.system;
    this.checkSlots(args);
    this.note(cpagesMatch(args.src, args.npages, args.cpages));
    for (let i = 0; i < args.npages; i++) {
      const slot = args.src[i] ?? 0;
      if ((slot & MIGRATE_PFN_MIGRATE) === 0) continue;
      const page = this.take();
      if (page === NO_PFN) continue;
      const from = migratePfnToPage(slot);
      if (from === NO_PFN) data.fillPage(page, 0);
      else data.copyPage(page, from);
      args.dst[i] = migratePfn(page);
    }
    this.checkSlots(args);
  }

  copyHome(args: MigrateVma): void {
    const { system } = this.host;
    this.checkSlots(args);
    this.note(cpagesMatch(args.src, args.npages, args.cpages));
    for (let i = 0; i < args.npages; i++) {
      const page = migratePfnToPage(args.src[i] ?? 0);
      if (page === NO_PFN || ((args.src[i] ?? 0) & MIGRATE_PFN_MIGRATE) === 0) continue;
      const target = allocPage(system);
      if (target === NO_PFN) continue;
      system.map.tryLock(target);
      system.data.copyPage(target, page);
      args.dst[i] = migratePfn(target);
    }
    this.checkSlots(args);
  }

  /** Migrates pages of one VMA here. @returns for each page whether it moved. */
  toDevice(start: number, pages: number): boolean[] {
    const args = this.args(this.host.vma(start), start, pages, MIGRATE_VMA_SELECT_SYSTEM);
    const rc = this.host.run(migrateVmaSetup(args));
    if (rc !== 0) throw new Error(`setup: ${rc}`);
    this.copyOut(args);
    return this.finish(args);
  }

  /** Migrates pages of one VMA home. */
  toSystem(start: number, pages: number): boolean[] {
    const args = this.args(this.host.vma(start), start, pages, this.select);
    const rc = this.host.run(migrateVmaSetup(args));
    if (rc !== 0) throw new Error(`setup: ${rc}`);
    this.copyHome(args);
    return this.finish(args);
  }

  protected finish(args: MigrateVma): boolean[] {
    this.host.run(migrateVmaPages(args));
    const moved = [...args.src.subarray(0, args.npages)].map((slot) => (slot & MIGRATE_PFN_MIGRATE) !== 0);
    const [src, dst] = [args.src.slice(), args.dst.slice()];
    this.host.run(migrateVmaFinalize(args));
    this.note(I40(this.host.system, src, dst, args.npages));
    return moved;
  }
}
