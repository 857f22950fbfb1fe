import { hweight32 } from '@hmm/kernel/internal';
import { GPU_PTE_PEER, GPU_PTE_SYSMEM } from './access.js';
import type { GridPass } from './fault-path.js';
import { GpuKernel, mapped } from './gpu-kernel.js';

/**
 * A grid-stride pass over every byte: thread block `c` of `n` works on pages `c`, `c + n`, … and each page is wanted by
 * several warps at once. Which waiting pages come into a batch is chance in hardware; this is a seeded stand-in
 * with the recorded proportions: short runs among the lowest waiting pages, a few strays.
 */
export class GridKernel extends GpuKernel {
  /** One bit per page: some thread block waits for it. */
  private readonly waiting: Int32Array;
  private readonly window: Int32Array;
  /** The card's proportions. */
  private readonly pass: GridPass;
  /** Thread blocks of the grid: one page each at a time. */
  private readonly blocks: number;
  private windowLength = 0;
  private lowWord = 0;
  /** Bits set in `waiting`. */
  private outstanding = 0;
  private rounds = 0;
  /** Invalidations of the page table that the window takes into account; -∞ at first. */
  private seen = -Infinity;
  private readonly changed = new Float64Array(2);
  /** The pages are consecutive, so that a changed range is a range of positions. */
  private readonly contiguous: boolean;
  private localDone = 0;
  private remoteDone = 0;

  constructor(...args: ConstructorParameters<typeof GpuKernel>) {
    super(...args);
    const { pages } = this.accesses;
    const n = pages.length;
    const { capability, faultPath } = this.gpu.preset;
    this.pass = faultPath.grid;
    this.blocks = Math.max(1, Math.floor(capability.threads.value / this.pass.blockThreads.value));
    this.window = new Int32Array(Math.max(this.pass.firstWindow.value, this.pass.window.value));
    this.contiguous = consecutive(pages);
    this.waiting = new Int32Array(Math.ceil(n / 32));
    for (let page = 0; page < Math.min(this.blocks, n); page++) this.setWaiting(page);
  }

  override advance(): number {
    const ns = this.progress();
    if (this.windowLength === 0) {
      this.finished = true;
      return ns;
    }
    this.stalled = true;
    if (this.rounds === 0) this.faultFirst(Math.min(this.pass.firstPages.value, this.windowLength));
    else this.faultSome();
    this.rounds++;
    return ns;
  }

  override residentTime(): number {
    return (this.done * 4096) / this.gpu.preset.access.localGBs.value;
  }

  override waitsFor(vpn: number): boolean {
    const { base, pages } = this.accesses;
    return this.window.subarray(0, this.windowLength).some((i) => base + (pages[i] ?? 0) === vpn);
  }

  /** Moves the thread blocks whose page was mapped since past all mapped pages, then collects the lowest that wait. */
  private progress(): number {
    const { changed, instance, accesses } = this;
    const { table } = instance;
    const first = (accesses.pages[0] ?? 0) + accesses.base;
    this.localDone = 0;
    this.remoteDone = 0;
    const last = table.invalidations;
    if (!this.contiguous || !table.knowsSince(this.seen)) this.retire(this.lowWord, this.waiting.length);
    else
      for (let at = this.seen; at < last; at++) {
        table.change(at, changed);
        const low = Math.max(this.lowWord, Math.floor(((changed[0] ?? 0) - first) / 32));
        const high = Math.min(this.waiting.length, Math.ceil(((changed[1] ?? 0) - first) / 32));
        this.retire(low, high);
      }
    this.seen = last;
    this.collect();
    const { localDone, remoteDone } = this;
    this.done += localDone + remoteDone;
    this.gpu.remoteAccesses += remoteDone;
    const { access } = this.gpu.preset;
    return (localDone * 4096) / access.localGBs.value + (remoteDone * 4096) / access.remoteGBs.value;
  }

  /** Looks at what waits in words `from` … `to - 1`; blocks that can go on do. */
  private retire(from: number, to: number): void {
    const { waiting, accesses, instance } = this;
    const first = accesses.base + (accesses.pages[0] ?? 0);
    const whole = first % 32 === 0 && this.blocks % 32 === 0;
    const together = this.contiguous && whole && instance.table.walker === undefined;
    for (let word = from; word < to; word++) {
      const bits = waiting[word] ?? 0;
      if (bits === 0) continue;
      if (together) this.retireWord(word, bits, first + 32 * word);
      else this.retireEach(word, bits);
    }
  }

  /**
   * The fast path: the pages of a word are consecutive from `vpn`, one table has them all, and the blocks that wait for those of
   * the set `bits` go on to pages of one word again.
   */
  private retireWord(word: number, bits: number, vpn: number): void {
    const { waiting, accesses, needs } = this;
    const { tlb } = this.instance.table;
    const words = this.blocks / 32;
    let found = tlb.having(vpn, bits, needs);
    if (found === 0) return;
    waiting[word] = bits & ~found;
    this.outstanding -= hweight32(found);
    for (let at = word; found !== 0;) {
      this.bookWord(at, found, this.farOf(vpn + 32 * (at - word), found));
      at += words;
      const left = accesses.pages.length - 32 * at;
      const moved = left >= 32 ? found : left > 0 ? found & ((1 << left) - 1) : 0;
      found = moved === 0 ? 0 : tlb.having(vpn + 32 * (at - word), moved, needs);
      const stopped = moved & ~found;
      if (stopped === 0) continue;
      waiting[at] = (waiting[at] ?? 0) | stopped;
      this.outstanding += hweight32(stopped);
    }
  }

