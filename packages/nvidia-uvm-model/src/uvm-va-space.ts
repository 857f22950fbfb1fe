import { EEXIST, EINVAL, HmmError, type Kernel, RwSemaphore } from '@hmm/kernel';
import { declareState, pagesOf } from '@hmm/kernel/internal';
import type { GpuInstance } from '@hmm/gpu';
import type { UvmDriver } from './uvm-driver.js';
import { PAGES_PER_BLOCK } from './uvm-page-mask.js';
import type { UvmAts } from './uvm-ats.js';
import type { UvmHmmVaSpace } from './uvm-hmm.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import type { UvmVaPolicy } from './uvm-va-policy.js';
import { UvmThrashingLapse } from './uvm-perf-thrashing-lapse.js';
import { type UvmPin, uvmPerfThrashingUnpin } from './uvm-perf-thrashing-pin.js';
import { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { UVM_ID_GPU, type UvmProcessorId } from './uvm-types.js';
import { uvmVaBlockKill } from './uvm-va-block-kill.js';
import { UvmVaRange } from './uvm-va-range.js';

/** A managed allocation: what the program asked for; the range behind it may be larger. */
export interface UvmAllocation {
  readonly start: number;
  readonly pages: number;
}

/** A VA space: one process' managed memory. @uvm uvm_forward_decl.h uvm_va_space_t */
export class UvmVaSpace {
  /** What of it is state. */
  static readonly state = declareState({
    driver: 'constant',
    kernel: 'constant',
    instances: 'constant',
    lock: 'constant',
    hmm: 'value',
    ats: 'value',
    lapse: 'constant',
    pins: 'constant',
    context: { saved: 'scratch of one service, written before it is read' },
    systemMemoryRefusal: 'value',
    fatal: 'value',
    fatalErrno: 'value',
    kernels: 'value',
    ranges: 'value',
    allocations: 'constant',
    last: { saved: 'the range found last' },
  });

  readonly driver: UvmDriver;
  readonly kernel: Kernel;
  /** Its address space on each GPU, by id less one: they all have one number. */
  private readonly instances: readonly GpuInstance[];
  /** Taken for reading by faults, for writing by calls that change ranges or policies. */
  readonly lock: RwSemaphore;
  /** System memory that the GPU may use as well; undefined without HMM and ATS. */
  hmm: UvmHmmVaSpace | undefined;
  /** System memory is reached through the CPU's page table; undefined without ATS. */
  ats: UvmAts | undefined;
  /** The detector's lapse, which newer releases adapt. */
  readonly lapse: UvmThrashingLapse;
  /** Pages that the detector has pinned, by deadline. */
  readonly pins: UvmPin[] = [];
  /** What CPU faults and calls of the process work on. */
  readonly context: UvmServiceBlockContext;
  /** Why it does not reach system memory, once somebody has asked; empty where it does. */
  systemMemoryRefusal = '';
  /** Why the context is unusable; undefined while it is not. */
  fatal: string | undefined;
  /** The errno of what made it so. */
  fatalErrno = 0;
  /** Kernels that have all managed memory to themselves, where it is not shared. */
  kernels = 0;
  private ranges: UvmVaRange[] = [];
  private readonly allocations: UvmAllocation[] = [];
  private last: UvmVaRange | undefined;

  constructor(driver: UvmDriver, kernel: Kernel, instances: readonly GpuInstance[]) {
    this.driver = driver;
    this.kernel = kernel;
    this.instances = instances;
    this.lapse = new UvmThrashingLapse(driver.global);
    this.context = new UvmServiceBlockContext(driver);
    this.lock = new RwSemaphore(kernel.sched, kernel.allocIds(1), 'VA_SPACE');
  }

  /** Its number among the VA spaces of the driver. */
  get id(): number {
    return this.instance.id;
  }

  /** Its address space on the first GPU. */
  get instance(): GpuInstance {
    return this.instanceOn(UVM_ID_GPU);
  }

  /** Its address space on GPU `id`. */
  instanceOn(id: UvmProcessorId): GpuInstance {
    const instance = this.instances[id - 1];
    if (instance === undefined) throw new HmmError('PROCESSOR', 'no such GPU is registered', { id });
    return instance;
  }

  /** Whether its channels are gone. */
  get isDead(): boolean {
    return this.instance.dead;
  }

  /**
   * Makes a managed range for `bytes` bytes at page `start`, a multiple of 512. Less than 2 MiB still takes a range of
   * 2 MiB. Returns 0 or a negative errno.
   */
  alloc(start: number, bytes: number): number {
    if (bytes <= 0 || start % PAGES_PER_BLOCK !== 0) return -EINVAL;
    const pages = pagesOf(bytes);
    const covered = Math.max(pages, PAGES_PER_BLOCK);
    if (this.ranges.some((r) => r.start < start + covered && start < r.end)) return -EEXIST;
    this.insert(new UvmVaRange(this, start, covered));
    this.allocations.push({ start, pages });
    return 0;
  }

  /** Ends the allocation that starts at `start` and forgets its data. Returns 0, or -EINVAL where none does. */
  free(start: number): number {
    const at = this.allocations.findIndex((a) => a.start === start);
    const allocation = this.allocations[at];
    if (allocation === undefined) return -EINVAL;
    this.allocations.splice(at, 1);
    this.destroyRanges(start, start + Math.max(allocation.pages, PAGES_PER_BLOCK));
    return 0;
  }

  /** Ends the ranges that begin in `start` … `end - 1`, with all they hold. */
  destroyRanges(start: number, end: number): void {
    for (const range of this.ranges) {
      if (range.start >= start && range.start < end)
        for (const block of range.existingBlocks()) uvmVaBlockKill(this.context, block);
    }
    this.ranges = this.ranges.filter((r) => r.start < start || r.start >= end);
    this.last = undefined;
  }

  /** The allocation that covers `vpn`. */
  allocation(vpn: number): UvmAllocation | undefined {
    return this.allocations.find((a) => vpn >= a.start && vpn < a.start + a.pages);
  }

  /** First pages of all allocations, in the order they were made. */
  allocationStarts(): number[] {
    return this.allocations.map((a) => a.start);
  }

  /**
   * The range that covers `vpn`.
   * @uvm uvm_va_range.c uvm_va_range_find (without: ranges that are not managed memory)
   */
  range(vpn: number): UvmVaRange | undefined {
    const { last } = this;
    if (last !== undefined && vpn >= last.start && vpn < last.end) return last;
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((this.ranges[mid]?.end ?? 0) <= vpn) low = mid + 1;
      else high = mid;
    }
    const found = this.ranges[low];
    if (found === undefined || found.start > vpn) return undefined;
    this.last = found;
    return found;
  }

  /** The block that covers `vpn`, made if a range does; undefined outside of managed memory. */
  block(vpn: number): UvmVaBlock | undefined {
    return this.range(vpn)?.block(vpn);
  }

  /** The same of managed memory alone: nobody serves a fault on memory that is one GPU's. */
  managedBlock(vpn: number): UvmVaBlock | undefined {
    const range = this.range(vpn);
    return range === undefined || range.deviceOnly ? undefined : range.block(vpn);
  }

  /**
   * Cuts the ranges at the ends of `pages` pages from `start`, where their policy `differs` from what is
   * asked for.
   * @uvm uvm_policy.c split_span_as_needed (without: allocations that fail)
   */
  splitAsNeeded(start: number, pages: number, differs: (policy: UvmVaPolicy) => boolean): number[] {
    return [this.splitAt(start, differs), this.splitAt(start + pages, differs)].filter((cut) => cut > 0);
  }

  /** Unpins what was pinned long enough by `now`, ns. */
  unpinUntil(now: number): void {
    uvmPerfThrashingUnpin(this, now);
  }

  /** Every range, ascending. */
  all(): readonly UvmVaRange[] {
    return this.ranges;
  }

  /** Returns how many pages the block has that the cut goes through; 0 where it goes through none. */
  private splitAt(vpn: number, differs: (policy: UvmVaPolicy) => boolean): number {
    const range = this.range(vpn);
    if (range === undefined || range.start === vpn || !differs(range.policy)) return 0;
    const block = range.findBlock(vpn);
    const pages = block !== undefined && block.start < vpn ? block.pages : 0;
    this.insert(range.split(vpn));
    this.last = undefined;
    return pages;
  }

  private insert(range: UvmVaRange): void {
    const at = this.ranges.findIndex((r) => r.start > range.start);
    this.ranges.splice(at < 0 ? this.ranges.length : at, 0, range);
  }
}
