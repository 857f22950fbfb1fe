import {
  ACCESS_ATOMIC,
  ACCESS_WRITE,
  type AccessStream,
  cpuResidency,
  type DeviceOperationResult,
  type DeviceProcess,
  type Place,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
  runStream,
  type SingleAccessDevice,
  type StreamResult,
  SystemFrames,
} from '@hmm/device';
import { EACCES, EFAULT, EIO, EOPNOTSUPP, SpinLock, type Task } from '@hmm/kernel';
import { declareState, LEVEL_PTE, PageTablePool } from '@hmm/kernel/internal';
import { GPU_LEAF_4K, GPU_PTE_SYSMEM, GPU_PTE_VALID, GPU_PTE_WRITE, GpuPageTable } from '@hmm/gpu';
import { type MmStruct, VM_READ, VM_WRITE, type Vma, vmaLookup } from '@hmm/mm';
import { HmmMirror } from '../hmm.js';
import { HMM_PFN_READ, HMM_PFN_UNADDRESSABLE, HMM_PFN_VALID, HMM_PFN_WRITE } from '../hmm-pfn.js';
import type { MirrorDriver } from './driver.js';
import {
  TP_ASK,
  TP_FAULT,
  TP_MAP,
  TP_MAP_REMOTE,
  TP_REPLAY,
  TP_RETRY,
  TP_THRASHING,
  TP_UPDATE,
} from './tracepoints.js';

/** What the device and the driver's own code cost, ns: estimates, as this device was never built. */
const ACCESS_NS = 500;
const FAULT_NS = 10_000;
const REPLAY_NS = 1000;

/** Table pages for each process. */
const MAX_TABLES = 4096;
const MAX_TABLES_EXPLORED = 16;

/** What a driver chooses. */
export interface MirrorPolicy {
  /** Pages that a fault covers, aligned. */
  readonly window: number;
  /** Times that a page goes to the device before it is left in place; 0: it always is. */
  readonly moves: number;
}

/** The pages around a fault, in the VMA of it, with mmap_sem held for reading. */
export interface Window {
  readonly vma: Vma;
  readonly start: number;
  readonly end: number;
  readonly pfns: Int32Array;
}

/** One process on the device: its mirror, and the device's page table of it. */
export class MirrorProcess implements DeviceProcess, SingleAccessDevice {
  /** What of it is state. */
  static readonly state = declareState({
    managed: { outside: 'never there' },
    accessNs: { outside: 'a figure' },
    mm: 'constant',
    driver: 'constant',
    policy: { outside: 'chosen when the machine is made' },
    lock: 'constant',
    isOpen: 'value',
    mirror: 'constant',
    table: 'constant',
    counts: 'constant',
    countsRoot: 'constant',
    frames: 'constant',
    lowest: 'value',
    highest: 'value',
  });

  readonly managed = undefined;
  readonly accessNs = ACCESS_NS;
  readonly mm: MmStruct;
  /** The driver's page-table lock, which its callback takes. */
  readonly lock: SpinLock;
  /** Whether the device is open in the process. */
  isOpen = true;
  readonly mirror: HmmMirror;
  private readonly driver: MirrorDriver;
  private readonly policy: MirrorPolicy;
  private readonly table: GpuPageTable;
  /** By page: how often it went to the device. */
  private readonly counts: PageTablePool;
  private readonly countsRoot: number;
  private readonly frames: SystemFrames;
  /** The pages that the table may have something for. */
  private lowest = Infinity;
  private highest = 0;

  constructor(driver: MirrorDriver, mm: MmStruct, policy: MirrorPolicy) {
    this.driver = driver;
    this.mm = mm;
    this.policy = policy;
    const { sched } = mm.kernel;
    const tables = driver.explored ? MAX_TABLES_EXPLORED : MAX_TABLES;
    this.lock = new SpinLock(sched, 'device page table');
    this.table = new GpuPageTable(tables);
    this.counts = new PageTablePool(tables, mm.system.tables.levels);
    this.countsRoot = this.counts.alloc();
    this.frames = new SystemFrames(mm.system);
    this.mirror = new HmmMirror((_mirror, _action, start, end) => {
      this.update(start, end);
    });
  }

  /** The callback: the device forgets [start, end). When it returns, no access goes by an old entry. */
  private update(start: number, end: number): void {
    const { driver } = this;
    driver.core.touch();
    driver.totals.invalidations++;
    const from = Math.max(start, this.lowest);
    const to = Math.min(end, this.highest);
    this.lock.lock();
    if (from < to) this.table.unmap(from, to - from);
    this.lock.unlock();
    this.emit(TP_UPDATE, start, end - start, 0);
  }

