import { EBUSY, EFAULT, EPERM } from '@hmm/kernel';
import { LEVEL_PMD } from '@hmm/kernel/internal';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  MAP_HUGETLB,
  MEMORY_DEVICE_PRIVATE,
  PROT_NONE,
  PROT_READ,
  VM_IO,
  VM_PFNMAP,
  VM_READ,
  vmaLookup,
} from '@hmm/mm';
import {
  cpuTranslate,
  PG_zone_device_private,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_SPECIAL,
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_HWPOISON,
  PTE_TYPE_MIGRATION,
  PTE_TYPE_SWAP,
  PTE_WRITE,
  PTE_YOUNG,
  ZERO_PFN,
} from '@hmm/mm/internal';
import {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmPfnToMapOrder,
  hmmRangeFault,
} from '@hmm/mirror';
import { BASE, flagsOf, pfnsOf, Process, RW } from './support.js';

const READ = HMM_PFN_REQ_FAULT;
const WRITE = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
const OWNER = 77;

let p: Process;
beforeEach(() => {
  p = new Process();
});

describe('flags are those of the page-table entries', () => {
  test('so that the walk can copy them', () => {
    expect([HMM_PFN_VALID, HMM_PFN_WRITE]).toEqual([PTE_PRESENT, PTE_WRITE]);
  });
});

describe('snapshot', () => {
  test('reports what is mapped and faults nothing in', () => {
    p.map(BASE, 4);
    p.write(BASE, 7);
    p.read(BASE + 1);
    const range = p.range(BASE - 1, 6, 0);
    expect(p.fault(range)).toBe(0);
    expect(flagsOf(range)).toEqual([
      HMM_PFN_ERROR,
      HMM_PFN_VALID | HMM_PFN_WRITE,
      HMM_PFN_VALID,
      0,
      0,
      HMM_PFN_ERROR,
    ]);
    expect(pfnsOf(range)[1]).toBe(cpuTranslate(p.mm, BASE, false));
    expect(pfnsOf(range)[2]).toBe(ZERO_PFN);
    expect(p.system.tables.findPte(p.mm.root, BASE + 2)).toBeGreaterThan(0);
  });

  test('a VMA without read permission is an error entry a page', () => {
    p.map(BASE, 3, PROT_NONE);
    const range = p.range(BASE, 3, 0);
    expect(p.fault(range)).toBe(0);
    expect(flagsOf(range)).toEqual([HMM_PFN_ERROR, HMM_PFN_ERROR, HMM_PFN_ERROR]);
  });

  test('over an address space with nothing in it costs no tables', () => {
    p.map(BASE, 4096);
    const before = p.system.tables.used;
    const range = p.range(BASE, 4096, 0);
    expect(p.fault(range)).toBe(0);
    expect(flagsOf(range).every((flags) => flags === 0)).toBe(true);
    expect(p.system.tables.used).toBe(before);
  });
});

describe('faulting', () => {
  test('every page of the range is there afterwards, read-only where only a read was asked for', () => {
    p.map(BASE, 600);
    const range = p.range(BASE, 600, READ);
    expect(p.fault(range)).toBe(0);
    expect(flagsOf(range).every((flags) => flags === HMM_PFN_VALID)).toBe(true);
  });

  test('a write request makes each page writable and this process its owner; replacing a zero page costs a retry', () => {
    p.map(BASE, 600);
    p.read(BASE + 3);
    expect(p.fault(p.range(BASE, 600, WRITE))).toBe(-EBUSY);
    const range = p.range(BASE, 600, WRITE);
    expect(p.fault(range)).toBe(0);
    expect(new Set(pfnsOf(range)).size).toBe(600);
    expect(flagsOf(range).every((flags) => flags === (HMM_PFN_VALID | HMM_PFN_WRITE))).toBe(true);
  });

  test('one page that has to be faulted for writing takes all behind it in its table along', () => {
    p.map(BASE, 8);
    const range = p.range(BASE, 8, 0);
    range.pfnFlagsMask = -1;
    range.hmmPfns[2 * 2] = WRITE;
    expect(p.fault(range)).toBe(0);
    const rw = HMM_PFN_VALID | HMM_PFN_WRITE;
    // A hole is one block: its pages are faulted from the first on.
    expect(flagsOf(range)).toEqual([rw, rw, rw, rw, rw, rw, rw, rw]);
  });

  test('a write request without a fault request asks for nothing', () => {
    p.map(BASE, 2);
    const range = p.range(BASE, 2, HMM_PFN_REQ_WRITE);
    expect(p.fault(range)).toBe(0);
    expect(flagsOf(range)).toEqual([0, 0]);
  });

  test('own requests count only under the mask', () => {
    p.map(BASE, 1);
    const range = p.range(BASE, 1, 0);
    range.hmmPfns[0] = WRITE;
    expect(p.fault(range)).toBe(0);
    expect(flagsOf(range)).toEqual([0]);
  });
});

