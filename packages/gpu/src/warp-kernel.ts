import { GPU_ACCESS_NEEDS, GPU_ACCESS_PREFETCH, GPU_PTE_FAR } from './access.js';
import { GpuKernel } from './gpu-kernel.js';
import { GPU_ACCESS_OF_PROGRAM } from './gpu-stream.js';

/** Waiting accesses that share a uTLB. */
const PER_UTLB = 4;
/** Bytes that a warp moves for one access: its coalesced lines. */
const WARP_BYTES = 128;
/** PTE bits by access kind, as columns, so that the hot loops read typed arrays: of the GPU's kinds, and of a program's. */
const NEEDS = Int32Array.from(GPU_ACCESS_NEEDS);
const NEEDS_OF_PROGRAM = Int32Array.from(GPU_ACCESS_OF_PROGRAM, (kind) => NEEDS[kind] ?? 0);

/**
 * Warps that share one list of accesses: each takes the next when its last is done. An access that faults holds its warp
 * until a replay finds the page mapped; the others go on, until every warp waits or as many faults are outstanding as one
 * uTLB can have: recorded batches of large kernels bring about that many different pages. Accesses may be of different
 * kinds, and come in pieces; contents do not move.
 */
export class WarpKernel extends GpuKernel {
  /** Pages and kinds of the accesses that wait, in the order in which they faulted; the first `waiting` count. */
  private readonly waitingPages: Int32Array;
  private readonly waitingKinds: Uint8Array;
  private waiting = 0;
  /** The next access of the present piece, the accesses of that piece, and the kind that all of them have, or -1. */
  private at = 0;
  private length: number;
  private kind: number;
  /** No further piece will come. */
  private ended = false;
  private replays = 0;
  private readonly lanes: number;
  private readonly localEach: number;
  private readonly remoteEach: number;

  constructor(...args: ConstructorParameters<typeof GpuKernel>) {
    super(...args);
    const { lanes = 1, pages } = this.accesses;
    const { access } = this.gpu.preset;
    this.lanes = Math.max(1, lanes);
    const window = Math.max(1, Math.min(this.lanes, this.gpu.preset.capability.utlbFaults.value));
    this.waitingPages = new Int32Array(window);
    this.waitingKinds = new Uint8Array(window);
    this.length = pages.length;
    this.kind = this.kindOfPiece();
    this.localEach = Math.max(this.localNs / this.lanes, WARP_BYTES / access.localGBs.value);
    this.remoteEach = Math.max(this.remoteNs / this.lanes, WARP_BYTES / access.remoteGBs.value);
  }

  override advance(): number {
    const { table } = this.instance;
    const window = this.waitingPages.length;
    const before = this.done;
    let remote = this.retry();
    let budget = this.gpu.accessesAtOnce;
    while (this.waiting < window && budget > 0 && this.supply()) {
      const from = this.at;
      const to = Math.min(this.length, from + budget);
      const stop = this.run(from, to);
      const across = table.tlb.remote;
      remote += across;
      this.countRemote(from, stop, across);
      budget -= stop - from;
      this.done += stop - from;
      this.at = stop;
      if (stop === to) continue;
      this.stall(stop);
      this.at = stop + 1;
      budget--;
    }
    const all = this.waiting < window && !this.supply();
    this.finished = all && this.waiting === 0;
    this.stalled = this.waiting > 0 && (all || this.waiting === window);
    return (this.done - before - remote) * this.localEach + remote * this.remoteEach;
  }

  override waitsFor(vpn: number): boolean {
    const page = vpn - this.accesses.base;
    return this.waitingPages.subarray(0, this.waiting).includes(page);
  }

  override residentTime(): number {
    return this.done * this.localEach;
  }

  /** Whether there is an access left, after asking for the next piece if need be. */
  private supply(): boolean {
    while (this.at === this.length && !this.ended) {
      this.at = 0;
      this.length = this.accesses.source?.fill() ?? 0;
      this.kind = this.kindOfPiece();
      this.ended = this.length === 0;
    }
    return this.at < this.length;
  }

  private kindOfPiece(): number {
    const { kinds } = this.accesses;
    return kinds === undefined ? -1 : sameByte(kinds, this.length);
  }

  private run(from: number, to: number): number {
    const { accesses, instance, needs } = this;
    const { tlb } = instance.table;
    const { base, pages, kinds } = accesses;
    if (kinds === undefined) return tlb.access(base, pages, from, to, needs);
    if (this.kind >= 0) return tlb.access(base, pages, from, to, NEEDS_OF_PROGRAM[this.kind] ?? 0);
    return tlb.accessKinds(base, pages, kinds, NEEDS_OF_PROGRAM, from, to);
  }

  /** The access `i` of the piece faults: it waits, unless it is a prefetch, which nobody waits for. */
  private stall(i: number): void {
    const { base, pages, kinds, access } = this.accesses;
    const page = pages[i] ?? 0;
    const kind = kinds === undefined ? access : (GPU_ACCESS_OF_PROGRAM[kinds[i] ?? 0] ?? access);
    if (kind === GPU_ACCESS_PREFETCH) {
      this.done++;
      if (this.gpu.prefetchFaults) this.faultOf(base + page, kind, 0);
      return;
    }
    const slot = this.waiting++;
    this.waitingPages[slot] = page;
    this.waitingKinds[slot] = kind;
    this.faultOf(base + page, kind, Math.floor(slot / PER_UTLB));
  }

  /** After a replay the waiting accesses try again; those whose page is not mapped fault again. Returns the remote ones. */
  private retry(): number {
    const { gpu, waitingPages, waitingKinds } = this;
    const { base } = this.accesses;
    const { tlb } = this.instance.table;
    if (this.replays === gpu.replays) return 0;
    this.replays = gpu.replays;
    let kept = 0;
    let remote = 0;
    for (let i = 0; i < this.waiting; i++) {
      const page = waitingPages[i] ?? 0;
      const kind = waitingKinds[i] ?? 0;
      const needs = NEEDS[kind] ?? 0;
      const flags = tlb.walked(base + page, needs);
      if ((flags & needs) === needs) {
        if ((flags & GPU_PTE_FAR) !== 0) {
          remote++;
          this.gpu.remoteAccesses++;
          this.countAccess(base + page, 1);
        }
        continue;
      }
      waitingPages[kept] = page;
      waitingKinds[kept] = kind;
      this.faultOf(base + page, kind, Math.floor(kept / PER_UTLB));
      kept++;
    }
    this.done += this.waiting - kept;
    this.waiting = kept;
    return remote;
  }
}

/** The byte that the first `length` are all equal to; -1 when they differ. Looks at a word at a time. */
function sameByte(bytes: Uint8Array, length: number): number {
  const first = bytes[0] ?? 0;
  const words = bytes.byteOffset % 4 === 0 ? length >>> 2 : 0;
  const view = new Int32Array(bytes.buffer, words === 0 ? 0 : bytes.byteOffset, words);
  const word = Math.imul(first, 0x01010101);
  for (let i = 0; i < words; i++) if (view[i] !== word) return -1;
  for (let i = 4 * words; i < length; i++) if (bytes[i] !== first) return -1;
  return first;
}
