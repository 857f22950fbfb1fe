import { expect, it } from 'vitest';
import { PTE_WRITE } from '../src/pte.js';
import { NotifierOracle } from './notifier-oracle.js';
import { BASE, Machine } from './support.js';

function watched(): { m: Machine; oracle: NotifierOracle; entry: number } {
  const m = new Machine();
  m.map(0, 4);
  m.fill(0, 4);
  const oracle = new NotifierOracle(m, 8);
  oracle.watch(m.mm);
  return { m, oracle, entry: m.system.tables.findPte(m.mm.root, BASE + 1) };
}

it.each([
  ['goes away', (flags: number, pfn: number): [number, number] => [0, pfn]],
  [
    'may not be written any more',
    (flags: number, pfn: number): [number, number] => [flags & ~PTE_WRITE, pfn],
  ],
  ['names another frame', (flags: number, pfn: number): [number, number] => [flags, pfn + 1]],
])('sees an entry that %s, unannounced', (_what, change) => {
  const { m, oracle, entry } = watched();
  const { lanes } = m.system.tables;
  expect(oracle.look()).toBeUndefined();
  const [flags, pfn] = change(lanes[entry] ?? 0, lanes[entry + 1] ?? 0);
  lanes[entry] = flags;
  lanes[entry + 1] = pfn;
  expect(oracle.look()).toMatch(/page 1 of mm \d+ lost a right unannounced/);
});

it('has nothing against an entry that gains a right', () => {
  const { m, oracle } = watched();
  m.read(5);
  m.map(4, 2);
  m.read(4);
  m.write(4, 1);
  expect(oracle.look()).toBeUndefined();
});
