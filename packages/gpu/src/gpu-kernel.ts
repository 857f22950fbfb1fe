import type { AccessSource, StreamShape } from '@hmm/device';
import {
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_NEEDS,
  GPU_ACCESS_WRITE,
  GPU_CANCEL_ALL,
  GPU_FAULT_ATOMIC,
  GPU_FAULT_INVALID_PDE,
  GPU_FAULT_INVALID_PTE,
  GPU_FAULT_WRITE,
  GPU_PTE_FAR,
  GPU_PTE_VALID,
} from './access.js';
import type { Gpu } from './gpu.js';
import type { GpuInstance } from './gpu-instance.js';

/** uTLB ids are below this. */
export const UTLBS = 1024;

/** What a kernel does to memory: access `i` touches `width` bytes at `offset` of page `base + pages[i]`. */
export interface GpuAccesses {
  /** `GPU_ACCESS_READ`, `_WRITE` or `_ATOMIC_STRONG`. */
  readonly access: number;
  readonly shape: StreamShape;
  /** VPN that `pages` count from. */
  readonly base: number;
  readonly pages: Int32Array;
  /** Byte in the page. */
  readonly offset: number;
  readonly width: number;
  /** One value per access: stored, loaded or added; undefined when the contents do not matter. */
  readonly values: Uint32Array | undefined;
  /**
   * Kind of each access where they differ, in `warps`, as `GPU_ACCESS_OF_PROGRAM` numbers them; `access` then is the one
   * whose cost all have.
   */
  readonly kinds?: Uint8Array | undefined;
  /** Warps that share the accesses of `warps`; 1 without it. */
  readonly lanes?: number | undefined;
  /** Where the next pieces of `warps` come from. */
  readonly source?: AccessSource | undefined;
  /** All bytes of each page, by a kernel of the runtime: its shape does not matter then. */
  readonly bulk?: GpuBulk | undefined;
}

/** Kernels of the runtime: a copy between device memory and a range, between host memory and a range, a fill of a range. */
export type GpuBulk = 'copy' | 'host-copy' | 'fill';

/**
 * A running kernel: its accesses, in the order and the concurrency of its shape. {@link GpuKernel.advance} lets it
 * run on, up to where every thread it has is stalled on a fault; after a replay it is called again.
 */
export abstract class GpuKernel {
  /** Accesses done. */
  done = 0;
  /** No access is left. */
  finished = false;
  /** Every thread waits for a fault; nothing happens before a replay. */
  stalled = false;
  /** Page of the access that was cancelled; -1 while none was. A cancelled kernel never goes on. */
  cancelled = -1;
  /** ns that it has run out of turn, not booked yet. */
  carriedNs = 0;
  /** uTLBs that its faults have come through since it last ran: a bit each. */
  private readonly utlbs = new Int32Array(UTLBS / 32);
  readonly gpu: Gpu;
  readonly instance: GpuInstance;
  readonly accesses: GpuAccesses;
  protected readonly needs: number;
  protected readonly localNs: number;
  protected readonly remoteNs: number;

  constructor(gpu: Gpu, instance: GpuInstance, accesses: GpuAccesses) {
    this.gpu = gpu;
    this.instance = instance;
    this.accesses = accesses;
    const { access } = gpu.preset;
    this.needs = GPU_ACCESS_NEEDS[accesses.access] ?? GPU_PTE_VALID;
    const kind = accesses.access;
    const atomic = kind > GPU_ACCESS_WRITE;
    const [local, remote] =
      kind < GPU_ACCESS_WRITE
        ? [access.localRead, access.remoteRead]
        : atomic
          ? [access.localAtomic, access.remoteAtomic]
          : [access.localWrite, access.remoteWrite];
    this.localNs = local.value;
    this.remoteNs = remote.value;
  }

  /**
   * Runs until done, until every thread waits for a fault (and delivers the faults to the fault buffer), or for
   * {@link Gpu.slice} accesses of a thread.
   * @returns ns of GPU time that this took.
   */
  abstract advance(): number;

  /** The driver cancels what waits for page `vpn`; returns whether this kernel did. `mode` is `GPU_CANCEL_*`. */
  cancel(vpn: number, mode: number): boolean {
    if (this.finished || this.cancelled >= 0 || !this.waitsFor(vpn)) return false;
    if (mode !== GPU_CANCEL_ALL && this.accesses.access < GPU_ACCESS_WRITE) return false;
    this.cancelled = vpn;
    return true;
  }

  /** As {@link GpuKernel.cancel} for everything that came through one uTLB. */
  cancelUtlb(utlb: number, vpn: number): boolean {
    if (this.finished || this.cancelled >= 0 || !this.stalled) return false;
    if ((((this.utlbs[utlb >>> 5] ?? 0) >>> (utlb & 31)) & 1) === 0) return false;
    this.cancelled = vpn;
    return true;
  }

