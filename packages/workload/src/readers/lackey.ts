import { ACCESS_READ, ACCESS_WRITE, AGENT_CPU, NO_TIME } from './access-batch.js';
import { HEX_VALUE } from './cursor.js';
import type { LineDecoder } from './line-splitter.js';
import type { TraceOutput } from './trace-output.js';
import { lineStage, type StreamFormat } from './stream-format.js';

const NEWLINE = 10;
const SPACE = 32;
const COMMA = 44;
const EQUALS = 61;
const CHAR_I = 73;
const CHAR_L = 76;
const CHAR_M = 77;
const CHAR_S = 83;

/**
 * valgrind's `--tool=lackey --trace-mem=yes`: `I  ADDR,SIZE`, ` L ADDR,SIZE`, ` S ADDR,SIZE`, ` M ADDR,SIZE`, addresses
 * hexadecimal without 0x, and banner lines that begin `==`. A modify (`M`) is one write. Instruction fetches are
 * counted and dropped unless `instructions` is set; then they are reads.
 */
export class LackeyDecoder implements LineDecoder {
  private readonly out: TraceOutput;
  private readonly instructions: boolean;

  constructor(out: TraceOutput, instructions: boolean) {
    this.out = out;
    this.instructions = instructions;
  }

  /**
   * The hot loop of the package: parses bytes in place and writes the batch's columns. Anything unusual (other
   * lines, page crossings, a full batch) leaves it for {@link oddLine}, {@link TraceOutput.access} or a flush.
   */
  // eslint-disable-next-line hmm/max-lines-per-function -- one loop over bytes: a call each costs as much as a line
  lines(bytes: Uint8Array, start: number, end: number): void {
    const { out, instructions } = this;
    const batch = out.accessBatch;
    const { capacity, page, offset, size, kind, agent, thread, time } = batch;
    const hex = HEX_VALUE;
    let fetches = 0;
    let lines = out.line;
    let at = start;
    while (at < end) {
      const lineStart = at;
      lines++;
      const first = bytes[at] ?? 0;
      const type = bytes[at + 1] ?? 0;
      const isFetch = first === CHAR_I && type === SPACE;
      if (isFetch && !instructions) {
        fetches++;
        at += 2;
        while (bytes[at] !== NEWLINE) at++;
        at++;
        continue;
      }
      const isData = first === SPACE && (type === CHAR_L || type === CHAR_S || type === CHAR_M);
      let hi = 0;
      let lo = 0;
      let bytesTouched = 0;
      let good = (isData || isFetch) && bytes[at + 2] === SPACE;
      if (good) {
        at += 3;
        const digits = at;
        let digit = hex[bytes[at] ?? 0] ?? 16;
        while (digit < 16) {
          hi = (hi << 4) | (lo >>> 28);
          lo = (lo << 4) | digit;
          digit = hex[bytes[++at] ?? 0] ?? 16;
        }
        good = bytes[at] === COMMA && at > digits && at <= digits + 16;
        digit = (bytes[++at] ?? 0) - 48;
        while (digit >= 0 && digit < 10) {
          bytesTouched = bytesTouched * 10 + digit;
          digit = (bytes[++at] ?? 0) - 48;
        }
        if (bytes[at] === 13) at++;
        good = good && bytes[at] === NEWLINE;
      }
      if (!good) {
        out.line = lines;
        at = this.oddLine(bytes, lineStart);
        if (out.error !== undefined) break;
        continue;
      }
      at++;
      const access = type === CHAR_L || isFetch ? ACCESS_READ : ACCESS_WRITE;
      const start12 = lo & 4095;
      const vpn = (hi >>> 0) * 1048576 + (lo >>> 12);
      if (bytesTouched === 0 || start12 + bytesTouched > 4096 || hi >>> 0 >= 33554432) {
        out.line = lines;
        out.access(vpn, start12, bytesTouched, access, AGENT_CPU, 0, NO_TIME);
        continue;
      }
      let row = batch.length;
      if (row === capacity) {
        out.flushAccesses();
        row = 0;
      }
      page[row] = vpn;
      offset[row] = start12;
      size[row] = bytesTouched;
      kind[row] = access;
      agent[row] = AGENT_CPU;
      thread[row] = 0;
      time[row] = NO_TIME;
      batch.length = row + 1;
    }
    out.line = lines;
    if (fetches > 0) out.skip('instruction', fetches);
  }

  /** A line that is no access: banners and blank lines are comments. Returns where the next line begins. */
  private oddLine(bytes: Uint8Array, start: number): number {
    const newline = bytes.indexOf(NEWLINE, start);
    const first = bytes[start];
    if ((first === EQUALS && bytes[start + 1] === EQUALS) || newline === start) this.out.skip('comment');
    else this.out.malformedLine("a line such as ' L 04222cac,8'", bytes, start, newline);
    return newline + 1;
  }
}

/** The format for the list of formats. */
export const LACKEY: StreamFormat<'lackey'> = {
  name: 'lackey',
  title: 'lackey',
  line: /^(?:I {2}| [LSM] )[0-9a-fA-F]+,\d+$/,
  open: (out, options) => lineStage(out, new LackeyDecoder(out, options.instructions ?? false), options),
};
