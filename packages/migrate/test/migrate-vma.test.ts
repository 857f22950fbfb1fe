import { EINVAL } from '@hmm/kernel';
import { describe, expect, test } from 'vitest';
import {
  MAP_ANONYMOUS,
  MAP_HUGETLB,
  MAP_PRIVATE,
  mmput,
  pinUserPages,
  FOLL_LONGTERM,
  FOLL_WRITE,
  PROT_READ,
  sysMmap,
  sysMprotect,
  unpinUserPage,
  VM_IO,
} from '@hmm/mm';
import {
  folioPut,
  isDevicePrivatePte,
  NO_PFN,
  PG_anon_exclusive,
  PG_dirty,
  PG_locked,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_WRITE,
  ZERO_PFN,
} from '@hmm/mm/internal';
import {
  I45,
  makeDeviceExclusiveRange,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateInvariants,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from '@hmm/migrate';
import { cpagesMatch } from '@hmm/migrate/internal';
import { BASE, Host, MemoryDriver, RW } from './support.js';

const setUp = (coherent = false): { host: Host; device: MemoryDriver } => {
  const host = new Host();
  return { host, device: new MemoryDriver(host, 1024, coherent) };
};

const healthy = (host: Host): void => {
  for (const [name, rule] of Object.entries(migrateInvariants)) {
    expect(rule(host.system), name).toBeUndefined();
  }
};

describe('holes', () => {
  test('a hole of a mapping without permissions is populated, and still cannot be accessed', () => {
    const { host, device } = setUp(true);
    host.map(BASE, 1);
    host.run(sysMprotect(host.mm, BASE, 1, 0));
    expect(device.toDevice(BASE, 1)).toEqual([true]);
    expect(host.pte(BASE) & (PTE_PRESENT | PTE_PROTNONE | PTE_WRITE)).toBe(PTE_PRESENT | PTE_PROTNONE);
    healthy(host);
  });
});

describe('to the device and home', () => {
  test('a written page keeps its bytes, its permission and its owner', () => {
    const { host, device } = setUp();
    host.map(BASE, 4);
    for (let i = 0; i < 4; i++) host.write(BASE + i, 10 + i);
    const frame = host.pfn(BASE);
    host.events();
    expect(device.toDevice(BASE, 4)).toEqual([true, true, true, true]);
    expect(host.events()).toEqual([['MIGRATE', 0, 4]]);
    expect(isDevicePrivatePte(host.pte(BASE))).toBe(true);
    expect(host.pte(BASE) & PTE_WRITE).not.toBe(0);
    expect(host.system.map.refcount[frame]).toBe(0);
    healthy(host);
    // A CPU read brings one page home.
    expect(host.read(BASE + 1)).toBe(11);
    expect(host.events()).toEqual([['MIGRATE', 1, 1]]);
    expect(host.pte(BASE + 1) & (PTE_PRESENT | PTE_WRITE | PTE_DIRTY)).toBe(PTE_PRESENT | PTE_WRITE);
    expect(host.system.map.test(host.pfn(BASE + 1), PG_dirty | PG_anon_exclusive)).toBe(true);
    expect(device.toSystem(BASE, 4)).toEqual([true, false, true, true]);
    expect([0, 1, 2, 3].map((i) => host.read(BASE + i))).toEqual([10, 11, 12, 13]);
    expect(device.pgmap.live).toBe(0);
    expect(device.frees).toBe(device.allocs);
    healthy(host);
  });

  test('coherent memory is mapped where it is, and the CPU goes on using it', () => {
    const { host, device } = setUp(true);
    host.map(BASE, 1);
    host.write(BASE, 5);
    device.toDevice(BASE, 1);
    expect(host.pfn(BASE)).toBeGreaterThanOrEqual(device.pgmap.start);
    host.write(BASE, 6);
    expect(host.read(BASE)).toBe(6);
    expect(device.toSystem(BASE, 1)).toEqual([true]);
    expect(host.read(BASE)).toBe(6);
    healthy(host);
  });

  test('holes and the zero page become new pages of zeroes; the first of them announces the rest', () => {
    const { host, device } = setUp();
    host.map(BASE, 4);
    host.write(BASE, 1);
    host.read(BASE + 2);
    expect(host.pfn(BASE + 2)).toBe(ZERO_PFN);
    host.events();
    expect(device.toDevice(BASE, 4)).toEqual([true, true, true, true]);
    expect(host.events()).toEqual([
      ['MIGRATE', 0, 4],
      ['MIGRATE', 1, 3],
    ]);
    expect([0, 1, 2, 3].map((i) => host.read(BASE + i))).toEqual([1, 0, 0, 0]);
    healthy(host);
  });

  test('a hole in a shared mapping stays one, and shared pages stay', () => {
    const { host, device } = setUp();
    host.map(BASE, 2, 3, true);
    host.write(BASE, 9);
    expect(device.toDevice(BASE, 2)).toEqual([false, false]);
    expect(host.read(BASE)).toBe(9);
    expect(device.pgmap.live).toBe(0);
    healthy(host);
  });

  test('a page shared with a child moves for both, announced to the other one; both still have it read-only', () => {
    const { host, device } = setUp();
    host.map(BASE, 1);
    host.write(BASE, 3);
    const child = host.fork();
    host.events();
    expect(device.toDevice(BASE, 1)).toEqual([true]);
    expect(host.events()).toEqual([
      ['MIGRATE', 0, 1],
      ['CLEAR', 0, 1],
    ]);
    expect([host.pte(BASE), host.pte(BASE, child)].map((pte) => isDevicePrivatePte(pte))).toEqual([
      true,
      true,
    ]);
    expect(host.pfn(BASE)).toBe(host.pfn(BASE, child));
    expect(host.read(BASE, child)).toBe(3);
    expect(host.pfn(BASE)).toBe(host.pfn(BASE, child));
    host.write(BASE, 4, child);
    expect([host.read(BASE), host.read(BASE, child)]).toEqual([3, 4]);
    host.run(mmput(child));
    healthy(host);
  });
});

describe('a page stays', () => {
  test('when it is pinned; its neighbours move', () => {
    const { host, device } = setUp();
    host.map(BASE, 3);
    for (let i = 0; i < 3; i++) host.write(BASE + i, i);
    const pages: number[] = [];
    host.run(pinUserPages(host.mm, BASE + 1, 1, FOLL_WRITE | FOLL_LONGTERM, pages));
    expect(device.toDevice(BASE, 3)).toEqual([true, false, true]);
    expect(host.pfn(BASE + 1)).toBe(pages[0]);
    for (const page of pages) unpinUserPage(host.system, page);
    expect(device.toDevice(BASE, 3)).toEqual([false, true, false]);
    healthy(host);
  });

  test('when somebody else has a reference, as it was', () => {
    const { host, device } = setUp();
    host.map(BASE, 1);
    host.write(BASE, 8);
    const frame = host.pfn(BASE);
    const before = host.pte(BASE);
    host.system.map.get(frame);
    expect(device.toDevice(BASE, 1)).toEqual([false]);
    expect([host.pfn(BASE), host.pte(BASE)]).toEqual([frame, before]);
    expect(host.system.map.test(frame, PG_locked)).toBe(false);
    folioPut(host.system, frame);
    expect(device.toDevice(BASE, 1)).toEqual([true]);
    healthy(host);
  });

  test('when somebody holds its lock: nobody waits', () => {
    const { host, device } = setUp();
    host.map(BASE, 1);
    host.write(BASE, 8);
    host.system.map.tryLock(host.pfn(BASE));
    expect(device.toDevice(BASE, 1)).toEqual([false]);
    host.system.map.unlock(host.pfn(BASE));
  });

  test('when the device has no memory left: the others move', () => {
    const { host, device } = setUp();
    host.map(BASE, 4);
    for (let i = 0; i < 4; i++) host.write(BASE + i, i);
    device.budget = 2;
    expect(device.toDevice(BASE, 4)).toEqual([true, true, false, false]);
    expect([0, 1, 2, 3].map((i) => host.read(BASE + i))).toEqual([0, 1, 2, 3]);
    healthy(host);
  });

  test("when it is another owner's", () => {
    const { host, device } = setUp();
    const other = new MemoryDriver(host);
    host.map(BASE, 1);
    host.write(BASE, 1);
    device.toDevice(BASE, 1);
    expect(other.toDevice(BASE, 1)).toEqual([false]);
    expect(other.toSystem(BASE, 1)).toEqual([false]);
    expect(host.pfn(BASE)).toBeGreaterThanOrEqual(device.pgmap.start);
  });
});

describe('permissions', () => {
  test('a page made read-only on the device comes home read-only, and is written again after mprotect', () => {
    const { host, device } = setUp();
    host.map(BASE, 1);
    host.write(BASE, 1);
    device.toDevice(BASE, 1);
    host.run(sysMprotect(host.mm, BASE, 1, PROT_READ));
    expect(host.pte(BASE) & PTE_WRITE).toBe(0);
    expect(host.write(BASE, 2)).toBeLessThan(0);
    host.run(sysMprotect(host.mm, BASE, 1, 3));
    host.write(BASE, 2);
    expect(host.read(BASE)).toBe(2);
  });

  test('a hole in a read-only VMA is populated read-only', () => {
    const { host, device } = setUp();
    host.map(BASE, 1, PROT_READ);
    expect(device.toDevice(BASE, 1)).toEqual([true]);
    expect(host.pte(BASE) & PTE_WRITE).toBe(0);
    expect(host.read(BASE)).toBe(0);
  });
});

describe('setup', () => {
  test.each([
    ['no pages', 0, 0, 0],
    ['an end before the start', 2, -1, 0],
    ['a start before the VMA', -1, 2, 0],
    ['an end behind the VMA', 0, 9, 0],
    ['a start at the end of the VMA', 8, 1, 0],
    ['a fault page that is no device page', 0, 1, ZERO_PFN],
  ])('%s is -EINVAL', (_what, offset, pages, faultPage) => {
    const { host, device } = setUp();
    host.map(BASE, 8);
    const args = device.args(
      host.vma(BASE),
      BASE + offset,
      Math.max(pages, 0),
      MIGRATE_VMA_SELECT_SYSTEM,
      faultPage,
    );
    expect(host.run(migrateVmaSetup({ ...args, end: BASE + offset + pages }))).toBe(-EINVAL);
  });

  test('special memory is -EINVAL, and so are arrays that are too short', () => {
    const { host, device } = setUp();
    host.map(BASE, 8);
    const args = device.args(host.vma(BASE), BASE, 8, MIGRATE_VMA_SELECT_SYSTEM);
    expect(host.run(migrateVmaSetup({ ...args, dst: new Int32Array(7) }))).toBe(-EINVAL);
    host.vma(BASE).flags |= VM_IO;
    expect(host.run(migrateVmaSetup(args))).toBe(-EINVAL);
  });

  test('memory of hugetlb is -EINVAL, and none of it becomes exclusive to a device', () => {
    const { host, device } = setUp();
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
    const at = host.run(sysMmap(host.mm, 0, 512, RW, flags));
    const args = device.args(host.vma(at), at, 1, MIGRATE_VMA_SELECT_SYSTEM);
    expect(host.run(migrateVmaSetup(args))).toBe(-EINVAL);
    const got: number[] = [];
    expect(host.run(makeDeviceExclusiveRange(host.mm, at, at + 2, got, 5))).toBe(2);
    expect(got).toEqual([NO_PFN, NO_PFN]);
  });

  test('slots say what was found; holes count whatever is selected', () => {
    const { host, device } = setUp();
    host.map(BASE, 3);
    host.write(BASE, 1);
    host.write(BASE + 1, 1);
    host.run(sysMprotect(host.mm, BASE + 1, 1, PROT_READ));
    host.run(sysMprotect(host.mm, BASE + 1, 1, 3));
    const args = device.args(host.vma(BASE), BASE, 3, MIGRATE_VMA_SELECT_SYSTEM);
    expect(host.run(migrateVmaSetup(args))).toBe(0);
    const page = MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE | MIGRATE_PFN_WRITE;
    expect([...args.src].map((slot) => slot & 63)).toEqual([page, page, MIGRATE_PFN_MIGRATE]);
    expect([args.cpages, cpagesMatch(args.src, args.npages, args.cpages)]).toEqual([3, undefined]);
    expect(I45(host.system, args.src, args.dst, args.npages)).toBeUndefined();
    host.run(migrateVmaPages(args));
    expect([...args.src].map((slot) => slot & MIGRATE_PFN_MIGRATE)).toEqual([0, 0, 0]);
    host.run(migrateVmaFinalize(args));
    expect(host.read(BASE)).toBe(1);
    const none = device.args(host.vma(BASE), BASE, 3, MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
    host.run(migrateVmaSetup(none));
    expect(none.cpages).toBe(1);
    host.run(migrateVmaPages(none));
    host.run(migrateVmaFinalize(none));
    healthy(host);
  });
});
