import { ENOMEM, EINVAL } from '@hmm/kernel';
import { SavedState, StateHash } from '@hmm/kernel/internal';
import { fc } from '@hmm/config/property';
import { afterEach, describe, expect, test } from 'vitest';
import {
  dupMm,
  FOLL_LONGTERM,
  FOLL_WRITE,
  MADV_DONTNEED,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_HUGETLB,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  mmput,
  type MmStruct,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  pinUserPages,
  PM_MMAP_EXCLUSIVE,
  PM_PRESENT,
  PROT_READ,
  sysMadvise,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMunmap,
  unpinUserPage,
} from '../src/index.js';
import { BASE, Machine, RW } from './support.js';

const HUGE = 512;
const PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;

let m: Machine;

/** A process on a machine with `pool` huge pages set aside. */
function boot(pool: number): void {
  m = new Machine({ nrHugepages: pool });
}
/** Maps at the start of the tests' range. */
const map = (pages: number, flags = PRIVATE): number => m.map(0, pages, RW, flags);
const fork = (): MmStruct => {
  const child = m.run(dupMm(m.mm));
  if (typeof child === 'number') throw new Error(`fork: ${child}`);
  return child;
};
const free = (): number => m.system.hugetlb.freeHugePages;
const promised = (): number => m.system.hugetlb.resvHugePages;

afterEach(() => {
  expect(m.broken()).toBeUndefined();
});

describe('a mapping of huge pages', () => {
  test('is whole ones, aligned, and promised from the pool', () => {
    boot(4);
    const at = m.run(sysMmap(m.mm, 0, HUGE + 1, RW, PRIVATE));
    expect(at % HUGE).toBe(0);
    expect(m.mm.vmas[0]).toMatchObject({ start: at, end: at + 2 * HUGE });
    expect([free(), promised()]).toEqual([4, 2]);
    expect(map(3 * HUGE)).toBe(-ENOMEM);
    expect(map(3 * HUGE, PRIVATE | MAP_NORESERVE)).toBeGreaterThan(0);
    expect(m.map(1, HUGE, RW, PRIVATE)).toBe(-EINVAL);
    expect(map(HUGE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB)).toBe(-EINVAL);
    expect(m.run(sysMunmap(m.mm, at, 2 * HUGE))).toBe(0);
    expect([free(), promised()]).toEqual([4, 0]);
  });

  test('takes a page at the first access, be it a read, and counts as no resident memory', () => {
    boot(2);
    map(2 * HUGE);
    expect(m.read(7)).toBe(0);
    expect(m.pagemap(300)).toBe(PM_PRESENT | PM_MMAP_EXCLUSIVE);
    expect([free(), promised(), m.mm.rssAnon]).toEqual([1, 1, 0]);
    m.write(7, 5);
    expect([m.read(7), m.read(8)]).toEqual([5, 0]);
    expect(free()).toBe(1);
  });

  test('without a promise ends in SIGBUS when the pool is empty', () => {
    boot(1);
    map(2 * HUGE, PRIVATE | MAP_NORESERVE);
    expect(m.write(0, 1)).toBe(0);
    expect(m.write(HUGE, 1)).toBeLessThan(0);
  });

  test('is not split: munmap, mprotect and mremap take whole pages or nothing', () => {
    boot(2);
    const at = map(2 * HUGE);
    m.write(0, 1);
    expect(m.run(sysMunmap(m.mm, at + 1, HUGE))).toBe(-EINVAL);
    expect(m.run(sysMprotect(m.mm, at, 5, PROT_READ))).toBe(-EINVAL);
    expect(m.run(sysMremap(m.mm, at, HUGE, 3 * HUGE, MREMAP_MAYMOVE))).toBe(-EINVAL);
    expect(m.run(sysMremap(m.mm, at, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 5 * HUGE + 1))).toBe(
      -EINVAL,
    );
    expect(m.run(sysMunmap(m.mm, at, HUGE))).toBe(0);
    expect(m.mm.vmas).toHaveLength(1);
    expect([free(), promised()]).toEqual([2, 1]);
  });

  test('moves with what was promised to it', () => {
    boot(2);
    const at = map(2 * HUGE);
    m.write(0, 7);
    const to = at - 8 * HUGE;
    expect(m.run(sysMremap(m.mm, at, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to))).toBe(to);
    expect([free(), promised()]).toEqual([1, 1]);
    expect([m.read(-8 * HUGE), m.write(-7 * HUGE, 1)]).toEqual([7, 0]);
    expect([free(), promised()]).toEqual([0, 0]);
  });

  test('takes no advice for small pages; DONTNEED lets whole ones go', () => {
    boot(2);
    const at = map(2 * HUGE);
    m.write(0, 7);
    expect(m.run(sysMadvise(m.mm, at, HUGE, MADV_HUGEPAGE))).toBe(0);
    expect(m.run(sysMadvise(m.mm, at, HUGE, MADV_PAGEOUT))).toBe(-EINVAL);
    expect(m.run(sysMadvise(m.mm, at + 1, HUGE, MADV_DONTNEED))).toBe(-EINVAL);
    expect(m.run(sysMadvise(m.mm, at, HUGE + 3, MADV_DONTNEED))).toBe(0);
    // The page is back in the pool, and nothing promises it any more.
    expect([free(), promised(), m.read(0)]).toEqual([2, 1, 0]);
  });
});

