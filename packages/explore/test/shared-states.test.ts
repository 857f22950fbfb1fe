import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import { SharedStates } from '../src/strategies/shared-states.js';

/** Room for 64 slots, of which half are used, and some records. */
const BYTES = 4 * 64 * 32;

const state = (asleep: number, ...touched: number[]): { asleep: number; touched: Int32Array } => ({
  asleep,
  touched: Int32Array.from(touched),
});

test('what one puts in all others get, the latest of a key; what there is no room for each keeps to itself', () => {
  const keys = fc.integer({ min: 0, max: 2 ** 53 - 1 });
  const puts = fc.array(fc.tuple(keys, fc.nat(255), fc.array(fc.nat(1000), { maxLength: 8 })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(puts, (entries) => {
      const memory = new SharedArrayBuffer(BYTES);
      const [mine, other] = [new SharedStates(memory), new SharedStates(memory)];
      const put = new Map<number, { asleep: number; touched: Int32Array }>();
      for (const [key, asleep, touched] of entries) {
        mine.set(key, state(asleep, ...touched));
        put.set(key, state(asleep, ...touched));
      }
      for (const [key, known] of put) expect(mine.get(key)).toEqual(known);
      const shared = [...put].filter(([key]) => other.get(key) !== undefined);
      for (const [key, known] of shared) expect(other.get(key)).toEqual(known);
      expect(shared.length + mine.size).toBe(put.size);
      if (entries.length < 20) expect(mine.size).toBe(0);
    }),
    { numRuns: 200, seed: 11 },
  );
});

test('keys whose slots are the same are told apart', () => {
  const states = new SharedStates(new SharedArrayBuffer(BYTES));
  const keys = [5, 5 + 2 ** 32 * 64, 5 + 64, 5 + 2 ** 52];
  for (const key of keys) expect(states.get(key)).toBeUndefined();
  for (const [i, key] of keys.entries()) states.set(key, state(i, i, 1));
  expect(keys.map((key) => states.get(key)?.asleep)).toEqual([0, 1, 2, 3]);
});
