import { Prng } from '@hmm/kernel';
import { SavedState, StateHash } from '@hmm/kernel/internal';
import { expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  MADV_PAGEOUT,
  dupMm,
  mmput,
  sysMadvise,
  sysMlock,
  sysMprotect,
  sysMunmap,
} from '../src/index.js';
import { BASE, Machine } from './support.js';

/** Changes memory in ways that follow from `seed` alone. */
function churn(m: Machine, seed: number): void {
  const prng = new Prng(seed);
  for (let i = 0; i < 30; i++) {
    const page = prng.below(40);
    switch (prng.below(8)) {
      case 0:
        m.map(page, 4);
        break;
      case 1:
        m.run(sysMunmap(m.mm, BASE + page, 3));
        break;
      case 2:
        m.run(sysMadvise(m.mm, BASE + page, 5, prng.below(2) === 0 ? MADV_PAGEOUT : MADV_DONTNEED));
        break;
      case 3:
        m.run(sysMprotect(m.mm, BASE + page, 4, prng.below(2) === 0 ? 1 : 3));
        break;
      case 4: {
        const child = m.run(dupMm(m.mm));
        if (typeof child === 'number') throw new Error('fork');
        m.write(page, 9, child);
        m.run(mmput(child));
        break;
      }
      case 5:
        m.run(sysMlock(m.mm, BASE + page, 2));
        break;
      default:
        m.write(page, prng.below(256));
    }
  }
}

it('sets everything back, so that the same steps lead to the same state', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const m = new Machine({ swapSlots: 16 });
    m.listen();
    m.map(0, 40);
    churn(m, seed);
    const state = new SavedState([m.system]);
    const before = StateHash.of([m.system]);
    churn(m, seed + 1000);
    const after = StateHash.of([m.system]);
    for (let round = 0; round < 2; round++) {
      state.restore();
      expect(state.differences()).toEqual([]);
      expect(StateHash.of([m.system])).toBe(before);
      expect(m.broken()).toBeUndefined();
      churn(m, seed + 1000);
      expect(StateHash.of([m.system])).toBe(after);
    }
  }
});

it('has all columns of the memory map', () => {
  const { map } = new Machine().system;
  const columns = Object.entries(map).filter(([, held]) => ArrayBuffer.isView(held));
  const [saved] = map.save([[0, 2]]).ranges;
  const names = columns.map(([name]) => name);
  expect(
    Object.keys(saved ?? {})
      .filter((name) => name !== 'start')
      .sort(),
  ).toEqual(names.sort());
});

it('tells states apart by a single byte', () => {
  const m = new Machine();
  m.map(0, 1);
  m.write(0, 1);
  const one = StateHash.of([m.system]);
  m.write(0, 2);
  expect(StateHash.of([m.system])).not.toBe(one);
  m.write(0, 1);
  expect(StateHash.of([m.system])).toBe(one);
});
