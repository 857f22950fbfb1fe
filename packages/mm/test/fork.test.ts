import { expect, it } from 'vitest';
import {
  FOLL_LONGTERM,
  FOLL_WRITE,
  MADV_DONTFORK,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_WIPEONFORK,
  type MmStruct,
  SIGSEGV,
  dupMm,
  mmput,
  pinUserPages,
  sysMadvise,
  unpinUserPage,
} from '../src/index.js';
import { PTE_HUGE, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from '../src/pte.js';
import { findPmd } from '../src/page-walk.js';
import { BASE, Machine } from './support.js';

function fork(m: Machine): MmStruct {
  const child = m.run(dupMm(m.mm));
  if (typeof child === 'number') throw new Error(`fork: ${child}`);
  return child;
}

it('shares pages read-only, announced for VMAs that have pages of their own', () => {
  const m = new Machine();
  m.map(0, 4);
  m.map(16, 4);
  m.fill(0, 4);
  m.listen();
  const child = fork(m);
  expect(m.events()).toEqual([['PROTECTION_PAGE', 0, 4]]);
  expect(m.pfn(0, child)).toBe(m.pfn(0));
  expect(m.pte(0) & PTE_WRITE).toBe(0);
  expect(m.broken()).toBeUndefined();
});

it('gives the child entries that nobody has used yet, whatever the parent has done', () => {
  const m = new Machine();
  m.map(0, 2);
  m.mapShared(8, 1);
  m.fill(0, 2);
  m.write(8, 1);
  const child = fork(m);
  for (const page of [0, 1]) {
    expect(m.pte(page) & PTE_YOUNG).toBe(PTE_YOUNG);
    expect(m.pte(page, child) & (PTE_PRESENT | PTE_YOUNG)).toBe(PTE_PRESENT);
  }
  // A huge page's entry is as new.
  const huge = new Machine();
  huge.map(0, 512);
  expect(huge.run(sysMadvise(huge.mm, BASE, 512, MADV_HUGEPAGE))).toBe(0);
  huge.write(0, 1);
  const copy = fork(huge);
  const flags = (mm: MmStruct): number => huge.system.tables.lanes[findPmd(mm, BASE)] ?? 0;
  expect(flags(huge.mm) & PTE_YOUNG).toBe(PTE_YOUNG);
  expect(flags(copy) & (PTE_PRESENT | PTE_HUGE | PTE_YOUNG)).toBe(PTE_PRESENT | PTE_HUGE);
});

it('copies on the first write and reuses the page on the last', () => {
  const m = new Machine();
  m.map(0, 1);
  m.write(0, 7);
  const shared = m.pfn(0);
  const child = fork(m);
  m.listen();
  m.write(0, 8);
  expect(m.events()).toEqual([['CLEAR', 0, 1]]);
  expect(m.pfn(0)).not.toBe(shared);
  expect([m.read(0), m.read(0, child)]).toEqual([8, 7]);
  m.write(0, 9, child);
  expect(m.pfn(0, child)).toBe(shared);
  expect([m.read(0), m.read(0, child)]).toEqual([8, 9]);
  expect(m.broken()).toBeUndefined();
});

it('copies where a lazyfree batch still holds a reference', () => {
  const m = new Machine();
  m.map(0, 1);
  m.write(0, 7);
  const child = fork(m);
  m.run(mmput(child));
  expect(m.run(sysMadvise(m.mm, BASE, 1, MADV_FREE))).toBe(0);
  const before = m.pfn(0);
  m.listen();
  m.write(0, 8);
  expect(m.pfn(0)).not.toBe(before);
  expect(m.events()).toEqual([['CLEAR', 0, 1]]);
});

it('gives the child a copy of a pinned page at once', () => {
  const m = new Machine();
  m.map(0, 1);
  m.write(0, 7);
  const pages: number[] = [];
  expect(m.run(pinUserPages(m.mm, BASE, 1, FOLL_WRITE | FOLL_LONGTERM, pages))).toBe(1);
  const child = fork(m);
  expect(m.pte(0) & PTE_WRITE).toBe(PTE_WRITE);
  expect(m.pfn(0, child)).not.toBe(m.pfn(0));
  expect(m.read(0, child)).toBe(7);
  expect(m.broken()).toBeUndefined();
  for (const pfn of pages) unpinUserPage(m.system, pfn);
  expect(m.broken()).toBeUndefined();
});

it('leaves out what MADV_DONTFORK and MADV_WIPEONFORK say', () => {
  const m = new Machine();
  m.map(0, 4);
  m.map(8, 4);
  m.fill(0, 4);
  m.fill(8, 4);
  m.run(sysMadvise(m.mm, BASE, 4, MADV_DONTFORK));
  m.run(sysMadvise(m.mm, BASE + 8, 4, MADV_WIPEONFORK));
  const child = fork(m);
  expect(m.read(0, child)).toBe(-SIGSEGV);
  expect(m.read(8, child)).toBe(0);
  expect(m.read(8)).toBe(1);
  expect(m.broken()).toBeUndefined();
});

it('keeps shared memory shared', () => {
  const m = new Machine();
  m.mapShared(0, 4);
  m.write(0, 1);
  const child = fork(m);
  m.write(1, 5, child);
  m.write(0, 6);
  expect([m.read(1), m.read(0, child)]).toEqual([5, 6]);
  m.run(mmput(child));
  expect(m.read(1)).toBe(5);
  expect(m.broken()).toBeUndefined();
});

it('frees everything at exit', () => {
  const m = new Machine();
  const { free } = m.system.pages;
  m.map(0, 64);
  m.mapShared(100, 16);
  m.fill(0, 64);
  m.fill(100, 16);
  const child = fork(m);
  m.fill(0, 10, 50);
  m.run(mmput(m.mm));
  expect(m.read(20, child)).toBe(21);
  m.run(mmput(child));
  expect(m.system.pages.free).toBe(free);
  expect(m.system.tables.used).toBe(0);
  expect(m.system.mms).toEqual([]);
  expect(m.system.anonVmas.every((anonVma) => anonVma === null)).toBe(true);
  expect(m.system.addressSpaces.every((file) => file === null)).toBe(true);
});
