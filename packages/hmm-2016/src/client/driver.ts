import type { CountingCounters } from '@hmm/device';
import { type Kernel, PAGE_SIZE, SP_PREEMPT, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type MmStruct, type VmFault, type Vma } from '@hmm/mm';
import { copyHighpage, isDevicePrivatePte, NO_PFN, PG_anon, PG_swapcache } from '@hmm/mm/internal';
import { CpuEntry } from '../cpu-entry.js';
import type { HmmCore, HmmMirror } from '../hmm.js';
import type { HmmDevmem, HmmDevmemOps } from '../hmm-devmem.js';
import { hmmVmaAllocLockedPage } from '../locked-page.js';
import { DevicePages } from './device-pages.js';
import type { MirrorProcess } from './mirror-process.js';
import { type MoveCause, movedValue, TP_CPU_FAULT, TP_TO_DEVICE, TP_TO_HOST } from './tracepoints.js';

/** Copying one page over the link, ns: an estimate, 12 GB/s as PCIe 3.0 x16 gives. */
const COPY_PAGE_NS = 340;
/** A CPU fault on device memory, ns, without the copy: an estimate. */
const CPU_FAULT_NS = 5000;
/** What the numbers of a CPU fault's flags have for a write. */
const WRITE = 1;

/** What the driver knows of itself, whichever HMM it is written for. */
export interface DriverParts {
  readonly core: HmmCore;
  readonly totals: CountingCounters;
  /** Whether it is explored: small, and time is nothing. */
  readonly explored: boolean;
}

/**
 * The driver of the announcement's device: what it does by HMM's calls. What is the same under both versions is here: which page goes
 * where. The calls themselves are in a class for each.
 */
export abstract class MirrorDriver implements HmmDevmemOps {
  /** What of it is state. */
  static readonly state = declareState({
    core: 'constant',
    kernel: 'constant',
    totals: { outside: 'totals, which decide nothing' },
    explored: { outside: 'chosen when the machine is made' },
    processes: 'constant',
    pages: 'constant',
    entry: { outside: 'written before it is read, by one call' },
    moved: 'count',
  });

  readonly core: HmmCore;
  readonly kernel: Kernel;
  readonly totals: CountingCounters;
  /** Whether it is explored. */
  readonly explored: boolean;
  /** The processes that have the device open. */
  readonly processes: MirrorProcess[] = [];
  readonly pages = new DevicePages();
  private readonly entry = new CpuEntry();
  /** The memory of the device; set by who makes it. */
  abstract readonly devmem: HmmDevmem;
  /** Pages moved by the migration that is under way; and which way. */
  protected moved = 0;

  protected constructor({ core, totals, explored }: DriverParts) {
    this.core = core;
    this.explored = explored;
    this.kernel = core.memory.kernel;
    this.totals = totals;
  }

  /** Begins to mirror `mm`. @returns 0 or a negative errno. */
  abstract register(mirror: HmmMirror, mm: MmStruct): Task<number>;
  /** Ends a mirror. */
  abstract unregister(mirror: HmmMirror): Task;
  /**
   * Asks HMM about the page `vpn` and what is around it, which faults it in; and, with `commit`, enters what it says in the device's table.
   * @returns 0, `-EFAULT`, or `-EACCES`.
   */
  abstract ask(process: MirrorProcess, vpn: number, write: boolean, commit: boolean): Task<number>;
  /** Moves pages of a VMA, of which the caller holds mmap_sem. */
  protected abstract migrate(vma: Vma, start: number, end: number, toDevice: boolean): Task<number>;
  /** Brings the page of a CPU fault home. @returns `VM_FAULT_*`. */
  protected abstract bringHome(vmf: VmFault): Task<number>;

  /** Lets time pass; while exploring, others. */
  *pass(ns: number): Task {
    const { sched } = this.kernel;
    if (sched.exploring) yield SP_PREEMPT;
    else if (!sched.delayFast(ns)) yield* sched.delay(ns);
    this.core.touch();
  }

