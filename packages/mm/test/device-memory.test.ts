import { beforeEach, describe, expect, it } from 'vitest';
import {
  type DevPagemap,
  MADV_DONTNEED,
  MEMORY_DEVICE_PRIVATE,
  type MmStruct,
  PM_SWAP,
  PROT_READ,
  VM_FAULT_SIGBUS,
  dupMm,
  mmput,
  SIGBUS,
  sysMadvise,
  sysMprotect,
  sysMunmap,
} from '../src/index.js';
import { PG_anon, PG_swapbacked, PG_zone_device_private } from '../src/mem-map.js';
import {
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_MASK,
  PTE_WRITE,
  PTE_YOUNG,
} from '../src/pte.js';
import { pagemapOf, pagePgmap } from '../src/memremap.js';
import { BASE, Machine } from './support.js';

const FIRST = 8192;

let m = new Machine();
let freed: number[] = [];
let faults: [page: number, references: number][] = [];
let answer = 0;
let pgmap: DevPagemap;

/** The page at `page` is moved to device frame `pfn`, as a migration leaves it. */
function toDevice(page: number, pfn: number): void {
  const { map, tables } = m.system;
  const entry = tables.findPte(m.mm.root, BASE + page);
  const home = m.pfn(page);
  map.flags[pfn] = PG_zone_device_private | PG_anon | PG_swapbacked;
  map.refcount[pfn] = 1;
  map.mapcount[pfn] = 1;
  map.mapping[pfn] = map.mapping[home] ?? 0;
  map.index[pfn] = map.index[home] ?? 0;
  pgmap.live++;
  tables.lanes[entry] = PTE_TYPE_DEVICE_PRIVATE | PTE_WRITE;
  tables.lanes[entry + 1] = pfn;
}

const fork = (): MmStruct => {
  const child = m.run(dupMm(m.mm));
  if (typeof child === 'number') throw new Error(`fork: ${child}`);
  return child;
};

beforeEach(() => {
  m = new Machine();
  freed = [];
  faults = [];
  answer = VM_FAULT_SIGBUS;
  pgmap = {
    type: MEMORY_DEVICE_PRIVATE,
    start: FIRST,
    nr: 64,
    owner: 7,
    live: 0,
    ops: {
      pageFree: (pfn) => freed.push(pfn),
      *migrateToRam({ page }) {
        faults.push([page, m.system.map.refcount[page] ?? 0]);
        return answer;
      },
    },
  };
  m.system.pagemaps.push(pgmap);
  m.map(0, 4);
  m.fill(0, 4);
  toDevice(1, FIRST + 5);
});

