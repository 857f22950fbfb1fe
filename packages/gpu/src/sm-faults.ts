const WARP = 32;
/** Threads of a thread block. */
export const BLOCK = 128;
/** Pages of one sector: a miss asks for the four leaf entries that come in one read. */
export const SECTOR = 4;
/** Accesses that fault after a replay which has let all before them pass: the first of these stops the others. */
const FAULTS_AGAIN = { read: 7, write: 4 };
/** Slices of a uTLB, and what each bit of a sector's number, from the lowest, does to the slices of its four pages. */
const SLICES = 4;
const SLICE_HASH = [3, 2, 1, 2, 1, 3, 1, 3, 2, 1, 3];
/** What the bits above those of a kernel's pages come to; it differs from process to process. */
const SLICE_HASH_BASE = 3;
/** Orders in which the warps of a thread block reach the uTLB, by block: as recorded, the same from run to run. */
const WARP_ORDERS = [
  ...['2301', '2301', '2301', '0213', '0132', '0132', '0132', '0132'],
  ...['3201', '2301', '0231', '0231', '0123', '0123', '2301', '0123'],
].map((order) => order.split('').map(Number));

/** Where the threads of an {@link SmFaults} do their accesses. */
export interface SmAccesses {
  /** VPN that thread `thread` wants. */
  page(thread: number): number;
  /** Tries the access of `thread`: true when its page was mapped, and the access is done. */
  tryAccess(thread: number): boolean;
}

/** The slice of a uTLB that looks up page `page`. */
function sliceOf(page: number): number {
  const sector = Math.floor(page / SECTOR);
  let slice = SLICE_HASH_BASE ^ (page % SECTOR);
  for (let bit = 0; bit < SLICE_HASH.length; bit++)
    if (((sector >> bit) & 1) !== 0) slice ^= SLICE_HASH[bit] ?? 0;
  return slice;
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
  private readonly kind: 'read' | 'write';
  /** Sectors that new accesses have asked for; the first `asking` count. */
  private readonly asked: Float64Array;
  private asking = 0;

  /** For up to `threads` threads, and at most `sectors` sectors outstanding. */
  constructor(threads: number, sectors: number, kind: 'read' | 'write') {
    this.threads = new Int32Array(threads);
    this.kind = kind;
    this.outstanding = new Int32Array(sectors * SECTOR);
    this.asked = new Float64Array(sectors);
  }

  /** No access is left. */
  get finished(): boolean {
    return this.waiting === 0 && this.next === this.count;
  }

  /** Adds thread block `block` of a kernel of `threads` threads. */
  addBlock(block: number, threads: number, accesses: SmAccesses): void {
    for (const warp of WARP_ORDERS[block % WARP_ORDERS.length] ?? []) {
      const first = block * BLOCK + warp * WARP;
      this.addWarp(first, Math.min(first + WARP, threads), accesses);
    }
  }

  /** The first accesses: as many sectors as the uTLB asks for. */
  start(accesses: SmAccesses): void {
    this.issue(accesses, this.outstanding.length);
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
    if (this.fresh) this.issue(accesses, FAULTS_AGAIN[this.kind]);
  }

  /** Adds lanes `first` … `end - 1`: the slices look up one at a time each, in the order of the lanes. */
  private addWarp(first: number, end: number, accesses: SmAccesses): void {
    const slices: number[][] = Array.from({ length: SLICES }, () => []);
    for (let thread = first; thread < end; thread++) slices[sliceOf(accesses.page(thread))]?.push(thread);
    for (let round = 0; round < WARP; round++) {
      for (const threads of slices) {
        const thread = threads[round];
        if (thread !== undefined) this.threads[this.count++] = thread;
      }
    }
  }

  /** Lets accesses pass or fault, in their order, until `most` wait or there is no room for another sector. */
  private issue(accesses: SmAccesses, most: number): void {
    this.asking = 0;
    for (; this.next < this.count; this.next++) {
      const thread = this.threads[this.next] ?? 0;
      if (accesses.tryAccess(thread)) continue;
      if (this.waiting === most || !this.ask(Math.floor(accesses.page(thread) / SECTOR))) return;
      this.outstanding[this.waiting++] = thread;
    }
  }

  /** Asks for `sector` unless that has been done; false when there is no room for it. */
  private ask(sector: number): boolean {
    for (let i = 0; i < this.asking; i++) if (this.asked[i] === sector) return true;
    if (this.asking === this.asked.length) return false;
    this.asked[this.asking++] = sector;
    return true;
  }
}
