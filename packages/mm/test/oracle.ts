import {
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  type MmStruct,
  PROT_READ,
  PROT_WRITE,
  SIGBUS,
  SIGSEGV,
  dupMm,
  mmput,
  pinUserPages,
  FOLL_LONGTERM,
  FOLL_WRITE,
  sysMadvise,
  sysMlock,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMunlock,
  sysMunmap,
  unpinUserPage,
} from '../src/index.js';
import { NotifierOracle } from './notifier-oracle.js';
import { BASE, type Machine } from './support.js';

/** What a program may do, on pages of its region. */
export type Step =
  | { op: 'write' | 'read'; page: number; value: number }
  | {
      op:
        | 'map'
        | 'unmap'
        | 'lock'
        | 'unlock'
        | 'dontneed'
        | 'free'
        | 'pageout'
        | 'pin'
        | 'hugepage'
        | 'collapse';
      page: number;
      pages: number;
    }
  | { op: 'protect'; page: number; pages: number; prot: number }
  | { op: 'move'; page: number; pages: number; to: number }
  | { op: 'fork' | 'exit' | 'unpin' };

/** A page as a program sees it. `value` is unknown while reclaim may drop it. */
interface Page {
  prot: number;
  locked: boolean;
  value: number | undefined;
}

const RW = PROT_READ | PROT_WRITE;
const ANON_FIXED = 0x32;

/** One process: the modelled one, and what its memory has to look like. */
export class OracleProcess {
  readonly mm: MmStruct;
  readonly pages: (Page | undefined)[];

  constructor(mm: MmStruct, pages: (Page | undefined)[]) {
    this.mm = mm;
    this.pages = pages;
  }
}

/** Runs steps on a machine and tells the first that shows something else than memory has to. */
export class Oracle {
  readonly m: Machine;
  parent: OracleProcess;
  child: OracleProcess | undefined;
  /** Whether allocations may fail: accesses may then end in SIGBUS, and calls with any errno. */
  private readonly failing: boolean;
  private readonly pins: number[] = [];
  private readonly notifier: NotifierOracle;

  /** @param pages pages of the region of which it is watched that no right is lost unannounced. */
  constructor(m: Machine, failing: boolean, pages: number) {
    this.m = m;
    this.failing = failing;
    this.parent = new OracleProcess(m.mm, []);
    this.notifier = new NotifierOracle(m, pages);
    this.notifier.watch(m.mm);
  }

  /** Carries a step out. @returns what is wrong, undefined when nothing is. */
  step(inChild: boolean, step: Step): string | undefined {
    const process = inChild ? (this.child ?? this.parent) : this.parent;
    return this.run(process, step) ?? this.notifier.look() ?? this.m.broken();
  }

  /** Ends all processes. @returns what is left behind. */
  end(): string | undefined {
    const { m } = this;
    this.unpin();
    for (const process of [this.child, this.parent])
      if (process !== undefined) this.notifier.forget(process.mm);
    if (this.child !== undefined) m.run(mmput(this.child.mm));
    m.run(mmput(this.parent.mm));
    m.unlisten();
    const { swap, tables } = m.system;
    const left = `${swap.used} slots, ${tables.used} tables, ${m.system.mms.length} address spaces`;
    if (left !== '0 slots, 0 tables, 0 address spaces') return `left behind: ${left}`;
    return m.broken();
  }

  private run(process: OracleProcess, step: Step): string | undefined {
    const { m } = this;
    switch (step.op) {
      case 'write':
        return this.write(process, step.page, step.value);
      case 'read':
        return this.read(process, step.page);
      case 'map':
        return this.map(process, step.page, step.pages);
      case 'unmap':
        return this.all(
          process,
          step,
          m.run(sysMunmap(process.mm, BASE + step.page, step.pages)),
          () => undefined,
        );
      case 'protect':
        m.run(sysMprotect(process.mm, BASE + step.page, step.pages, step.prot));
        this.untilHole(process, step.page, step.pages, (page) => {
          page.prot = step.prot;
        });
        return undefined;
      case 'lock':
      case 'unlock':
        m.run((step.op === 'lock' ? sysMlock : sysMunlock)(process.mm, BASE + step.page, step.pages));
        this.untilHole(process, step.page, step.pages, (page) => {
          page.locked = step.op === 'lock';
        });
        return undefined;
      case 'dontneed':
      case 'free':
        this.drop(process, step.page, step.pages, step.op === 'free');
        return undefined;
      case 'pageout':
        m.run(sysMadvise(process.mm, BASE + step.page, step.pages, MADV_PAGEOUT));
        return undefined;
      case 'hugepage':
        m.run(sysMadvise(process.mm, BASE + step.page, step.pages, MADV_HUGEPAGE));
        return undefined;
      case 'collapse':
        m.run(sysMadvise(process.mm, BASE + step.page, step.pages, MADV_COLLAPSE));
        return undefined;
      case 'move':
        return this.move(process, step.page, step.pages, step.to);
      case 'pin':
        m.run(pinUserPages(process.mm, BASE + step.page, step.pages, FOLL_WRITE | FOLL_LONGTERM, this.pins));
        return undefined;
      default:
        this.runProcess(step.op);
        return undefined;
    }
  }