  /** Of the pages `found` among the 32 from `vpn`, those that are not in the GPU's own memory. */
  private farOf(vpn: number, found: number): number {
    const { tlb } = this.instance.table;
    const host = tlb.having(vpn, found, GPU_PTE_SYSMEM);
    return this.gpu.neighbours.length < 2 ? host : host | tlb.having(vpn, found, GPU_PTE_PEER);
  }

  /** Performs the accesses of a word to the pages of the set `found`, those of `remote` across the link. */
  private bookWord(word: number, found: number, remote: number): void {
    const far = hweight32(remote);
    this.localDone += hweight32(found) - far;
    this.remoteDone += far;
    const { base, pages, values } = this.accesses;
    for (let rest = remote; rest !== 0; rest &= rest - 1)
      this.countAccess(base + (pages[word * 32 + 31 - Math.clz32(rest & -rest)] ?? 0), this.pass.lines.value);
    if (values === undefined) return;
    for (let rest = found; rest !== 0; rest &= rest - 1) {
      const at = word * 32 + 31 - Math.clz32(rest & -rest);
      this.transfer(at, at + 1);
    }
  }

  private retireEach(word: number, bits: number): void {
    const { accesses, instance, needs, waiting } = this;
    for (let rest = bits; rest !== 0; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest);
      const how = mapped(instance, accesses.base + (accesses.pages[word * 32 + bit] ?? 0), needs);
      if (how === 0) continue;
      waiting[word] = (waiting[word] ?? 0) & ~(1 << bit);
      this.outstanding--;
      this.advanceFrom(word * 32 + bit, how);
    }
  }

  /** Lists the lowest waiting pages, as many as faults are chosen from. */
  private collect(): void {
    const { waiting, window } = this;
    const wanted = Math.min(
      this.rounds === 0 ? this.pass.firstWindow.value : this.pass.window.value,
      this.outstanding,
    );
    let found = 0;
    let word = this.lowWord;
    while (wanted > 0 && waiting[word] === 0) word++;
    this.lowWord = word;
    for (; found < wanted; word++) {
      let bits = waiting[word] ?? 0;
      while (bits !== 0 && found < wanted) {
        window[found++] = word * 32 + 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
      }
    }
    this.windowLength = found;
  }

  /** The thread block at page `next`, which is mapped as `how` says, goes on as far as it can. */
  private advanceFrom(next: number, how: 1 | 2): void {
    const { accesses, instance, needs } = this;
    const { base, pages } = accesses;
    let at = next;
    let found: 0 | 1 | 2 = how;
    while (found !== 0) {
      if (found === 2) {
        this.remoteDone++;
        this.countAccess(base + (pages[at] ?? 0), this.pass.lines.value);
      } else this.localDone++;
      this.transfer(at, at + 1);
      at += this.blocks;
      if (at >= pages.length) return;
      found = mapped(instance, base + (pages[at] ?? 0), needs);
    }
    this.setWaiting(at);
  }

  private setWaiting(page: number): void {
    this.outstanding++;
    this.waiting[page >>> 5] = (this.waiting[page >>> 5] ?? 0) | (1 << (page & 31));
  }

  /** The first batch: `count` pages in runs all over the first pages. */
  private faultFirst(count: number): void {
    const { prng } = this.gpu;
    const taken = new Uint8Array(this.windowLength);
    let left = count;
    while (left > 0) {
      const start = prng.below(this.windowLength);
      const end = Math.min(this.windowLength, start + 1 + prng.below(this.pass.firstRun.value));
      for (let at = start; at < end && left > 0; at++) {
        if (taken[at] === 1) continue;
        taken[at] = 1;
        this.requestWindowPage(at, count - left, 2);
        left--;
      }
    }
  }

  private faultSome(): void {
    const { prng } = this.gpu;
    const { earlyRounds, earlyWindow, pages, stray, warps, window } = this.pass;
    const widest = this.rounds < earlyRounds.value ? earlyWindow : window;
    const reach = Math.min(this.windowLength, widest.value);
    const chosen = Math.min(pages.value - stray.value, reach);
    let sent = 0;
    while (sent < chosen) {
      const at = prng.below(reach);
      this.requestWindowPage(at, sent, warps.value);
      sent++;
      if (at + 1 < reach && prng.below(3) === 0) {
        this.requestWindowPage(at + 1, sent, warps.value);
        sent++;
      }
    }
    for (let i = 0; i < stray.value; i++) this.wantPage(this.strayPage(), i, 1);
  }

  /** Some waiting page out of the whole window of the grid. */
  private strayPage(): number {
    const { waiting } = this;
    let word = this.lowWord + this.gpu.prng.below(Math.ceil(this.blocks / 32));
    for (;;) {
      const bits = waiting[word] ?? 0;
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits);
      word = word + 1 >= waiting.length ? this.lowWord : word + 1;
    }
  }

  /** The page at window position `at` is asked for by `warps` warps. */
  private requestWindowPage(at: number, turn: number, warps: number): void {
    this.wantPage(this.window[at] ?? 0, turn, warps);
  }

  private wantPage(position: number, turn: number, warps: number): void {
    const { base, pages } = this.accesses;
    this.fault(base + (pages[position] ?? 0), turn * this.pass.warps.value, warps);
  }
}

/** Whether each page follows the one before it. */
function consecutive(pages: Int32Array): boolean {
  const first = pages[0] ?? 0;
  for (let i = 1; i < pages.length; i++) if (pages[i] !== first + i) return false;
  return true;
}
