import { describe, expect, test } from 'vitest';
import { ENTRY_TABLE, LEVEL_PMD, LEVEL_PTE, PageTablePool } from '@hmm/kernel/internal';

describe('PageTablePool', () => {
  test.each([
    [4, 0],
    [4, 2 ** 31 - 1],
    [4, 2 ** 31],
    [4, 2 ** 32 + 5],
    [4, 2 ** 36 - 1],
    [5, 2 ** 36],
    [5, 2 ** 45 - 1],
  ] as const)(
    'with %i levels, page %i is found where it was made and its neighbour is another entry',
    (levels, vpn) => {
      const pool = new PageTablePool(64, levels);
      const root = pool.alloc();
      expect(pool.find(root, vpn, LEVEL_PTE)).toBe(-1);
      const entry = pool.make(root, vpn, LEVEL_PTE);
      expect(pool.findPte(root, vpn)).toBe(entry);
      expect(pool.find(root, vpn, LEVEL_PTE)).toBe(entry);
      const other = pool.make(root, vpn === 0 ? 1 : vpn - 1, LEVEL_PTE);
      expect(other).not.toBe(entry);
    },
  );

  test('given a huge leaf at the PMD, the walk to a page below it fails and does not make a table', () => {
    const pool = new PageTablePool(64);
    const root = pool.alloc();
    const pmd = pool.make(root, 512, LEVEL_PMD);
    pool.lanes[pmd] = 1;
    expect(pool.findPte(root, 600)).toBe(-1);
    expect(pool.make(root, 600, LEVEL_PTE)).toBe(-1);
    expect(pool.lanes[pmd]).not.toBe(ENTRY_TABLE);
  });

  test('a pool that is used up says so, and a freed table comes back cleared', () => {
    const pool = new PageTablePool(4);
    const root = pool.alloc();
    const entry = pool.make(root, 7, LEVEL_PTE);
    pool.lanes[entry] = 3;
    expect(pool.make(root, 2 ** 20, LEVEL_PTE)).toBe(-1);
    pool.freeTree(root);
    expect(pool.used).toBe(0);
    const again = pool.alloc();
    expect(pool.lanes.subarray(again, again + 1024).every((lane) => lane === 0)).toBe(true);
  });

  test('save and restore bring back entries, free tables and the count', () => {
    const pool = new PageTablePool(32);
    const root = pool.alloc();
    const entry = pool.make(root, 3, LEVEL_PTE);
    pool.lanes[entry] = 9;
    const saved = pool.save();
    pool.lanes[entry] = 0;
    pool.make(root, 2 ** 30, LEVEL_PTE);
    pool.restore(saved);
    expect(pool.lanes[entry]).toBe(9);
    expect(pool.find(root, 2 ** 30, LEVEL_PTE)).toBe(-1);
    expect(pool.used).toBe(saved.used);
  });
});