  private runProcess(op: 'fork' | 'exit' | 'unpin'): void {
    if (op === 'unpin') this.unpin();
    else if (op === 'fork' && this.child === undefined) this.fork();
    else if (op === 'exit' && this.child !== undefined) {
      this.notifier.forget(this.child.mm);
      this.m.run(mmput(this.child.mm));
      this.child = undefined;
    }
  }

  private fork(): void {
    const mm = this.m.run(dupMm(this.parent.mm));
    if (typeof mm === 'number') return;
    const copy = (page: Page | undefined): Page | undefined => page && { ...page, locked: false };
    this.child = new OracleProcess(mm, this.parent.pages.map(copy));
    this.notifier.watch(mm);
  }

  private unpin(): void {
    for (const pfn of this.pins.splice(0)) unpinUserPage(this.m.system, pfn);
  }

  private write(process: OracleProcess, at: number, value: number): string | undefined {
    const page = process.pages[at];
    const got = this.m.write(at, value, process.mm);
    const allowed = page !== undefined && (page.prot & PROT_WRITE) !== 0;
    if (got === -SIGBUS && this.failing && allowed) return undefined;
    if (got !== (allowed ? 0 : -SIGSEGV)) return `a write to page ${at} gave ${got}`;
    if (allowed) page.value = value;
    return undefined;
  }

  private read(process: OracleProcess, at: number): string | undefined {
    const page = process.pages[at];
    const got = this.m.read(at, process.mm);
    const allowed = page !== undefined && page.prot !== 0;
    if (got === -SIGBUS && this.failing && allowed) return undefined;
    if (!allowed) return got === -SIGSEGV ? undefined : `a read of page ${at} gave ${got}`;
    const fine = page.value === undefined ? got >= 0 : got === page.value;
    return fine ? undefined : `a read of page ${at} gave ${got}, not ${page.value ?? 'a value'}`;
  }

  private map(process: OracleProcess, at: number, pages: number): string | undefined {
    const ret = this.m.run(sysMmap(process.mm, BASE + at, pages, RW, ANON_FIXED));
    if (ret !== BASE + at) return `mmap gave ${ret}`;
    for (let i = at; i < at + pages; i++) process.pages[i] = { prot: RW, locked: false, value: 0 };
    return undefined;
  }

  private all(
    process: OracleProcess,
    { page, pages }: { page: number; pages: number },
    ret: number,
    become: () => Page | undefined,
  ): string | undefined {
    if (ret !== 0) return `munmap gave ${ret}`;
    for (let i = page; i < page + pages; i++) process.pages[i] = become();
    return undefined;
  }

  private untilHole(
    process: OracleProcess,
    at: number,
    pages: number,
    change: (page: Page) => void,
  ): undefined {
    for (let i = at; i < at + pages; i++) {
      const page = process.pages[i];
      if (page === undefined) return;
      change(page);
    }
  }

  private drop(process: OracleProcess, at: number, pages: number, lazily: boolean): void {
    this.m.run(sysMadvise(process.mm, BASE + at, pages, lazily ? MADV_FREE : MADV_DONTNEED));
    for (let i = at; i < at + pages; i++) {
      const page = process.pages[i];
      if (page?.locked === true) return;
      if (page !== undefined && (!lazily || page.value !== 0)) page.value = lazily ? undefined : 0;
    }
  }

  private move(process: OracleProcess, at: number, pages: number, to: number): string | undefined {
    const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    const ret = this.m.run(sysMremap(process.mm, BASE + at, pages, pages, flags, BASE + to));
    const overlap = at < to + pages && to < at + pages;
    if (process.pages[at] === undefined) return ret === -14 ? undefined : `mremap of nothing gave ${ret}`;
    if (overlap) return ret === -22 ? undefined : `mremap onto itself gave ${ret}`;
    for (let i = 0; i < pages; i++) {
      process.pages[to + i] = ret < 0 ? undefined : process.pages[at + i];
      if (ret >= 0) process.pages[at + i] = undefined;
    }
    return undefined;
  }
}
