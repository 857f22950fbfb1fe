import { GpuKernel, mapped } from './gpu-kernel.js';

const WARP = 32;
const BLOCK = 128;
const BATCH = 256;
/** Of a large kernel's warps, one in so many reaches the first batch, and no more than so many. */
const FIRST_SHARE = 4;
const FIRST_WARPS = 104;
/** Of the waiting warps, one in so many reaches a later batch, and no more than so many; and the pages they bring. */
const LATER_SHARE = 7;
const LATER_WARPS = 40;
const LATER_PAGES = 150;
/** The driver reads on right after its first replay: so small a part of the waiting warps has faulted by then. */
const SECOND_SHARE = 4;
/** A kernel of so few thread blocks is small: each has its share of every batch. */
const SMALL_BLOCKS = 8;
/** Where the uTLBs do not all fit into a batch, every other pair of thread blocks gets so much less, or more, than its share. */
const UNEVEN = 0.36;
/** Lanes of a warp that has its say for the second time, and of a warp that has it for the first. */
const RETRIED_LANES = 16;
const LATER_LANES = 8;

/**
 * A kernel of one thread an access, in thread blocks of 128. Which stalled threads get their fault into the next
 * batch is chance in hardware; this is a seeded stand-in with the recorded proportions: the uTLB limit and full
 * warps in the first batch, a few lanes of many warps later.
 */
export class ParallelKernel extends GpuKernel {
  private readonly pending: Int32Array;
  private left: number;
  private rounds = 0;

  constructor(...args: ConstructorParameters<typeof GpuKernel>) {
    super(...args);
    this.left = this.accesses.pages.length;
    this.pending = Int32Array.from({ length: this.left }, (_, i) => i);
  }

  override advance(): number {
    const before = this.done;
    const ns = this.retire();
    if (this.left === 0) {
      this.finished = true;
      return ns;
    }
    this.stalled = true;
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
    if (this.small) {
      for (let block = 0; block < this.blocks; block++) this.firstOfBlock(block);
      return;
    }
    const warps = Math.ceil(threads / WARP);
    const chosen = Math.min(FIRST_WARPS, Math.ceil(warps / FIRST_SHARE));
    let room = BATCH;
    for (let i = 0; i < chosen && room > 0; i++) {
      const warp = Math.floor(((i + this.gpu.prng.next()) * warps) / chosen);
      const lanes = i === chosen - 1 ? room : this.around(BATCH / chosen, room);
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
    const limit = Math.min(this.gpu.preset.capability.utlbFaults.value, BLOCK);
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

  /** A count by chance, from 1 to twice the mean, no more than `most`. */
  private around(mean: number, most: number): number {
    return Math.min(most, 1 + this.gpu.prng.below(Math.max(1, Math.round(2 * mean - 1))));
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
    const part = this.rounds === 2 ? SECOND_SHARE : 1;
    const reach = Math.min(LATER_WARPS, Math.ceil(starts.length / LATER_SHARE));
    const chosen = Math.max(1, Math.round(reach / part));
    for (let i = 0; i < chosen; i++) {
      const start = starts[Math.floor(((i + this.gpu.prng.next()) * starts.length) / chosen)] ?? 0;
      this.faultLanes(start, WARP, this.around(LATER_PAGES / part / chosen, WARP));
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
      this.faultLanes(start, WARP, warp === 2 ? RETRIED_LANES : LATER_LANES);
    }
    if (again) return;
    for (const start of this.starts(BLOCK)) this.faultLanes(start, BLOCK, LATER_LANES);
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

  /** Faults of `lanes` waiting threads of one group, less one that is late. */
  private faultLanes(start: number, size: number, lanes: number): void {
    const { base, pages } = this.accesses;
    const group = Math.floor((this.pending[start] ?? 0) / size);
    const late = lanes > 1 ? 1 + this.gpu.prng.below(lanes - 1) : lanes;
    for (let i = 0; i < lanes && start + i < this.left; i++) {
      const thread = this.pending[start + i] ?? 0;
      if (Math.floor(thread / size) !== group) return;
      if (i !== late) this.fault(base + (pages[thread] ?? 0), Math.floor(thread / BLOCK));
    }
  }
}
