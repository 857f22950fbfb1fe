import { expect, test } from 'vitest';
import { decodeMapValue, TP_UMEM_ODP_MAP } from '@hmm/ib-core';
import { Kernel, type Task } from '@hmm/kernel';
import {
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  PROT_READ,
  PROT_WRITE,
  sysMadvise,
  MADV_DONTNEED,
  sysMmap,
  sysMprotect,
  sysMunmap,
} from '@hmm/mm';
import {
  IB_ACCESS_LOCAL_WRITE,
  IB_ACCESS_ON_DEMAND,
  IB_ACCESS_REMOTE_ATOMIC,
  IB_ACCESS_REMOTE_READ,
  IB_ACCESS_REMOTE_WRITE,
  IB_WC_REM_ACCESS_ERR,
  IB_WC_SUCCESS,
} from '@hmm/rdma-nic';
import { RXE_7_3, RXE_INTENDED, RxeClient, type RxeOptions } from '@hmm/rxe-model';

const ALL =
  IB_ACCESS_ON_DEMAND |
  IB_ACCESS_LOCAL_WRITE |
  IB_ACCESS_REMOTE_READ |
  IB_ACCESS_REMOTE_WRITE |
  IB_ACCESS_REMOTE_ATOMIC;

/** A process with `pages` pages of anonymous memory, registered as region 0. */
function machine(pages: number, options: RxeOptions = RXE_INTENDED) {
  const kernel = new Kernel();
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  const memory = new MemorySystem(kernel, { frames: 8192, systemFrames: 8192, maxTables: 128 });
  const mm = mmCreate(memory);
  const opened = run(new RxeClient(memory, options).openProcess(mm));
  if (!opened.ok) throw new Error(opened.reason);
  const { verbs } = opened.process;
  const vpn = run(sysMmap(mm, 0, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS));
  kernel.trace.on = true;
  const piece = (page: number, count = 1, shift = 0) => ({ mr: 0, page, pages: count, shift });
  const faults = (): string[] => {
    const found: string[] = [];
    for (let i = 0; i < kernel.trace.length; i++) {
      const { kind, value, page } = kernel.trace.at(i);
      if (kind !== TP_UMEM_ODP_MAP) continue;
      const { write, fault, result } = decodeMapValue(value);
      if (fault) found.push(`${page - vpn}${write ? 'w' : 'r'}${result < 0 ? result : ''}`);
    }
    kernel.trace.clear();
    return found;
  };
  return { kernel, run, mm, verbs, vpn, piece, faults };
}

test('a page stored before registration is there, one stored after it is faulted in for reading', () => {
  const { run, mm, verbs, vpn, piece, faults } = machine(2);
  run(cpuWriteByte(mm, vpn, 0, 5));
  run(verbs.register(0, vpn, 2, ALL));
  run(cpuWriteByte(mm, vpn + 1, 0, 6));
  expect(run(verbs.read(piece(0))).values).toEqual([5]);
  expect(faults()).toEqual([]);
  expect(run(verbs.read(piece(1))).values).toEqual([6]);
  expect(faults()).toEqual(['1r']);
});

test('a read of untouched memory maps the zero page, and a write after it faults once more', () => {
  const { run, mm, verbs, vpn, piece, faults } = machine(1);
  run(verbs.register(0, vpn, 1, ALL));
  expect(run(verbs.read(piece(0))).values).toEqual([0]);
  expect(mm.rssAnon).toBe(0);
  expect(run(verbs.write(piece(0), 7)).wc).toBe(IB_WC_SUCCESS);
  expect(faults()).toEqual(['0r', '0w']);
  expect(run(cpuReadByte(mm, vpn, 0))).toBe(7);
});

test('after mprotect for reading, reads go on and a write completes with an access error', () => {
  const { run, mm, verbs, vpn, piece, faults } = machine(1);
  run(cpuWriteByte(mm, vpn, 0, 5));
  run(verbs.register(0, vpn, 1, ALL));
  run(sysMprotect(mm, vpn, 1, PROT_READ));
  expect(run(verbs.read(piece(0))).values).toEqual([5]);
  expect(run(verbs.write(piece(0), 6)).wc).toBe(IB_WC_REM_ACCESS_ERR);
  expect(faults()).toEqual(['0r', '0w-1']);
  expect(run(verbs.read(piece(0))).wc).toBe(IB_WC_SUCCESS);
});

test('after munmap the request fails and the region stays: the address mapped anew serves it', () => {
  const { run, mm, verbs, vpn, piece } = machine(1);
  run(cpuWriteByte(mm, vpn, 0, 5));
  run(verbs.register(0, vpn, 1, ALL));
  run(sysMunmap(mm, vpn, 1));
  expect(run(verbs.read(piece(0))).wc).toBe(IB_WC_REM_ACCESS_ERR);
  run(sysMmap(mm, vpn, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS));
  run(cpuWriteByte(mm, vpn, 0, 9));
  expect(run(verbs.read(piece(0))).values).toEqual([9]);
});

test('after fork the adapter writes to the parent alone', () => {
  const { run, mm, verbs, vpn, piece, faults } = machine(1);
  run(cpuWriteByte(mm, vpn, 0, 5));
  run(verbs.register(0, vpn, 1, ALL));
  expect(run(verbs.write(piece(0), 6)).wc).toBe(IB_WC_SUCCESS);
  expect(faults()).toEqual([]);
  const child = run(dupMm(mm));
  if (typeof child === 'number') throw new Error(`errno ${child}`);
  run(verbs.write(piece(0), 7));
  expect(faults()).toEqual(['0w']);
  expect(run(cpuReadByte(mm, vpn, 0))).toBe(7);
  expect(run(cpuReadByte(child, vpn, 0))).toBe(6);
});

test('an atomic in turn with the CPU takes one fault in all, and nothing is lost', () => {
  const { run, mm, verbs, vpn, piece, faults } = machine(1);
  run(verbs.register(0, vpn, 1, ALL));
  for (let i = 0; i < 100; i++) {
    const before = run(cpuReadByte(mm, vpn, 0));
    run(cpuWriteByte(mm, vpn, 0, before + 1));
    expect(run(verbs.fetchAdd(piece(0), 1)).values).toEqual([before + 1]);
  }
  expect(run(cpuReadByte(mm, vpn, 0))).toBe(200);
  expect(faults()).toEqual(['0w']);
});

test.each([
  ['the second page behind the first, as it is meant', RXE_INTENDED, [1, 2]],
  ['the second page over the first and then stale memory, as in 7.3', RXE_7_3, [2, 9]],
])('a read across a page boundary brings %s', (_title, options, values) => {
  const { run, mm, verbs, vpn, piece } = machine(4, options);
  run(verbs.register(0, vpn, 4, ALL));
  // What an earlier packet had in the memory that the next one gets.
  run(verbs.write(piece(3), 9));
  run(verbs.write(piece(0), 1));
  run(verbs.write(piece(1), 2));
  run(verbs.write(piece(3), 9));
  expect(run(verbs.read(piece(0, 1, 100))).values).toEqual(values);
  expect(run(cpuReadByte(mm, vpn, 0))).toBe(1);
});

test('dontneed takes the entry away: the next read faults and gets zeroes', () => {
  const { run, mm, verbs, vpn, piece, faults } = machine(1);
  run(cpuWriteByte(mm, vpn, 0, 5));
  run(verbs.register(0, vpn, 1, ALL));
  run(sysMadvise(mm, vpn, 1, MADV_DONTNEED));
  expect(run(verbs.read(piece(0))).values).toEqual([0]);
  expect(faults()).toEqual(['0r']);
});
