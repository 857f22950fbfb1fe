/**
 * A well-mixed unsigned 32-bit number of `seed` and a counter: the pseudo-random numbers of patterns that can start
 * anywhere. The counter may be as large as 2^53.
 */
export function mix(seed: number, counter: number): number {
  let h = (seed ^ Math.imul((counter / 4294967296) | 0, 0x85ebca6b)) | 0;
  h = (h + Math.imul(counter | 0, 0x9e3779b1)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

/** A number in [0, 1) of `seed` and a counter. */
export function mixUnit(seed: number, counter: number): number {
  return mix(seed, counter) / 4294967296;
}

/** An integer in [0, n) of `seed` and a counter; n is at most 2^32. */
export function mixBelow(seed: number, counter: number, n: number): number {
  return Math.floor((mix(seed, counter) / 4294967296) * n);
}

const ROUNDS = 4;

/**
 * Where `index` goes in a pseudo-random permutation of 0 … n-1 (n at most 2^32): a Feistel network on the next even
 * number of bits, walked until it falls below n. Takes no memory.
 */
export function permuted(index: number, n: number, seed: number): number {
  const half = Math.max(1, (33 - Math.clz32(n - 1)) >>> 1);
  const mask = (1 << half) - 1;
  let value = index;
  do {
    let left = (value >>> half) & mask;
    let right = value & mask;
    for (let round = 0; round < ROUNDS; round++) {
      const next = (left ^ mix((seed + Math.imul(round, 0x632be5ab)) | 0, right)) & mask;
      left = right;
      right = next;
    }
    value = ((left << half) | right) >>> 0;
  } while (value >= n);
  return value;
}
