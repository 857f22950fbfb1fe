import type { FaultPath } from './fault-path.js';

const WARP = 32;
/** Threads of a thread block. */
export const BLOCK = 128;
/** Pages of one sector: a miss asks for the four leaf entries that come in one read. */
export const SECTOR = 4;
/** Slices of a uTLB. */
const SLICES = 4;

/** Where the threads of an {@link SmFaults} do their accesses. */
export interface SmAccesses {
  /** VPN that thread `thread` wants. */
  page(thread: number): number;
  /** Tries the access of `thread`: true when its page was mapped, and the access is done. */
  tryAccess(thread: number): boolean;
}

/** The slice of a uTLB that looks up page `page`. */
function sliceOf(page: number, { sliceHash, sliceHashBase }: FaultPath): number {
  const sector = Math.floor(page / SECTOR);
  let slice = sliceHashBase.value ^ (page % SECTOR);
  for (let bit = 0; bit < sliceHash.length; bit++)
    if (((sector >> bit) & 1) !== 0) slice ^= sliceHash[bit]?.value ?? 0;
  return slice;
}

/** The warps of thread block `block` in the order in which they reach the uTLB. */
function warpsOf(block: number, { warpOrders }: FaultPath): number[] {
  const order = warpOrders[block % warpOrders.length]?.value ?? 0;
  return [1000, 100, 10, 1].map((digit) => Math.floor(order / digit) % 10);
}

/**
 * The threads of one SM, one access each, and the faults that its uTLB has outstanding. As recorded on H100s by
 * tools/uvm-capture/uvm_faults.cu: the uTLB asks for so many sectors; what is behind them waits for a replay; a replay lets
 * pass what is mapped and raises the rest again; only where nothing is left do a few new accesses fault.
 */
export class SmFaults {
  /** Threads with a fault outstanding, in the order of their faults; the first {@link SmFaults.waiting} count. */
  readonly outstanding: Int32Array;
  waiting = 0;
  /** None of them was outstanding before the last replay. */
  fresh = false;
  /** When its turn comes among the SMs of its cluster, the lowest first; NaN before it has faulted. */
  rank = NaN;
  /** Threads in the order in which their accesses reach the uTLB, and the first that has not. */
  private readonly threads: Int32Array;
  private count = 0;
  private next = 0;
  /** The card's. */
  private readonly path: FaultPath;
  private readonly faultsAgain: number;
  /** Sectors that new accesses have asked for; the first `asking` count. */
  private readonly asked: Float64Array;
  private asking = 0;

  /** For up to `threads` threads, and at most `sectors` sectors outstanding. */
  constructor(path: FaultPath, threads: number, sectors: number, kind: 'read' | 'write') {
    this.path = path;
    this.threads = new Int32Array(threads);
    this.faultsAgain = kind === 'read' ? path.readsAgain.value : path.writesAgain.value;
    this.outstanding = new Int32Array(sectors * SECTOR);
    this.asked = new Float64Array(sectors);
  }

  /** No access is left. */
  get finished(): boolean {
    return this.waiting === 0 && this.next === this.count;
  }

  /** Adds thread block `block` of a kernel of `threads` threads. */
  addBlock(block: number, threads: number, accesses: SmAccesses): void {
    for (const warp of warpsOf(block, this.path)) {
      const first = block * BLOCK + warp * WARP;
      this.addWarp(first, Math.min(first + WARP, threads), accesses);
    }
  }

  /** The first accesses: as many sectors as the uTLB asks for. */
  start(accesses: SmAccesses): void {
    this.issueAccesses(accesses, this.outstanding.length);
  }

  /** After a replay. */
  retry(accesses: SmAccesses): void {
    let kept = 0;
    for (let i = 0; i < this.waiting; i++) {
      const thread = this.outstanding[i] ?? 0;
      if (!accesses.tryAccess(thread)) this.outstanding[kept++] = thread;
    }
    this.waiting = kept;
    this.fresh = kept === 0;
    if (this.fresh) this.issueAccesses(accesses, this.faultsAgain);
  }

  /** Adds lanes `first` … `end - 1`: the slices look up one at a time each, in the order of the lanes. */
  private addWarp(first: number, end: number, accesses: SmAccesses): void {
    const slices: number[][] = Array.from({ length: SLICES }, () => []);
    for (let thread = first; thread < end; thread++)
      slices[sliceOf(accesses.page(thread), this.path)]?.push(thread);
    for (let round = 0; round < WARP; round++) {
      for (const threads of slices) {
        const thread = threads[round];
        if (thread !== undefined) this.threads[this.count++] = thread;
      }
    }
  }

  /** Lets accesses pass or fault, in their order, until `most` wait or there is no room for another sector. */
  private issueAccesses(accesses: SmAccesses, most: number): void {
    this.asking = 0;
    for (; this.next < this.count; this.next++) {
      const thread = this.threads[this.next] ?? 0;
      if (accesses.tryAccess(thread)) continue;
      if (this.waiting === most || !this.requestSector(Math.floor(accesses.page(thread) / SECTOR))) return;
      this.outstanding[this.waiting++] = thread;
    }
  }

  /** Asks for `sector` unless that has been done; false when there is no room for it. */
  private requestSector(sector: number): boolean {
    for (let i = 0; i < this.asking; i++) if (this.asked[i] === sector) return true;
    if (this.asking === this.asked.length) return false;
    this.asked[this.asking++] = sector;
    return true;
  }
}