  /**
   * Takes mmap_sem for reading, and finds the window around a page.
   * @returns a negative errno, with mmap_sem dropped, where the process may not do that access itself.
   */
  *lookUp(vpn: number, write: boolean): Task<Window | number> {
    const { mm } = this;
    if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
    this.driver.core.touch();
    const vma = vmaLookup(mm, vpn);
    const errno = !this.isOpen ? -EIO : vma === undefined || mm.users <= 0 ? -EFAULT : permission(vma, write);
    if (errno !== 0 || vma === undefined) {
      mm.mmapLock.unlockRead();
      return errno;
    }
    const first = vpn - (vpn % this.policy.window);
    const start = Math.max(first, vma.start);
    const end = Math.min(first + this.policy.window, vma.end);
    return { vma, start, end, pfns: new Int32Array(2 * (end - start)) };
  }

  /** Enters what the slots of a window say, where the device reaches it. Called under {@link lock}. */
  enter({ start, end, pfns }: Window): void {
    const { driver } = this;
    if (!this.isOpen) return;
    let own = 0;
    let remote = 0;
    for (let i = 0; i < end - start; i++) {
      const flags = pfns[2 * i] ?? 0;
      const pfn = pfns[2 * i + 1] ?? 0;
      const usable = HMM_PFN_VALID | HMM_PFN_READ;
      if ((flags & usable) !== usable) continue;
      const onDevice = (flags & HMM_PFN_UNADDRESSABLE) !== 0;
      if (onDevice && !driver.isOwn(pfn)) continue;
      const write = (flags & HMM_PFN_WRITE) !== 0 ? GPU_PTE_WRITE : 0;
      this.table.map(start + i, 1, pfn, GPU_PTE_VALID | write | (onDevice ? 0 : GPU_PTE_SYSMEM), GPU_LEAF_4K);
      if (onDevice) own++;
      else remote++;
    }
    this.lowest = Math.min(this.lowest, start);
    this.highest = Math.max(this.highest, end);
    driver.totals.remoteMaps += remote;
    if (own > 0) this.emit(TP_MAP, start, end - start, own);
    if (remote > 0) this.emit(TP_MAP_REMOTE, start, end - start, remote);
  }

  /** What was read is not true any more: counts it, and lets others go on. */
  *again(vpn: number): Task {
    this.driver.totals.retries++;
    this.emit(TP_RETRY, vpn, 1, 0);
    yield* this.driver.pass(REPLAY_NS);
  }

  /** @inheritdoc */
  *launch(stream: AccessStream): Task<StreamResult> {
    return yield* runStream(this, this.mm.kernel.sched, stream);
  }

  /** @inheritdoc */
  *access(stream: AccessStream, i: number, kind: number): Task<number> {
    const vpn = stream.base + (stream.pages[i] ?? 0);
    const write = kind === ACCESS_WRITE || kind === ACCESS_ATOMIC;
    const needs = GPU_PTE_VALID | (write ? GPU_PTE_WRITE : 0);
    for (;;) {
      if (!this.isOpen) return -EIO;
      const flags = this.table.flags(vpn);
      if ((flags & needs) === needs) return this.load(stream, i, kind, vpn, flags);
      const errno = yield* this.serve(vpn, write);
      if (errno !== 0) return errno;
    }
  }

  /** The access itself, by an entry that allows it. */
  private load(stream: AccessStream, i: number, kind: number, vpn: number, flags: number): number {
    const { totals, core } = this.driver;
    const { offset, width, values } = stream;
    core.touch();
    totals.timeNs.running += ACCESS_NS;
    if ((flags & GPU_PTE_SYSMEM) !== 0) totals.remoteAccesses++;
    if (values === undefined) return 0;
    const pfn = this.table.frame(vpn);
    const before = kind === ACCESS_WRITE ? 0 : this.frames.read(pfn, offset, width);
    if (kind === ACCESS_WRITE || kind === ACCESS_ATOMIC)
      this.frames.write(pfn, offset, width, before + (values[i] ?? 0));
    if (kind !== ACCESS_WRITE) values[i] = before;
    return 0;
  }

