/** Wire types of protocol buffers. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

/** In every browser and in Node; the compiler's library of the language alone does not know it. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/** Text as UTF-8. */
export const utf8 = new TextEncoder();

/**
 * Writes protocol buffers: fields one after the other into bytes that grow by doubling. Integers are exact up to 2^53; negative
 * ones are not written. A message inside another is written by a writer of its own.
 */
export class ProtobufWriter {
  private buffer = new Uint8Array(256);
  private length = 0;

  /** What was written, as a copy. */
  bytes(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  /** Forgets everything, keeping the memory. */
  clear(): void {
    this.length = 0;
  }

  /** An integer field: uint32, uint64, int64 from 0 on, an enum or a bool. */
  uint(field: number, value: number): this {
    this.key(field, VARINT);
    this.varint(value);
    return this;
  }

  /** A fixed64 field. */
  fixed64(field: number, value: number): this {
    this.key(field, FIXED64);
    this.reserve(8);
    const view = new DataView(this.buffer.buffer);
    view.setUint32(this.length, value >>> 0, true);
    view.setUint32(this.length + 4, Math.floor(value / 2 ** 32), true);
    this.length += 8;
    return this;
  }

  /** A string field. */
  string(field: number, text: string): this {
    return this.blob(field, utf8.encode(text));
  }

  /** A message field: what `inner` has. */
  message(field: number, inner: ProtobufWriter): this {
    return this.blob(field, inner.buffer.subarray(0, inner.length));
  }

  private blob(field: number, bytes: Uint8Array): this {
    this.key(field, BYTES);
    this.varint(bytes.length);
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  private key(field: number, type: number): void {
    this.varint(field * 8 + type);
  }

  private varint(value: number): void {
    this.reserve(10);
    let left = value;
    while (left >= 128) {
      this.buffer[this.length++] = (left % 128) | 128;
      left = Math.floor(left / 128);
    }
    this.buffer[this.length++] = left;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + bytes));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
}