  /** It runs on: which uTLBs it faults through is seen anew. */
  forgetUtlbs(): void {
    this.utlbs.fill(0);
  }

  /** Its stalled accesses try again at the replay itself, before the driver does anything else. */
  get retriesAtReplay(): boolean {
    return false;
  }

  /** It has tried again since the last replay: nothing comes of running it before the next. */
  get tried(): boolean {
    return false;
  }

  /** Whether a thread of it is stalled on page `vpn`. */
  abstract waitsFor(vpn: number): boolean;

  /** ns that the accesses done so far take with all their pages in device memory. */
  residentTime(): number {
    return this.done * this.localNs;
  }

  /** Delivers the faults of `times` accesses to page `vpn` through `utlb` and the ones after it. */
  protected fault(vpn: number, utlb: number, times = 1): void {
    const { access } = this.accesses;
    const type = this.faultType(vpn, access);
    const { now } = this.gpu.kernel.sched;
    this.deliver(vpn, access, type, utlb, now, times);
  }

  /** Delivers the fault of an access to page `vpn` through `utlb`, which arrives at `time`, no earlier than the ones before. */
  protected faultAt(time: number, vpn: number, utlb: number): void {
    const { access } = this.accesses;
    this.deliver(vpn, access, this.faultType(vpn, access), utlb, time);
  }

  /** Delivers the fault of one access of kind `access` to page `vpn`. */
  protected faultOf(vpn: number, access: number, utlb: number): void {
    this.deliver(vpn, access, this.faultType(vpn, access), utlb, this.gpu.kernel.sched.now);
  }

  /** The number `utlb` may be larger than the number of units: it wraps round. A run of `times` units that begins at it does not wrap. */
  private deliver(vpn: number, access: number, type: number, utlb: number, time: number, times = 1): void {
    const { faultBuffer } = this.gpu;
    const first = utlb % UTLBS;
    const { utlbs } = this;
    for (let unit = first; unit < first + times; unit++)
      utlbs[unit >>> 5] = (utlbs[unit >>> 5] ?? 0) | (1 << (unit & 31));
    faultBuffer.pushWarps(this.instance.id, vpn, access, type, first, times, time);
  }

  /** Books accesses `from` … `to - 1` of `pages`, of which `remote` went across the link. */
  protected countRemote(from: number, to: number, remote: number): void {
    const { gpu, instance, accesses } = this;
    gpu.remoteAccesses += remote;
    if (remote === 0 || gpu.accessCounters.threshold === 0) return;
    for (let i = from; i < to; i++) {
      const vpn = accesses.base + (accesses.pages[i] ?? 0);
      if ((instance.table.tlb.flags(vpn) & GPU_PTE_FAR) !== 0) this.countAccess(vpn, 1);
    }
  }

  /** Shows `accesses` accesses across the link to page `vpn` to the access counters. */
  protected countAccess(vpn: number, accesses: number): void {
    this.gpu.accessCounters.count(this.instance.id, vpn, accesses);
  }

  /** Loads, stores or adds for accesses `from` … `to - 1`, whose pages are mapped. */
  protected transfer(from: number, to: number): void {
    const { values } = this.accesses;
    if (values === undefined) return;
    for (let i = from; i < to; i++) this.transferOne(i, values);
  }

  private transferOne(i: number, values: Uint32Array): void {
    const { base, pages, offset, width, access } = this.accesses;
    const vpn = base + (pages[i] ?? 0);
    const { table } = this.instance;
    const memory = this.gpu.memoryOf(table.flags(vpn));
    const pfn = table.frame(vpn);
    const value = values[i] ?? 0;
    if (access === GPU_ACCESS_WRITE) {
      memory.write(pfn, offset, width, value);
      return;
    }
    const before = memory.read(pfn, offset, width);
    if (access > GPU_ACCESS_WRITE) memory.write(pfn, offset, width, before + value);
    values[i] = before;
  }

  private faultType(vpn: number, access: number): number {
    const { table } = this.instance;
    const flags = table.tlb.flags(vpn);
    if ((flags & GPU_PTE_VALID) === 0)
      return table.hasTable(vpn) ? GPU_FAULT_INVALID_PTE : GPU_FAULT_INVALID_PDE;
    const write = GPU_ACCESS_NEEDS[GPU_ACCESS_WRITE] ?? 0;
    if ((flags & write) !== write) return GPU_FAULT_WRITE;
    return access === GPU_ACCESS_ATOMIC_STRONG ? GPU_FAULT_ATOMIC : GPU_FAULT_INVALID_PTE;
  }
}

/** Whether page `vpn` is mapped for `needs`; `remote` counts when the mapping goes across the link. */
export function mapped(instance: GpuInstance, vpn: number, needs: number): 0 | 1 | 2 {
  const flags = instance.table.tlb.walked(vpn, needs);
  if ((flags & needs) !== needs) return 0;
  return (flags & GPU_PTE_FAR) === 0 ? 1 : 2;
}