  /**
   * A fault, in the order of the announcement: the device faults; the interrupt, an unknown address, HMM is asked; the page is
   * unmapped on the CPU and moves, or is left where it is if its counter says so; the access is replayed. @returns 0 or a negative errno.
   */
  private *serve(vpn: number, write: boolean): Task<number> {
    const { driver } = this;
    const { totals } = driver;
    const then = this.mm.kernel.sched.now;
    totals.faults++;
    this.emit(TP_FAULT, vpn, 1, write ? 1 : 0);
    yield* driver.pass(FAULT_NS);
    totals.batches++;
    this.emit(TP_ASK, vpn, 1, write ? 1 : 0);
    const errno = yield* this.resolve(vpn, write);
    totals.timeNs.faultWait += this.mm.kernel.sched.now - then;
    if (errno !== 0) return errno;
    totals.replays++;
    this.emit(TP_REPLAY, vpn, 1, 0);
    yield* driver.pass(REPLAY_NS);
    return 0;
  }

  private *resolve(vpn: number, write: boolean): Task<number> {
    const { driver, policy } = this;
    const went = this.wentToDevice(vpn);
    if (went < policy.moves) {
      const errno = yield* driver.ask(this, vpn, write, false);
      if (errno !== 0) return errno;
      const first = vpn - (vpn % policy.window);
      if (!driver.holds(this.mm, vpn))
        yield* driver.move(this.mm, first, first + policy.window, true, 'fault');
      if (driver.holds(this.mm, vpn)) this.count(vpn);
    } else if (policy.moves > 0 && !driver.holds(this.mm, vpn)) {
      driver.totals.pinned++;
      this.emit(TP_THRASHING, vpn, 1, went);
    }
    return yield* driver.ask(this, vpn, write, true);
  }

  private wentToDevice(vpn: number): number {
    const lane = this.counts.findPte(this.countsRoot, vpn);
    return lane < 0 ? 0 : (this.counts.lanes[lane] ?? 0);
  }

  private count(vpn: number): void {
    const lane = this.counts.make(this.countsRoot, vpn, LEVEL_PTE);
    if (lane >= 0) this.counts.lanes[lane] = (this.counts.lanes[lane] ?? 0) + 1;
  }

  /** @inheritdoc */
  *prefetch(vpn: number, pages: number, to: Place): Task<number> {
    if (!this.isOpen) return -EIO;
    yield* this.driver.move(this.mm, vpn, vpn + pages, to === 'gpu', 'user');
    return 0;
  }

  /** It takes no advice. */
  *advise(): Task<number> {
    return -EOPNOTSUPP;
  }

  /** It has no calls of its own. */
  *operation(): Task<DeviceOperationResult> {
    return { rc: -EOPNOTSUPP, cpages: 0, faults: 0, values: [] };
  }

  /** @inheritdoc */
  residency(vpn: number, pages: number, out: Uint8Array): void {
    for (let i = 0; i < pages; i++) {
      const flags = this.isOpen ? this.table.flags(vpn + i) : 0;
      let bits = cpuResidency(this.mm, vpn + i);
      if ((flags & GPU_PTE_VALID) !== 0) bits |= RES_DEVICE_MAPPED;
      if ((flags & GPU_PTE_WRITE) !== 0) bits |= RES_DEVICE_WRITE;
      out[i] = bits;
    }
  }

  /** @inheritdoc */
  entryAt(vpn: number): number {
    const flags = this.isOpen ? this.table.flags(vpn) : 0;
    if ((flags & GPU_PTE_VALID) === 0) return -1;
    return 4 * this.table.frame(vpn) + ((flags & GPU_PTE_WRITE) !== 0 ? 1 : 0);
  }

  /** Nothing kills it. */
  fatal(): undefined {
    return undefined;
  }

  /** Brings home what is in device memory, and ends the mirror. */
  *close(): Task {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.driver.core.touch();
    if (this.mm.users > 0) yield* this.driver.move(this.mm, 0, Infinity, false, 'close');
    yield* this.driver.unregister(this.mirror);
    this.driver.forget(this);
    if (this.highest > this.lowest) this.table.unmap(this.lowest, this.highest - this.lowest);
  }

  private emit(kind: number, page: number, pages: number, value: number): void {
    const { kernel } = this.mm;
    if (kernel.trace.on) kernel.emit(kind, page, pages, value);
  }
}

function permission(vma: Vma, write: boolean): number {
  if ((vma.flags & VM_READ) === 0) return -EFAULT;
  return write && (vma.flags & VM_WRITE) === 0 ? -EACCES : 0;
}
