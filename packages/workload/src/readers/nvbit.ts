import { AGENT_GPU, NO_TIME } from './access-batch.js';
import { Cursor, HEX_VALUE } from './cursor.js';
import { type GpuOpcode, gpuOpcode } from './gpu-opcode.js';
import { forEachLine, type LineDecoder } from './line-splitter.js';
import { textOf } from './text-of.js';
import type { TraceOutput } from './trace-output.js';
import { WARP_LANES, WarpAccess } from './warp-access.js';
import { lineStage, type StreamFormat } from './stream-format.js';

const SHAPE = 'MEMTRACE: CTX 0x… - grid_launch_id N - CTA X,Y,Z - warp W - OPCODE - 32 addresses';

/** Bytes of an opcode at most. */
const MOST_OPCODE = 64;

/** Warps of one thread block that are told apart. */
const WARPS_PER_CTA = 64;

/**
 * NVBit's `mem_trace` text: a line per warp instruction with 32 addresses (0 = inactive lane), and a `LAUNCH` line per
 * kernel, which becomes a `kernel` observation. The 32 addresses become one access per page; `thread` numbers warps by
 * block, so that blocks of one launch never share a number.
 */
export class NvbitDecoder implements LineDecoder {
  private readonly out: TraceOutput;
  private readonly cursor = new Cursor();
  private readonly warpAccess = new WarpAccess();
  /** The bytes of the present lines. */
  private view = new DataView(new ArrayBuffer(0));
  /** The last opcode, and its bytes. */
  private opcode = gpuOpcode('');
  private readonly opcodeText = new Uint8Array(MOST_OPCODE);
  private opcodeBytes = 0;
  private gridX = 65536;
  private gridY = 65536;

  constructor(out: TraceOutput) {
    this.out = out;
  }

  lines(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    forEachLine(this.out, bytes, start, end, (_, from, to) => {
      this.line(bytes, from, to);
    });
  }

  private line(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): void {
    const { cursor, out } = this;
    cursor.reset(bytes, from, to);
    cursor.spaces();
    if (!cursor.take('MEMTRACE:')) {
      // The tool's settings and the program's own output stand between the records.
      out.skip('comment');
      return;
    }
    cursor.spaces();
    if (!cursor.take('CTX ') || !cursor.hexAddress()) {
      this.broken(bytes, from, to);
      return;
    }
    if (cursor.take(' - LAUNCH')) this.launch(textOf(bytes, cursor.at, Math.min(to, cursor.at + 4096)));
    else if (cursor.take(', Inspecting') || cursor.take(',')) out.skip('comment');
    else if (!this.instruction()) this.broken(bytes, from, to);
  }

  /**
   * Reads on over lanes, `most` at most, whose addresses are written like the one at `at` and are in its page, as those of most
   * instructions are. Returns how many; the cursor is behind the last.
   */
  private lanesBeside(at: number, size: number, most: number): number {
    const { cursor, warpAccess, view } = this;
    const { bytes, end } = cursor;
    const [first, second] = [view.getInt32(at), view.getInt32(at + 4)];
    const [third, fourth] = [view.getInt32(at + 8), view.getInt32(at + PAGE_BYTES - 4)];
    let lanes = 0;
    let next = cursor.at + 1;
    while (lanes < most && next + ADDRESS_BYTES <= end && bytes[next - 1] === 32) {
      if (view.getInt32(next) !== first || view.getInt32(next + 4) !== second) break;
      if (view.getInt32(next + 8) !== third || view.getInt32(next + PAGE_BYTES - 4) !== fourth) break;
      const high = HEX_VALUE[bytes[next + 15] ?? 0] ?? 16;
      const middle = HEX_VALUE[bytes[next + 16] ?? 0] ?? 16;
      const low = HEX_VALUE[bytes[next + 17] ?? 0] ?? 16;
      const after = next + ADDRESS_BYTES;
      if ((high | middle | low) > 15 || (after < end && bytes[after] !== 32)) break;
      const offset = (high << 8) | (middle << 4) | low;
      if (offset + size > 4096) break;
      warpAccess.beside(offset, offset + size);
      lanes++;
      next = after + 1;
    }
    cursor.at = next - 1;
    return lanes;
  }

