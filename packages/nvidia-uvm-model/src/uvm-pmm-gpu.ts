import { HmmError } from '@hmm/kernel';
import type { UvmChunkView, UvmPerfPolicy } from './uvm-perf-policy.js';
import type { UvmVaBlock } from './uvm-va-block.js';

/** Pages of a root chunk (2 MiB), of a 64 KiB chunk. */
export const UVM_CHUNK_PAGES_2M = 512;
export const UVM_CHUNK_PAGES_64K = 16;

const LIST_NONE = 0;
const LIST_UNUSED = 1;
const LIST_USED = 2;

/**
 * Physical memory of one GPU (`uvm_pmm_gpu_t`): 2 MiB root chunks, split into 64 KiB and 4 KiB chunks where a block is
 * too short for a whole one. Allocated root chunks stand in one of two eviction lists, ordered by last driver activity:
 * UNUSED (hold no resident data any more) before USED.
 *
 * Lists are doubly linked through columns; entries `roots + 1` and `roots + 2` are the list heads.
 */
export class UvmPmmGpu {
  /** Root chunks of the GPU. */
  readonly roots: number;
  /** Root chunks in use. */
  allocated = 0;
  private limit: number;
  private nextFresh = 0;
  private readonly freeRoots: number[] = [];
  private readonly list: Uint8Array;
  private readonly prev: Int32Array;
  private readonly next: Int32Array;
  private readonly owners: (UvmVaBlock[] | undefined)[] = [];
  private readonly uses: Int32Array;
  private readonly allocatedAt: Float64Array;
  /** Roots split into chunks, with the free 4 KiB frames of each; only short blocks need them. */
  private readonly splitFree = new Map<number, Uint8Array>();
  private readonly policy: UvmPerfPolicy;

  constructor(pages: number, policy: UvmPerfPolicy) {
    this.roots = Math.floor(pages / UVM_CHUNK_PAGES_2M);
    this.limit = this.roots;
    this.policy = policy;
    this.list = new Uint8Array(this.roots);
    this.prev = new Int32Array(this.roots + 3);
    this.next = new Int32Array(this.roots + 3);
    this.uses = new Int32Array(this.roots);
    this.allocatedAt = new Float64Array(this.roots);
    for (const head of [LIST_UNUSED, LIST_USED]) {
      this.prev[this.roots + head] = this.roots + head;
      this.next[this.roots + head] = this.roots + head;
    }
  }

  /** Root chunks that may be in use at once: other tenants have the rest. */
  setLimit(roots: number): void {
    this.limit = Math.min(roots, this.roots);
  }

  /** Root chunks in use beyond the limit. */
  get excess(): number {
    return Math.max(0, this.allocated - this.limit);
  }

  /**
   * A root chunk for `block` at virtual time `now`, without eviction.
   * @returns its first frame, or -1 when memory is used up.
   */
  allocRoot(block: UvmVaBlock, now: number): number {
    const root = this.takeRoot();
    if (root < 0) return -1;
    this.owners[root] = [block];
    this.allocatedAt[root] = now;
    this.uses[root] = 0;
    this.moveTo(root, LIST_USED);
    return root * UVM_CHUNK_PAGES_2M;
  }

  /**
   * A chunk of `pages` frames (16 or 1) out of a split root chunk, without eviction.
   * @returns its first frame, or -1.
   */
  allocChunk(block: UvmVaBlock, pages: number, now: number): number {
    for (const [root, free] of this.splitFree) {
      const at = findFree(free, pages);
      if (at >= 0) return this.takeFrames(root, free, at, pages, block);
    }
    const root = this.takeRoot();
    if (root < 0) return -1;
    const free = new Uint8Array(UVM_CHUNK_PAGES_2M).fill(1);
    this.splitFree.set(root, free);
    this.owners[root] = [];
    this.allocatedAt[root] = now;
    this.uses[root] = 0;
    return this.takeFrames(root, free, 0, pages, block);
  }

  /** Gives back a whole root chunk. */
  freeRoot(pfn: number): void {
    this.release(Math.floor(pfn / UVM_CHUNK_PAGES_2M));
  }

  /** Gives back the frames `pfn` … of a split root chunk; the root goes when all of it is free. */
  freeChunk(pfn: number, pages: number): void {
    const root = Math.floor(pfn / UVM_CHUNK_PAGES_2M);
    const free = this.splitFree.get(root);
    if (free === undefined)
      throw new HmmError('PMM', 'a chunk is freed in a root chunk that is not split', { pfn });
    const first = pfn % UVM_CHUNK_PAGES_2M;
    free.fill(1, first, first + pages);
    if (!free.includes(0)) this.release(root);
  }

