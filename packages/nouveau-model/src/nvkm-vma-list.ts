import { declareState } from '@hmm/kernel/internal';

/** Nodes of a block before it is split in two. */
const BLOCK_NODES = 512;

/** Node: something is mapped in it. */
export const NVKM_VMA_MAPPED = 1;
/** Node: it was cut off from the one before it. */
export const NVKM_VMA_PART = 2;
/** Node: its mapped entries have 2 MiB. */
export const NVKM_VMA_HUGE = 4;
/** Node: the interval that stays for buffer objects; nothing of SVM can be mapped there. */
export const NVKM_VMA_UNMANAGED = 8;

/** Nodes in the order of their addresses. */
interface Block {
  readonly starts: Float64Array;
  readonly flags: Uint8Array;
  nodes: number;
}

function block(): Block {
  return { starts: new Float64Array(BLOCK_NODES), flags: new Uint8Array(BLOCK_NODES), nodes: 0 };
}

/**
 * The nodes of an address space: ranges of pages side by side, without a gap, each with `NVKM_VMA_*`. A cursor points at one;
 * every operation works at the cursor or moves it. Kept in sorted blocks, so that a node is found by bisection and little moves
 * when one is added. The kernel has a tree and a list. @kernel nvkm/subdev/mmu.h nvkm_vma
 */
export class NvkmVmaList {
  /** What of it is state. */
  static readonly state = declareState({
    limit: 'constant',
    blocks: 'constant',
    at: { saved: 'where it looked last' },
    index: { saved: 'where it looked last' },
  });

  /** Page behind the last node. */
  readonly limit: number;
  private readonly blocks: Block[] = [];
  private at = 0;
  private index = 0;

  /** One node, of pages [0, limit). */
  constructor(limit: number) {
    this.limit = limit;
    const first = block();
    first.nodes = 1;
    this.blocks.push(first);
  }

  /** First page of the node at the cursor. */
  get start(): number {
    return this.blocks[this.at]?.starts[this.index] ?? 0;
  }

  /** Page behind its last. */
  get end(): number {
    const here = this.blocks[this.at];
    if (here === undefined) return this.limit;
    if (this.index + 1 < here.nodes) return here.starts[this.index + 1] ?? 0;
    return this.blocks[this.at + 1]?.starts[0] ?? this.limit;
  }

  /** Its `NVKM_VMA_*`. */
  get flags(): number {
    return this.blocks[this.at]?.flags[this.index] ?? 0;
  }

  set flags(flags: number) {
    const here = this.blocks[this.at];
    if (here !== undefined) here.flags[this.index] = flags;
  }

  /** `NVKM_VMA_*` of the node before the cursor's, -1 for the first. */
  get flagsBefore(): number {
    if (this.index > 0) return this.blocks[this.at]?.flags[this.index - 1] ?? 0;
    const before = this.blocks[this.at - 1];
    return before === undefined ? -1 : (before.flags[before.nodes - 1] ?? 0);
  }

  /** `NVKM_VMA_*` of the node behind the cursor's, -1 for the last. */
  get flagsBehind(): number {
    const here = this.blocks[this.at];
    if (here !== undefined && this.index + 1 < here.nodes) return here.flags[this.index + 1] ?? 0;
    return this.blocks[this.at + 1]?.flags[0] ?? -1;
  }

  /** Moves the cursor to the node that page `vpn` is in. */
  seek(vpn: number): void {
    if (vpn >= this.start && vpn < this.end) return;
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if ((this.blocks[mid]?.starts[0] ?? 0) <= vpn) low = mid;
      else high = mid - 1;
    }
    this.at = low;
    this.index = 0;
    const here = this.blocks[low];
    if (here === undefined) return;
    let first = 0;
    let last = here.nodes - 1;
    while (first < last) {
      const mid = (first + last + 1) >> 1;
      if ((here.starts[mid] ?? 0) <= vpn) first = mid;
      else last = mid - 1;
    }
    this.index = first;
  }

  /** Moves the cursor to the next node; false at the last. */
  next(): boolean {
    const here = this.blocks[this.at];
    if (here !== undefined && this.index + 1 < here.nodes) {
      this.index++;
      return true;
    }
    if (this.at + 1 >= this.blocks.length) return false;
    this.at++;
    this.index = 0;
    return true;
  }

  /** Moves the cursor to the node before. There must be one. */
  previous(): void {
    if (this.index > 0) {
      this.index--;
      return;
    }
    this.at--;
    this.index = (this.blocks[this.at]?.nodes ?? 1) - 1;
  }

  /** Cuts the cursor's node in two at page `vpn`, which is inside: both have its flags. The cursor stays at the first. */
  cut(vpn: number, flags: number): void {
    let here = this.blocks[this.at];
    if (here === undefined) return;
    if (here.nodes === BLOCK_NODES) here = this.splitBlock(here);
    const to = this.index + 1;
    here.starts.copyWithin(to + 1, to, here.nodes);
    here.flags.copyWithin(to + 1, to, here.nodes);
    here.starts[to] = vpn;
    here.flags[to] = flags;
    here.nodes++;
  }

  /** Lets the node behind the cursor's begin at page `vpn`. */
  moveNext(vpn: number): void {
    const here = this.blocks[this.at];
    const inside = here !== undefined && this.index + 1 < here.nodes;
    const target = inside ? here : this.blocks[this.at + 1];
    if (target !== undefined) target.starts[inside ? this.index + 1 : 0] = vpn;
  }

  /** Joins the node behind the cursor's to it. There must be one. */
  joinNext(): void {
    const here = this.blocks[this.at];
    if (here === undefined) return;
    if (this.index + 1 < here.nodes) this.drop(here, this.at, this.index + 1);
    else {
      const behind = this.blocks[this.at + 1];
      if (behind !== undefined) this.drop(behind, this.at + 1, 0);
    }
  }

  private drop(from: Block, at: number, index: number): void {
    from.starts.copyWithin(index, index + 1, from.nodes);
    from.flags.copyWithin(index, index + 1, from.nodes);
    from.nodes--;
    if (from.nodes === 0) this.blocks.splice(at, 1);
  }

  /** Makes room in a full block; returns the one that the cursor is in now. */
  private splitBlock(full: Block): Block {
    const half = BLOCK_NODES / 2;
    const behind = block();
    behind.starts.set(full.starts.subarray(half));
    behind.flags.set(full.flags.subarray(half));
    behind.nodes = BLOCK_NODES - half;
    full.nodes = half;
    this.blocks.splice(this.at + 1, 0, behind);
    if (this.index < half) return full;
    this.at++;
    this.index -= half;
    return behind;
  }
}
