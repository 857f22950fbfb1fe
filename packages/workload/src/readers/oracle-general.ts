import { ACCESS_READ, AGENT_CPU } from './access-batch.js';
import type { TraceOutput } from './trace-output.js';
import type { StreamFormat } from './stream-format.js';

/** Bytes of a record: u32 time (s), u64 object id, u32 size, i64 next access. */
const RECORD = 24;

/** High words of object ids below 2^45. */
const END_HIGH = 2 ** 13;

/** How object ids become page numbers. */
export type ObjectIds =
  /** An id is a page number; ids of 2^45 or more are counted and skipped. */
  | 'page'
  /** Ids are hashes of any 64 bits: fold them into 45. Two ids share a page about once in 2^45 pairs. */
  | 'hash';

/**
 * libCacheSim's oracleGeneral: little-endian records of 24 bytes. An object is one page that is read; sizes above
 * 4096 count as 4096. Times that run backwards mean another byte order or another format.
 */
export class OracleGeneralDecoder {
  private readonly out: TraceOutput;
  private readonly ids: ObjectIds;
  private readonly carry = new Uint8Array(RECORD);
  private carried = 0;
  private lastTime = 0;
  private done = 0;

  constructor(out: TraceOutput, ids: ObjectIds) {
    this.out = out;
    this.ids = ids;
    out.binary = true;
  }

  /** Takes the next bytes. */
  push(bytes: Uint8Array): void {
    let at = 0;
    if (this.carried > 0) {
      at = Math.min(RECORD - this.carried, bytes.length);
      this.carry.set(bytes.subarray(0, at), this.carried);
      this.carried += at;
      if (this.carried < RECORD) return;
      this.records(this.carry, 0, RECORD);
      this.carried = 0;
    }
    const end = at + Math.floor((bytes.length - at) / RECORD) * RECORD;
    this.records(bytes, at, end);
    this.carry.set(bytes.subarray(end));
    this.carried = bytes.length - end;
  }

  /** A part of a record at the end was cut off. */
  end(): void {
    const { out, carried } = this;
    if (carried === 0) return;
    out.line = this.done * RECORD;
    out.fail('TRUNCATED', `records of ${RECORD} bytes`, `${carried} bytes of one at the end`);
    out.line = this.done;
  }

  private records(bytes: Uint8Array, start: number, end: number): void {
    const { out } = this;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = start; at < end && out.error === undefined; at += RECORD) {
      out.line = this.done * RECORD;
      const time = view.getUint32(at, true);
      const next = view.getInt32(at + 20, true);
      if (time < this.lastTime || next < -1) {
        out.fail(
          'CORRUPT',
          'little-endian records with ascending times',
          `time ${time} after ${this.lastTime}`,
        );
        return;
      }
      this.lastTime = time;
      this.done++;
      this.record(
        view.getUint32(at + 4, true),
        view.getUint32(at + 8, true),
        view.getUint32(at + 12, true),
        time,
      );
    }
    out.line = this.done;
  }

  private record(low: number, high: number, size: number, time: number): void {
    const folded = this.ids === 'hash' ? ((high ^ (high >>> 13)) & (END_HIGH - 1)) >>> 0 : high;
    const mixed = this.ids === 'hash' ? (low ^ Math.imul(high, 0x9e3779b1)) >>> 0 : low;
    if (folded >= END_HIGH) {
      this.out.skip('address-range');
      return;
    }
    const bytes = Math.min(4096, Math.max(1, size));
    this.out.access(folded * 2 ** 32 + mixed, 0, bytes, ACCESS_READ, AGENT_CPU, 0, time * 1e9);
  }
}

/** Whether `head` can be a libCacheSim oracleGeneral file: small ascending times, sane sizes, no text. */
export function looksLikeOracleGeneral(head: Uint8Array): boolean {
  const records = Math.min(64, Math.floor(head.length / 24));
  if (records === 0) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let last = 0;
  for (let i = 0; i < records; i++) {
    const time = view.getUint32(i * 24, true);
    const next = view.getInt32(i * 24 + 20, true);
    if (time < last || next < -1) return false;
    last = time;
  }
  return true;
}

/** The format for the list of formats. It has no mark of its own: its file's name or records that make sense tell it. */
export const ORACLE_GENERAL: StreamFormat<'oracle-general'> = {
  name: 'oracle-general',
  title: 'oracleGeneral',
  line: undefined,
  detect: (head, file) =>
    /oracleGeneral/i.test(file) || (head.subarray(0, 24).includes(0) && looksLikeOracleGeneral(head)),
  open: (out, options) => new OracleGeneralDecoder(out, options.objectIds ?? 'page'),
};
