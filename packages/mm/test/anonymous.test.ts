import { Kernel, type Task } from '@hmm/kernel';
import { expect, it } from 'vitest';
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySystem,
  PROT_READ,
  PROT_WRITE,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  SIGSEGV,
  cpuReadByte,
  cpuWriteByte,
  mmCreate,
  sysMmap,
  sysMunmap,
} from '../src/index.js';

const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;

function setup() {
  const kernel = new Kernel();
  const system = new MemorySystem(kernel, { frames: 16384, systemFrames: 8192, maxTables: 1024 });
  const mm = mmCreate(system);
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  const pte = (vpn: number): number => system.tables.lanes[system.tables.findPte(mm.root, vpn)] ?? 0;
  return { kernel, system, mm, run, pte };
}

it('maps the zero page for a read, and copies on the write that follows', () => {
  const { mm, run, pte } = setup();
  const at = run(sysMmap(mm, 0, 8, RW, ANON));
  expect(run(cpuReadByte(mm, at, 0))).toBe(0);
  expect(pte(at) & (PTE_PRESENT | PTE_SPECIAL | PTE_WRITE)).toBe(PTE_PRESENT | PTE_SPECIAL);
  expect(run(cpuWriteByte(mm, at, 5, 42))).toBe(0);
  expect(pte(at) & (PTE_SPECIAL | PTE_WRITE)).toBe(PTE_WRITE);
  expect(run(cpuReadByte(mm, at, 5))).toBe(42);
});

it('gives every page and table back at munmap', () => {
  const { mm, run, system } = setup();
  const before = system.pages.free;
  const tables = system.tables.used;
  const at = run(sysMmap(mm, 0, 600, RW, ANON));
  for (let i = 0; i < 600; i++) run(cpuWriteByte(mm, at + i, 0, i));
  expect(system.pages.free).toBe(before - 600);
  expect(run(sysMunmap(mm, at, 600))).toBe(0);
  expect(system.pages.free).toBe(before);
  expect(system.tables.used).toBe(tables);
  expect(run(cpuReadByte(mm, at, 0))).toBe(-SIGSEGV);
});
