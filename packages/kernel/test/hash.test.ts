import { describe, expect, test } from 'vitest';
import { HASH_SEED, hashWord, hashWords } from '@hmm/kernel/internal';

describe('state hash', () => {
  test('tells order, values beyond 32 bits and lengths apart', () => {
    const of = (...words: number[]): number => words.reduce((hash, word) => hashWord(hash, word), HASH_SEED);
    expect(of(1, 2)).not.toBe(of(2, 1));
    expect(of(1)).not.toBe(of(1 + 2 ** 40));
    expect(of(0)).not.toBe(of(0, 0));
    expect(of(-1)).not.toBe(of(2 ** 32 - 1));
  });

  test('of an array is that of its words, one after the other', () => {
    const words = Int32Array.of(3, -7, 0x7fffffff, 0);
    let hash = HASH_SEED;
    for (const word of words.subarray(1, 3)) hash = hashWord(hash, word);
    expect(hashWords(HASH_SEED, words, 1, 3)).toBe(hash);
  });

  test('spreads neighbouring states over all bits: no two of 100,000 collide more than chance allows', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 100_000; i++) seen.add(hashWord(hashWord(HASH_SEED, i & 1023), i >>> 10));
    expect(seen.size).toBeGreaterThan(99_980);
  });
});
