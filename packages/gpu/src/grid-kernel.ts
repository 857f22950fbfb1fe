import { GpuKernel, mapped } from './gpu-kernel.js';

/** Thread blocks of the grid: one page each at a time. */
const GRID = 1056;
/** Pages of the first batch, of the later ones, and how many of those come from anywhere in the window. */
const FIRST_PAGES = 120;
const PAGES = 40;
const STRAY = 2;
/** Of the waiting pages, the lowest so many are asked for: in the first ten batches, and after. */
const EARLY_WINDOW = 120;
const WINDOW = 240;
const EARLY_ROUNDS = 10;
/** Warps that want one page, through different uTLBs. */
const WARPS = 6;

/**
 * A grid-stride pass over every byte: thread block `c` works on pages `c`, `c + 1056`, … and each page is wanted by
 * several warps at once. Which waiting pages come into a batch is chance in hardware; this is a seeded stand-in
 * with the recorded proportions: short runs among the lowest waiting pages, a few strays.
 */
export class GridKernel extends GpuKernel {
  /** One bit per page: some thread block waits for it. */
  private readonly waiting: Int32Array;
  private readonly window = new Int32Array(GRID);
  private windowLength = 0;
  private lowWord = 0;
  /** Bits set in `waiting`. */
  private outstanding = 0;
  private rounds = 0;

  constructor(...args: ConstructorParameters<typeof GpuKernel>) {
    super(...args);
    const n = this.accesses.pages.length;
    this.waiting = new Int32Array(Math.ceil(n / 32));
    for (let page = 0; page < Math.min(GRID, n); page++) this.setWaiting(page);
  }

  override advance(): number {
    const ns = this.progress();
    if (this.windowLength === 0) {
      this.finished = true;
      return ns;
    }
    if (this.rounds === 0) this.faultLowest(Math.min(FIRST_PAGES, this.windowLength));
    else this.faultSome();
    this.rounds++;
    return ns;
  }

  override waitsFor(vpn: number): boolean {
    const { base, pages } = this.accesses;
    return this.window.subarray(0, this.windowLength).some((i) => base + (pages[i] ?? 0) === vpn);
  }

  /** Moves every thread block past its mapped pages and collects what the blocks wait for, ascending. */
  private progress(): number {
    const { waiting, window, accesses, instance, needs } = this;
    const { base, pages } = accesses;
    const n = pages.length;
    const { access } = this.gpu.preset;
    let local = 0;
    let remote = 0;
    let found = 0;
    let firstWord = -1;
    for (let word = this.lowWord; found < this.outstanding; word++) {
      let bits = waiting[word] ?? 0;
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        const page = word * 32 + bit;
        const how = mapped(instance, base + (pages[page] ?? 0), needs);
        if (how === 0) {
          if (firstWord < 0) firstWord = word;
          window[found++] = page;
          continue;
        }
        if (how === 2) remote++;
        else local++;
        this.transfer(page, page + 1);
        waiting[word] = (waiting[word] ?? 0) & ~(1 << bit);
        this.outstanding--;
        if (page + GRID < n) this.setWaiting(page + GRID);
      }
    }
    if (firstWord >= 0) this.lowWord = firstWord;
    this.windowLength = found;
    this.done += local + remote;
    if (remote > 0) this.gpu.countRemote(instance.id, base, remote);
    return (local * 4096) / access.localGBs.value + (remote * 4096) / access.remoteGBs.value;
  }

  private setWaiting(page: number): void {
    this.outstanding++;
    this.waiting[page >>> 5] = (this.waiting[page >>> 5] ?? 0) | (1 << (page & 31));
  }

  private faultLowest(count: number): void {
    for (let i = 0; i < count; i++) this.want(i, i, 2);
  }

  private faultSome(): void {
    const { prng } = this.gpu;
    const reach = Math.min(this.windowLength, this.rounds < EARLY_ROUNDS ? EARLY_WINDOW : WINDOW);
    const chosen = Math.min(PAGES - STRAY, reach);
    let sent = 0;
    while (sent < chosen) {
      const at = prng.below(reach);
      this.want(at, sent, WARPS);
      sent++;
      if (at + 1 < reach && prng.below(2) === 0) {
        this.want(at + 1, sent, WARPS);
        sent++;
      }
    }
    for (let i = 0; i < STRAY; i++) this.want(prng.below(this.windowLength), i, 1);
  }

  /** The page at window position `at` is asked for by `warps` warps. */
  private want(at: number, turn: number, warps: number): void {
    const { base, pages } = this.accesses;
    const vpn = base + (pages[this.window[at] ?? 0] ?? 0);
    for (let warp = 0; warp < warps; warp++) this.fault(vpn, turn * WARPS + warp);
  }
}
