import { describe, expect, it } from 'vitest';
import {
  FOLL_GET,
  FOLL_LONGTERM,
  FOLL_TOUCH,
  FOLL_WRITE,
  MADV_DONTNEED,
  PROT_NONE,
  PROT_READ,
  getUserPages,
  pinUserPages,
  sysMadvise,
  sysMprotect,
  unpinUserPage,
} from '../src/index.js';
import { PG_dirty } from '../src/mem-map.js';
import { PTE_DIRTY, PTE_SPECIAL, PTE_WRITE } from '../src/pte.js';
import { accessRemoteVm } from '../src/access-remote.js';
import { folioPut } from '../src/page-alloc.js';
import { BASE, Machine } from './support.js';

const pin = (m: Machine, page: number, pages: number, flags: number, got: number[]): number =>
  m.run(pinUserPages(m.mm, BASE + page, pages, flags | FOLL_LONGTERM, got));

describe('pins', () => {
  it('fault pages in for writing, and keep a frame that the mapping has lost', () => {
    const m = new Machine();
    m.map(0, 2);
    const got: number[] = [];
    expect(pin(m, 0, 2, FOLL_WRITE, got)).toBe(2);
    expect(got).toEqual([m.pfn(0), m.pfn(1)]);
    const { free } = m.system.pages;
    m.run(sysMadvise(m.mm, BASE, 2, MADV_DONTNEED));
    expect(m.system.pages.free).toBe(free);
    expect(m.broken()).toBeUndefined();
    for (const pfn of got) unpinUserPage(m.system, pfn);
    expect(m.system.pages.free).toBe(free + 2);
  });

  it('for reading take the zero page away first: zero page, then a copy', () => {
    const m = new Machine();
    m.map(0, 1);
    m.listen();
    const got: number[] = [];
    expect(pin(m, 0, 1, 0, got)).toBe(1);
    expect(m.events()).toEqual([['CLEAR', 0, 1]]);
    expect(m.pte(0) & (PTE_SPECIAL | PTE_WRITE | PTE_DIRTY)).toBe(0);
    for (const pfn of got) unpinUserPage(m.system, pfn);
  });

  it('stop at what cannot be accessed', () => {
    const m = new Machine();
    m.map(0, 2);
    m.map(2, 2, PROT_READ);
    m.map(4, 2, PROT_NONE);
    const got: number[] = [];
    expect(pin(m, 0, 4, FOLL_WRITE, got)).toBe(2);
    expect(pin(m, 2, 1, FOLL_WRITE, [])).toBe(-14);
    expect(pin(m, 4, 1, 0, [])).toBe(-14);
    expect(pin(m, 100, 1, 0, [])).toBe(-14);
    for (const pfn of got) unpinUserPage(m.system, pfn);
    expect(m.broken()).toBeUndefined();
  });
});

it('marks pages dirty that it touches for writing, where their entry is clean', () => {
  const m = new Machine();
  m.mapShared(0, 1);
  m.read(0);
  expect(m.system.map.test(m.pfn(0), PG_dirty)).toBe(false);
  const got: number[] = [];
  expect(m.run(getUserPages(m.mm, BASE, 1, FOLL_GET | FOLL_WRITE | FOLL_TOUCH, got))).toBe(1);
  expect(m.system.map.test(m.pfn(0), PG_dirty)).toBe(true);
  for (const pfn of got) folioPut(m.system, pfn);
  expect(m.broken()).toBeUndefined();
});

it('gives a debugger the bytes of private memory whatever their protection, to the first hole', () => {
  const m = new Machine();
  m.map(0, 2);
  m.fill(0, 2, 7);
  m.run(sysMprotect(m.mm, BASE, 2, PROT_READ));
  const bytes = new Uint8Array(8000);
  expect(m.run(accessRemoteVm(m.mm, BASE, 4000, bytes, false))).toBe(4192);
  expect(bytes[96]).toBe(8);
  expect(m.run(accessRemoteVm(m.mm, BASE, 0, Uint8Array.of(9), true))).toBe(0);
  expect(m.run(accessRemoteVm(m.mm, BASE, 0, Uint8Array.of(9), true, true))).toBe(1);
  expect(m.read(0)).toBe(9);
  m.mapShared(8, 1);
  m.run(sysMprotect(m.mm, BASE + 8, 1, PROT_READ));
  expect(m.run(accessRemoteVm(m.mm, BASE + 8, 0, Uint8Array.of(9), true, true))).toBe(0);
  expect(m.broken()).toBeUndefined();
});
