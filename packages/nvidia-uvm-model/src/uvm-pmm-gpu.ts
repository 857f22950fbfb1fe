import { HmmError } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { UvmChunkView, UvmPerfPolicy } from './uvm-perf-policy.js';
import { UVM_CHUNK_PAGES_2M } from './uvm-pmm-chunk-size.js';
import { UvmSplitRoot } from './uvm-pmm-gpu-split.js';
import type { UvmVaBlock } from './uvm-va-block.js';

/** A root chunk to evict. */
export interface UvmVictim {
  readonly root: number;
  /** The blocks that own parts of it. */
  readonly owners: readonly UvmVaBlock[];
}

const LIST_NONE = 0;
const LIST_UNUSED = 1;
const LIST_DISCARDED = 2;
const LIST_USED = 3;
const LISTS = [LIST_UNUSED, LIST_DISCARDED, LIST_USED] as const;

/**
 * Physical memory of one GPU: 2 MiB root chunks, split into 64 KiB and 4 KiB chunks where a block is
 * too short for a whole one. Allocated root chunks stand in one of three eviction lists, ordered by last driver activity:
 * UNUSED (hold no resident data any more) before DISCARDED (nothing that is needed) before USED.
 *
 * Lists are doubly linked through columns; entries from `roots + 1` on are the list heads.
 * @uvm uvm_pmm_gpu.h uvm_pmm_gpu_t
 */
export class UvmPmmGpu {
  /** What of it is state. */
  static readonly state = declareState({
    roots: 'constant',
    allocated: 'value',
    limit: 'value',
    nextFresh: 'value',
    freeRoots: 'constant',
    list: 'constant',
    prev: 'constant',
    next: 'constant',
    owners: 'constant',
    uses: 'constant',
    allocatedAt: 'constant',
    splits: 'constant',
    splitLeft: 'value',
    lastSplit: 'value',
    policy: { outside: 'chosen when the driver is loaded' },
  });

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
  /** Roots split into chunks; only short blocks and system memory need them. */
  private readonly splits = new Map<number, UvmSplitRoot>();
  /** Free frames in split roots. */
  private splitLeft = 0;
  /** The split root that the last chunk came from. */
  private lastSplit: UvmSplitRoot | undefined;
  private readonly policy: UvmPerfPolicy;

