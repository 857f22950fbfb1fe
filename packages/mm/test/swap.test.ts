import { expect, it } from 'vitest';
import {
  MADV_FREE,
  MADV_PAGEOUT,
  PM_MMAP_EXCLUSIVE,
  PM_PRESENT,
  PM_SWAP,
  dupMm,
  mmput,
  sysMadvise,
  sysMlock,
  sysMunlock,
} from '../src/index.js';
import { PTE_WRITE } from '../src/pte.js';
import { lruAddDrain } from '../src/swap.js';
import { BASE, Machine } from './support.js';

const pageout = (m: Machine, page: number, pages: number): number =>
  m.run(sysMadvise(m.mm, BASE + page, pages, MADV_PAGEOUT));

it('writes private pages to swap, one CLEAR each, and brings them back writable by a read', () => {
  const m = new Machine();
  m.map(0, 3);
  m.fill(0, 3);
  m.listen();
  expect(pageout(m, 0, 3)).toBe(0);
  expect(m.events()).toEqual([
    ['CLEAR', 0, 1],
    ['CLEAR', 1, 1],
    ['CLEAR', 2, 1],
  ]);
  expect(m.pagemap(0)).toBe(PM_SWAP);
  expect(m.system.swap.used).toBe(3);
  expect([m.read(0), m.read(1), m.read(2)]).toEqual([1, 2, 3]);
  expect(m.events()).toEqual([]);
  expect(m.pte(0) & PTE_WRITE).toBe(PTE_WRITE);
  expect(m.pagemap(0)).toBe(PM_PRESENT | PM_MMAP_EXCLUSIVE);
  expect(m.system.swap.used).toBe(0);
  expect(m.broken()).toBeUndefined();
});

it('counts the entries of a slot across fork', () => {
  const m = new Machine();
  m.map(0, 2);
  m.fill(0, 2);
  pageout(m, 0, 2);
  const child = m.run(dupMm(m.mm));
  if (typeof child === 'number') throw new Error('fork');
  expect(m.broken()).toBeUndefined();
  m.write(0, 9, child);
  expect([m.read(0), m.read(0, child), m.read(1, child)]).toEqual([1, 9, 2]);
  expect(m.broken()).toBeUndefined();
  m.run(mmput(child));
  m.run(mmput(m.mm));
  lruAddDrain(m.system);
  expect(m.system.swap.used).toBe(0);
});

it('keeps the slot of a page that was only read, until more than half of the slots are in use', () => {
  const usedAfterReads = (swapSlots: number): number => {
    const m = new Machine({ swapSlots });
    m.map(0, 3);
    m.fill(0, 3);
    pageout(m, 0, 3);
    const child = m.run(dupMm(m.mm));
    if (typeof child === 'number') throw new Error('fork');
    // The first reader finds another entry that names the slot, the last one does not.
    expect([m.read(0), m.read(0, child)]).toEqual([1, 1]);
    expect(m.broken()).toBeUndefined();
    return m.system.swap.used;
  };
  expect(usedAfterReads(6)).toBe(3);
  expect(usedAfterReads(5)).toBe(2);
});

it('keeps a page mapped, unannounced, when swap is full', () => {
  const m = new Machine({ swapSlots: 2 });
  m.map(0, 3);
  m.fill(0, 3);
  m.listen();
  pageout(m, 0, 3);
  expect(m.events().map(([, page]) => page)).toEqual([0, 1]);
  expect(m.pagemap(2) & PM_PRESENT).toBe(PM_PRESENT);
  expect(m.read(2)).toBe(3);
  expect(m.broken()).toBeUndefined();
});

it('drops lazily freed pages, unless they are written again', () => {
  const m = new Machine();
  m.map(0, 2);
  m.fill(0, 2);
  lruAddDrain(m.system);
  m.run(sysMadvise(m.mm, BASE, 2, MADV_FREE));
  m.write(1, 9);
  pageout(m, 0, 2);
  expect([m.read(0), m.read(1)]).toEqual([0, 9]);
  expect(m.system.swap.used).toBe(0);
  expect(m.broken()).toBeUndefined();
});

it('keeps locked pages', () => {
  const m = new Machine();
  m.map(0, 4);
  m.fill(0, 2);
  expect(m.run(sysMlock(m.mm, BASE, 4))).toBe(0);
  expect(pageout(m, 0, 4)).toBe(-22);
  expect(m.mm.lockedVm).toBe(4);
  expect(m.run(sysMunlock(m.mm, BASE, 4))).toBe(0);
  expect(m.mm.lockedVm).toBe(0);
  expect(pageout(m, 0, 4)).toBe(0);
  expect(m.pagemap(0)).toBe(PM_SWAP);
  expect(m.broken()).toBeUndefined();
});

it('writes dirty shared pages to swap and drops clean ones', () => {
  const m = new Machine();
  m.mapShared(0, 2);
  m.write(0, 5);
  m.read(1);
  m.listen();
  pageout(m, 0, 2);
  expect(m.events().length).toBe(2);
  expect(m.pagemap(0)).toBe(0);
  expect([m.read(0), m.read(1)]).toEqual([5, 0]);
  expect(m.broken()).toBeUndefined();
});
