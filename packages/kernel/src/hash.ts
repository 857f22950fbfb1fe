/**
 * The hash of modelled state (FNV-1a over 32-bit words with a final avalanche step). Packages fold their typed arrays and counters
 * into one number, so that an exploration recognises a state it has seen.
 *
 * @packageDocumentation
 */

/** The hash of nothing: what a fold starts from. */
export const HASH_SEED = 0x811c9dc5 | 0;

/** Folds one number into `hash`: all of an integer up to 2^53, or the integer part of anything else. */
export function hashWord(hash: number, word: number): number {
  let h = Math.imul(hash ^ (word | 0), 0x01000193);
  h ^= h >>> 15;
  if (word > 0x7fffffff || word < -0x80000000) h = Math.imul(h ^ Math.floor(word / 0x100000000), 0x01000193);
  return h;
}

/** Folds `words[from … to)` into `hash`. */
export function hashWords(
  hash: number,
  words: Int32Array | Uint8Array | Uint16Array | readonly number[],
  from: number,
  to: number,
): number {
  let h = hash;
  for (let i = from; i < to; i++) {
    h = Math.imul(h ^ (words[i] ?? 0), 0x01000193);
    h ^= h >>> 15;
  }
  return h;
}
