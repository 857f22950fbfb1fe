import { declareState } from '@hmm/kernel/internal';
import { UVM_CHUNK_PAGES_2M } from './uvm-pmm-chunk-size.js';

/** A root chunk split into frames: which are free. */
export class UvmSplitRoot {
  /** What of it is state. */
  static readonly state = declareState({
    root: 'constant',
    left: 'value',
    free: 'constant',
    low: 'value',
  });

  readonly root: number;
  /** Free frames. */
  left = UVM_CHUNK_PAGES_2M;
  private readonly free = new Uint8Array(UVM_CHUNK_PAGES_2M).fill(1);
  /** No free frame lies below. */
  private low = 0;

  constructor(root: number) {
    this.root = root;
  }

  /** Takes `pages` free frames, naturally aligned; their first index, or -1. */
  take(pages: number): number {
    if (this.left < pages) return -1;
    for (let at = this.low - (this.low % pages); at < UVM_CHUNK_PAGES_2M; at += pages) {
      let i = 0;
      while (i < pages && this.free[at + i] === 1) i++;
      if (i < pages) continue;
      this.free.fill(0, at, at + pages);
      this.left -= pages;
      if (pages === 1) this.low = at + 1;
      return at;
    }
    return -1;
  }

  /** Marks every frame as in use: the root chunk was whole, and its block was split. */
  takeAll(): void {
    this.free.fill(0);
    this.left = 0;
  }

  /** Gives frames back. */
  put(first: number, pages: number): void {
    this.free.fill(1, first, first + pages);
    this.left += pages;
    if (first < this.low) this.low = first;
  }
}
