import { Prng } from '@hmm/kernel';
import { describe, expect, it } from 'vitest';
import { cpuTranslate } from '../src/access.js';
import { MADV_HUGEPAGE, PROT_NONE, PROT_READ, sysMadvise, sysMprotect, sysMunmap } from '../src/index.js';
import { PTE_DIRTY, PTE_YOUNG } from '../src/pte.js';
import { Tlb } from '../src/tlb.js';
import { BASE, Machine } from './support.js';

/** Pages of several tables: plain, read-only, hidden, of a huge page, and holes. */
function mixed(): Machine {
  const m = new Machine();
  m.map(0, 1200);
  m.fill(0, 16);
  m.fill(500, 40);
  m.fill(1190, 10);
  m.run(sysMprotect(m.mm, BASE + 4, 2, PROT_READ));
  m.run(sysMprotect(m.mm, BASE + 520, 3, PROT_NONE));
  m.map(2048, 512);
  m.run(sysMadvise(m.mm, BASE + 2048, 512, MADV_HUGEPAGE));
  m.write(2048, 1);
  return m;
}

/** The first of the pages that a walk, page by page, cannot access. */
function walked(m: Machine, pages: readonly number[], write: boolean): number {
  const at = pages.findIndex((page) => cpuTranslate(m.mm, BASE + page, write) < 0);
  return at < 0 ? pages.length : at;
}

const vpns = (pages: readonly number[]): Float64Array => Float64Array.from(pages, (page) => BASE + page);

describe('accesses by the million', () => {
  it('stop where a page walk stops', () => {
    const prng = new Prng(3);
    const [m, twin] = [mixed(), mixed()];
    const tlb = new Tlb(m.mm);
    for (let i = 0; i < 400; i++) {
      const from = prng.below(4) === 0 ? 2048 : prng.below(1200);
      const pages = Array.from({ length: 1 + prng.below(20) }, (_, at) =>
        prng.below(3) === 0 ? prng.below(1200) : from + at,
      );
      const write = prng.below(2) === 0;
      expect(tlb.touch(vpns(pages), 0, pages.length, write)).toBe(walked(twin, pages, write));
      const end = from + pages.length;
      const run = Array.from({ length: end - from }, (_, at) => from + at);
      expect(tlb.touchRange(BASE + from, run.length, write)).toBe(walked(twin, run, write));
    }
    for (const page of [0, 4, 500, 519, 2048]) expect(m.pte(page)).toBe(twin.pte(page));
  });

  it('begin and end where they are told to', () => {
    const m = mixed();
    const tlb = new Tlb(m.mm);
    const pages = [100, 0, 1, 2, 100];
    expect(tlb.touch(vpns(pages), 1, 4, false)).toBe(4);
    expect(tlb.touch(vpns(pages), 1, 5, false)).toBe(4);
    expect(tlb.touch(vpns(pages), 0, 5, false)).toBe(0);
    expect(tlb.touch(vpns(pages), 2, 2, false)).toBe(2);
    expect(tlb.touchRange(BASE, 17, false)).toBe(16);
    expect(tlb.touchRange(BASE + 500, 20, false)).toBe(20);
    expect(tlb.touchRange(BASE + 2048 + 100, 500, true)).toBe(412);
  });

  it('mark the entries used, by a write dirty as well', () => {
    const m = mixed();
    const { lanes } = m.system.tables;
    const entry = (page: number): number => m.system.tables.findPte(m.mm.root, BASE + page);
    const clean = (): void => {
      for (const page of [0, 1, 2]) lanes[entry(page)] = (lanes[entry(page)] ?? 0) & ~(PTE_YOUNG | PTE_DIRTY);
    };
    const marks = (): number[] => [0, 1, 2].map((page) => m.pte(page) & (PTE_YOUNG | PTE_DIRTY));
    const tlb = new Tlb(m.mm);
    clean();
    tlb.touch(vpns([0, 2]), 0, 2, false);
    expect(marks()).toEqual([PTE_YOUNG, 0, PTE_YOUNG]);
    tlb.touch(vpns([0, 1]), 0, 2, true);
    expect(marks()).toEqual([PTE_YOUNG | PTE_DIRTY, PTE_YOUNG | PTE_DIRTY, PTE_YOUNG]);
    clean();
    tlb.touchRange(BASE, 3, false);
    expect(marks()).toEqual([PTE_YOUNG, PTE_YOUNG, PTE_YOUNG]);
    tlb.touchRange(BASE + 1, 1, true);
    expect(marks()).toEqual([PTE_YOUNG, PTE_YOUNG | PTE_DIRTY, PTE_YOUNG]);
  });

  it('see that a page table is gone, and a new one in its place', () => {
    const m = mixed();
    const tlb = new Tlb(m.mm);
    expect(tlb.touch(vpns([0, 1190, 1191]), 0, 3, false)).toBe(3);
    expect(m.run(sysMunmap(m.mm, BASE + 1024, 512))).toBe(0);
    expect(tlb.touch(vpns([0, 1190]), 0, 2, false)).toBe(1);
    m.map(1190, 1);
    expect(tlb.touch(vpns([1190]), 0, 1, false)).toBe(0);
    m.write(1190, 1);
    expect(tlb.touch(vpns([1190]), 0, 1, true)).toBe(1);
  });

  it('tell two addresses apart that share a place in the cache, 8 GiB from each other', () => {
    const m = new Machine();
    const far = 4096 * 512;
    m.map(0, 1);
    m.map(far, 1);
    m.write(0, 1);
    const tlb = new Tlb(m.mm);
    expect(tlb.touch(vpns([0, far, 0]), 0, 3, false)).toBe(1);
    m.write(far, 1);
    expect(tlb.touch(vpns([0, far, 0, far]), 0, 4, true)).toBe(4);
  });
});
