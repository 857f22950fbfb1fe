import { declareState } from '@hmm/kernel/internal';
import { type MemorySystem } from '@hmm/mm';
import { accessData } from '@hmm/mm/internal';
import type { FrameContents } from './frame-contents.js';

/** The frames of the memory system, system and device memory alike, as a device loads and stores them. */
export class SystemFrames implements FrameContents {
  /** What of it is state. */
  static readonly state = declareState({
    memory: 'constant',
  });

  private readonly memory: MemorySystem;

  constructor(memory: MemorySystem) {
    this.memory = memory;
  }

  /** `width` bytes at `offset` of frame `pfn`, little-endian. */
  read(pfn: number, offset: number, width: number): number {
    accessData(this.memory, pfn, false);
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + this.memory.data.readByte(pfn, offset + i);
    return value;
  }

  /** Stores the low `width` bytes of `value`. */
  write(pfn: number, offset: number, width: number, value: number): void {
    accessData(this.memory, pfn, true);
    for (let i = 0; i < width; i++) this.memory.data.writeByte(pfn, offset + i, (value >>> (8 * i)) & 255);
  }
}