describe('a page in device-private memory', () => {
  it('is found by its frame, and system memory is none', () => {
    for (const pfn of [FIRST, FIRST + 63]) expect(pagemapOf(m.system, pfn)).toBe(pgmap);
    for (const pfn of [FIRST - 1, FIRST + 64]) expect(pagemapOf(m.system, pfn)).toBeUndefined();
    expect(() => pagePgmap(m.system, FIRST - 1)).toThrow(/no device memory/);
  });

  it('is brought home by its driver, which sees a reference of the fault besides the mapping', () => {
    expect(m.read(1)).toBe(-SIGBUS);
    expect(m.write(1, 3)).toBe(-SIGBUS);
    expect(faults).toEqual([
      [FIRST + 5, 2],
      [FIRST + 5, 2],
    ]);
    expect(m.system.map.refcount[FIRST + 5]).toBe(1);
    expect([m.read(0), m.read(2)]).toEqual([1, 3]);
    expect(faults).toHaveLength(2);
  });

  it('is no page of this machine to pagemap', () => {
    expect(m.pagemap(1)).toBe(PM_SWAP);
  });

  it.each([
    ['munmap', () => m.run(sysMunmap(m.mm, BASE, 4))],
    ['MADV_DONTNEED', () => m.run(sysMadvise(m.mm, BASE, 4, MADV_DONTNEED))],
    [
      'exit',
      () => {
        m.run(mmput(m.mm));
        return 0;
      },
    ],
  ])('goes back to its owner with %s', (_name, run) => {
    const rss = m.mm.rssAnon;
    expect(run()).toBe(0);
    expect(freed).toEqual([FIRST + 5]);
    expect([pgmap.live, m.system.map.mapcount[FIRST + 5], m.system.map.mapping[FIRST + 5]]).toEqual([
      0, 0, 0,
    ]);
    expect(m.mm.rssAnon).toBe(rss - 4);
  });

  it('loses and regains the right to be written with its VMA', () => {
    const write = (): number => m.pte(1) & (PTE_TYPE_MASK | PTE_WRITE);
    expect(m.run(sysMprotect(m.mm, BASE, 4, PROT_READ))).toBe(0);
    expect(write()).toBe(PTE_TYPE_DEVICE_PRIVATE);
    expect(m.pfn(1)).toBe(FIRST + 5);
  });

  it('is shared with a child read-only, and freed with the last of them', () => {
    const child = fork();
    for (const mm of [m.mm, child]) {
      expect(m.pte(1, mm) & (PTE_TYPE_MASK | PTE_WRITE)).toBe(PTE_TYPE_DEVICE_PRIVATE);
      expect(m.pfn(1, mm)).toBe(FIRST + 5);
    }
    expect([m.system.map.refcount[FIRST + 5], m.system.map.mapcount[FIRST + 5]]).toEqual([2, 2]);
    m.run(mmput(child));
    expect(freed).toEqual([]);
    expect(m.run(sysMunmap(m.mm, BASE + 1, 1))).toBe(0);
    expect(freed).toEqual([FIRST + 5]);
  });

  it('wakes who waits for the last page of its device to be given back', () => {
    toDevice(2, FIRST + 6);
    const { sched } = m.kernel;
    const waiting = sched.spawnDaemon('remove', sched.block(m.system.map.channels + FIRST));
    sched.step(waiting);
    m.run(sysMunmap(m.mm, BASE + 1, 1));
    expect(sched.next()).toBeUndefined();
    m.run(sysMunmap(m.mm, BASE + 2, 1));
    expect(sched.next()).toBe(waiting);
  });
});

describe('a page that a device has for itself', () => {
  /** As `make_device_exclusive` leaves it in 6.12: the entry holds a reference and no mapping. */
  function exclusive(page: number): number {
    const { map, tables } = m.system;
    const entry = tables.findPte(m.mm.root, BASE + page);
    const pfn = m.pfn(page);
    map.mapcount[pfn] = 0;
    tables.lanes[entry] = PTE_TYPE_DEVICE_EXCLUSIVE | PTE_WRITE;
    return pfn;
  }

  it('is the process again at the first touch, announced for that page', () => {
    const pfn = exclusive(2);
    const references = m.system.map.refcount[pfn];
    m.listen();
    expect(m.read(2)).toBe(3);
    expect(m.events()).toEqual([['EXCLUSIVE', 2, 1]]);
    expect(m.pfn(2)).toBe(pfn);
    expect(m.pte(2) & (PTE_TYPE_MASK | PTE_WRITE | PTE_YOUNG)).toBe(PTE_WRITE | PTE_YOUNG);
    expect([m.system.map.refcount[pfn], m.system.map.mapcount[pfn]]).toEqual([references, 1]);
  });

  it('is given back with the mapping', () => {
    const pfn = exclusive(2);
    expect(m.run(sysMunmap(m.mm, BASE + 2, 1))).toBe(0);
    expect(m.system.map.refcount[pfn]).toBe(0);
  });

  it('is an ordinary one of both processes after fork', () => {
    const pfn = exclusive(2);
    const child = fork();
    expect([m.read(2), m.read(2, child)]).toEqual([3, 3]);
    expect([m.pfn(2), m.pfn(2, child)]).toEqual([pfn, pfn]);
    expect([m.pte(2) & PTE_WRITE, m.pte(2, child) & PTE_WRITE]).toEqual([0, 0]);
  });
});
