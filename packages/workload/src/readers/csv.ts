import {
  ACCESS_ATOMIC,
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  AGENT_CPU,
  NO_TIME,
} from './access-batch.js';
import { Cursor } from './cursor.js';
import { forEachLine, type LineDecoder } from './line-splitter.js';
import { textOf } from './text-of.js';
import type { TraceOutput } from './trace-output.js';
import { lineStage, type StreamFormat } from './stream-format.js';

/** The columns of the project's CSV, in any order; only `addr` has to be there. */
type Column = 'addr' | 'size' | 'op' | 'agent' | 'thread' | 'time_ns' | 'other';

const COLUMNS: ReadonlyMap<string, Column> = new Map<string, Column>([
  ['addr', 'addr'],
  ['address', 'addr'],
  ['size', 'size'],
  ['op', 'op'],
  ['agent', 'agent'],
  ['thread', 'thread'],
  ['time_ns', 'time_ns'],
]);

const OPS: ReadonlyMap<string, number> = new Map<string, number>([
  ['r', ACCESS_READ],
  ['read', ACCESS_READ],
  ['w', ACCESS_WRITE],
  ['write', ACCESS_WRITE],
  ['a', ACCESS_ATOMIC],
  ['atomic', ACCESS_ATOMIC],
  ['p', ACCESS_PREFETCH],
  ['prefetch', ACCESS_PREFETCH],
]);

/** {@link OPS} of one letter, by character code. */
const SHORT_OPS: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) =>
  OPS.get(String.fromCharCode(code)),
);

const COMMA = 44;
const HASH = 35;
const HEADER = 'a header line that names the columns, at least addr';

/**
 * The project's own CSV: a header line, then one access a line. `addr` is decimal or 0x…, `size` bytes (1 where
 * absent), `op` r|w|a|p or the words, `agent` cpu, gpu or gpuN, `thread` and `time_ns` decimal. Lines that
 * begin with # are comments; unknown columns are ignored.
 */
export class CsvDecoder implements LineDecoder {
  private readonly out: TraceOutput;
  private readonly cursor = new Cursor();
  private columns: Column[] | undefined;
  private size = 1;
  private op = ACCESS_READ;
  private agent = AGENT_CPU;
  private thread = 0;
  private time = NO_TIME;
  private fieldStart = 0;
  private addrPage = 0;
  private addrOffset = 0;

  constructor(out: TraceOutput) {
    this.out = out;
  }

  lines(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    forEachLine(this.out, bytes, start, end, (line, from, to) => {
      if (from === to || line[from] === HASH) this.out.skip('comment');
      else if (this.columns === undefined) this.header(line, from, to);
      else this.row(bytes, from, to, this.columns);
    });
  }

  private header(line: Uint8Array, from: number, to: number): void {
    const text = textOf(line, from, Math.min(to, from + 1000));
    const columns = text.split(',').map((name): Column => COLUMNS.get(name.trim().toLowerCase()) ?? 'other');
    if (columns.includes('addr')) this.columns = columns;
    else this.out.fail('CORRUPT', HEADER, `'${text.slice(0, 60)}'`);
  }

  private row(bytes: Uint8Array<ArrayBuffer>, from: number, to: number, columns: readonly Column[]): void {
    const { cursor, out } = this;
    this.size = 1;
    this.op = ACCESS_READ;
    this.agent = AGENT_CPU;
    this.thread = 0;
    this.time = NO_TIME;
    let at = from;
    for (let i = 0; i < columns.length; i++) {
      let fieldEnd = at;
      while (fieldEnd < to && bytes[fieldEnd] !== COMMA) fieldEnd++;
      const column = columns[i] ?? 'other';
      cursor.reset(bytes, at, fieldEnd);
      this.fieldStart = at;
      const good = at <= to && this.field(column);
      if (!good) {
        out.malformedLine(`a value of column ${column}`, bytes, from, to);
        return;
      }
      at = fieldEnd + 1;
    }
    if (cursor.addressInRange) {
      out.access(this.addrPage, this.addrOffset, this.size, this.op, this.agent, this.thread, this.time);
    } else out.skip('address-range');
  }

  private field(column: Column): boolean {
    const { cursor } = this;
    if (column === 'other') return true;
    cursor.spaces();
    switch (column) {
      case 'addr':
        if (!cursor.address()) return false;
        this.addrPage = cursor.page;
        this.addrOffset = cursor.offset;
        break;
      case 'size':
        this.size = cursor.decimal();
        if (this.size < 1) return false;
        break;
      case 'thread':
        this.thread = cursor.decimal();
        if (this.thread < 0) return false;
        break;
      case 'time_ns':
        this.time = cursor.decimal();
        if (this.time < 0) return false;
        break;
      case 'op':
        this.op = SHORT_OPS[cursor.end - cursor.at === 1 ? cursor.peek() : 0] ?? OPS.get(this.word()) ?? -1;
        return this.op >= 0;
      case 'agent':
        this.agent = cursor.take('cpu') && cursor.at === cursor.end ? AGENT_CPU : agentNumber(this.word());
        return this.agent >= 0;
    }
    return !cursor.spaces();
  }

  /** The field as a word in lower case; words are short. */
  private word(): string {
    const { cursor } = this;
    return textOf(cursor.bytes, this.fieldStart, Math.min(cursor.end, this.fieldStart + 16))
      .trim()
      .toLowerCase();
  }
}

/** `cpu` is 0, `gpu` 1, `gpuN` 1 + N; -1 for anything else. */
function agentNumber(word: string): number {
  if (word === 'cpu') return AGENT_CPU;
  const gpu = /^gpu(\d{0,2})$/.exec(word);
  return gpu === null ? -1 : 1 + Number(gpu[1]);
}

/** The format for the list of formats. */
export const CSV: StreamFormat<'csv'> = {
  name: 'csv',
  title: 'CSV with a header',
  line: /^(?:[\w ]+,)*addr(?:ess)?(?:,[\w ]+)*$/i,
  open: (out, options) => lineStage(out, new CsvDecoder(out), options),
};
