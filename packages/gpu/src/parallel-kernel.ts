import { GPU_ACCESS_WRITE } from './access.js';
import { GpuKernel, mapped } from './gpu-kernel.js';

const WARP = 32;
const BLOCK = 128;
const BATCH = 256;
/** The warps of a large kernel that reach its first batch: so many times the root of all. */
const FIRST_WARPS = 1.05;
/** Of the waiting warps, one in so many reaches the second batch, with so many lanes: the driver reads it right after its replay. */
const SECOND_SHARE = 3.4;
const SECOND_LANES = 2.3;
/** Of the waiting warps, one in so many reaches a later batch, and no more than so many. */
const LATER_SHARE = 7;
const LATER_WARPS = 43;
/** Pages of every other later batch and of those between them; of a writing kernel's a little less. */
const LATER_PAGES = [137, 178];
const WRITTEN_PART = 0.94;
/** Where the pages of a warp lie all over, a thread block brings so many lanes at first, since each takes a walk of its own … */
const SCATTERED_FIRST = 13;
/** … and later batches have one in so many of the waiting warps, and so many pages. */
const SCATTERED_SHARE = 5.8;
const SCATTERED_PAGES = [110, 100];
/** A kernel of so few thread blocks is small: each has its share of every batch. */
const SMALL_BLOCKS = 12;
/** Where the uTLBs do not all fit into a batch, every other pair of thread blocks gets so much less, or more, than its share. */
const UNEVEN = 0.42;
/** Lanes of a small kernel's warp that has its say for the second time, and of one that has it for the first: reads and writes. */
const RETRIED_LANES = { read: 31, write: 10 };
const LATER_LANES = { read: 8, write: 4 };
/** The lane of the eight that is late, by thread block. */
const LATE_LANES = [7, 4, 6, 5];
/** Writes that a uTLB takes fewer of than reads. */
const FEWER_WRITES = 4;
/** Multiples of it, modulo 1, are spread evenly. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * A kernel of one thread an access, in thread blocks of 128. Which stalled threads get their fault into the next
 * batch is chance in hardware; this is a seeded stand-in with the recorded proportions: the uTLB limit and full
 * warps in the first batch, a few lanes of many warps later.
 */
export class ParallelKernel extends GpuKernel {
  private readonly pending: Int32Array;
  private left: number;
  private rounds = 0;
  /** Where the counts of the present batch begin: 0 to 1. */
  private offset = 0;
  private readonly kind: 'read' | 'write';
  /** The pages of a warp are not consecutive. */
  private readonly scattered: boolean;

  constructor(...args: ConstructorParameters<typeof GpuKernel>) {
    super(...args);
    this.left = this.accesses.pages.length;
    this.pending = Int32Array.from({ length: this.left }, (_, i) => i);
    const { access, pages } = this.accesses;
    this.kind = access < GPU_ACCESS_WRITE ? 'read' : 'write';
    this.scattered = pages.subarray(0, WARP).some((page, i) => page !== (pages[0] ?? 0) + i);
  }

  override advance(): number {
    const before = this.done;
    const ns = this.retire();
    if (this.left === 0) {
      this.finished = true;
      return ns;
    }
    this.stalled = true;
    this.offset = this.gpu.prng.next();
    if (this.rounds++ === 0) this.firstRound();
    else this.laterRound();
    return this.done > before ? ns : 0;
  }

  /** All threads run at once. */
  override residentTime(): number {
    return this.done > 0 ? this.localNs : 0;
  }

  override waitsFor(vpn: number): boolean {
    const { base, pages } = this.accesses;
    return this.pending.subarray(0, this.left).some((thread) => base + (pages[thread] ?? 0) === vpn);
  }

  /** Completes the threads whose page is mapped by now; they all run at once, so the slowest counts. */
  private retire(): number {
    const { pending, accesses, instance, needs } = this;
    let kept = 0;
    let remote = 0;
    let done = 0;
    for (let i = 0; i < this.left; i++) {
      const thread = pending[i] ?? 0;
      const vpn = accesses.base + (accesses.pages[thread] ?? 0);
      const how = mapped(instance, vpn, needs);
      if (how === 0) {
        pending[kept++] = thread;
        continue;
      }
      if (how === 2) {
        remote++;
        this.countAccess(vpn, 1);
      }
      done++;
      this.transfer(thread, thread + 1);
    }
    this.left = kept;
    this.done += done;
    this.gpu.remoteAccesses += remote;
    if (done === 0) return 0;
    return remote > 0 ? this.remoteNs : this.localNs;
  }

  private get blocks(): number {
    return Math.ceil(this.accesses.pages.length / BLOCK);
  }

  private get small(): boolean {
    return this.blocks <= SMALL_BLOCKS;
  }

  private firstRound(): void {
    const threads = this.accesses.pages.length;
    if (this.scattered) {
      const share = Math.min(SCATTERED_FIRST, BATCH / this.blocks);
      for (let block = 0; block < this.blocks; block++)
        this.faultThreads(block * BLOCK, Math.floor((block + 1) * share) - Math.floor(block * share));
      return;
    }
    if (this.small) {
      for (let block = 0; block < this.blocks; block++) this.firstOfBlock(block);
      return;
    }
    const warps = Math.ceil(threads / WARP);
    const chosen = Math.min(warps, Math.round(FIRST_WARPS * Math.sqrt(warps)));
    let room = BATCH;
    for (let i = 0; i < chosen && room > 0; i++) {
      const warp = Math.floor(((i + this.gpu.prng.next()) * warps) / chosen);
      const lanes = i === chosen - 1 ? room : this.around(BATCH / chosen, room, i);
      this.faultThreads(warp * WARP, Math.min(lanes, WARP));
      room -= lanes;
    }
  }

