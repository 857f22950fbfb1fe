import { declareState } from '@hmm/kernel/internal';
import { type MemMap, NO_PFN } from './mem-map.js';

const BLOCK = 512;
const NO_BLOCK = 0;

const FREE_FRAMES = 'which frames are free matters only when there are none';

/**
 * Free frames of system memory, kept by blocks of 512 (2 MiB, the kernel's pageblock): single frames come from blocks
 * already broken, whole blocks serve huge pages, and a block whose frames are all back is whole again. The list of a
 * block's free frames runs through `MemMap.private`.
 * @kernel mm/page_alloc.c
 */
export class BlockAllocator {
  /** What of it is state. */
  static readonly state = declareState({
    free: { saved: FREE_FRAMES },
    map: { outside: 'the memory system saves it' },
    blocks: 'constant',
    heads: { saved: FREE_FRAMES },
    counts: { saved: FREE_FRAMES },
    links: { saved: FREE_FRAMES },
    broken: { saved: FREE_FRAMES },
    freeBlocks: { saved: FREE_FRAMES },
    nextBlock: { saved: FREE_FRAMES },
    bump: { saved: FREE_FRAMES },
    bumpEnd: { saved: FREE_FRAMES },
  });

  /** Frames that can be had. */
  free: number;
  private readonly map: MemMap;
  private readonly blocks: number;
  private readonly heads: Int32Array;
  private readonly counts: Uint16Array;
  /** Previous and next of each block in the list of broken blocks with free frames. */
  private readonly links: Int32Array;
  private broken = NO_BLOCK;
  private readonly freeBlocks: number[] = [];
  private nextBlock: number;
  private bump = 0;
  private bumpEnd = 0;

  /** Frames [first, end) of `map` can be handed out; `first` begins a block. */
  constructor(map: MemMap, first: number, end: number) {
    this.map = map;
    this.nextBlock = first / BLOCK;
    this.blocks = Math.floor(end / BLOCK);
    this.heads = new Int32Array(this.blocks);
    this.counts = new Uint16Array(this.blocks);
    this.links = new Int32Array(2 * this.blocks);
    this.free = Math.max(0, (this.blocks - this.nextBlock) * BLOCK);
  }

  /** One past the highest frame that was ever handed out. */
  get highest(): number {
    const end = this.nextBlock * BLOCK;
    return this.bumpEnd === end ? this.bump : end;
  }

  /** A frame, or {@link NO_PFN}. */
  take(): number {
    const block = this.broken;
    if (block === NO_BLOCK) {
      if (this.bump === this.bumpEnd && !this.openBlock()) return NO_PFN;
      this.free--;
      return this.bump++;
    }
    const pfn = this.heads[block] ?? 0;
    this.heads[block] = this.map.private[pfn] ?? 0;
    this.map.private[pfn] = 0;
    const left = (this.counts[block] ?? 0) - 1;
    this.counts[block] = left;
    if (left === 0) this.unlink(block);
    this.free--;
    return pfn;
  }

  /** The first of 512 aligned frames, or {@link NO_PFN}. */
  takeBlock(): number {
    const block = this.wholeBlock();
    if (block === NO_BLOCK) return NO_PFN;
    this.free -= BLOCK;
    return block * BLOCK;
  }

  /** Gives a frame back. */
  put(pfn: number): void {
    const block = (pfn / BLOCK) | 0;
    const count = (this.counts[block] ?? 0) + 1;
    this.map.private[pfn] = this.heads[block] ?? 0;
    this.heads[block] = pfn;
    this.counts[block] = count;
    this.free++;
    if (count === 1) this.link(block);
    else if (count === BLOCK) {
      this.unlink(block);
      this.clearList(block);
      this.freeBlocks.push(block);
    }
  }

  /** Gives 512 aligned frames back. */
  putBlock(pfn: number): void {
    this.freeBlocks.push((pfn / BLOCK) | 0);
    this.free += BLOCK;
  }

  private wholeBlock(): number {
    const block = this.freeBlocks.pop();
    if (block !== undefined) return block;
    return this.nextBlock < this.blocks ? this.nextBlock++ : NO_BLOCK;
  }

  private openBlock(): boolean {
    const block = this.wholeBlock();
    if (block === NO_BLOCK) return false;
    this.bump = block * BLOCK;
    this.bumpEnd = this.bump + BLOCK;
    return true;
  }

  private clearList(block: number): void {
    this.map.private.fill(0, block * BLOCK, (block + 1) * BLOCK);
    this.heads[block] = 0;
    this.counts[block] = 0;
  }

  private link(block: number): void {
    const next = this.broken;
    this.links[2 * block] = NO_BLOCK;
    this.links[2 * block + 1] = next;
    if (next !== NO_BLOCK) this.links[2 * next] = block;
    this.broken = block;
  }

  private unlink(block: number): void {
    const previous = this.links[2 * block] ?? NO_BLOCK;
    const next = this.links[2 * block + 1] ?? NO_BLOCK;
    if (previous === NO_BLOCK) this.broken = next;
    else this.links[2 * previous + 1] = next;
    if (next !== NO_BLOCK) this.links[2 * next] = previous;
  }
}
