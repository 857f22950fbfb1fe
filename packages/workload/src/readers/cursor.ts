/** `hi` of an address of 2^57 or more is at least this. */
const END_HI = 2 ** 25;

/** The value of each hexadecimal digit's character code, 16 for everything else. */
export const HEX_VALUE: Uint8Array = (() => {
  const table = new Uint8Array(256).fill(16);
  for (let digit = 0; digit < 10; digit++) table[48 + digit] = digit;
  for (let digit = 10; digit < 16; digit++) table[55 + digit] = table[87 + digit] = digit;
  return table;
})();

/**
 * Reads tokens of one line of ASCII bytes, left to right, without making strings. Addresses come out as page and
 * offset, exact for all 64 bits; {@link addressInRange} says whether the page is a number of the model.
 */
export class Cursor {
  /** The bytes read from. */
  bytes = new Uint8Array(0);
  /** Next byte. */
  at = 0;
  /** End of the line. */
  end = 0;
  /** Page of the last address read. */
  page = 0;
  /** Byte offset in that page. */
  offset = 0;
  /** Whether the last address read is below 2^57. */
  addressInRange = true;

  /** Starts on a line. */
  reset(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** The byte at the cursor, -1 at the end of the line. */
  peek(): number {
    return this.at < this.end ? (this.bytes[this.at] ?? -1) : -1;
  }

  /** Steps over spaces and tabs; whether anything is left. */
  spaces(): boolean {
    while (this.at < this.end && (this.bytes[this.at] === 32 || this.bytes[this.at] === 9)) this.at++;
    return this.at < this.end;
  }

  /** Steps over `text` (ASCII) if it comes next. */
  take(text: string): boolean {
    if (this.at + text.length > this.end) return false;
    for (let i = 0; i < text.length; i++) if (this.bytes[this.at + i] !== text.charCodeAt(i)) return false;
    this.at += text.length;
    return true;
  }

  /** Steps over the token up to the next space; its length in bytes. */
  token(): number {
    const start = this.at;
    while (this.at < this.end && this.bytes[this.at] !== 32 && this.bytes[this.at] !== 9) this.at++;
    return this.at - start;
  }

  /** A decimal number, or -1 where there is none or it is beyond 2^53. */
  decimal(): number {
    const start = this.at;
    let value = 0;
    while (this.at < this.end) {
      const digit = (this.bytes[this.at] ?? 0) - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      this.at++;
    }
    return this.at === start || value > Number.MAX_SAFE_INTEGER ? -1 : value;
  }

  /** A decimal number with an optional minus sign, or NaN. */
  signed(): number {
    const minus = this.take('-');
    const value = this.decimal();
    if (value < 0) return NaN;
    return minus ? -value : value;
  }

  /** A hexadecimal number below 2^32, with or without 0x, or -1. */
  hex32(): number {
    if (!this.hexAddress()) return -1;
    return this.page < 2 ** 20 ? this.page * 4096 + this.offset : -1;
  }

  /**
   * A hexadecimal address of up to 16 significant digits, with or without 0x, into `page` and `offset`; false where
   * none comes next.
   */
  hexAddress(): boolean {
    if (!this.take('0x')) this.take('0X');
    const start = this.at;
    let hi = 0;
    let lo = 0;
    let over = 0;
    while (this.at < this.end) {
      const digit = HEX_VALUE[this.bytes[this.at] ?? 0] ?? 16;
      if (digit > 15) break;
      over |= hi >>> 28;
      hi = (hi << 4) | (lo >>> 28);
      lo = (lo << 4) | digit;
      this.at++;
    }
    this.setAddress(hi, lo, over);
    return this.at > start;
  }

  /** A decimal or `0x` address into `page` and `offset`; false where none comes next. */
  address(): boolean {
    const next = this.bytes[this.at + 1];
    if (this.peek() === 48 && (next === 120 || next === 88)) return this.hexAddress();
    const start = this.at;
    let hi = 0;
    let lo = 0;
    let over = 0;
    while (this.at < this.end) {
      const digit = (this.bytes[this.at] ?? 0) - 48;
      if (digit < 0 || digit > 9) break;
      const low = (lo >>> 0) * 10 + digit;
      const high = (hi >>> 0) * 10 + Math.floor(low / 2 ** 32);
      if (high >= 2 ** 32) over = 1;
      lo = low | 0;
      hi = high | 0;
      this.at++;
    }
    this.setAddress(hi, lo, over);
    return this.at > start;
  }

  /** Moves `page` and `offset` by `bytes`, which may be negative. */
  advance(bytes: number): void {
    const offset = this.offset + bytes;
    const pages = Math.floor(offset / 4096);
    this.page += pages;
    this.offset = offset - pages * 4096;
    this.addressInRange = this.page >= 0 && this.page < END_HI * 2 ** 20;
  }

  private setAddress(hi: number, lo: number, over: number): void {
    this.page = (hi >>> 0) * 2 ** 20 + (lo >>> 12);
    this.offset = lo & 4095;
    this.addressInRange = over === 0 && hi >>> 0 < END_HI;
  }
}
