/** In every browser and in Node; the compiler's library of the language alone does not know it. */
declare const TextDecoder: new () => { decode(bytes: Uint8Array): string };

const utf8 = new TextDecoder();

/** The text of `bytes[start, end)`, as UTF-8; bytes that are none become U+FFFD, never a failure. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return utf8.decode(bytes.subarray(start, end));
}
