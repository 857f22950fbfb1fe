import { ENTRY_TABLE } from '@hmm/kernel/internal';
import {
  FOLL_WRITE,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  mmput,
  PROT_READ,
  pinUserPages,
  sysMadvise,
  sysMprotect,
  sysMremap,
  sysMunmap,
  unpinUserPage,
} from '@hmm/mm';
import {
  folioMapcount,
  HUGE_ZERO_PFN,
  isDevicePrivatePte,
  PG_anon_exclusive,
  PG_head,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_WRITE,
} from '@hmm/mm/internal';
import { afterEach, describe, expect, test } from 'vitest';
import { BASE, RW } from './support.js';
import { type HugeDriver, type HugeHost, hugeMemory, NR } from './support-huge.js';

const ALL = Array.from({ length: NR }, (_, i) => i);
let host: HugeHost;
let device: HugeDriver;

function setUp(filled = true): void {
  ({ host, device } = hugeMemory(filled));
}

const holds = (first?: number, last?: number): void => {
  expect(host.wrong(first, last)).toEqual([]);
};

afterEach(() => {
  expect(device.broken).toEqual([]);
  expect(host.broken()).toBeUndefined();
});

describe('system calls on a private PMD', () => {
  test('munmap of a part splits the entry; the folio is split when it migrates', () => {
    setUp();
    device.toDevice(BASE, NR);
    const [, folio] = host.pmd(BASE);
    host.run(sysMunmap(host.mm, BASE, 100));
    expect(isDevicePrivatePte(host.pte(BASE + 100))).toBe(true);
    expect(host.system.map.test(folio, PG_head)).toBe(true);
    expect(folioMapcount(host.system, folio)).toBe(NR - 100);
    expect([host.mm.rssAnon, device.splits.length]).toEqual([NR - 100, 0]);
    expect(host.broken()).toBeUndefined();
    // A fault is for one page now, whatever the folio's order.
    expect(host.read(BASE + 300)).toBe(300 % 251);
    expect(device.splits).toHaveLength(NR);
    expect(host.pte(BASE + 300) & PTE_PRESENT).not.toBe(0);
    expect(isDevicePrivatePte(host.pte(BASE + 301))).toBe(true);
    // The pages of the part that was unmapped are free now, one by one.
    expect(device.free).toHaveLength(101);
    holds(100);
  });

  test('munmap and MADV_DONTNEED of all of it free the folio at once', () => {
    for (const call of [sysMunmap, dontneed]) {
      setUp();
      device.toDevice(BASE, NR);
      host.run(call(host.mm, BASE, NR));
      expect([device.freeFolios.length, host.mm.rssAnon, device.frees]).toEqual([2, 0, 1]);
      expect(host.broken()).toBeUndefined();
    }
  });

  test('mprotect of all of it makes the entry read-only, for good; of a part, splits it', () => {
    setUp();
    device.toDevice(BASE, NR);
    host.run(sysMprotect(host.mm, BASE, NR, PROT_READ));
    expect(host.pmd(BASE)[0] & (PTE_HUGE | PTE_WRITE)).toBe(PTE_HUGE);
    host.run(sysMprotect(host.mm, BASE, NR, RW));
    expect(host.pmd(BASE)[0] & PTE_WRITE).toBe(0);
    holds();
    setUp();
    device.toDevice(BASE, NR);
    host.run(sysMprotect(host.mm, BASE, 200, PROT_READ));
    expect([host.pte(BASE) & PTE_WRITE, host.pte(BASE + 200) & PTE_WRITE]).toEqual([0, PTE_WRITE]);
    holds();
  });

  test('mremap moves the entry as it is, or split', () => {
    setUp();
    device.toDevice(BASE, NR);
    const to = BASE + 8 * NR;
    const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    host.run(sysMremap(host.mm, BASE, NR, NR, flags, to));
    expect(isDevicePrivatePte(host.pmd(to)[0])).toBe(true);
    expect(host.broken()).toBeUndefined();
    expect(host.run(sysMremap(host.mm, to, NR, NR, flags, BASE + 20 * NR + 3))).toBe(BASE + 20 * NR + 3);
    expect(isDevicePrivatePte(host.pte(BASE + 20 * NR + 3))).toBe(true);
    for (const i of ALL) expect(host.read(BASE + 20 * NR + 3 + i)).toBe(i % 251);
  });

  test('fork: both have the entry read-only; the first to write brings the folio home for both', () => {
    setUp();
    device.toDevice(BASE, NR);
    const child = host.fork();
    const [, folio] = host.pmd(BASE);
    for (const mm of [host.mm, child]) expect(host.pmd(BASE, mm)[0] & (PTE_HUGE | PTE_WRITE)).toBe(PTE_HUGE);
    expect(host.system.map.test(folio, PG_anon_exclusive)).toBe(false);
    expect([host.system.map.refcount[folio], folioMapcount(host.system, folio), child.rssAnon]).toEqual([
      2,
      2,
      NR,
    ]);
    expect(host.broken()).toBeUndefined();
    host.write(BASE + 7, 200);
    expect([host.read(BASE + 7), host.read(BASE + 7, child)]).toEqual([200, 7]);
    expect([host.read(BASE + 8), host.read(BASE + 8, child)]).toEqual([8, 8]);
    expect(device.pgmap.live).toBe(0);
    expect(host.broken()).toBeUndefined();
    host.run(mmput(child));
  });

  test('fork, then home as single pages: the entry of the other process is split too', () => {
    setUp();
    device.toDevice(BASE, NR);
    const child = host.fork();
    device.smallSystem = true;
    expect(host.read(BASE + 1, child)).toBe(1);
    expect(host.pmd(BASE)[0]).toBe(ENTRY_TABLE);
    expect(host.pmd(BASE, child)[0]).toBe(ENTRY_TABLE);
    for (const i of ALL) expect(host.read(BASE + i, child)).toBe(i % 251);
    holds();
    expect(host.broken()).toBeUndefined();
    host.run(mmput(child));
  });

  test('fork, then a part unmapped in one process: the other still has it whole', () => {
    setUp();
    device.toDevice(BASE, NR);
    const child = host.fork();
    host.run(sysMunmap(child, BASE + 3, 500));
    expect(isDevicePrivatePte(host.pmd(BASE)[0])).toBe(true);
    expect(host.broken()).toBeUndefined();
    // The parent's fault takes it whole, from PTEs in the child.
    expect(host.read(BASE + 3)).toBe(3);
    expect(host.pmd(BASE)[0] & (PTE_HUGE | PTE_PRESENT)).toBe(PTE_HUGE | PTE_PRESENT);
    expect(host.read(BASE + 2, child)).toBe(2);
    holds();
    expect(host.broken()).toBeUndefined();
    host.run(mmput(child));
  });

  test('madvise passes it by', () => {
    setUp();
    device.toDevice(BASE, NR);
    const before = host.pmd(BASE);
    for (const advice of [MADV_COLD, MADV_PAGEOUT, MADV_FREE]) {
      host.run(sysMadvise(host.mm, BASE, NR, advice));
      expect(host.pmd(BASE)).toEqual(before);
      host.run(sysMadvise(host.mm, BASE, 100, advice));
      expect(host.pmd(BASE)).toEqual(before);
    }
    expect(host.run(sysMadvise(host.mm, BASE, NR, MADV_COLLAPSE))).toBeLessThan(0);
    holds();
  });

  test('a pin brings it home first', () => {
    setUp();
    device.toDevice(BASE, NR);
    const pages: number[] = [];
    expect(host.run(pinUserPages(host.mm, BASE + 40, 2, FOLL_WRITE, pages))).toBe(2);
    expect(host.pmd(BASE)[0] & PTE_PRESENT).not.toBe(0);
    expect(pages[0]).toBe(host.pmd(BASE)[1] + 40);
    for (const page of pages) unpinUserPage(host.system, page);
  });

  test('exit frees the folio', () => {
    setUp();
    device.toDevice(BASE, NR);
    const child = host.fork();
    host.run(mmput(child));
    expect(device.frees).toBe(0);
    host.run(sysMunmap(host.mm, BASE, 2 * NR));
    expect(device.freeFolios).toHaveLength(2);
  });
});

describe('a folio that is used again', () => {
  test('has nothing of its earlier life: single pages of its range are small', () => {
    setUp();
    device.toDevice(BASE, NR);
    const [, folio] = host.pmd(BASE);
    expect(folio).not.toBe(HUGE_ZERO_PFN);
    host.run(sysMunmap(host.mm, BASE, NR));
    host.write(BASE + NR, 3);
    device.smallDevice = true;
    host.run(sysMunmap(host.mm, BASE + NR + 1, NR - 1));
    expect(device.toDevice(BASE + NR, 1)).toEqual([true]);
    const pfn = host.pfn(BASE + NR);
    expect(host.system.map.folio(pfn)).toBe(pfn);
    expect(host.read(BASE + NR)).toBe(3);
  });
});

function dontneed(
  mm: Parameters<typeof sysMunmap>[0],
  start: number,
  pages: number,
): ReturnType<typeof sysMunmap> {
  return sysMadvise(mm, start, pages, MADV_DONTNEED);
}
