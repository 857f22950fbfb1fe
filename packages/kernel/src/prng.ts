import { declareState } from './state.js';

/**
 * A small seeded pseudo-random generator (mulberry32): the same seed gives the same numbers on every machine.
 * The whole state is one 32-bit integer, so it can be saved, compared and hashed.
 */
export class Prng {
  /** What of it is state. */
  static readonly state = declareState({ state: 'value' });

  /** The state: an int32. */
  state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** The next number as an unsigned 32-bit integer. */
  nextU32(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    return this.nextU32() / 4294967296;
  }

  /** An integer in [0, n). `n` is at most 2^32. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
}