  /** A whole root chunk becomes one of single frames, all in use: its block was split. */
  splitRoot(pfn: number, block: UvmVaBlock): void {
    const root = Math.floor(pfn / UVM_CHUNK_PAGES_2M);
    this.splitFree.set(root, new Uint8Array(UVM_CHUNK_PAGES_2M));
    this.owners[root]?.push(block);
  }

  /** A service had the root chunk of frame `pfn` as its destination: it is the youngest now. */
  markUsed(pfn: number): void {
    const root = Math.floor(pfn / UVM_CHUNK_PAGES_2M);
    this.uses[root] = (this.uses[root] ?? 0) + 1;
    this.moveTo(root, LIST_USED);
    this.policy.chunkUsed?.(this.view(root));
  }

  /** The root chunk of frame `pfn` holds no resident data any more. */
  markUnused(pfn: number): void {
    const root = Math.floor(pfn / UVM_CHUNK_PAGES_2M);
    this.moveTo(root, LIST_UNUSED);
    this.policy.chunkUnused?.(this.view(root));
  }

  /**
   * The blocks that own the next root chunk to evict, passing over chunks that `keep` has a part of.
   * @returns undefined when nothing can be evicted.
   */
  pickVictim(keep: UvmVaBlock | undefined): readonly UvmVaBlock[] | undefined {
    if (this.policy.selectVictim !== undefined) return this.pickByPolicy(keep);
    for (const head of [LIST_UNUSED, LIST_USED]) {
      const end = this.roots + head;
      for (let root = this.next[end] ?? end; root !== end; root = this.next[root] ?? end) {
        const owners = this.owners[root] ?? [];
        if (keep === undefined || !owners.includes(keep)) return [...owners];
      }
    }
    return undefined;
  }

  private pickByPolicy(keep: UvmVaBlock | undefined): readonly UvmVaBlock[] | undefined {
    const candidates: UvmChunkView[] = [];
    for (const head of [LIST_UNUSED, LIST_USED]) {
      const end = this.roots + head;
      for (let root = this.next[end] ?? end; root !== end; root = this.next[root] ?? end) {
        if (keep === undefined || !(this.owners[root] ?? []).includes(keep)) candidates.push(this.view(root));
      }
    }
    if (candidates.length === 0) return undefined;
    const chosen = candidates[this.policy.selectVictim?.(candidates) ?? 0];
    return chosen === undefined ? undefined : [...(this.owners[chosen.root] ?? [])];
  }

  private view(root: number): UvmChunkView {
    return { root, allocatedAt: this.allocatedAt[root] ?? 0, uses: this.uses[root] ?? 0 };
  }

  private takeRoot(): number {
    if (this.allocated >= this.limit) return -1;
    const root = this.freeRoots.pop() ?? this.nextFresh++;
    this.allocated++;
    return root;
  }

  private takeFrames(root: number, free: Uint8Array, at: number, pages: number, block: UvmVaBlock): number {
    free.fill(0, at, at + pages);
    const owners = this.owners[root];
    if (owners !== undefined && !owners.includes(block)) owners.push(block);
    this.moveTo(root, LIST_USED);
    return root * UVM_CHUNK_PAGES_2M + at;
  }

  private release(root: number): void {
    this.moveTo(root, LIST_NONE);
    this.splitFree.delete(root);
    this.owners[root] = undefined;
    this.freeRoots.push(root);
    this.allocated--;
  }

  private moveTo(root: number, list: number): void {
    const { prev, next } = this;
    if (this.list[root] !== LIST_NONE) {
      const before = prev[root] ?? 0;
      const after = next[root] ?? 0;
      next[before] = after;
      prev[after] = before;
    }
    this.list[root] = list;
    if (list === LIST_NONE) return;
    const head = this.roots + list;
    const tail = prev[head] ?? head;
    next[tail] = root;
    prev[root] = tail;
    next[root] = head;
    prev[head] = root;
  }
}

/** First of `pages` free frames, naturally aligned; -1 without. */
function findFree(free: Uint8Array, pages: number): number {
  for (let at = 0; at < UVM_CHUNK_PAGES_2M; at += pages) {
    let i = 0;
    while (i < pages && free[at + i] === 1) i++;
    if (i === pages) return at;
  }
  return -1;
}
