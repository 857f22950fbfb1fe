import { GPU_ACCESS_WRITE } from './access.js';
import type { BulkPass } from './fault-path.js';
import { GpuKernel, mapped } from './gpu-kernel.js';

/** Halves of a page: what one thread block of a fill works on at a time. */
const PARTS = 2;
/** Times that a thread block of a fill goes round its stride. */
const ROUNDS = 4;

/**
 * What the runtime's own kernels do to a range of consecutive pages, all of each: a copy asks for everything at once, piece by piece
 * where host memory is on its other side; a fill is a grid-stride pass whose grid is a quarter of the range. Which of the waiting
 * pages come into one batch is chance in hardware: a seeded stand-in with the recorded proportions.
 */
export class BulkKernel extends GpuKernel {
  private readonly pass: BulkPass;
  /** Where each thread block of a fill is, in parts; where a copy's piece begins, in pages. */
  private readonly blocks: Int32Array;
  private piece = 0;
  /** Pages that a copy is done with, and those that it found across the link. */
  private readonly copied: Uint8Array;
  /** Pages that wait, ascending, and how many. */
  private readonly waiting: Int32Array;
  private count = 0;
  private remote = 0;
  private rounds = 0;

  constructor(...args: ConstructorParameters<typeof GpuKernel>) {
    super(...args);
    const n = this.accesses.pages.length;
    this.pass = this.gpu.preset.faultPath.bulk;
    this.waiting = new Int32Array(n);
    this.copied = new Uint8Array(n);
    const grid = this.accesses.bulk === 'fill' ? Math.max(1, Math.floor((n * PARTS) / ROUNDS)) : 0;
    this.blocks = Int32Array.from({ length: n === 0 ? 0 : grid }, (_, block) => block);
  }

  override advance(): number {
    const before = this.done;
    this.remote = 0;
    if (this.accesses.bulk === 'fill') this.fill();
    else this.copy();
    this.gpu.remoteAccesses += this.remote;
    const { access } = this.gpu.preset;
    const local = this.done - before - this.remote;
    this.stalled = this.count > 0;
    this.finished = !this.stalled;
    if (this.stalled) this.ask();
    return Math.max(0, local * 4096) / access.localGBs.value + (this.remote * 4096) / access.remoteGBs.value;
  }

  override residentTime(): number {
    return (this.done * 4096) / this.gpu.preset.access.localGBs.value;
  }

  override waitsFor(vpn: number): boolean {
    const { base, pages } = this.accesses;
    return this.waiting.subarray(0, this.count).some((i) => base + (pages[i] ?? 0) === vpn);
  }

  /** Copies piece after piece: of each, the pages that are mapped, whatever becomes of them afterwards. */
  private copy(): void {
    const n = this.accesses.pages.length;
    const size = this.accesses.bulk === 'host-copy' ? this.pass.pieces.value : n;
    this.count = 0;
    while (this.piece < n) {
      const end = Math.min(n, this.piece + size);
      for (let at = this.piece; at < end; at++) if (!this.copyPage(at)) this.waiting[this.count++] = at;
      if (this.count > 0) return;
      this.piece = end;
      this.rounds = 0;
    }
  }

  private copyPage(at: number): boolean {
    if (this.copied[at] === 1) return true;
    if (!this.here(at)) return false;
    this.copied[at] = 1;
    this.finish(at);
    return true;
  }

  /** Lets each thread block go on as far as it finds pages mapped. */
  private fill(): void {
    const { blocks } = this;
    const n = this.accesses.pages.length;
    const seen = new Uint8Array(n);
    for (let block = 0; block < blocks.length; block++) {
      let part = blocks[block] ?? 0;
      for (; part < n * PARTS && this.here(Math.floor(part / PARTS)); part += blocks.length)
        if (part % PARTS === 0) this.finish(Math.floor(part / PARTS));
      blocks[block] = part;
      if (part < n * PARTS) seen[Math.floor(part / PARTS)] = 1;
    }
    this.count = 0;
    for (let at = 0; at < n; at++) if (seen[at] === 1) this.waiting[this.count++] = at;
  }

  private here(at: number): boolean {
    return this.how(at) !== 0;
  }

  private how(at: number): 0 | 1 | 2 {
    const { base, pages } = this.accesses;
    return mapped(this.instance, base + (pages[at] ?? 0), this.needs);
  }

  /** Page `at` is done. */
  private finish(at: number): void {
    if (this.how(at) === 2) this.remote++;
    this.transfer(at, at + 1);
    this.done++;
  }

  /** Raises the faults of a batch: of all pages that wait where there are few, else of some. */
  private ask(): void {
    const { accesses, pass } = this;
    const writes = accesses.access >= GPU_ACCESS_WRITE;
    const requests = (
      accesses.bulk === 'fill' ? pass.fillRequests : writes ? pass.writeRequests : pass.readRequests
    ).value;
    const few = Math.floor(pass.batch.value / requests);
    const most = this.mostPages(writes);
    if (this.count <= Math.max(few, most)) {
      const each = this.count <= few ? requests : Math.max(1, Math.floor(pass.batch.value / this.count));
      for (let i = 0; i < this.count; i++) this.want(i, each);
    } else this.askSome(most);
    this.rounds++;
  }

  private mostPages(writes: boolean): number {
    const { accesses, count, pass } = this;
    if (accesses.bulk === 'fill') return (this.rounds === 0 ? pass.fillPages : pass.fillPagesLater).value;
    if (count >= pass.large.value) return (this.rounds === 0 ? pass.largePages : pass.largePagesLater).value;
    if (count <= pass.few.value) return count;
    const most = (writes ? pass.writePages : pass.readPages).value;
    return Math.min(most, Math.round(count * pass.share.value));
  }

  /**
   * Faults on `most` of the waiting pages: in runs from anywhere among them where a copy is large and of a fill; else on the first ones
   * and, of writes, on others in runs, the rarer the higher.
   */
  private askSome(most: number): void {
    const { prng } = this.gpu;
    const { batch, head, large, run } = this.pass;
    const { access, bulk } = this.accesses;
    const taken = new Uint8Array(this.count);
    const even = this.count >= large.value || bulk === 'fill';
    const first = even ? 0 : access < GPU_ACCESS_WRITE ? most : Math.min(most, head.value);
    taken.fill(1, 0, first);
    for (let left = most - first; left > 0;) {
      const place = prng.below(this.count);
      const start = even ? place : Math.floor((place * place) / this.count);
      const end = Math.min(this.count, start + 1 + prng.below(run.value));
      for (let i = start; i < end && left > 0; i++) {
        if (taken[i] === 1) continue;
        taken[i] = 1;
        left--;
      }
    }
    const each = Math.max(1, Math.floor(batch.value / most));
    for (let i = 0; i < this.count; i++) if (taken[i] === 1) this.want(i, each);
  }

  private want(i: number, requests: number): void {
    const { base, pages } = this.accesses;
    this.fault(base + (pages[this.waiting[i] ?? 0] ?? 0), i, requests);
  }
}