describe('errors', () => {
  test('a hole between mappings cannot be faulted; pages before it were', () => {
    p.map(BASE, 2);
    p.map(BASE + 4, 2);
    const range = p.range(BASE, 6, READ);
    expect(p.fault(range)).toBe(-EFAULT);
    expect(cpuTranslate(p.mm, BASE, false)).toBe(ZERO_PFN);
    expect(cpuTranslate(p.mm, BASE + 4, false)).toBe(-1);
  });

  test('a write to a VMA that cannot be written is -EPERM, whatever is mapped there', () => {
    p.map(BASE, 2, PROT_READ);
    expect(p.fault(p.range(BASE, 2, WRITE))).toBe(-EPERM);
    p.read(BASE);
    expect(p.fault(p.range(BASE, 1, WRITE))).toBe(-EPERM);
    expect(p.fault(p.range(BASE, 2, READ))).toBe(0);
  });

  test('an invalidation since the sequence was read is -EBUSY', () => {
    p.map(BASE, 1);
    const range = p.range(BASE, 1, READ);
    range.notifierSeq -= 2;
    expect(p.fault(range)).toBe(-EBUSY);
  });

  test.each([
    ['VM_IO', VM_IO],
    ['VM_PFNMAP', VM_PFNMAP],
  ])('%s memory is not mirrored', (_name, flag) => {
    p.map(BASE, 1);
    const vma = vmaLookup(p.mm, BASE);
    if (vma === undefined) throw new Error('no VMA');
    vma.flags |= flag;
    const range = p.range(BASE, 1, 0);
    expect([p.fault(range), ...flagsOf(range)]).toEqual([0, HMM_PFN_ERROR]);
    expect(p.fault(p.range(BASE, 1, READ))).toBe(-EFAULT);
    expect(vma.flags & VM_READ).not.toBe(0);
  });
});

describe('entries that no present page is behind', () => {
  const own = 20_000;
  beforeEach(() => {
    p.map(BASE, 1);
    p.write(BASE, 1);
    p.system.map.flags[own] = PG_zone_device_private;
    p.system.map.refcount[own] = 1;
    p.system.pagemaps.push({
      type: MEMORY_DEVICE_PRIVATE,
      start: own,
      nr: 1,
      owner: OWNER,
      ops: {
        pageFree: () => undefined,
        *migrateToRam() {
          return 2;
        },
      },
      live: 1,
    });
  });

  test.each([
    ['swap', PTE_TYPE_SWAP],
    ['exclusive', PTE_TYPE_DEVICE_EXCLUSIVE],
    ['migration', PTE_TYPE_MIGRATION],
    ['poison', PTE_TYPE_HWPOISON],
    ['private of another owner', PTE_TYPE_DEVICE_PRIVATE],
  ])('%s: nothing in a snapshot', (_name, flags) => {
    p.setEntry(BASE, flags, own);
    const range = p.range(BASE, 1, 0);
    expect([p.fault(range), ...flagsOf(range)]).toEqual([0, 0]);
  });

  test.each([
    ['writable', PTE_WRITE, HMM_PFN_VALID | HMM_PFN_WRITE],
    ['read-only', 0, HMM_PFN_VALID],
  ])('own private, %s: reported as it is, even to a write request', (_name, write, flags) => {
    p.setEntry(BASE, PTE_TYPE_DEVICE_PRIVATE | write, own);
    for (const ask of [0, READ, WRITE]) {
      const range = p.range(BASE, 1, ask);
      range.devPrivateOwner = OWNER;
      expect([p.fault(range), ...flagsOf(range), ...pfnsOf(range)]).toEqual([0, flags, own]);
    }
  });

  test('private of another owner is faulted home; where that fails the range does', () => {
    p.setEntry(BASE, PTE_TYPE_DEVICE_PRIVATE | PTE_WRITE, own);
    expect(p.fault(p.range(BASE, 1, READ))).toBe(-EFAULT);
  });

  test('poison cannot be faulted', () => {
    p.setEntry(BASE, PTE_TYPE_HWPOISON, own);
    expect(p.fault(p.range(BASE, 1, READ))).toBe(-EFAULT);
  });

  test('a migration is waited for', () => {
    const frame = cpuTranslate(p.mm, BASE, false);
    p.system.map.tryLock(frame);
    p.setEntry(BASE, PTE_TYPE_MIGRATION | PTE_WRITE, frame);
    const { sched } = p.kernel;
    const log: string[] = [];
    sched.spawn(
      'device',
      (function* () {
        yield* p.mm.mmapLock.read();
        const range = p.range(BASE, 1, READ);
        const done = hmmRangeFault(p.mm, range);
        log.push(`fault ${typeof done === 'number' ? done : yield* done} ${flagsOf(range).join()}`);
      })(),
    );
    sched.spawn(
      'migration',
      (function* () {
        yield* sched.delay(5);
        p.setEntry(BASE, PTE_PRESENT, frame);
        log.push('restored');
        p.system.map.unlock(frame);
      })(),
    );
    sched.run();
    expect(log).toEqual(['restored', 'fault 0 1']);
  });
});

