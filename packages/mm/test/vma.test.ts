import { describe, expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  MADV_NOHUGEPAGE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
  SIGSEGV,
  dupMm,
  sysMadvise,
  sysMlock,
  sysMprotect,
  sysMremap,
  sysMunmap,
} from '../src/index.js';
import { PTE_WRITE } from '../src/pte.js';
import { BASE, Machine, RW } from './support.js';

const protect = (m: Machine, page: number, pages: number, prot: number): number =>
  m.run(sysMprotect(m.mm, BASE + page, pages, prot));

describe('split and merge', () => {
  it('splits for a part, and merges again when the parts are alike', () => {
    const m = new Machine();
    m.map(0, 8);
    m.fill(0, 8);
    expect(protect(m, 2, 3, PROT_READ)).toBe(0);
    expect(m.vmas()).toEqual([
      [0, 2],
      [2, 3],
      [5, 3],
    ]);
    expect(protect(m, 2, 3, RW)).toBe(0);
    expect(m.vmas()).toEqual([[0, 8]]);
    expect(m.broken()).toBeUndefined();
  });

  it('does not merge what accounting tells apart', () => {
    const m = new Machine();
    m.map(0, 4);
    // Without pages of its own the part gives its accounting up with the permission to write, and its twin never had it.
    protect(m, 0, 2, PROT_READ);
    m.map(2, 2, PROT_READ);
    expect(m.vmas()).toEqual([[0, 4]]);
    m.write(0, 1);
    const n = new Machine();
    n.map(0, 4);
    n.fill(0, 4);
    protect(n, 0, 2, PROT_READ);
    n.map(2, 2, PROT_READ);
    expect(n.vmas()).toEqual([
      [0, 2],
      [2, 2],
    ]);
  });

  it('lets a new mapping become part of its neighbours', () => {
    const m = new Machine();
    m.map(0, 2);
    m.map(4, 2);
    m.map(2, 2);
    expect(m.vmas()).toEqual([[0, 6]]);
    expect(m.broken()).toBeUndefined();
  });

  it('does not merge VMAs that fork made relatives', () => {
    const m = new Machine();
    m.map(0, 4);
    m.fill(0, 4);
    const child = m.run(dupMm(m.mm));
    if (typeof child === 'number') throw new Error('fork');
    m.run(sysMprotect(child, BASE, 2, PROT_READ));
    m.run(sysMunmap(child, BASE + 2, 2));
    expect(m.vmas(child)).toEqual([[0, 2]]);
    expect(m.broken()).toBeUndefined();
  });

  it('announces each part that changes, from where the region has tables', () => {
    const m = new Machine();
    m.map(0, 8);
    m.listen();
    protect(m, 0, 8, PROT_READ);
    expect(m.events()).toEqual([]);
    protect(m, 0, 8, RW);
    m.read(0);
    protect(m, 2, 2, PROT_READ);
    protect(m, 0, 8, PROT_READ);
    expect(m.events()).toEqual([
      ['PROTECTION_VMA', 2, 2],
      ['PROTECTION_VMA', 0, 2],
      ['PROTECTION_VMA', 4, 4],
    ]);
  });
});

describe('mprotect', () => {
  it('takes write permission away and gives it back to pages of this mapping alone', () => {
    const m = new Machine();
    m.map(0, 2);
    m.write(0, 1);
    m.read(1);
    protect(m, 0, 2, PROT_READ);
    expect(m.write(0, 2)).toBe(-SIGSEGV);
    expect(m.pte(0) & PTE_WRITE).toBe(0);
    protect(m, 0, 2, RW);
    expect(m.pte(0) & PTE_WRITE).toBe(PTE_WRITE);
    expect(m.pte(1) & PTE_WRITE).toBe(0);
  });

  it('hides pages without losing them', () => {
    const m = new Machine();
    m.map(0, 1);
    m.write(0, 7);
    protect(m, 0, 1, PROT_NONE);
    expect(m.read(0)).toBe(-SIGSEGV);
    protect(m, 0, 1, PROT_READ);
    expect(m.read(0)).toBe(7);
  });

  it('changes what lies before a hole', () => {
    const m = new Machine();
    m.map(0, 2);
    m.map(4, 2);
    expect(protect(m, 0, 6, PROT_READ)).toBe(-12);
    expect(m.write(0, 1)).toBe(-SIGSEGV);
    expect(m.write(4, 1)).toBe(0);
  });
});

describe('mremap', () => {
  it('moves pages with their contents, announcing both places', () => {
    const m = new Machine();
    m.map(0, 4);
    m.map(16, 4);
    m.fill(0, 4);
    const frame = m.pfn(1);
    m.listen();
    expect(m.run(sysMremap(m.mm, BASE, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 16))).toBe(BASE + 16);
    expect(m.events()).toEqual([
      ['UNMAP', 16, 4],
      ['UNMAP', 0, 4],
      ['UNMAP', 0, 4],
    ]);
    expect(m.pfn(17)).toBe(frame);
    expect([m.read(0), m.read(17)]).toEqual([-SIGSEGV, 2]);
    expect(m.broken()).toBeUndefined();
  });

  it('loses the target even if the source is too short', () => {
    const m = new Machine();
    m.map(0, 2);
    m.map(16, 4);
    expect(m.run(sysMremap(m.mm, BASE, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 16))).toBe(-14);
    expect(m.vmas()).toEqual([[0, 2]]);
  });

  it('grows in place, shrinks, and moves when there is no room', () => {
    const m = new Machine();
    m.map(0, 2);
    m.fill(0, 2);
    expect(m.run(sysMremap(m.mm, BASE, 2, 4, 0))).toBe(BASE);
    expect(m.vmas()).toEqual([[0, 4]]);
    expect(m.run(sysMremap(m.mm, BASE, 4, 2, 0))).toBe(BASE);
    m.map(2, 2, PROT_READ);
    expect(m.run(sysMremap(m.mm, BASE, 2, 4, 0))).toBe(-12);
    const moved = m.run(sysMremap(m.mm, BASE, 2, 4, MREMAP_MAYMOVE));
    expect(m.read(moved - BASE + 1)).toBe(2);
    expect(m.broken()).toBeUndefined();
  });
});

it('locks VMA by VMA, faults in, and stops at a hole', () => {
  const m = new Machine();
  m.map(0, 4);
  m.map(8, 4);
  expect(m.run(sysMlock(m.mm, BASE, 12))).toBe(-12);
  expect(m.mm.lockedVm).toBe(4);
  expect(m.pte(0)).toBe(0);
  expect(m.run(sysMlock(m.mm, BASE + 8, 4))).toBe(0);
  expect(m.pte(9) & PTE_WRITE).toBe(PTE_WRITE);
  expect(m.run(sysMadvise(m.mm, BASE + 8, 1, MADV_DONTNEED))).toBe(-22);
  expect(m.run(sysMadvise(m.mm, BASE + 8, 1, MADV_NOHUGEPAGE))).toBe(0);
  expect(m.vmas()).toEqual([
    [0, 4],
    [8, 1],
    [9, 3],
  ]);
  expect(m.broken()).toBeUndefined();
});