  /**
   * A uTLB takes a whole warp of a thread block and part of the next; the upper warps come first. Where that is too much for one
   * batch, both warps of a thread block that comes late bring half of their lanes.
   */
  private firstOfBlock(block: number): void {
    const first = block * BLOCK;
    const { utlbFaults } = this.gpu.preset.capability;
    const limit = Math.min(utlbFaults.value - (this.kind === 'write' ? FEWER_WRITES : 0), BLOCK);
    const end = Math.min(first + BLOCK, this.accesses.pages.length);
    const from = end - first > WARP * 2 ? first + WARP * 2 : first;
    const share = BATCH / this.blocks;
    const late = share < limit && block % 4 < 2;
    const uneven = share < limit ? share * (late ? 1 - UNEVEN : 1 + UNEVEN) : limit;
    const count = Math.min(limit, Math.round(uneven), end - from);
    if (!late) this.faultThreads(from, count);
    else {
      const half = Math.min(WARP / 4, count >> 1);
      this.faultThreads(from, count - half);
      this.faultThreads(from + WARP + WARP / 2, half);
    }
  }

  /** A count by chance, from 1 to twice the mean, no more than `most`; of the `turn`th of several whose sum is not left to chance. */
  private around(mean: number, most: number, turn: number): number {
    const part = (this.offset + turn * GOLDEN) % 1;
    return Math.min(most, 1 + Math.floor(part * Math.max(1, Math.round(2 * mean - 1))));
  }

  private faultThreads(first: number, count: number): void {
    const { base, pages } = this.accesses;
    const end = Math.min(first + count, pages.length);
    for (let thread = first; thread < end; thread++) {
      const vpn = base + (pages[thread] ?? 0);
      if (mapped(this.instance, vpn, this.needs) === 0) this.fault(vpn, Math.floor(thread / BLOCK));
    }
  }

  private laterRound(): void {
    if (this.small) {
      this.laterOfBlocks();
      return;
    }
    const starts = this.starts(WARP);
    const second = this.rounds === 2 && !this.scattered;
    const share = this.scattered ? SCATTERED_SHARE : LATER_SHARE;
    const reach = second ? starts.length / SECOND_SHARE : Math.min(LATER_WARPS, starts.length / share);
    const chosen = Math.max(1, Math.round(reach));
    const pages = (this.scattered ? SCATTERED_PAGES : LATER_PAGES)[this.rounds % 2] ?? 0;
    const part = this.kind === 'write' ? WRITTEN_PART : 1;
    const lanes = part * (second ? SECOND_LANES : pages / chosen);
    for (let i = 0; i < chosen; i++) {
      const start = starts[Math.floor(((i + this.gpu.prng.next()) * starts.length) / chosen)] ?? 0;
      this.faultLanes(start, WARP, this.around(lanes, WARP, i));
    }
  }

  /** Upper warps of a thread block fault again as far as they still wait; only when none does, the others have their say. */
  private laterOfBlocks(): void {
    const { pending } = this;
    let again = false;
    for (const start of this.starts(WARP)) {
      const warp = Math.floor((pending[start] ?? 0) / WARP) % (BLOCK / WARP);
      if (warp < 2) continue;
      again = true;
      this.faultLanes(start, WARP, (warp === 2 ? RETRIED_LANES : LATER_LANES)[this.kind]);
    }
    if (again) return;
    for (const start of this.starts(BLOCK)) this.faultLanes(start, BLOCK, LATER_LANES[this.kind]);
  }

  /** Positions in the list of waiting threads where another group of `size` threads begins. */
  private starts(size: number): number[] {
    const starts: number[] = [];
    let last = -1;
    for (let i = 0; i < this.left; i++) {
      const group = Math.floor((this.pending[i] ?? 0) / size);
      if (group !== last) starts.push(i);
      last = group;
    }
    return starts;
  }

  /** Which of `lanes` lanes is late. Of the eight with which a small kernel's warp begins it is one of the last four, as the thread block has it. */
  private lateLane(group: number, size: number, lanes: number): number {
    if (this.kind === 'write' && this.small) return lanes;
    if (this.small && lanes === LATER_LANES.read)
      return LATE_LANES[Math.floor((group * size) / BLOCK) % LATE_LANES.length] ?? 0;
    return lanes > 1 ? 1 + this.gpu.prng.below(lanes - 1) : lanes;
  }

  /** Faults of `lanes` waiting threads of one group, less one that is late unless it is a small kernel that writes. */
  private faultLanes(start: number, size: number, lanes: number): void {
    const { base, pages } = this.accesses;
    const group = Math.floor((this.pending[start] ?? 0) / size);
    const late = this.lateLane(group, size, lanes);
    for (let i = 0; i < lanes && start + i < this.left; i++) {
      const thread = this.pending[start + i] ?? 0;
      if (Math.floor(thread / size) !== group) return;
      if (i !== late) this.fault(base + (pages[thread] ?? 0), Math.floor(thread / BLOCK));
    }
  }
}
