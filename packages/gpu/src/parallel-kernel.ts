import { GpuKernel, mapped } from './gpu-kernel.js';

const WARP = 32;
const BLOCK = 128;
const BATCH = 256;
/** Lanes of a warp that reach the first full batch. */
const FIRST_LANES = 23;
/** Warps that a later batch holds, and the most lanes of each. */
const LATER_WARPS = 40;
const LATER_LANES = 5;
/** One lane in so many is late. */
const LATE_LANE = 9;

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
    if (this.rounds++ === 0) this.firstRound();
    else this.laterRound();
    return this.done > before ? ns : 0;
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
      if (how === 2) remote++;
      done++;
      this.transfer(thread, thread + 1);
    }
    this.left = kept;
    this.done += done;
    if (remote > 0) this.gpu.countRemote(instance.id, accesses.base, remote);
    if (done === 0) return 0;
    return remote > 0 ? this.remoteNs : this.localNs;
  }

  private firstRound(): void {
    const perBlock = this.gpu.preset.capability.utlbFaults;
    const blocks = Math.ceil(this.accesses.pages.length / BLOCK);
    if (blocks * Math.min(perBlock, BLOCK) <= BATCH) {
      for (let block = 0; block < blocks; block++) this.faultThreads(block * BLOCK, perBlock);
      return;
    }
    const warps = Math.ceil(this.accesses.pages.length / WARP);
    const chosen = Math.ceil(BATCH / FIRST_LANES);
    let room = BATCH;
    for (let i = 0; i < chosen; i++) {
      const warp = Math.floor(((i + this.gpu.prng.next()) * warps) / chosen);
      const lanes = Math.min(FIRST_LANES, room);
      this.faultThreads(warp * WARP, lanes);
      room -= lanes;
    }
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
    const starts = this.warpStarts();
    const chosen = Math.min(LATER_WARPS, starts.length);
    for (let i = 0; i < chosen; i++) {
      const start = starts[Math.floor((i * starts.length) / chosen)] ?? 0;
      this.faultLanes(start, 1 + this.gpu.prng.below(LATER_LANES));
    }
  }

  /** Positions in the list of waiting threads where another warp begins. */
  private warpStarts(): number[] {
    const starts: number[] = [];
    let last = -1;
    for (let i = 0; i < this.left; i++) {
      const warp = (this.pending[i] ?? 0) >>> 5;
      if (warp !== last) starts.push(i);
      last = warp;
    }
    return starts;
  }

  private faultLanes(start: number, lanes: number): void {
    const { base, pages } = this.accesses;
    const warp = (this.pending[start] ?? 0) >>> 5;
    let sent = 0;
    for (let i = start; i < this.left && sent < lanes; i++) {
      const thread = this.pending[i] ?? 0;
      if (thread >>> 5 !== warp) return;
      if (sent > 0 && this.gpu.prng.below(LATE_LANE) === 0) continue;
      this.fault(base + (pages[thread] ?? 0), Math.floor(thread / BLOCK));
      sent++;
    }
  }
}
