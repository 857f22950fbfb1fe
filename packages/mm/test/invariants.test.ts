import { describe, expect, it } from 'vitest';
import {
  CensusMemory,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  mmInvariants,
  PROT_READ,
  takeCensus,
} from '../src/index.js';
import { PG_anon_exclusive, PG_free, PG_locked, PG_lru, PG_zone_device } from '../src/mem-map.js';
import { PTE_HUGE, PTE_WRITE } from '../src/pte.js';
import { BASE, Machine } from './support.js';

/** A machine with one written page and one that is only read; what a case needs to damage it. */
interface Healthy {
  readonly m: Machine;
  /** Lane of the written page's entry, and its frame. */
  readonly entry: number;
  readonly pfn: number;
}

function healthy(): Healthy {
  const m = new Machine();
  m.map(0, 4);
  m.map(8, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
  m.fill(0, 2);
  return { m, entry: m.system.tables.findPte(m.mm.root, BASE), pfn: m.pfn(0) };
}

const set = (column: { [at: number]: number }, at: number, bits: number): void => {
  column[at] = (column[at] ?? 0) | bits;
};

describe('each invariant names the state that breaks it', () => {
  it.each<[string, RegExp, (state: Healthy) => void]>([
    ['I19', /has 5 references/, ({ m, pfn }): void => void (m.system.map.refcount[pfn] = 5)],
    ['I20', /counts 3 mappings of 1/, ({ m, pfn }): void => void (m.system.map.mapcount[pfn] = 3)],
    [
      'I21',
      /names the free frame/,
      ({ m, pfn }): void => {
        set(m.system.map.flags, pfn, PG_free);
      },
    ],
    ['I24', /exclusive frame .* has 2 entries/, twice],
    [
      'I25',
      /may write the shared frame/,
      ({ m, pfn }): void => {
        m.system.map.clear(pfn, PG_anon_exclusive);
      },
    ],
    ['I26', /has 2 writable entries/, twice],
    [
      'I27',
      /is writable in a VMA that is not/,
      ({ m }): void => {
        m.read(8);
        set(m.system.tables.lanes, m.system.tables.findPte(m.mm.root, BASE + 8), PTE_WRITE);
      },
    ],
    [
      'I29',
      /has lost its exclusive mark/,
      ({ m, pfn }): void => {
        m.system.map.pincount[pfn] = 1;
        m.system.map.clear(pfn, PG_anon_exclusive);
      },
    ],
    ['I30', /counts 7\/0\/0/, ({ m }): void => void (m.mm.rssAnon = 7)],
    [
      'I50',
      /is on the LRU/,
      ({ m, pfn }): void => {
        set(m.system.map.flags, pfn, PG_zone_device | PG_lru);
      },
    ],
    [
      'I60',
      /is still locked/,
      ({ m, pfn }): void => {
        set(m.system.map.flags, pfn, PG_locked);
      },
    ],
    ['I60', /1 readers/, ({ m }): void => void (m.mm.mmapLock.readers = 1)],
    ['I62', /has 0 users and 2 VMAs/, ({ m }): void => void (m.mm.users = 0)],
    ['I62', /has 0 references/, ({ m }): void => void (m.mm.count = 0)],
    [
      'I64',
      /the huge entry/,
      ({ m, entry }): void => {
        set(m.system.tables.lanes, entry, PTE_HUGE);
      },
    ],
    ['vmaTrees', /has a VMA that is gone/, ({ m }): void => void m.mm.vmas.shift()],
    ['swapSlots', /1 slots are taken/, ({ m }): void => void (m.system.swap.used = 1)],
    ['freeFrames', /frames are held/, ({ m, pfn }): void => void (m.system.map.refcount[pfn] = 0)],
  ])('%s %s', (name, words, damage) => {
    const state = healthy();
    const rule = mmInvariants[name];
    expect(rule?.(state.m.system)).toBeUndefined();
    damage(state);
    expect(rule?.(state.m.system)).toMatch(words);
  });
});

/** A second entry names the written page. */
function twice({ m, entry, pfn }: Healthy): void {
  const { lanes } = m.system.tables;
  const other = m.system.tables.findPte(m.mm.root, BASE + 1);
  lanes[other] = lanes[entry] ?? 0;
  lanes[other + 1] = pfn;
}

describe('a census', () => {
  it('counts the same when it is told which pages can be mapped, and when its memory is used again', () => {
    const { m } = healthy();
    const pages = Array.from({ length: 16 }, (_, i) => BASE + i);
    const memory = new CensusMemory();
    const whole = takeCensus(m.system);
    takeCensus(m.system, memory);
    const told = takeCensus(m.system, memory, pages);
    expect(told.leaves).toEqual(whole.leaves);
    expect(told.frames).toEqual(whole.frames);
    expect(told.refs).toEqual(whole.refs);
    expect(told.mapcount).toEqual(whole.mapcount);
  });
});