describe('after fork', () => {
  test('both read one page; who writes gets a copy', () => {
    boot(2);
    map(HUGE);
    m.write(3, 5);
    const child = fork();
    expect([m.read(3, child), free()]).toEqual([5, 1]);
    m.write(3, 6, child);
    expect([m.read(3), m.read(3, child), free()]).toEqual([5, 6, 0]);
    m.write(3, 7);
    expect([m.read(3), free()]).toEqual([7, 0]);
    m.run(mmput(child));
    expect(free()).toBe(1);
  });

  test('with the pool empty, who made the mapping takes the page from the child, which gets no other', () => {
    boot(1);
    map(HUGE);
    m.write(0, 5);
    const child = fork();
    expect(m.write(0, 6, child)).toBeLessThan(0);
    expect(m.write(0, 7)).toBe(0);
    expect(m.read(0)).toBe(7);
    expect(m.read(0, child)).toBeLessThan(0);
    m.run(sysMunmap(m.mm, BASE, HUGE));
    expect([free(), promised()]).toEqual([1, 0]);
    expect(m.read(0, child)).toBeLessThan(0);
    m.run(mmput(child));
  });

  test('a pinned page is copied at once', () => {
    boot(2);
    const at = map(HUGE);
    m.write(0, 5);
    const pages: number[] = [];
    expect(m.run(pinUserPages(m.mm, at, 1, FOLL_WRITE | FOLL_LONGTERM, pages))).toBe(1);
    const child = fork();
    expect([free(), m.read(0, child)]).toEqual([0, 5]);
    m.write(0, 6);
    expect([m.read(0), m.read(0, child), free()]).toEqual([6, 5, 0]);
    for (const pfn of pages) unpinUserPage(m.system, pfn);
    m.run(mmput(child));
  });
});

test('subscribers are told: PROTECTION_VMA of all, CLEAR at fork and copy, UNMAP', () => {
  boot(3);
  const at = map(2 * HUGE);
  m.write(0, 5);
  m.listen();
  m.run(sysMprotect(m.mm, at, 2 * HUGE, PROT_READ));
  m.run(sysMprotect(m.mm, at, 2 * HUGE, RW));
  const child = fork();
  m.write(0, 6);
  m.run(sysMunmap(m.mm, at, 2 * HUGE));
  expect(m.events()).toEqual([
    ['PROTECTION_VMA', 0, 2 * HUGE],
    ['PROTECTION_VMA', 0, 2 * HUGE],
    ['CLEAR', 0, 2 * HUGE],
    ['CLEAR', 0, HUGE],
    ['UNMAP', 0, 2 * HUGE],
  ]);
  m.unlisten();
  m.run(mmput(child));
});

test('the pool is part of a saved state', () => {
  boot(3);
  const at = map(2 * HUGE);
  m.write(0, 5);
  const saved = new SavedState([m.system]);
  const hash = StateHash.of([m.system]);
  m.write(HUGE, 6);
  m.run(sysMunmap(m.mm, at, 2 * HUGE));
  expect(StateHash.of([m.system])).not.toBe(hash);
  saved.restore();
  expect(StateHash.of([m.system])).toBe(hash);
  expect([free(), promised(), m.read(0)]).toEqual([2, 1, 5]);
});

const access = fc.record({
  op: fc.constantFrom('read', 'write'),
  child: fc.boolean(),
  page: fc.integer({ min: 0, max: 3 * HUGE - 1 }),
  value: fc.integer({ min: 1, max: 255 }),
});
const change = fc.record({
  op: fc.constantFrom('fork', 'exit', 'dontneed', 'readonly', 'writable', 'unmap'),
  child: fc.boolean(),
  page: fc.constantFrom(0, HUGE, 2 * HUGE),
  value: fc.constant(0),
});

test('random programs of two processes read what they wrote or nothing, and give every page back', () => {
  const step = fc.oneof({ weight: 4, arbitrary: access }, { weight: 1, arbitrary: change });
  const program = fc.tuple(
    fc.integer({ min: 1, max: 5 }),
    fc.constantFrom(0, MAP_NORESERVE),
    fc.array(step, { maxLength: 40 }),
  );
  fc.assert(
    fc.property(program, ([pool, noreserve, steps]) => {
      boot(pool);
      if (map(3 * HUGE, PRIVATE | noreserve) < 0) return;
      let child: MmStruct | undefined;
      const bytes = new Map<number, number>();
      let childBytes = new Map<number, number>();
      for (const { op, child: inChild, page, value } of steps) {
        const mm = inChild ? child : m.mm;
        if (mm === undefined) continue;
        const own = inChild ? childBytes : bytes;
        if (op === 'write' && m.write(page, value, mm) === 0) own.set(page, value);
        if (op === 'read') {
          const got = m.read(page, mm);
          if (got >= 0) expect(got).toBe(own.get(page) ?? 0);
        }
        if (op === 'dontneed' && m.run(sysMadvise(mm, BASE + page, HUGE, MADV_DONTNEED)) === 0)
          for (const at of own.keys()) if (at >= page && at < page + HUGE) own.delete(at);
        if (op === 'readonly') m.run(sysMprotect(mm, BASE + page, HUGE, PROT_READ));
        if (op === 'writable') m.run(sysMprotect(mm, BASE + page, HUGE, RW));
        if (op === 'unmap') m.run(sysMunmap(mm, BASE + page, HUGE));
        if (op === 'fork' && child === undefined) {
          child = fork();
          childBytes = new Map(bytes);
        }
        if (op === 'exit' && child !== undefined) {
          m.run(mmput(child));
          child = undefined;
        }
        expect(m.broken()).toBeUndefined();
      }
      if (child !== undefined) m.run(mmput(child));
      m.run(sysMunmap(m.mm, BASE, 3 * HUGE));
      expect([free(), promised()]).toEqual([pool, 0]);
    }),
    { numRuns: 80 },
  );
});
