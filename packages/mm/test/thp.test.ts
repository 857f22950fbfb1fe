import { expect, it } from 'vitest';
import {
  FOLL_LONGTERM,
  FOLL_WRITE,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  PM_FILE,
  PM_MMAP_EXCLUSIVE,
  PM_PRESENT,
  SIGSEGV,
  dupMm,
  pinUserPages,
  sysMadvise,
  sysMprotect,
  sysMunmap,
  unpinUserPage,
} from '../src/index.js';
import { HUGE_ZERO_PFN } from '../src/mem-map.js';
import { PTE_HUGE, PTE_SPECIAL } from '../src/pte.js';
import { findPmd } from '../src/page-walk.js';
import { BASE, Machine } from './support.js';

function hugeMachine(): Machine {
  const m = new Machine();
  m.map(0, 1024);
  expect(m.run(sysMadvise(m.mm, BASE, 1024, MADV_HUGEPAGE))).toBe(0);
  return m;
}

function pmd(m: Machine, page: number): [flags: number, pfn: number] {
  const entry = findPmd(m.mm, BASE + page);
  return [m.system.tables.lanes[entry] ?? 0, m.system.tables.lanes[entry + 1] ?? 0];
}

it('maps a huge page for a write, at the cost of no page table', () => {
  const m = hugeMachine();
  const { used } = m.system.tables;
  m.write(3, 7);
  expect(pmd(m, 0)[0] & PTE_HUGE).toBe(PTE_HUGE);
  expect(m.system.tables.used - used).toBe(2);
  expect(m.mm.rssAnon).toBe(512);
  expect([m.read(3), m.read(4)]).toEqual([7, 0]);
  expect(m.pagemap(100)).toBe(PM_PRESENT | PM_MMAP_EXCLUSIVE);
  expect(m.broken()).toBeUndefined();
});

it('maps the huge zero page for a read, and splits it for a write', () => {
  const m = hugeMachine();
  m.listen();
  expect(m.read(5)).toBe(0);
  expect(pmd(m, 0)[1]).toBe(HUGE_ZERO_PFN);
  expect(m.pagemap(5)).toBe(PM_PRESENT | PM_FILE);
  m.write(5, 1);
  expect(m.events()).toEqual([
    ['CLEAR', 0, 512],
    ['CLEAR', 5, 1],
  ]);
  expect(m.pte(6) & PTE_SPECIAL).toBe(PTE_SPECIAL);
  expect(m.broken()).toBeUndefined();
});

it('splits the mapping where a VMA boundary falls into it, and keeps the page large', () => {
  const m = hugeMachine();
  m.write(0, 1);
  m.listen();
  m.run(sysMunmap(m.mm, BASE + 100, 28));
  // The second boundary's 2 MiB are not all in what the first one left.
  expect(m.events()).toEqual([
    ['CLEAR', 0, 512],
    ['UNMAP', 100, 28],
  ]);
  expect(m.mm.rssAnon).toBe(484);
  expect(m.broken()).toBeUndefined();
});

it('zaps a whole huge page with one event', () => {
  const m = hugeMachine();
  m.write(0, 1);
  m.listen();
  m.run(sysMadvise(m.mm, BASE, 512, MADV_DONTNEED));
  expect(m.events()).toEqual([['CLEAR', 0, 512]]);
  expect(pmd(m, 0)).toEqual([0, 0]);
  expect(m.broken()).toBeUndefined();
});

it('splits the folio for MADV_FREE of a part, its empty pages becoming the zero page', () => {
  const m = hugeMachine();
  m.write(0, 1);
  m.write(511, 2);
  m.listen();
  m.run(sysMadvise(m.mm, BASE, 10, MADV_FREE));
  expect(m.events()).toEqual([
    ['CLEAR', 0, 10],
    ['CLEAR', 0, 512],
    ['CLEAR', 0, 512],
  ]);
  expect(m.pte(5) & PTE_SPECIAL).toBe(PTE_SPECIAL);
  expect(m.mm.rssAnon).toBe(2);
  expect([m.read(0), m.read(5), m.read(511)]).toEqual([1, 0, 2]);
  expect(m.broken()).toBeUndefined();
});

it('does not split a folio that somebody else holds', () => {
  const m = hugeMachine();
  m.write(0, 1);
  const pages: number[] = [];
  m.run(pinUserPages(m.mm, BASE + 1, 1, FOLL_WRITE | FOLL_LONGTERM, pages));
  m.listen();
  m.run(sysMadvise(m.mm, BASE, 10, MADV_FREE));
  expect(m.events()).toEqual([['CLEAR', 0, 10]]);
  expect(pmd(m, 0)[0] & PTE_HUGE).toBe(PTE_HUGE);
  for (const pfn of pages) unpinUserPage(m.system, pfn);
  expect(m.broken()).toBeUndefined();
});

it('shares huge pages at fork and copies small ones on write', () => {
  const m = hugeMachine();
  m.write(0, 1);
  const child = m.run(dupMm(m.mm));
  if (typeof child === 'number') throw new Error('fork');
  m.listen();
  m.write(1, 9);
  expect(m.events()).toEqual([
    ['CLEAR', 0, 512],
    ['CLEAR', 1, 1],
  ]);
  expect([m.read(1), m.read(1, child), m.read(0, child)]).toEqual([9, 0, 1]);
  expect(m.broken()).toBeUndefined();
});

it('collapses small pages into a huge one', () => {
  const m = new Machine();
  m.map(0, 1024);
  m.fill(0, 20);
  m.write(700, 5);
  m.listen();
  expect(m.run(sysMadvise(m.mm, BASE, 1024, MADV_COLLAPSE))).toBe(0);
  expect(m.events()).toEqual([
    ['CLEAR', 0, 512],
    ['CLEAR', 512, 512],
  ]);
  expect(pmd(m, 0)[0] & PTE_HUGE).toBe(PTE_HUGE);
  expect([m.read(3), m.read(300), m.read(700)]).toEqual([4, 0, 5]);
  expect(m.broken()).toBeUndefined();
});

it('changes the protection of a huge page in place', () => {
  const m = hugeMachine();
  m.write(0, 1);
  m.listen();
  m.run(sysMprotect(m.mm, BASE, 512, 1));
  m.run(sysMprotect(m.mm, BASE, 512, 3));
  expect(m.events()).toEqual([
    ['PROTECTION_VMA', 0, 512],
    ['PROTECTION_VMA', 0, 512],
  ]);
  m.write(0, 2);
  expect(m.events()).toEqual([]);
  expect(m.broken()).toBeUndefined();
});

it('keeps the zero pages of a split inaccessible where the VMA is', () => {
  const m = hugeMachine();
  m.write(0, 1);
  m.run(sysMprotect(m.mm, BASE, 1024, 0));
  m.run(sysMadvise(m.mm, BASE, 10, MADV_FREE));
  expect([m.read(0), m.read(5)]).toEqual([-SIGSEGV, -SIGSEGV]);
});
