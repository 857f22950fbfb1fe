import type { AccessObserver } from '@hmm/kernel/internal';
import { expect, it } from 'vitest';
import {
  MADV_DONTNEED,
  MADV_PAGEOUT,
  dupMm,
  PROT_READ,
  sysMadvise,
  sysMprotect,
  sysMunmap,
} from '../src/index.js';
import { BASE, Machine } from './support.js';

/** Notes which objects are written while `run` runs. */
function writes(m: Machine, run: () => unknown): ReadonlySet<number> {
  const written = new Set<number>();
  const nothing = (): void => undefined;
  const observer: AccessObserver = {
    access: (object, write) => {
      if (write) written.add(object);
    },
    count: nothing,
    acquire: nothing,
    release: nothing,
  };
  m.kernel.sched.observer = observer;
  run();
  m.kernel.sched.observer = undefined;
  return written;
}

// A search takes two steps for independent that have no object in common of which one writes: what is written and not told
// of hides interleavings from it.
it.each([
  ['the first write to a page', (m: Machine) => m.write(3, 1)],
  ['the first read of a page', (m: Machine) => m.read(3)],
  ['a write to a page shared with a child', (m: Machine) => m.write(0, 1)],
  ['reading a page back from swap', (m: Machine) => m.read(1)],
  ['munmap', (m: Machine) => m.run(sysMunmap(m.mm, BASE, 2))],
  ['MADV_DONTNEED', (m: Machine) => m.run(sysMadvise(m.mm, BASE, 1, MADV_DONTNEED))],
  ['MADV_PAGEOUT', (m: Machine) => m.run(sysMadvise(m.mm, BASE + 2, 1, MADV_PAGEOUT))],
  ['mprotect', (m: Machine) => m.run(sysMprotect(m.mm, BASE + 2, 1, PROT_READ))],
  ['fork', (m: Machine) => m.run(dupMm(m.mm))],
])('%s tells of every page-table entry that it changes', (_name, run) => {
  const m = new Machine();
  m.map(0, 8);
  m.fill(0, 2);
  m.run(sysMadvise(m.mm, BASE + 1, 1, MADV_PAGEOUT));
  m.run(dupMm(m.mm));
  m.write(2, 1);
  const { tables, pteObjects } = m.system;
  const entries = Array.from({ length: 8 }, (_, i) => tables.findPte(m.mm.root, BASE + i));
  const of = (): string[] => entries.map((entry) => `${tables.lanes[entry]},${tables.lanes[entry + 1]}`);
  const before = of();
  const written = writes(m, () => run(m));
  const after = of();
  const changed = entries.filter((_entry, i) => before[i] !== after[i]);
  for (const entry of changed) expect(written.has(pteObjects + (entry >>> 1))).toBe(true);
  expect(changed.length).toBeGreaterThan(0);
});
