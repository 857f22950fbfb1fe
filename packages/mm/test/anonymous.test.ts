import { expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  PM_MMAP_EXCLUSIVE,
  PM_PRESENT,
  SIGSEGV,
  cpuRead,
  cpuWrite,
  sysMadvise,
  sysMmap,
  sysMunmap,
} from '../src/index.js';
import { PTE_PRESENT, PTE_SPECIAL, PTE_WRITE } from '../src/pte.js';
import { TP_PAGE_FAULT_USER } from '../src/tracepoints.js';
import { Tlb, cpuTouch } from '../src/tlb.js';
import { BASE, Machine, RW } from './support.js';

it('maps the zero page for a read, and copies on the write that follows', () => {
  const m = new Machine();
  m.listen();
  m.map(0, 8);
  expect(m.read(0)).toBe(0);
  expect(m.pte(0) & (PTE_PRESENT | PTE_SPECIAL | PTE_WRITE)).toBe(PTE_PRESENT | PTE_SPECIAL);
  expect(m.events()).toEqual([]);
  expect(m.write(0, 42)).toBe(0);
  expect(m.events()).toEqual([['CLEAR', 0, 1]]);
  expect(m.pte(0) & (PTE_SPECIAL | PTE_WRITE)).toBe(PTE_WRITE);
  expect(m.read(0)).toBe(42);
  expect(m.pagemap(0)).toBe(PM_PRESENT | PM_MMAP_EXCLUSIVE);
  expect(m.broken()).toBeUndefined();
});

it('announces nothing for first touches', () => {
  const m = new Machine();
  m.listen();
  m.map(0, 40);
  m.fill(0, 40);
  expect(m.events()).toEqual([]);
  expect(m.mm.rssAnon).toBe(40);
  expect(m.broken()).toBeUndefined();
});

it('gives every page and table back at munmap', () => {
  const m = new Machine();
  const { free } = m.system.pages;
  const { used } = m.system.tables;
  m.listen();
  m.map(0, 600);
  m.fill(0, 600);
  expect(m.system.pages.free).toBe(free - 600);
  expect(m.run(sysMunmap(m.mm, BASE, 600))).toBe(0);
  expect(m.events()).toEqual([['UNMAP', 0, 600]]);
  expect(m.system.pages.free).toBe(free);
  expect(m.system.tables.used).toBe(used);
  expect(m.read(0)).toBe(-SIGSEGV);
});

it('announces MADV_DONTNEED for each VMA, and reads zeroes afterwards', () => {
  const m = new Machine();
  m.map(0, 4);
  m.map(8, 4);
  m.fill(0, 4);
  m.fill(8, 4);
  m.listen();
  expect(m.run(sysMadvise(m.mm, BASE + 2, 8, MADV_DONTNEED))).toBe(-12);
  expect(m.events()).toEqual([
    ['CLEAR', 2, 2],
    ['CLEAR', 8, 2],
  ]);
  expect([m.read(1), m.read(2), m.read(9), m.read(10)]).toEqual([2, 0, 0, 3]);
  expect(m.broken()).toBeUndefined();
});

it('reads and writes bytes across pages, up to the first that faults for good', () => {
  const m = new Machine();
  m.map(0, 2);
  const text = Uint8Array.from({ length: 5000 }, (_, i) => i);
  expect(m.run(cpuWrite(m.mm, BASE, 4000, text))).toBe(4192);
  const back = new Uint8Array(5000);
  expect(m.run(cpuRead(m.mm, BASE, 4000, back))).toBe(4192);
  expect(back.subarray(0, 4192)).toEqual(text.subarray(0, 4192));
});

it('touches resident pages in batches, and faults the others in', () => {
  const m = new Machine();
  m.map(0, 1100);
  const tlb = new Tlb(m.mm);
  const vpns = Float64Array.from({ length: 1100 }, (_, i) => BASE + ((i * 7) % 1100));
  expect(tlb.touch(vpns, 0, 1100, true)).toBe(0);
  expect(m.run(cpuTouch(tlb, vpns, 0, 1100, true))).toBe(1100);
  expect(tlb.touch(vpns, 0, 1100, true)).toBe(1100);
  expect(tlb.touchRange(BASE, 1200, true)).toBe(1100);
  m.run(sysMunmap(m.mm, BASE + 512, 512));
  expect(tlb.touchRange(BASE, 1100, false)).toBe(512);
  expect(tlb.touch(Float64Array.of(BASE + 1, BASE + 600, BASE + 2), 0, 3, false)).toBe(1);
  expect(m.run(cpuTouch(tlb, Float64Array.of(BASE + 1, BASE + 600), 0, 2, false))).toBe(1);
});

it('maps 64 TiB and finds single pages of it again', () => {
  const m = new Machine();
  const pages = 2 ** 34;
  const { used } = m.system.tables;
  const start = m.run(sysMmap(m.mm, 0, pages, RW, 0x22));
  expect(m.system.tables.used).toBe(used);
  for (const at of [0, 2 ** 31, 2 ** 32, 2 ** 33 + 5]) m.write(start - BASE + at, at % 251);
  for (const at of [0, 2 ** 31, 2 ** 32, 2 ** 33 + 5]) expect(m.read(start - BASE + at)).toBe(at % 251);
  expect(m.broken()).toBeUndefined();
  expect(m.run(sysMunmap(m.mm, start, pages))).toBe(0);
  expect(m.system.tables.used).toBe(used);
});

it('works the same with 5 levels of page tables, high up', () => {
  const m = new Machine({ levels: 5 });
  const start = 2 ** 44 - 4096;
  m.run(sysMmap(m.mm, start, 16, RW, 0x22 | 0x10));
  const vpns = Float64Array.from({ length: 16 }, (_, i) => start + i);
  const tlb = new Tlb(m.mm);
  expect(m.run(cpuTouch(tlb, vpns, 0, 16, true))).toBe(16);
  expect(tlb.touch(vpns, 0, 16, true)).toBe(16);
  expect(m.broken()).toBeUndefined();
});

it('traces each fault once, and nothing for accesses that do not fault', () => {
  const m = new Machine();
  m.map(0, 4);
  const { trace } = m.kernel;
  trace.on = true;
  m.read(0);
  m.write(0, 1);
  m.write(1, 1);
  m.write(1, 2);
  const faults = Array.from({ length: trace.length }, (_, i) => trace.at(i)).filter(
    ({ kind }) => kind === TP_PAGE_FAULT_USER,
  );
  expect(faults.map(({ page, value }) => [page - BASE, value])).toEqual([
    [0, 0],
    [0, 1],
    [1, 1],
  ]);
});
