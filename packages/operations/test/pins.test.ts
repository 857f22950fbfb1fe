import { EFAULT, EINVAL, Kernel, type Task } from '@hmm/kernel';
import { cpuWriteByte, MemorySystem, mmCreate, type MmStruct } from '@hmm/mm';
import { type OperationProcess } from '@hmm/operations';
import { exitProcess, mapMemory, pinPages, unpinPages } from '@hmm/operations/internal';
import { expect, test } from 'vitest';

const BASE = 2 ** 32;

/** A process with `pages` pages of private memory at {@link BASE}, each written. */
function setUp(pages: number): {
  readonly process: OperationProcess;
  readonly pinsOf: (page: number) => number;
  readonly run: <T>(task: Task<T>) => T;
} {
  const kernel = new Kernel();
  const system = new MemorySystem(kernel, { frames: 4096, systemFrames: 4096 });
  const mm: MmStruct = mmCreate(system);
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  expect(run(mapMemory(mm, BASE, pages, 'rw', 'malloc'))).toBe(0);
  for (let i = 0; i < pages; i++) expect(run(cpuWriteByte(mm, BASE + i, 0, i))).toBe(0);
  const process = { name: 'p', mm, pins: [], alive: true, openedDevices: () => [] };
  const frames = Array.from({ length: pages }, (_, i) => frameOf(mm, BASE + i));
  const before = frames.map((pfn) => system.map.refcount[pfn] ?? 0);
  const pinsOf = (page: number): number =>
    (system.map.refcount[frames[page] ?? 0] ?? 0) - (before[page] ?? 0);
  return { process, pinsOf, run };
}

function frameOf(mm: MmStruct, vpn: number): number {
  const { tables } = mm.system;
  const entry = tables.findPte(mm.root, vpn);
  return entry < 0 ? -1 : (tables.lanes[entry + 1] ?? -1);
}

test('the pins of a range are dropped, and no others; a second time there are none', () => {
  const { process, pinsOf, run } = setUp(3);
  expect(run(pinPages(process, BASE, 3, true))).toBe(0);
  const pinned = pinsOf(2);
  expect(pinned).toBeGreaterThan(0);
  expect(unpinPages(process, BASE, 1)).toBe(0);
  expect(unpinPages(process, BASE, 1)).toBe(-EINVAL);
  expect([pinsOf(0), pinsOf(1), pinsOf(2)]).toEqual([0, pinned, pinned]);
  expect(process.pins.map(({ vpn }) => vpn - BASE)).toEqual([1, 2]);
});

test('where only some of the pages can be pinned, none is', () => {
  const { process, pinsOf, run } = setUp(2);
  expect(run(pinPages(process, BASE, 3, true))).toBe(-EFAULT);
  expect([pinsOf(0), pinsOf(1)]).toEqual([0, 0]);
  expect(process.pins).toEqual([]);
});

test('a process that ends drops its pins: its frames are free', () => {
  const { process, run } = setUp(2);
  const { mm } = process;
  const pfn = frameOf(mm, BASE);
  expect(run(pinPages(process, BASE, 2, true))).toBe(0);
  run(exitProcess(process));
  expect(process.pins).toEqual([]);
  expect(mm.system.map.refcount[pfn]).toBe(0);
  run(exitProcess(process));
  expect(process.alive).toBe(false);
});
