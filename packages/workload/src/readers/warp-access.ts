import { AGENT_GPU, NO_TIME } from './access-batch.js';
import type { Cursor } from './cursor.js';
import type { TraceOutput } from './trace-output.js';

/** Lanes of a warp. */
export const WARP_LANES = 32;

/** Collects the addresses of one warp instruction and hands them on as one access per page. */
export class WarpAccess {
  private readonly pages = new Float64Array(WARP_LANES * 2);
  private readonly first = new Uint16Array(WARP_LANES * 2);
  private readonly last = new Uint16Array(WARP_LANES * 2);
  private count = 0;
  /** Where the page is that was touched last. */
  private latest = 0;
  /** Lanes whose address is 2^57 or more. */
  private beyond = 0;

  /** Forgets the lanes. */
  clear(): void {
    this.count = 0;
    this.beyond = 0;
  }

  /** Adds a lane that touches `size` (at most 4096) bytes at the cursor's address. */
  lane(cursor: Cursor, size: number): void {
    if (!cursor.addressInRange) {
      this.beyond++;
      return;
    }
    const end = cursor.offset + size;
    this.touch(cursor.page, cursor.offset, Math.min(end, 4096));
    if (end > 4096) this.touch(cursor.page + 1, 0, end - 4096);
  }

  /** Adds a lane that touches the bytes `from` … `to - 1` of the page that the lane before touched last. */
  beside(from: number, to: number): void {
    const at = this.latest;
    if (from < (this.first[at] ?? 0)) this.first[at] = from;
    if (to > (this.last[at] ?? 0)) this.last[at] = to;
  }

  /** Hands on one access per page, from the lowest to the highest byte touched in it. */
  emit(out: TraceOutput, kind: number, warp: number): void {
    if (this.count === 0) out.skip(this.beyond > 0 ? 'address-range' : 'no-address');
    for (let i = 0; i < this.count; i++) {
      const from = this.first[i] ?? 0;
      out.access(this.pages[i] ?? 0, from, (this.last[i] ?? 0) - from, kind, AGENT_GPU, warp, NO_TIME);
    }
  }

  private touch(page: number, from: number, to: number): void {
    for (let i = this.count - 1; i >= 0; i--) {
      if (this.pages[i] !== page) continue;
      this.first[i] = Math.min(this.first[i] ?? 0, from);
      this.last[i] = Math.max(this.last[i] ?? 0, to);
      this.latest = i;
      return;
    }
    this.pages[this.count] = page;
    this.first[this.count] = from;
    this.last[this.count] = to;
    this.latest = this.count++;
  }
}
