import { HmmError } from '@hmm/kernel';
import { expect, it } from 'vitest';
import {
  MADV_HUGEPAGE,
  MAP_SHARED,
  type MmStruct,
  PROT_READ,
  dupMm,
  mmCreate,
  mmput,
  sysMadvise,
  sysMlock,
  sysMmap,
  sysMprotect,
  sysMunlock,
} from '../src/index.js';
import { MAPCOUNT_MAX } from '../src/mem-map.js';
import { lruAddDrain } from '../src/swap.js';
import { BASE, Machine, RW } from './support.js';

function fork(m: Machine): MmStruct {
  const child = m.run(dupMm(m.mm));
  if (typeof child === 'number') throw new Error(`fork: ${child}`);
  return child;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
  return 'none';
}

it('counts the references of a huge page that 130 processes map page by page', () => {
  const m = new Machine({ maxTables: 1024 });
  m.map(0, 512);
  expect(m.run(sysMadvise(m.mm, BASE, 512, MADV_HUGEPAGE))).toBe(0);
  m.write(0, 7);
  // A part with other rights splits the mapping, not the page.
  expect(m.run(sysMprotect(m.mm, BASE, 1, PROT_READ))).toBe(0);
  const head = m.pfn(0);
  const children = Array.from({ length: 129 }, () => fork(m));
  expect(m.system.map.refcount[head]).toBe(130 * 512);
  expect(m.system.map.private[head + 2]).toBe(130 * 512);
  expect(m.broken()).toBeUndefined();
  for (const child of children) m.run(mmput(child));
  expect(m.system.map.refcount[head]).toBe(512);
  expect(m.broken()).toBeUndefined();
});

it('ends in an error where a page is mapped more often than can be counted', () => {
  const m = new Machine();
  m.map(0, 2);
  m.fill(0, 2);
  m.system.map.mapcount[m.pfn(1)] = MAPCOUNT_MAX - 1;
  fork(m);
  expect(m.system.map.mapcount[m.pfn(1)]).toBe(MAPCOUNT_MAX);
  expect(codeOf(() => fork(m))).toBe('MAPCOUNT_OVERFLOW');
  expect(m.system.map.mapcount[m.pfn(1)]).toBe(MAPCOUNT_MAX);
});

it('ends in the same error where a shared page is mapped by a fault', () => {
  const m = new Machine();
  m.mapShared(0, 1);
  m.write(0, 1);
  const child = fork(m);
  const pfn = m.pfn(0);
  m.system.map.mapcount[pfn] = MAPCOUNT_MAX;
  expect(codeOf(() => m.read(0, child))).toBe('MAPCOUNT_OVERFLOW');
});

it('counts the locked mappings of a page of 300 processes', () => {
  const m = new Machine({ maxTables: 2048 });
  m.mapShared(0, 1);
  m.write(0, 1);
  const { file } = m.mm.vmas[0] ?? {};
  if (file === undefined || file === null) throw new Error('a shared mapping has a file');
  expect(m.run(sysMlock(m.mm, BASE, 1))).toBe(0);
  const others = Array.from({ length: 299 }, () => mmCreate(m.system));
  for (const mm of others) {
    expect(m.run(sysMmap(mm, BASE, 1, RW, MAP_SHARED, { file }))).toBe(BASE);
    m.read(0, mm);
    expect(m.run(sysMlock(mm, BASE, 1))).toBe(0);
  }
  lruAddDrain(m.system);
  expect(m.system.map.mlockCount[m.pfn(0)]).toBe(300);
  for (const mm of others) expect(m.run(sysMunlock(mm, BASE, 1))).toBe(0);
  expect(m.broken()).toBeUndefined();
});
