import { expect, it } from 'vitest';
import {
  FOLL_FORCE,
  FOLL_LONGTERM,
  FOLL_PIN,
  FOLL_WRITE,
  pinUserPages,
  PROT_NONE,
  PROT_READ,
  sysMprotect,
  unpinUserPage,
  VM_IO,
  VM_PFNMAP,
} from '../src/index.js';
import { BASE, Machine } from './support.js';

const EFAULT = -14;

/** What pinning one page gives, by protection of its VMA. */
function pinned(prot: number, flags: number, shared = false): number {
  const m = new Machine();
  if (shared) m.mapShared(0, 1);
  else m.map(0, 1);
  m.write(0, 1);
  if (prot !== 3) expect(m.run(sysMprotect(m.mm, BASE, 1, prot))).toBe(0);
  const pages: number[] = [];
  const ret = m.run(pinUserPages(m.mm, BASE, 1, flags, pages));
  for (const pfn of pages) unpinUserPage(m.system, pfn);
  expect(pages).toHaveLength(Math.max(0, ret));
  expect(m.broken()).toBeUndefined();
  return ret;
}

it.each([
  ['a writable page', 3, { read: 1, write: 1, forceRead: 1, forceWrite: 1 }],
  ['a page that can only be read', PROT_READ, { read: 1, write: EFAULT, forceRead: 1, forceWrite: 1 }],
  ['a page that cannot be accessed', PROT_NONE, { read: EFAULT, write: EFAULT, forceRead: 1, forceWrite: 1 }],
])('%s is pinned as its protection allows, and by force', (_what, prot, wanted) => {
  expect({
    read: pinned(prot, FOLL_LONGTERM),
    write: pinned(prot, FOLL_LONGTERM | FOLL_WRITE),
    forceRead: pinned(prot, FOLL_LONGTERM | FOLL_FORCE),
    forceWrite: pinned(prot, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE),
  }).toEqual(wanted);
});

it('force writes no shared page that the process could not write', () => {
  expect(pinned(PROT_READ, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE, true)).toBe(EFAULT);
  expect(pinned(3, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE, true)).toBe(1);
});

it.each([VM_IO, VM_PFNMAP])("a driver's mapping without pages is not pinned (flag %#x)", (flag) => {
  const m = new Machine();
  m.map(0, 1);
  m.write(0, 1);
  for (const vma of m.mm.vmas) vma.flags |= flag;
  const pages: number[] = [];
  expect(m.run(pinUserPages(m.mm, BASE, 1, FOLL_LONGTERM, pages))).toBe(EFAULT);
});

it('a pin is one reference and one of the pins, until it is dropped', () => {
  const m = new Machine();
  m.map(0, 1);
  m.write(0, 1);
  const pfn = m.pfn(0);
  const { refcount, pincount } = m.system.map;
  const before = refcount[pfn] ?? 0;
  const pages: number[] = [];
  for (let i = 1; i <= 3; i++) {
    expect(m.run(pinUserPages(m.mm, BASE, 1, FOLL_PIN | FOLL_WRITE, pages))).toBe(1);
    expect(pincount[pfn]).toBe(i);
  }
  expect(pages).toEqual([pfn, pfn, pfn]);
  for (const each of pages) unpinUserPage(m.system, each);
  expect(pincount[pfn]).toBe(0);
  expect(refcount[pfn] ?? 0).toBeLessThanOrEqual(before);
});
