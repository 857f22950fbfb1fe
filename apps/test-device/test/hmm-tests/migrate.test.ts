import { EINVAL, ENOENT, type Release } from '@hmm/kernel';
import { FOLL_GET, FOLL_LONGTERM, FOLL_WRITE, getUserPages, pinUserPages, unpinUserPage } from '@hmm/mm';
import { folioPut } from '@hmm/mm/internal';
import {
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_RELEASE,
  HMM_DMIRROR_SNAPSHOT,
  type Dmirror,
} from '@hmm/test-device';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  firstDifference,
  MAP_PRIVATE,
  MAP_SHARED,
  mirrorOf,
  NPAGES,
  NTIMES,
  PROT_NONE,
  PROT_READ,
  RW,
  same,
  TestMachine,
  type TestProcess,
  VARIANTS,
} from './harness.js';

let machine: TestMachine;
let p: TestProcess;

function setUp(release: Release): void {
  machine = new TestMachine(release);
  p = machine.process;
}

/** Migrates to the device; every page must go, and come back with the data as it is. */
const toDevice = (process: TestProcess, fd: Dmirror, ptr: number, pages: number): void => {
  const mirror = mirrorOf(pages);
  const { rc, cpages } = process.cmd(fd, HMM_DMIRROR_MIGRATE_TO_DEV, ptr, pages, mirror);
  expect([rc, cpages]).toEqual([0, pages]);
  expect(firstDifference(mirror, same)).toBe(-1);
};

const snapshot = (fd: Dmirror, ptr: number, pages: number): number[] => {
  const m = new Uint8Array(pages);
  const { rc, cpages } = p.cmd(fd, HMM_DMIRROR_SNAPSHOT, ptr, pages, m);
  expect([rc, cpages]).toEqual([0, pages]);
  return [...m];
};

describe.each(VARIANTS)('Linux $release: hmm.$variant', ({ release, coherent, device }) => {
  let fd: Dmirror;
  beforeEach(() => {
    setUp(release);
    fd = p.open(device);
  });

  const filled = (pages = NPAGES): number => {
    const ptr = p.map(pages);
    p.fill(ptr, pages, same);
    return ptr;
  };

  test('migrate', () => {
    toDevice(p, fd, filled(), NPAGES);
  });

  test('migrate_file_private', () => {
    const file = machine.file(NPAGES, () => 0);
    const ptr = p.mapFile(file, NPAGES, RW, MAP_PRIVATE);
    p.fill(ptr, NPAGES, same);
    toDevice(p, fd, ptr, NPAGES);
    expect(machine.checkFile(file, NPAGES, () => 0)).toBe(-1);
    machine.closeFile(file);
  });

  test('migrate_fault', () => {
    const ptr = filled();
    toDevice(p, fd, ptr, NPAGES);
    expect(p.check(ptr, NPAGES / 2, same)).toBe(-1);
    toDevice(p, fd, ptr, NPAGES);
  });

  test('migrate_release', () => {
    const ptr = filled();
    toDevice(p, fd, ptr, NPAGES);
    expect(p.cmd(fd, HMM_DMIRROR_RELEASE, ptr, NPAGES, mirrorOf(1)).rc).toBe(0);
    expect(machine.system.pagemaps).toHaveLength(3);
    expect(p.check(ptr, NPAGES / 2, same)).toBe(-1);
  });

  test('migrate_shared', () => {
    const ptr = p.map(NPAGES, RW, MAP_SHARED);
    expect(p.cmd(fd, HMM_DMIRROR_MIGRATE_TO_DEV, ptr, NPAGES, mirrorOf(NPAGES)).rc).toBe(-ENOENT);
  });

  test('migrate_multiple', () => {
    for (let c = 0; c < NTIMES; c++) {
      const ptr = filled();
      toDevice(p, fd, ptr, NPAGES);
      if (coherent) {
        const { rc, cpages } = p.cmd(fd, HMM_DMIRROR_MIGRATE_TO_SYS, ptr, NPAGES, mirrorOf(1));
        expect([rc, cpages]).toEqual([0, NPAGES]);
      }
      expect(p.check(ptr, NPAGES, same)).toBe(-1);
      p.unmap(ptr, NPAGES);
    }
    expect(machine.driver.devices[device]?.chunks[0]?.pagemap.live).toBe(0);
  });

  test('hmm_gup_test', () => {
    const ptr = filled(4);
    toDevice(p, fd, ptr, 4);
    const pinned: number[] = [];
    const got: number[] = [];
    for (const page of [0, 1]) p.run(getUserPages(p.mm, ptr + page, 1, FOLL_GET | FOLL_WRITE, got));
    for (const page of [2, 3]) p.run(pinUserPages(p.mm, ptr + page, 1, FOLL_WRITE | FOLL_LONGTERM, pinned));
    for (const page of got) folioPut(machine.system, page);
    for (const page of pinned) unpinUserPage(machine.system, page);
    expect(snapshot(fd, ptr, 4)).toEqual(coherent ? [0x42, 0x42, 0x02, 0x02] : [0x02, 0x02, 0x02, 0x02]);
    expect(p.check(ptr, 4, same)).toBe(-1);
  });

  test('hmm_cow_in_device', () => {
    const ptr = filled(4);
    toDevice(p, fd, ptr, 4);
    const child = p.fork();
    p.fill(ptr, 4, same);
    child.exit();
    expect(snapshot(fd, ptr, 4)).toEqual([0x02, 0x02, 0x02, 0x02]);
    expect(p.check(ptr, 4, same)).toBe(-1);
  });
});

