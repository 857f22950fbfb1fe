import { Kernel, type Release, type Task } from '@hmm/kernel';
import {
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MADV_DONTNEED,
  MADV_GUARD_INSTALL,
  MADV_GUARD_REMOVE,
  MADV_HUGEPAGE,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MemorySystem,
  mmCreate,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  pagemapEntry,
  pinUserPages,
  PROT_READ,
  PROT_WRITE,
  sysMadvise,
  sysMlock,
  sysMmap,
  sysMremap,
  sysMunmap,
} from '@hmm/mm';
import { beforeEach, expect, test } from 'vitest';

const EINVAL = 22;
const EFAULT = 14;
const SIGSEGV = 11;
const START = 4096;
const RW = PROT_READ | PROT_WRITE;

function make(release: Release) {
  const kernel = new Kernel({ release });
  const system = new MemorySystem(kernel, { frames: 8192, systemFrames: 8192, maxTables: 64 });
  const mm = mmCreate(system);
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  return {
    mm,
    run,
    map: (pages: number, vpn = START, flags = MAP_PRIVATE) =>
      run(sysMmap(mm, vpn, pages, RW, flags | MAP_ANONYMOUS)),
    advise: (vpn: number, pages: number, advice: number) => run(sysMadvise(mm, vpn, pages, advice)),
    read: (vpn: number) => run(cpuReadByte(mm, vpn, 0)),
    write: (vpn: number, value: number) => run(cpuWriteByte(mm, vpn, 0, value)),
  };
}

let m: ReturnType<typeof make>;
beforeEach(() => {
  m = make('7.3');
  expect(m.map(8)).toBe(START);
});

test('a guarded page raises SIGSEGV until it is not guarded any more; then it is empty', () => {
  m.write(START + 2, 5);
  expect(m.advise(START + 1, 3, MADV_GUARD_INSTALL)).toBe(0);
  expect([0, 1, 2, 3, 4].map((i) => m.write(START + i, 1))).toEqual([0, -SIGSEGV, -SIGSEGV, -SIGSEGV, 0]);
  expect(m.run(pinUserPages(m.mm, START + 2, 1, 0, []))).toBe(-EFAULT);
  expect(pagemapEntry(m.mm, START + 2)).toBe(0);
  expect(m.mm.rssAnon).toBe(2);
  expect(m.advise(START, 8, MADV_GUARD_REMOVE)).toBe(0);
  expect([0, 1, 2, 3, 4].map((i) => m.read(START + i))).toEqual([1, 0, 0, 0, 1]);
});

test('it stays one VMA', () => {
  m.advise(START + 1, 3, MADV_GUARD_INSTALL);
  expect(m.mm.vmas).toHaveLength(1);
});

test('MADV_DONTNEED leaves guards, fork copies them, mremap takes them along, munmap drops them', () => {
  m.advise(START, 1, MADV_GUARD_INSTALL);
  m.advise(START, 8, MADV_DONTNEED);
  expect(m.read(START)).toBe(-SIGSEGV);
  const child = m.run(dupMm(m.mm));
  if (typeof child === 'number') throw new Error(`fork: ${child}`);
  expect(m.run(cpuReadByte(child, START, 0))).toBe(-SIGSEGV);
  m.run(sysMremap(m.mm, START, 8, 8, MREMAP_MAYMOVE | MREMAP_FIXED, 7000));
  expect(m.read(7000)).toBe(-SIGSEGV);
  m.run(sysMunmap(m.mm, 7000, 8));
  expect(m.map(8)).toBe(START);
  expect(m.read(START)).toBe(0);
});

test('a huge page of which a part is guarded is split', () => {
  expect(m.map(512, 5120)).toBe(5120);
  m.advise(5120, 512, MADV_HUGEPAGE);
  m.write(5120, 3);
  expect(m.advise(5121, 1, MADV_GUARD_INSTALL)).toBe(0);
  expect([m.read(5120), m.read(5121), m.read(5122)]).toEqual([3, -SIGSEGV, 0]);
});

test('locked memory cannot be guarded, though it can be without guards again; shared memory is not modelled', () => {
  m.advise(START, 1, MADV_GUARD_INSTALL);
  m.run(sysMlock(m.mm, START, 8));
  expect(m.advise(START + 1, 1, MADV_GUARD_INSTALL)).toBe(-EINVAL);
  expect(m.advise(START, 1, MADV_GUARD_REMOVE)).toBe(0);
  expect(m.map(4, 6000, MAP_SHARED)).toBe(6000);
  expect(m.advise(6000, 1, MADV_GUARD_INSTALL)).toBe(-EINVAL);
});

test('before 6.13 there is no such advice', () => {
  m = make('6.12');
  m.map(8);
  expect(m.advise(START, 1, MADV_GUARD_INSTALL)).toBe(-EINVAL);
});
