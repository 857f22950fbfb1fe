import { AGENT_GPU, NO_TIME } from './access-batch.js';
import { Cursor } from './cursor.js';
import { gpuOpcode, type GpuOpcode } from './gpu-opcode.js';
import { forEachLine, type LineDecoder } from './line-splitter.js';
import { textOf } from './text-of.js';
import type { TraceOutput } from './trace-output.js';
import { WARP_LANES, WarpAccess } from './warp-access.js';
import { lineStage, type StreamFormat } from './stream-format.js';

const SHAPE = 'PC MASK NDST [DST…] OPCODE NSRC [SRC…] WIDTH [MODE ADDRESSES]';

/** Registers that one instruction names, at most: more than any has. */
const MAX_REGISTERS = 32;

const WARPS_PER_CTA = 64;

const DASH = 45;
const HASH = 35;

/**
 * One kernel of an Accel-Sim trace (`kernel-N.traceg`): a header of `-key = value` lines, then thread blocks between
 * `#BEGIN_TB` and `#END_TB`, in each warp after warp. Every memory instruction becomes one access per page. The width
 * of an access comes from the opcode, since the width column of these files can be wrong.
 */
export class AccelSimDecoder implements LineDecoder {
  private readonly out: TraceOutput;
  private readonly cursor = new Cursor();
  private readonly warpAccess = new WarpAccess();
  private version = 3;
  private lineInfo = false;
  private gridX = 65536;
  private gridY = 65536;
  private name = '';
  private inBlock = false;
  private cta = 0;
  private warp = 0;

  constructor(out: TraceOutput) {
    this.out = out;
  }

  lines(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    forEachLine(this.out, bytes, start, end, (_, from, to) => {
      this.line(bytes, from, to);
    });
  }

  /** A block without its end was cut off. */
  end(): void {
    if (this.inBlock)
      this.out.fail('TRUNCATED', '#END_TB after the last thread block', 'the end of the file');
  }

  private line(bytes: Uint8Array<ArrayBuffer>, from: number, to: number): void {
    const { cursor, out } = this;
    cursor.reset(bytes, from, to);
    if (!cursor.spaces()) return;
    const first = cursor.peek();
    if (!this.inBlock || first === HASH) this.outsideBlock(first, bytes, from, to);
    else if (cursor.take('thread block = ')) this.block(bytes, from, to);
    else if (cursor.take('warp = ')) this.warp = Math.max(0, cursor.decimal());
    else if (cursor.take('insts = ') || cursor.take('cluster ')) out.skip('comment');
    else if (!this.instruction()) out.malformedLine(SHAPE, bytes, from, to);
  }

  private outsideBlock(first: number, bytes: Uint8Array, from: number, to: number): void {
    const { cursor, out } = this;
    const begins = cursor.take('#BEGIN_TB');
    if (begins || cursor.take('#END_TB')) {
      if (begins === this.inBlock)
        out.fail('CORRUPT', begins ? '#END_TB before the next block' : '#BEGIN_TB', 'its opposite');
      this.inBlock = begins;
    } else if (first === DASH) this.header(textOf(bytes, cursor.at + 1, Math.min(to, from + 4096)));
    else if (first === HASH) out.skip('comment');
    else out.malformedLine('a -key = value line or #BEGIN_TB', bytes, from, to);
  }