describe.each(VARIANTS)('Linux $release: hmm2.$variant', ({ release, coherent, device0, device1 }) => {
  beforeEach(() => {
    setUp(release);
  });

  test('migrate_mixed', () => {
    const [fd0, fd1] = [p.open(device0), p.open(device1)];
    const ptr = p.map(6, PROT_NONE);
    const todev = (fd: Dmirror, page: number, pages: number): [number, number] => {
      const { rc, cpages } = p.cmd(fd, HMM_DMIRROR_MIGRATE_TO_DEV, ptr + page, pages, mirrorOf(pages));
      return [rc, cpages];
    };
    expect(todev(fd1, 0, 6)[0]).toBe(-EINVAL);
    p.unmap(ptr + 1, 1);
    expect(todev(fd1, 0, 3)[0]).toBe(-EINVAL);
    p.protect(ptr + 2, 1, PROT_READ);
    expect(p.load(ptr + 2)).toBe(0);
    p.protect(ptr + 3, 1, RW);
    p.store(ptr + 3, 3);
    p.protect(ptr + 3, 1, PROT_READ);
    p.protect(ptr + 4, 2, RW);
    p.store(ptr + 4, 3);
    p.store(ptr + 5, 3);
    expect(todev(fd1, 2, 4)).toEqual([0, 4]);
    expect(todev(fd0, 5, 1)[0]).toBe(-ENOENT);
  });

  test('snapshot', () => {
    const [fd0, fd1] = [p.open(device0), p.open(device1)];
    const ptr = p.map(7, PROT_NONE);
    p.unmap(ptr + 1, 1);
    p.protect(ptr + 2, 1, PROT_READ);
    expect(p.load(ptr + 2)).toBe(0);
    p.protect(ptr + 3, 1, RW);
    p.store(ptr + 3, 3);
    p.protect(ptr + 3, 1, PROT_READ);
    p.protect(ptr + 4, 3, RW);
    p.store(ptr + 4, 3);
    for (const [fd, page] of [
      [fd0, 5],
      [fd1, 6],
    ] as const) {
      const { rc, cpages } = p.cmd(fd, HMM_DMIRROR_MIGRATE_TO_DEV, ptr + page, 1, mirrorOf(1));
      expect([rc, cpages]).toEqual([0, 1]);
    }
    const device = coherent ? [0x42, 0x52] : [0x22, 0x00];
    expect(snapshot(fd0, ptr, 7)).toEqual([0xff, 0xff, 0x11, 0x01, 0x02, ...device]);
  });
});