describe('special present entries', () => {
  test('a NUMA hint is no valid page in a snapshot, but its frame is told', () => {
    p.map(BASE, 1);
    p.setEntry(BASE, PTE_PRESENT | PTE_PROTNONE, 5000);
    const range = p.range(BASE, 1, 0);
    expect([p.fault(range), ...flagsOf(range), ...pfnsOf(range)]).toEqual([0, 0, 5000]);
  });

  test('a frame without struct page is an error entry, and cannot be faulted', () => {
    p.map(BASE, 1);
    p.setEntry(BASE, PTE_PRESENT | PTE_SPECIAL, 5000);
    const range = p.range(BASE, 1, 0);
    expect([p.fault(range), ...flagsOf(range)]).toEqual([0, HMM_PFN_ERROR]);
    expect(p.fault(p.range(BASE, 1, READ))).toBe(-EFAULT);
  });

  test('a huge mapping gives order 9 and consecutive frames, also to a range in its middle', () => {
    const head = BASE + 512 - (BASE % 512);
    p.map(head, 512);
    const { tables } = p.system;
    const lane = tables.make(p.mm.root, head, LEVEL_PMD);
    tables.lanes[lane] = PTE_PRESENT | PTE_HUGE | PTE_YOUNG | PTE_WRITE;
    tables.lanes[lane + 1] = 8192;
    const range = p.range(head + 100, 3, WRITE);
    expect(p.fault(range)).toBe(0);
    expect(pfnsOf(range)).toEqual([8292, 8293, 8294]);
    expect(flagsOf(range).map(hmmPfnToMapOrder)).toEqual([9, 9, 9]);
    expect(flagsOf(range).every((flags) => (flags & 3) === (HMM_PFN_VALID | HMM_PFN_WRITE))).toBe(true);
  });

  test('a hole in memory of hugetlb tells its order, and one fault fills it', () => {
    const head = BASE + 512 - (BASE % 512);
    p.map(head, 1024, RW, MAP_HUGETLB);
    p.write(head, 1);
    const range = p.range(head + 510, 4, 0);
    expect(p.fault(range)).toBe(0);
    const order = (at: number): number => hmmPfnToMapOrder(flagsOf(range)[at] ?? 0);
    expect([0, 1, 2, 3].map(order)).toEqual([9, 9, 9, 9]);
    expect(flagsOf(range).map((flags) => flags & HMM_PFN_VALID)).toEqual([
      HMM_PFN_VALID,
      HMM_PFN_VALID,
      0,
      0,
    ]);
    const faulted = p.range(head + 600, 2, WRITE);
    expect(p.fault(faulted)).toBe(0);
    expect(pfnsOf(faulted).map((pfn) => pfn % 512)).toEqual([88, 89]);
    expect(p.system.hugetlb.freeHugePages).toBe(0);
  });
});

test('a live DMA mapping is still marked after the slot is filled again', () => {
  p.map(BASE, 1, RW);
  p.write(BASE, 1);
  const range = p.range(BASE, 1, READ);
  range.hmmPfns[0] = HMM_PFN_DMA_MAPPED;
  expect(p.fault(range)).toBe(0);
  expect(flagsOf(range)).toEqual([HMM_PFN_VALID | HMM_PFN_WRITE | HMM_PFN_DMA_MAPPED]);
});
