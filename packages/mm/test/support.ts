import { Kernel, type Task } from '@hmm/kernel';
import {
  MmuNotifier,
  type MmuNotifierOps,
  type MmuNotifierRange,
  mmuNotifierEventName,
  mmuNotifierRegister,
  mmuNotifierUnregister,
} from '@hmm/mmu-notifier';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  type MemoryConfig,
  MemorySystem,
  type MmStruct,
  PROT_READ,
  PROT_WRITE,
  checkMm,
  cpuReadByte,
  cpuWriteByte,
  mmCreate,
  pagemapEntry,
  sysMmap,
} from '../src/index.js';
import { type MapSource } from '../src/mmap.js';

export const RW = PROT_READ | PROT_WRITE;

/** What a recording subscriber heard: event, first page relative to `BASE`, pages. */
export type Heard = [event: string, page: number, pages: number];

/** Where tests map: a boundary of 1 GiB, far above 2^32 pages' worth of bytes. */
export const BASE = 0x10000000;

/** One small machine with one process, and short names for what tests do. */
export class Machine {
  readonly kernel = new Kernel();
  readonly system: MemorySystem;
  readonly mm: MmStruct;
  readonly heard: Heard[] = [];
  private readonly subscribed: [MmuNotifier, MmStruct][] = [];

  constructor(config: Partial<MemoryConfig> = {}) {
    const small = { frames: 16384, systemFrames: 8192, maxTables: 512, swapSlots: 64 };
    this.system = new MemorySystem(this.kernel, { ...small, ...config });
    this.mm = mmCreate(this.system);
  }

  run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  /** Records what is announced to the process from now on. */
  listen(mm: MmStruct = this.mm): void {
    const invalidateRangeStart = (_sub: MmuNotifier, range: MmuNotifierRange): number => {
      this.heard.push([mmuNotifierEventName(range.event), range.start - BASE, range.end - range.start]);
      return 0;
    };
    this.subscribe({ invalidateRangeStart }, mm);
  }

  /** Registers a subscription that {@link Machine.unlisten} ends. */
  subscribe(ops: MmuNotifierOps, mm: MmStruct): void {
    const sub = new MmuNotifier(ops);
    this.run(mmuNotifierRegister(sub, mm));
    this.subscribed.push([sub, mm]);
  }

  /** Ends all recordings: a subscription keeps its address space's structure. */
  unlisten(): void {
    for (const [sub, mm] of this.subscribed.splice(0)) this.run(mmuNotifierUnregister(sub, mm));
  }

  /** What was heard since the last call. */
  events(): Heard[] {
    return this.heard.splice(0);
  }

  map(
    page: number,
    pages: number,
    prot = RW,
    flags = MAP_PRIVATE | MAP_ANONYMOUS,
    source: MapSource = {},
  ): number {
    return this.run(sysMmap(this.mm, BASE + page, pages, prot, flags | MAP_FIXED, source));
  }

  mapShared(page: number, pages: number): number {
    return this.map(page, pages, RW, MAP_SHARED | MAP_ANONYMOUS);
  }

  read(page: number, mm: MmStruct = this.mm): number {
    return this.run(cpuReadByte(mm, BASE + page, 0));
  }

  write(page: number, value: number, mm: MmStruct = this.mm): number {
    return this.run(cpuWriteByte(mm, BASE + page, 0, value));
  }

  fill(page: number, pages: number, value = 1): void {
    for (let i = 0; i < pages; i++) this.write(page + i, value + i);
  }

  /** Flags of the page-table entry, 0 where there is no table. */
  pte(page: number, mm: MmStruct = this.mm): number {
    const entry = this.system.tables.findPte(mm.root, BASE + page);
    return entry < 0 ? 0 : (this.system.tables.lanes[entry] ?? 0);
  }

  /** The frame, or slot, of the page-table entry. */
  pfn(page: number, mm: MmStruct = this.mm): number {
    return this.system.tables.lanes[this.system.tables.findPte(mm.root, BASE + page) + 1] ?? 0;
  }

  pagemap(page: number, mm: MmStruct = this.mm): number {
    return pagemapEntry(mm, BASE + page);
  }

  /** The VMAs as [first page, pages]. */
  vmas(mm: MmStruct = this.mm): [number, number][] {
    return mm.vmas.map((vma) => [vma.start - BASE, vma.end - vma.start]);
  }

  /** The first broken invariant. */
  broken(): string | undefined {
    return checkMm(this.system);
  }
}
