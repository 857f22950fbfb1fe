import { declareState } from '@hmm/kernel/internal';
import { PAGES_PER_BLOCK } from './uvm-page-mask.js';
import { UVM_PROT_READ_WRITE } from './uvm-types.js';
import { UvmVaBlock } from './uvm-va-block.js';
import { defaultPolicy, type UvmVaPolicy } from './uvm-va-policy.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** A managed range: an interval of pages with one policy, and its blocks. @uvm uvm_forward_decl.h uvm_va_range_managed_t */
export class UvmVaRange {
  /** What of it is state. */
  static readonly state = declareState({
    space: 'constant',
    start: 'constant',
    pages: 'value',
    policy: 'value',
    cpuProt: 'value',
    deviceOnly: 'value',
    blocks: 'constant',
  });

  readonly space: UvmVaSpace;
  readonly start: number;
  pages: number;
  policy: UvmVaPolicy = defaultPolicy();
  /** What the kernel lets the CPU do here: one of `UVM_PROT_*`. */
  cpuProt: number = UVM_PROT_READ_WRITE;
  /** `cudaMalloc` gave it: it lives in device memory, and nowhere else. */
  deviceOnly = false;
  private readonly blocks: (UvmVaBlock | undefined)[] = [];

  constructor(space: UvmVaSpace, start: number, pages: number) {
    this.space = space;
    this.start = start;
    this.pages = pages;
  }

  /** First page beyond the range. */
  get end(): number {
    return this.start + this.pages;
  }

  /** The block that covers `vpn`, if it exists. */
  findBlock(vpn: number): UvmVaBlock | undefined {
    return this.blocks[this.index(vpn)];
  }

  /**
   * The block that covers `vpn`, made if need be.
   * @uvm uvm_va_block.c uvm_va_block_find_create (without: allocations that fail)
   */
  block(vpn: number): UvmVaBlock {
    const index = this.index(vpn);
    const known = this.blocks[index];
    if (known !== undefined) return known;
    const aligned = Math.floor(vpn / PAGES_PER_BLOCK) * PAGES_PER_BLOCK;
    const start = Math.max(aligned, this.start);
    const fresh = new UvmVaBlock(this, start, Math.min(aligned + PAGES_PER_BLOCK, this.end) - start);
    this.blocks[index] = fresh;
    return fresh;
  }

  /** Blocks that exist. */
  get blockCount(): number {
    return this.blocks.reduce((count, block) => count + (block === undefined ? 0 : 1), 0);
  }

  /** The blocks that exist, ascending. */
  *existingBlocks(): Generator<UvmVaBlock> {
    for (const block of this.blocks) if (block !== undefined) yield block;
  }

  /**
   * Cuts the range at page `at` and returns the upper part, with the same policy. Blocks above
   * the cut move over; one that the cut goes through is cut too.
   * @uvm uvm_va_range.c uvm_va_range_split (without: blocks that are split in two, allocations that fail)
   */
  split(at: number): UvmVaRange {
    const upper = new UvmVaRange(this.space, at, this.end - at);
    upper.policy = { ...this.policy };
    upper.cpuProt = this.cpuProt;
    upper.deviceOnly = this.deviceOnly;
    for (const block of [...this.existingBlocks()]) {
      if (block.start + block.pages <= at) continue;
      if (block.start >= at) {
        upper.adopt(block);
        this.blocks[this.index(block.start)] = undefined;
      } else upper.adopt(block.split(upper, at - block.start));
    }
    this.pages = at - this.start;
    return upper;
  }

  private adopt(block: UvmVaBlock): void {
    block.range = this;
    this.blocks[this.index(block.start)] = block;
  }

  private index(vpn: number): number {
    return Math.floor(vpn / PAGES_PER_BLOCK) - Math.floor(this.start / PAGES_PER_BLOCK);
  }
}
