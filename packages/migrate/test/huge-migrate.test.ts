import { type Release, type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import {
  cpuReadByte,
  FOLL_WRITE,
  PM_SWAP,
  pagemapEntry,
  pinUserPages,
  sysMunmap,
  unpinUserPage,
} from '@hmm/mm';
import {
  isDevicePrivatePte,
  isMigrationPte,
  NO_PFN,
  PG_anon_exclusive,
  PG_head,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_WRITE,
} from '@hmm/mm/internal';
import {
  I67,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDeviceRange,
  migratePfn,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from '@hmm/migrate';
import { afterEach, describe, expect, test } from 'vitest';
import { BASE } from './support.js';
import { type HugeDriver, type HugeHost, hugeMemory, NR } from './support-huge.js';

let host: HugeHost;
let device: HugeDriver;

function setUp(filled = true, release: Release = '6.19'): void {
  ({ host, device } = hugeMemory(filled, release));
}

const holds = (first?: number, last?: number): void => {
  expect(host.wrong(first, last)).toEqual([]);
};

afterEach(() => {
  expect(device.broken).toEqual([]);
  expect(host.broken()).toBeUndefined();
});

describe('collecting', () => {
  test('a huge page is one slot with COMPOUND, the other 511 are 0, and counts once', () => {
    setUp();
    const args = device.args(
      host.vma(BASE),
      BASE,
      NR,
      MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND,
    );
    const [, folio] = host.pmd(BASE);
    expect(host.run(migrateVmaSetup(args))).toBe(0);
    expect(args.src[0]).toBe(
      migratePfn(folio) | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_WRITE | MIGRATE_PFN_COMPOUND,
    );
    expect(args.src.subarray(1).every((slot) => slot === 0)).toBe(true);
    expect([args.cpages, args.npages]).toEqual([1, NR]);
    expect(isMigrationPte(host.pmd(BASE)[0])).toBe(true);
    expect(host.events()).toEqual([['MIGRATE', 0, NR]]);
    // Nothing is given: all stays as it was.
    host.run(migrateVmaPages(args));
    host.run(migrateVmaFinalize(args));
    expect(host.pmd(BASE)[0] & (PTE_HUGE | PTE_PRESENT | PTE_WRITE)).toBe(PTE_HUGE | PTE_PRESENT | PTE_WRITE);
    holds();
  });

  test('where nothing is, 2 MiB are one compound hole; so are they under the huge zero page', () => {
    for (const read of [false, true]) {
      setUp(false);
      if (read) expect(host.read(BASE)).toBe(0);
      const flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
      const args = device.args(host.vma(BASE), BASE, NR, flags);
      host.run(migrateVmaSetup(args));
      expect(args.src[0]).toBe(MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND);
      expect([args.cpages, args.npages]).toEqual([1, NR]);
      host.run(migrateVmaFinalize(args));
    }
  });

  test('without SELECT_COMPOUND, and for a part, a huge page is split', () => {
    setUp();
    const args = device.args(host.vma(BASE), BASE, NR, MIGRATE_VMA_SELECT_SYSTEM);
    host.run(migrateVmaSetup(args));
    expect(args.cpages).toBe(NR);
    expect((args.src[1] ?? 0) & MIGRATE_PFN_COMPOUND).toBe(0);
    host.run(migrateVmaFinalize(args));
    setUp();
    expect(device.toDevice(BASE + 100, 300).filter(Boolean)).toHaveLength(300);
    expect(isDevicePrivatePte(host.pte(BASE + 100))).toBe(true);
    holds();
  });

  test('without SELECT_SYSTEM a huge page is left alone', () => {
    setUp();
    const args = device.args(host.vma(BASE), BASE, NR, MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
    host.run(migrateVmaSetup(args));
    expect(args.cpages).toBe(0);
    expect(host.pmd(BASE)[0] & PTE_HUGE).not.toBe(0);
  });

  test('a huge page that is locked, or pinned, stays', () => {
    setUp();
    const [, folio] = host.pmd(BASE);
    host.system.map.tryLock(folio);
    expect(device.toDevice(BASE, NR).some(Boolean)).toBe(false);
    host.system.map.unlock(folio);
    const pages: number[] = [];
    host.run(pinUserPages(host.mm, BASE + 3, 1, FOLL_WRITE, pages));
    expect(device.toDevice(BASE, NR).some(Boolean)).toBe(false);
    unpinUserPage(host.system, pages[0] ?? 0);
    expect(device.toDevice(BASE, NR)[0]).toBe(true);
    holds();
  });

  test('a large folio that PTEs map is split and taken page by page', () => {
    setUp();
    host.run(sysMunmap(host.mm, BASE, 16));
    expect(host.system.map.test(host.system.map.folio(host.pfn(BASE + 16)), PG_head)).toBe(true);
    expect(device.toDevice(BASE + 16, NR - 16).filter(Boolean)).toHaveLength(NR - 16);
    holds(16);
  });

  test('before 6.19 it is split, or left alone where PTEs map it', () => {
    setUp(true, '6.12');
    expect(device.toDevice(BASE, NR).filter(Boolean)).toHaveLength(NR);
    expect(host.pmd(BASE)[0]).toBe(ENTRY_TABLE);
    setUp(true, '6.12');
    host.run(sysMunmap(host.mm, BASE, 16));
    expect(device.toDevice(BASE + 16, NR - 16).some(Boolean)).toBe(false);
  });
});

describe('to the device', () => {
  test('a huge page moves whole: one private PMD, one folio, one event', () => {
    setUp();
    const [, from] = host.pmd(BASE);
    expect(device.toDevice(BASE, NR)[0]).toBe(true);
    expect(host.events()).toEqual([['MIGRATE', 0, NR]]);
    const [flags, folio] = host.pmd(BASE);
    expect(isDevicePrivatePte(flags)).toBe(true);
    expect(flags & (PTE_HUGE | PTE_WRITE | PTE_PRESENT)).toBe(PTE_HUGE | PTE_WRITE);
    expect(host.system.map.test(folio, PG_head | PG_anon_exclusive)).toBe(true);
    expect([device.pgmap.live, host.mm.rssAnon, host.system.map.refcount[from]]).toEqual([NR, NR, 0]);
    expect(pagemapEntry(host.mm, BASE + 9)).toBe(PM_SWAP);
  });

  test('a compound hole becomes a private PMD of zeroes; so does the huge zero page', () => {
    for (const read of [false, true]) {
      setUp(false);
      if (read) host.read(BASE);
      expect(device.toDevice(BASE, NR)[0]).toBe(true);
      expect(isDevicePrivatePte(host.pmd(BASE)[0])).toBe(true);
      expect(host.read(BASE + 17)).toBe(0);
      expect(host.mm.rssAnon).toBe(NR);
      expect(host.broken()).toBeUndefined();
    }
  });

  test('a thread that fills the hole meanwhile wins', () => {
    setUp(false);
    const flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
    const args = device.args(host.vma(BASE), BASE, NR, flags);
    host.run(migrateVmaSetup(args));
    device.copyOut(args);
    host.write(BASE + 5, 9);
    host.run(migrateVmaPages(args));
    expect((args.src[0] ?? 0) & MIGRATE_PFN_MIGRATE).toBe(0);
    host.run(migrateVmaFinalize(args));
    expect(device.freeFolios).toHaveLength(2);
    expect(host.read(BASE + 5)).toBe(9);
  });

  test('where the device has single pages only, page and hole are split, slot by slot', () => {
    for (const filled of [true, false]) {
      setUp(filled);
      device.smallDevice = true;
      expect(device.toDevice(BASE, NR).filter(Boolean)).toHaveLength(NR);
      expect(host.pmd(BASE)[0]).toBe(ENTRY_TABLE);
      expect(isDevicePrivatePte(host.pte(BASE + NR - 1))).toBe(true);
      if (filled) holds();
    }
  });

  test('a huge zero page is split for single pages', () => {
    setUp(false);
    host.read(BASE);
    device.smallDevice = true;
    expect(device.toDevice(BASE, NR).filter(Boolean)).toHaveLength(NR);
  });

  test('a huge destination for single pages moves nothing', () => {
    setUp();
    const args = device.args(host.vma(BASE), BASE, NR, MIGRATE_VMA_SELECT_SYSTEM);
    host.run(migrateVmaSetup(args));
    args.dst[0] = migratePfn(device.takeFolio()) | MIGRATE_PFN_COMPOUND;
    host.run(migrateVmaPages(args));
    expect((args.src[0] ?? 0) & MIGRATE_PFN_MIGRATE).toBe(0);
    host.run(migrateVmaFinalize(args));
    holds();
  });

  test('a reference taken between setup and pages keeps it where it is', () => {
    setUp();
    const flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
    for (const small of [false, true]) {
      device.smallDevice = small;
      const args = device.args(host.vma(BASE), BASE, NR, flags);
      host.run(migrateVmaSetup(args));
      device.copyOut(args);
      const folio = (args.src[0] ?? 0) >>> 6;
      host.system.map.get(folio);
      host.run(migrateVmaPages(args));
      expect((args.src[0] ?? 0) & MIGRATE_PFN_MIGRATE).toBe(0);
      host.run(migrateVmaFinalize(args));
      host.system.map.dropRef(folio);
      holds();
      expect(host.broken()).toBeUndefined();
    }
  });
});

describe('home', () => {
  test('a CPU fault brings the whole folio, which then is one free folio', () => {
    setUp();
    device.toDevice(BASE, NR);
    host.events();
    expect(host.read(BASE + 100)).toBe(100);
    expect(host.events()).toEqual([['MIGRATE', 0, NR]]);
    expect(host.pmd(BASE)[0] & (PTE_HUGE | PTE_PRESENT | PTE_WRITE)).toBe(PTE_HUGE | PTE_PRESENT | PTE_WRITE);
    expect([device.freeFolios.length, device.pgmap.live, device.frees]).toEqual([2, 0, 1]);
    holds();
  });

  test('without a huge page at home it comes as 512 pages, and its device pages are free one by one', () => {
    setUp();
    device.toDevice(BASE, NR);
    device.smallSystem = true;
    device.toSystem(BASE, NR);
    expect(host.read(BASE + 100)).toBe(100);
    expect(host.pmd(BASE)[0]).toBe(ENTRY_TABLE);
    expect(device.splits).toHaveLength(NR);
    expect(device.splits.at(-1)).toBe(NO_PFN);
    expect([device.free.length, device.freeFolios.length, device.pgmap.live]).toEqual([NR, 1, 0]);
    holds();
  });

  test('a fault that finds no memory leaves it where it is', () => {
    setUp();
    device.toDevice(BASE, NR);
    device.noMemory = true;
    expect(host.read(BASE)).toBeLessThan(0);
    device.noMemory = false;
    expect(isDevicePrivatePte(host.pmd(BASE)[0])).toBe(true);
    holds();
  });

  test('an access to a folio that somebody has locked is repeated', () => {
    setUp();
    device.toDevice(BASE, NR);
    const [, folio] = host.pmd(BASE);
    host.system.map.tryLock(folio);
    const { sched } = host.kernel;
    const values: number[] = [];
    sched.spawn('reader', reader(values));
    sched.spawn('owner', owner(folio));
    sched.run();
    expect(values).toEqual([7]);
    holds();
  });

  test('by driver: the folio whole, a part of it page by page', () => {
    setUp();
    device.toDevice(BASE, NR);
    expect(device.toSystem(BASE, NR)[0]).toBe(true);
    expect(host.pmd(BASE)[0] & PTE_PRESENT).not.toBe(0);
    device.toDevice(BASE, NR);
    expect(device.toSystem(BASE, 10).filter(Boolean)).toHaveLength(10);
    expect(host.pte(BASE + 9) & PTE_PRESENT).not.toBe(0);
    expect(isDevicePrivatePte(host.pte(BASE + 10))).toBe(true);
    holds();
  });

  test('by frame numbers: one slot; single pages for it are refused', () => {
    setUp();
    device.toDevice(BASE, NR);
    const { start } = device.pgmap;
    const src = new Int32Array(1024);
    const dst = new Int32Array(1024);
    host.run(migrateDeviceRange(host.system, src, start, 1024));
    const [, folio] = [0, host.pmd(BASE)[1]];
    expect(src[folio - start]).toBe(
      MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND | (folio << 6),
    );
    expect(src.filter((slot) => slot !== 0)).toHaveLength(1);
    host.run(migrateDevicePages(host.system, src, dst, 1024));
    host.run(migrateDeviceFinalize(host.system, src, dst, 1024));
    expect(isDevicePrivatePte(host.pmd(BASE)[0])).toBe(true);
    holds();
  });
});

test('I67 finds what is left of a large folio, planted', () => {
  setUp();
  const { map } = host.system;
  const { start } = device.pgmap;
  map.set(start, PG_head);
  expect(I67(host.system)).toMatch('is none');
  map.refcount[start] = 1;
  map.refcount[start + 5] = 1;
  expect(I67(host.system)).toMatch('in use by itself');
  map.clear(start, PG_head);
  expect(I67(host.system)).toBeUndefined();
  map.refcount.fill(0, start, start + 6);
});

function* reader(values: number[]): Task {
  values.push(yield* cpuReadByte(host.mm, BASE + 7, 0));
}

/** Holds the folio's lock for a while. */
function* owner(folio: number): Task {
  yield* host.kernel.sched.delay(20_000);
  host.system.map.unlock(folio);
}
