import { expect, it } from 'vitest';
import { MADV_HUGEPAGE, SIGBUS, sysMadvise, sysMlock, VM_FAULT_SIGBUS, handleMmFault } from '../src/index.js';
import { oomReapTaskMm } from '../src/oom-kill.js';
import { BASE, Machine } from './support.js';

it('takes private memory, announced, and leaves shared and locked memory', () => {
  const m = new Machine();
  m.map(0, 4);
  m.fill(0, 4);
  m.mapShared(16, 2);
  m.fill(16, 2);
  m.map(32, 2);
  m.fill(32, 2);
  expect(m.run(sysMlock(m.mm, BASE + 32, 2))).toBe(0);
  m.listen();
  expect(m.run(oomReapTaskMm(m.mm))).toBe(true);
  expect(m.events()).toEqual([['UNMAP', 0, 4]]);
  expect([m.mm.rssAnon, m.mm.rssShmem]).toEqual([2, 2]);
  expect([m.read(17), m.read(33)]).toEqual([2, 2]);
  expect(m.mm.mmapLock.readers).toBe(0);
});

it('keeps the memory of a process that it has taken: a touch of it is SIGBUS, for a read, a write and a huge page', () => {
  const m = new Machine();
  m.map(0, 4);
  m.fill(0, 4);
  m.map(512, 512);
  expect(m.run(sysMadvise(m.mm, BASE + 512, 512, MADV_HUGEPAGE))).toBe(0);
  expect(m.run(oomReapTaskMm(m.mm))).toBe(true);
  expect([m.read(0), m.write(1, 7), m.read(600), m.write(700, 7)]).toEqual(Array(4).fill(-SIGBUS));
  expect(m.mm.rssAnon).toBe(0);
  // Zeroes in place of what was there would be silent corruption.
  const vma = m.mm.vmas[0];
  if (vma === undefined) throw new Error('the mapping is still there');
  const fault = handleMmFault(vma, BASE, 0);
  expect(typeof fault === 'number' ? fault : m.run(fault)).toBe(VM_FAULT_SIGBUS);
});

it('gives up where somebody changes the address space', () => {
  const m = new Machine();
  m.map(0, 1);
  m.write(0, 1);
  expect(m.mm.mmapLock.tryWriteFast()).toBe(true);
  expect(m.run(oomReapTaskMm(m.mm))).toBe(false);
  m.mm.mmapLock.unlockWrite();
  expect(m.read(0)).toBe(1);
});

it('passes by what a subscriber would have to sleep for', () => {
  const m = new Machine();
  m.map(0, 1);
  m.write(0, 1);
  m.subscribe({ invalidateRangeStart: () => -11 }, m.mm);
  expect(m.run(oomReapTaskMm(m.mm))).toBe(false);
  expect(m.mm.rssAnon).toBe(1);
});