  /** Moves what can be moved of the pages [start, end), VMA by VMA. Takes mmap_sem. */
  *move(mm: MmStruct, start: number, end: number, toDevice: boolean, cause: MoveCause): Task {
    if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
    this.core.touch();
    for (const vma of [...mm.vmas]) {
      const from = Math.max(vma.start, start);
      const to = Math.min(vma.end, end);
      if (from < to) yield* this.moveInVma(vma, from, to, toDevice, cause);
    }
    mm.mmapLock.unlockRead();
  }

  private *moveInVma(vma: Vma, start: number, end: number, toDevice: boolean, cause: MoveCause): Task {
    if (toDevice) {
      // Memory that the CPU cannot reach was for private anonymous memory alone.
      if (vma.isAnonymous()) yield* this.moveRun(vma, start, end, true, cause);
      return;
    }
    // On the way home only runs of pages that are here are of interest.
    for (let at = start; at < end;) {
      let run = at;
      while (run < end && this.holds(vma.mm, run)) run++;
      if (run > at) yield* this.moveRun(vma, at, run, false, cause);
      at = run + 1;
    }
  }

  private *moveRun(vma: Vma, start: number, end: number, toDevice: boolean, cause: MoveCause): Task {
    this.moved = 0;
    yield* this.migrate(vma, start, end, toDevice);
    yield* this.account(start, toDevice, cause);
  }

  /** Counts and shows the pages that a migration has moved. */
  private *account(vpn: number, toDevice: boolean, cause: MoveCause): Task {
    const { moved, totals, kernel } = this;
    if (moved === 0) return;
    const bytes = (totals.byCause[cause] ??= { toDevice: 0, toHost: 0 });
    bytes[toDevice ? 'toDevice' : 'toHost'] += moved * PAGE_SIZE;
    totals.timeNs.copying += moved * COPY_PAGE_NS;
    yield* this.pass(moved * COPY_PAGE_NS);
    if (kernel.trace.on)
      kernel.emit(toDevice ? TP_TO_DEVICE : TP_TO_HOST, vpn, moved, movedValue(moved, cause));
  }

  /** Whether page `vpn` is in this device's memory. */
  holds(mm: MmStruct, vpn: number): boolean {
    this.entry.read(mm, vpn);
    return isDevicePrivatePte(this.entry.flags) && this.isOwn(this.entry.pfn);
  }

  /** Whether a frame is of this device's memory. */
  isOwn(pfn: number): boolean {
    const { pagemap } = this.devmem;
    return pagemap !== undefined && pfn >= pagemap.start && pfn < pagemap.start + pagemap.nr;
  }

  /**
   * Where a page is to go, copied already: 0 where it stays. Only anonymous memory can be where the CPU does not reach it.
   * @param source its frame; 0 for a hole.
   */
  protected destination(vma: Vma, source: number, toDevice: boolean): number {
    const { memory } = this.core;
    const { map } = memory;
    if (source !== NO_PFN && this.isOwn(source) === toDevice) return NO_PFN;
    if (toDevice && source !== NO_PFN && (!map.test(source, PG_anon) || map.test(source, PG_swapcache)))
      return NO_PFN;
    const page = toDevice ? this.takePage() : hmmVmaAllocLockedPage(vma);
    if (page === NO_PFN) return NO_PFN;
    if (source === NO_PFN) memory.data.fillPage(page, 0);
    else copyHighpage(memory, page, source);
    return page;
  }

  private takePage(): number {
    const page = this.pages.take();
    if (page === undefined) return NO_PFN;
    this.devmem.init(page);
    return page;
  }

  /** A process has closed the device. */
  forget(process: MirrorProcess): void {
    const at = this.processes.indexOf(process);
    if (at >= 0) this.processes.splice(at, 1);
  }

  /** @inheritdoc */
  free(page: number): void {
    this.pages.put(page);
  }

  /** @inheritdoc */
  *fault(vmf: VmFault): Task<number> {
    const { kernel, totals } = this;
    totals.cpuFaults++;
    if (kernel.trace.on) kernel.emit(TP_CPU_FAULT, vmf.vpn, 1, vmf.flags & WRITE);
    yield* this.pass(CPU_FAULT_NS);
    this.moved = 0;
    const ret = yield* this.bringHome(vmf);
    yield* this.account(vmf.vpn, false, 'cpu-fault');
    return ret;
  }
}
