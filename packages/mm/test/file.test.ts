import { expect, it } from 'vitest';
import {
  MADV_REMOVE,
  MAP_PRIVATE,
  MAP_SHARED,
  PM_FILE,
  PM_PRESENT,
  SIGBUS,
  sysMadvise,
} from '../src/index.js';
import { PTE_WRITE } from '../src/pte.js';
import { addressSpacePut, shmemFileSetup } from '../src/shmem.js';
import { fileTruncate } from '../src/truncate.js';
import { BASE, Machine, RW } from './support.js';

function withFile(pages: number) {
  const m = new Machine();
  const file = shmemFileSetup(m.system, pages);
  if (file === null) throw new Error('no memory');
  return { m, file };
}

it('maps a file shared and private: a private write is a copy, without an event', () => {
  const { m, file } = withFile(8);
  m.map(0, 8, RW, MAP_SHARED, { file });
  m.map(16, 8, RW, MAP_PRIVATE, { file });
  m.write(0, 1);
  m.listen();
  m.write(16, 2);
  expect(m.events()).toEqual([]);
  expect([m.read(0), m.read(16)]).toEqual([1, 2]);
  m.write(1, 3);
  expect(m.read(17)).toBe(3);
  expect(m.pte(17) & PTE_WRITE).toBe(0);
  expect(m.broken()).toBeUndefined();
});

it('maps cached neighbours of a read fault, within the aligned 16 pages', () => {
  const { m, file } = withFile(40);
  m.map(0, 40, RW, MAP_SHARED, { file });
  m.fill(14, 4);
  m.map(64, 40, RW, MAP_SHARED, { file });
  m.read(64 + 15);
  const mapped = Array.from({ length: 40 }, (_, i) => i).filter(
    (i) => (m.pagemap(64 + i) & PM_PRESENT) !== 0,
  );
  expect(mapped).toEqual([14, 15]);
  expect(m.pagemap(64 + 14) & PM_FILE).toBe(PM_FILE);
  expect(m.broken()).toBeUndefined();
});

it('raises SIGBUS beyond the end, also for private copies after a truncation', () => {
  const { m, file } = withFile(4);
  m.map(0, 6, RW, MAP_SHARED, { file });
  m.map(16, 4, RW, MAP_PRIVATE, { file });
  expect(m.read(4)).toBe(-SIGBUS);
  m.write(3, 1);
  m.write(19, 2);
  m.listen();
  m.run(fileTruncate(m.system, file, 2));
  expect(m.events()).toContainEqual(['CLEAR', 18, 2]);
  expect([m.read(3), m.read(19), m.read(1)]).toEqual([-SIGBUS, -SIGBUS, 0]);
  m.run(fileTruncate(m.system, file, 4));
  expect(m.read(3)).toBe(0);
  expect(m.broken()).toBeUndefined();
});

it('punches holes with MADV_REMOVE, leaving private copies', () => {
  const { m, file } = withFile(4);
  m.map(0, 4, RW, MAP_SHARED, { file });
  m.map(16, 4, RW, MAP_PRIVATE, { file });
  m.fill(0, 4);
  m.write(17, 9);
  expect(m.run(sysMadvise(m.mm, BASE + 1, 2, MADV_REMOVE))).toBe(0);
  expect([m.read(0), m.read(1), m.read(2), m.read(3), m.read(17)]).toEqual([1, 0, 0, 4, 9]);
  expect(m.run(sysMadvise(m.mm, BASE + 17, 1, MADV_REMOVE))).toBe(-22);
  expect(m.broken()).toBeUndefined();
});

it('frees the pages of a file with its last user', () => {
  const { m, file } = withFile(4);
  const { free } = m.system.pages;
  m.map(0, 4, RW, MAP_SHARED, { file });
  m.fill(0, 4);
  m.map(0, 4);
  expect(m.system.pages.free).toBe(free - 4);
  addressSpacePut(m.system, file);
  expect(m.system.pages.free).toBe(free);
  expect(m.broken()).toBeUndefined();
});
