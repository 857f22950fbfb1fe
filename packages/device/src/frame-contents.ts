/** The contents of frames, as a device loads and stores them: what the frame of a page table's entry is looked up in. */
export interface FrameContents {
  /** `width` bytes at `offset` of frame `pfn`, little-endian. */
  read(pfn: number, offset: number, width: number): number;
  /** Stores the low `width` bytes of `value`. */
  write(pfn: number, offset: number, width: number, value: number): void;
}