  private broken(bytes: Uint8Array, from: number, to: number): void {
    this.out.malformedLine(SHAPE, bytes, from, to);
  }

  private launch(text: string): void {
    const grid = /grid size (\d{1,10}),(\d{1,10}),(\d{1,10})/.exec(text);
    const id = /grid launch id (\d{1,15})/.exec(text);
    const name = / - Kernel name (.*?) - grid launch id/.exec(text);
    if (grid !== null) {
      this.gridX = Number(grid[1]);
      this.gridY = Number(grid[2]);
    }
    const label = name?.[1] ?? '';
    this.out.event({ name: 'kernel', time: NO_TIME, agent: AGENT_GPU, value: Number(id?.[1] ?? 0), label });
  }

  private instruction(): boolean {
    const { cursor, out, warpAccess } = this;
    if (!cursor.take(' - grid_launch_id ') || cursor.decimal() < 0 || !cursor.take(' - CTA ')) return false;
    const x = cursor.decimal();
    const y = cursor.take(',') ? cursor.decimal() : -1;
    const z = cursor.take(',') ? cursor.decimal() : -1;
    if (z < 0 || y < 0 || x < 0 || !cursor.take(' - warp ')) return false;
    const warp = cursor.decimal();
    if (warp < 0 || !cursor.take(' - ')) return false;
    const opcodeAt = cursor.at;
    const opcodeBytes = cursor.token();
    if (opcodeBytes === 0 || opcodeBytes > MOST_OPCODE || !cursor.take(' -')) return false;
    const opcode = this.opcodeAt(opcodeAt, opcodeBytes);
    if (opcode.kind < 0) {
      out.skip('no-address');
      return true;
    }
    if (!this.lanes(opcode.size)) return false;
    const cta = x + this.gridX * (y + this.gridY * z);
    warpAccess.emit(out, opcode.kind, cta * WARPS_PER_CTA + warp);
    return true;
  }

  /** The opcode in `length` bytes from `at`; a run of one opcode makes no strings. */
  private opcodeAt(at: number, length: number): GpuOpcode {
    const { opcodeText, cursor } = this;
    let same = length === this.opcodeBytes;
    for (let i = 0; same && i < length; i++) same = opcodeText[i] === cursor.bytes[at + i];
    if (same) return this.opcode;
    opcodeText.set(cursor.bytes.subarray(at, at + length));
    this.opcodeBytes = length;
    this.opcode = gpuOpcode(textOf(cursor.bytes, at, at + length));
    return this.opcode;
  }

  private lanes(size: number): boolean {
    const { cursor, warpAccess } = this;
    warpAccess.clear();
    let lanes = 0;
    while (cursor.spaces()) {
      if (lanes === WARP_LANES) return false;
      const at = cursor.at;
      if (!cursor.take('0x') || !cursor.hexAddress()) return false;
      lanes++;
      if (cursor.at === at + ADDRESS_BYTES && cursor.addressInRange && cursor.page !== 0) {
        warpAccess.lane(cursor, size);
        if (cursor.offset + size > 4096) continue;
        lanes += this.lanesBeside(at, size, WARP_LANES - lanes);
      } else if (cursor.page !== 0 || cursor.offset !== 0 || !cursor.addressInRange)
        warpAccess.lane(cursor, size);
    }
    return lanes > 0;
  }
}

/** Bytes of an address with all its digits, `0x00007f8a01800000`, and of those the part that names the page. */
const ADDRESS_BYTES = 18;
const PAGE_BYTES = 15;

/** The format for the list of formats. */
export const NVBIT: StreamFormat<'nvbit'> = {
  name: 'nvbit',
  title: 'NVBit mem_trace',
  line: /^MEMTRACE: CTX 0x/,
  open: (out, options) => lineStage(out, new NvbitDecoder(out), options),
};