  private header(text: string): void {
    const equals = text.indexOf(' = ');
    const key = text.slice(0, equals);
    const value = text.slice(equals + 3);
    if (key === 'kernel name') this.name = value;
    else if (key === 'accelsim tracer version') this.version = Number(value) || 0;
    else if (key === 'enable lineinfo') this.lineInfo = value === '1';
    else if (key === 'grid dim') {
      const grid = /^\((\d{1,10}),(\d{1,10}),/.exec(value);
      this.gridX = Number(grid?.[1] ?? this.gridX);
      this.gridY = Number(grid?.[2] ?? this.gridY);
    } else if (key === 'kernel id') {
      this.out.event({
        name: 'kernel',
        time: NO_TIME,
        agent: AGENT_GPU,
        value: Number(value) || 0,
        label: this.name,
      });
    }
  }

  private block(bytes: Uint8Array, from: number, to: number): void {
    const { cursor } = this;
    const x = cursor.decimal();
    const y = cursor.take(',') ? cursor.decimal() : -1;
    const z = cursor.take(',') ? cursor.decimal() : -1;
    if (x < 0 || y < 0 || z < 0) this.out.malformedLine('thread block = X,Y,Z', bytes, from, to);
    else this.cta = x + this.gridX * (y + this.gridY * z);
  }

  private instruction(): boolean {
    const { cursor, out } = this;
    if (
      this.version < 3 &&
      !(this.number() >= 0 && this.number() >= 0 && this.number() >= 0 && this.number() >= 0)
    ) {
      return false;
    }
    if (this.lineInfo && this.number() < 0) return false;
    cursor.spaces();
    if (!cursor.hexAddress() || !cursor.spaces()) return false;
    const mask = cursor.hex32();
    if (mask < 0 || !this.registers()) return false;
    cursor.spaces();
    const at = cursor.at;
    const length = cursor.token();
    if (length === 0 || length > 64 || !this.registers()) return false;
    const width = this.number();
    if (width < 0) return false;
    if (width === 0) return true;
    const opcode = gpuOpcode(textOf(cursor.bytes, at, at + length));
    if (opcode.kind < 0) {
      out.skip('no-address');
      return true;
    }
    this.warpAccess.clear();
    if (!this.addresses(mask, opcode)) return false;
    this.warpAccess.emit(out, opcode.kind, this.cta * WARPS_PER_CTA + this.warp);
    return true;
  }

  private number(): number {
    this.cursor.spaces();
    return this.cursor.decimal();
  }

  private registers(): boolean {
    const count = this.number();
    if (count < 0 || count > MAX_REGISTERS) return false;
    for (let i = 0; i < count; i++) if (!this.cursor.spaces() || this.cursor.token() === 0) return false;
    return true;
  }

  /** Mode 0: an address a lane. Mode 1: base and stride over the first run of lanes. Mode 2: base and deltas. */
  private addresses(mask: number, opcode: GpuOpcode): boolean {
    const { cursor, warpAccess } = this;
    const mode = this.number();
    if (mode < 0 || mode > 2) return false;
    let stride = 0;
    let lanes = 0;
    for (let lane = 0; lane < WARP_LANES; lane++) {
      const active = ((mask >>> lane) & 1) === 1;
      if (!active) {
        if (mode === 1 && lanes > 0) break;
        continue;
      }
      cursor.spaces();
      if (mode === 0 || lanes === 0) {
        if (!cursor.hexAddress()) return false;
        if (mode === 1) {
          cursor.spaces();
          stride = cursor.signed();
          if (Number.isNaN(stride)) return false;
        }
      } else {
        const step = mode === 1 ? stride : cursor.signed();
        if (Number.isNaN(step)) return false;
        cursor.advance(step);
      }
      lanes++;
      warpAccess.lane(cursor, opcode.size);
    }
    // Newer tracers add an immediate at the end.
    return !cursor.spaces() || (cursor.token() > 0 && !cursor.spaces());
  }
}

/** One command of a `kernelslist.g` file. */
export type KernelsListEntry =
  | { readonly kind: 'memcpy_htod'; readonly page: number; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'kernel'; readonly file: string };

/**
 * The commands of a `kernelslist.g`: copies to the device, and the kernel files in launch order, to be read one after
 * another. Lines of any other kind are left out and counted.
 */
export function parseKernelsList(text: string): { entries: KernelsListEntry[]; skipped: number } {
  const entries: KernelsListEntry[] = [];
  let skipped = 0;
  const cursor = new Cursor();
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const copy = /^MemcpyHtoD,(0x[0-9a-f]{1,16}),(\d{1,15})$/i.exec(line);
    if (copy !== null) {
      const address = Uint8Array.from(copy[1] ?? '', (char) => char.charCodeAt(0));
      cursor.reset(address, 0, address.length);
      cursor.hexAddress();
      const { page, offset } = cursor;
      if (cursor.addressInRange) entries.push({ kind: 'memcpy_htod', page, offset, bytes: Number(copy[2]) });
      else skipped++;
    } else if (/^kernel[\w.-]*$/.test(line)) entries.push({ kind: 'kernel', file: line });
    else if (line !== '') skipped++;
  }
  return { entries, skipped };
}

/** The format for the list of formats. */
export const ACCEL_SIM: StreamFormat<'accel-sim'> = {
  name: 'accel-sim',
  title: 'Accel-Sim',
  line: /^(?:-kernel name = |#BEGIN_TB)/,
  open: (out, options) => lineStage(out, new AccelSimDecoder(out), options),
};
