import { declareState } from '@hmm/kernel/internal';
/**
 * Host frames of managed memory. A block takes the frames of all its pages at once, at its first CPU page, so that a
 * page's frame is a sum; which of them count as allocated is in the block's mask.
 */
export class UvmCpuChunks {
  /** What of it is state. */
  static readonly state = declareState({
    used: 'value',
    nextFrame: 'value',
    free: 'constant',
  });

  /** Frames handed out and not given back. */
  used = 0;
  private nextFrame = 1;
  private readonly free = new Map<number, number[]>();

  /** The first of `pages` consecutive frames. */
  alloc(pages: number): number {
    this.used += pages;
    const recycled = this.free.get(pages)?.pop();
    if (recycled !== undefined) return recycled;
    const first = this.nextFrame;
    this.nextFrame += pages;
    return first;
  }

  /** Gives frames back. */
  release(first: number, pages: number): void {
    this.used -= pages;
    const list = this.free.get(pages) ?? [];
    list.push(first);
    this.free.set(pages, list);
  }
}
