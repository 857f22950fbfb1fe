import { expect, test } from 'vitest';
import { decodeMapValue, IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH, TP_UMEM_ODP_MAP } from '@hmm/ib-core';
import { errnoName, HmmError, Kernel, type Task } from '@hmm/kernel';
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
  postSend,
  QueuePair,
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
  const client = new RxeClient(memory, options);
  const { driver } = client;
  const opened = run(client.openProcess(mm));
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
  return { kernel, run, mm, driver, verbs, vpn, piece, faults };
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

test.each([
  ['refused, as it is meant', RXE_INTENDED, 'EINVAL'],
  ['memory-unsafe in 7.3', RXE_7_3, 'UNSAFE'],
])('advice for a pinned region is %s', (_title, options, outcome) => {
  const { run, verbs, vpn, piece } = machine(1, options);
  run(verbs.register(0, vpn, 1, ALL & ~IB_ACCESS_ON_DEMAND));
  let seen: string;
  try {
    seen = errnoName(run(verbs.advise(piece(0), IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH)).rc);
  } catch (error) {
    seen = error instanceof HmmError ? error.code : 'other';
  }
  expect(seen).toBe(outcome);
});

test('a region whose addresses are not those of its memory works as it is meant, and not in 7.3', () => {
  for (const [options, status] of [
    [RXE_INTENDED, IB_WC_SUCCESS],
    [RXE_7_3, IB_WC_REM_ACCESS_ERR],
  ] as const) {
    const { run, mm, driver, vpn } = machine(1, options);
    run(cpuWriteByte(mm, vpn, 0, 5));
    const mr = run(driver.regUserMr(mm, 1, { va: vpn * 4096, iova: 0x10000, length: 4096, access: ALL }));
    if (typeof mr === 'number') throw new Error(`errno ${mr}`);
    const buffer = driver.regBuffer(1, 15, new Uint8Array(8));
    const peer = new QueuePair(driver, 1);
    peer.connect(new QueuePair(driver, 1));
    const local = { key: buffer.key, addr: 0, length: 8 };
    const remote = { key: mr.key, addr: 0x10000, length: 8 };
    expect(run(postSend(peer, { opcode: 'RDMA_READ', local, remote })).status).toBe(status);
  }
});