  constructor(pages: number, policy: UvmPerfPolicy) {
    this.roots = Math.floor(pages / UVM_CHUNK_PAGES_2M);
    this.limit = this.roots;
    this.policy = policy;
    this.list = new Uint8Array(this.roots);
    this.prev = new Int32Array(this.roots + LISTS.length + 1);
    this.next = new Int32Array(this.roots + LISTS.length + 1);
    this.uses = new Int32Array(this.roots);
    this.allocatedAt = new Float64Array(this.roots);
    for (const head of LISTS) {
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

  /** Frames that can be had without eviction. */
  get room(): number {
    return Math.max(0, this.limit - this.allocated) * UVM_CHUNK_PAGES_2M + this.splitLeft;
  }

  /**
   * A chunk of `pages` frames (16 or 1) out of a split root chunk, without eviction.
   * @returns its first frame, or -1.
   */
  allocChunk(block: UvmVaBlock, pages: number, now: number): number {
    const last = this.lastSplit;
    const at = last?.take(pages) ?? -1;
    if (last !== undefined && at >= 0) return this.owned(last, at, pages, block);
    for (const split of this.splits.values()) {
      const found = split.take(pages);
      if (found >= 0) return this.owned(split, found, pages, block);
    }
    const root = this.takeRoot();
    if (root < 0) return -1;
    const split = new UvmSplitRoot(root);
    this.splits.set(root, split);
    this.splitLeft += UVM_CHUNK_PAGES_2M;
    this.owners[root] = [];
    this.allocatedAt[root] = now;
    this.uses[root] = 0;
    return this.owned(split, split.take(pages), pages, block);
  }

  /** Gives back a whole root chunk. */
  freeRoot(pfn: number): void {
    this.release(Math.floor(pfn / UVM_CHUNK_PAGES_2M));
  }

  /** Gives back the frames `pfn` … of a split root chunk; the root goes when all of it is free. */
  freeChunk(pfn: number, pages: number): void {
    const root = Math.floor(pfn / UVM_CHUNK_PAGES_2M);
    const split = this.splits.get(root);
    if (split === undefined)
      throw new HmmError('PMM', 'a chunk is freed in a root chunk that is not split', { pfn });
    split.put(pfn % UVM_CHUNK_PAGES_2M, pages);
    this.splitLeft += pages;
    if (split.left === UVM_CHUNK_PAGES_2M) this.release(root);
  }

  /** A whole root chunk becomes one of single frames, all in use: its block was split. */
  splitRoot(pfn: number, block: UvmVaBlock): void {
    const root = Math.floor(pfn / UVM_CHUNK_PAGES_2M);
    const split = new UvmSplitRoot(root);
    split.takeAll();
    this.splits.set(root, split);
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

  /** All that the root chunk of frame `pfn` holds has been discarded. */
  markDiscarded(pfn: number): void {
    this.moveTo(Math.floor(pfn / UVM_CHUNK_PAGES_2M), LIST_DISCARDED);
  }

  /**
   * The next root chunk to evict, and the blocks that own parts of it, passing over chunks that `keep` has a part of and, unless
   * `sleeping`, chunks of system memory, whose eviction may sleep; and, unless `forced`, those that never give way to others.
   * @returns undefined when nothing can be evicted.
   */
  pickVictim(keep: UvmVaBlock | undefined, sleeping: boolean, forced = false): UvmVictim | undefined {
    if (this.policy.selectVictim !== undefined) return this.pickByPolicy(keep, sleeping, forced);
    for (const head of LISTS) {
      const end = this.roots + head;
      for (let root = this.next[end] ?? end; root !== end; root = this.next[root] ?? end) {
        if (this.evictable(root, keep, sleeping, forced))
          return { root, owners: [...(this.owners[root] ?? [])] };
      }
    }
    return undefined;
  }

  private evictable(root: number, keep: UvmVaBlock | undefined, sleeping: boolean, forced: boolean): boolean {
    const owners = this.owners[root] ?? [];
    for (const block of owners) {
      if (block === keep || (!sleeping && block.hmm !== undefined)) return false;
      if (block.unevictable && !forced) return false;
    }
    return true;
  }

  private pickByPolicy(
    keep: UvmVaBlock | undefined,
    sleeping: boolean,
    forced: boolean,
  ): UvmVictim | undefined {
    const candidates: UvmChunkView[] = [];
    for (const head of LISTS) {
      const end = this.roots + head;
      for (let root = this.next[end] ?? end; root !== end; root = this.next[root] ?? end) {
        if (this.evictable(root, keep, sleeping, forced)) candidates.push(this.view(root));
      }
    }
    if (candidates.length === 0) return undefined;
    const chosen = candidates[this.policy.selectVictim?.(candidates) ?? 0];
    if (chosen === undefined) return undefined;
    return { root: chosen.root, owners: [...(this.owners[chosen.root] ?? [])] };
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

  private owned(split: UvmSplitRoot, at: number, pages: number, block: UvmVaBlock): number {
    const { root } = split;
    this.lastSplit = split;
    this.splitLeft -= pages;
    const owners = this.owners[root];
    if (owners !== undefined && !owners.includes(block)) owners.push(block);
    this.moveTo(root, LIST_USED);
    return root * UVM_CHUNK_PAGES_2M + at;
  }

  private release(root: number): void {
    this.moveTo(root, LIST_NONE);
    const split = this.splits.get(root);
    if (split !== undefined) this.splitLeft -= split.left;
    this.splits.delete(root);
    if (this.lastSplit === split) this.lastSplit = undefined;
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
