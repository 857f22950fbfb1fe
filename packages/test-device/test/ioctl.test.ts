import { EBUSY, EFAULT, EINVAL, ENOENT, ENXIO, EPERM, Kernel, type Task } from '@hmm/kernel';
import {
  cpuReadByte,
  cpuWriteByte,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MemorySystem,
  mmCreate,
  mmput,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  sysMmap,
} from '@hmm/mm';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type Dmirror,
  dmirrorFopsRelease,
  dmirrorIoctl,
  HMM_DMIRROR_CHECK_EXCLUSIVE,
  HMM_DMIRROR_EXCLUSIVE,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_RELEASE,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_WRITE,
  TestDevice,
} from '@hmm/test-device';

const RW = PROT_READ | PROT_WRITE;
const BASE = 0x1_0000_0000;

const kernel = new Kernel();
const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
const system = new MemorySystem(kernel, { frames: 8192, systemFrames: 4096, maxTables: 256, swapSlots: 8 });
const driver = new TestDevice(system, { chunkPages: 256, maxTables: 64 });
let mm = mmCreate(system);
let fd: Dmirror;

const open = (minor: number): Dmirror => {
  const opened = run(driver.open(minor, mm));
  if (typeof opened === 'number') throw new Error(`open: ${opened}`);
  return opened;
};

const map = (page: number, pages: number, prot: number, shared = false): void => {
  const flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED;
  expect(run(sysMmap(mm, page, pages, prot, flags))).toBe(page);
};

beforeEach(() => {
  for (const mirror of driver.mirrors) if (mirror !== undefined) run(dmirrorFopsRelease(mirror));
  run(mmput(mm));
  mm = mmCreate(system);
  fd = open(0);
  // rw, rw, read-only, nothing, PROT_NONE, shared
  map(BASE, 2, RW);
  map(BASE + 2, 1, PROT_READ);
  map(BASE + 4, 1, PROT_NONE);
  map(BASE + 5, 1, RW, true);
});

const ALL = [
  HMM_DMIRROR_READ,
  HMM_DMIRROR_WRITE,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_EXCLUSIVE,
  HMM_DMIRROR_CHECK_EXCLUSIVE,
  HMM_DMIRROR_RELEASE,
];

const ioctl = (
  request: number,
  page: number,
  npages: number,
  bytes = Math.max(npages, 0) * 4096,
): { rc: number; cpages: number; faults: number } => {
  const cmd = { addr: page * 4096, ptr: new Uint8Array(bytes), npages, cpages: -7, faults: -7 };
  const rc = run(dmirrorIoctl(fd, request, cmd));
  return { rc, cpages: cmd.cpages, faults: cmd.faults };
};

describe('arguments that every ioctl refuses', () => {
  test.each([
    ['no pages', BASE, 0],
    ['a negative length', BASE, -1],
    ['an address inside a page', BASE + 0.5, 1],
    ['an address one byte off', BASE + 1 / 4096, 1],
    ['a range that wraps', 2 ** 52 - 1, 2],
    ['a range that ends where the addresses do', 2 ** 52 - 1, 1],
    ['so many pages that none are left as bytes', BASE, 2 ** 52],
    ['as many pages as there can be', BASE, 2 ** 53],
    ['a negative address', -1, 1],
  ])('%s: -EINVAL, and nothing is copied back', (_what, page, pages) => {
    for (const request of ALL)
      expect(ioctl(request, page, pages, 4096)).toEqual({ rc: -EINVAL, cpages: -7, faults: -7 });
  });

  test('an unknown request is -EINVAL', () => {
    expect(ioctl(0x42, BASE, 1).rc).toBe(-EINVAL);
  });

  test('a device that is not there cannot be opened', () => {
    expect(run(driver.open(4, mm))).toBe(-ENXIO);
  });
});

test('a number of pages loses the bits that do not fit as bytes, as in the shift of the real one', () => {
  expect(ioctl(HMM_DMIRROR_READ, BASE, 2 ** 52 + 2, 2 * 4096)).toEqual({ rc: 0, cpages: 2, faults: 1 });
});

describe('beyond what a process can map', () => {
  test.each([
    ['READ', HMM_DMIRROR_READ, -EFAULT],
    ['WRITE', HMM_DMIRROR_WRITE, -EFAULT],
    ['MIGRATE_TO_DEV', HMM_DMIRROR_MIGRATE_TO_DEV, -EINVAL],
    ['MIGRATE_TO_SYS', HMM_DMIRROR_MIGRATE_TO_SYS, -EINVAL],
    ['SNAPSHOT', HMM_DMIRROR_SNAPSHOT, 0],
    ['EXCLUSIVE', HMM_DMIRROR_EXCLUSIVE, -EBUSY],
    ['CHECK_EXCLUSIVE', HMM_DMIRROR_CHECK_EXCLUSIVE, 0],
    ['RELEASE', HMM_DMIRROR_RELEASE, 0],
  ])('%s', (_name, request, rc) => {
    for (const page of [2 ** 35 - 1, 2 ** 35, 2 ** 36, 2 ** 44, 2 ** 52 - 4])
      expect({ page, rc: ioctl(request, page, 2).rc }).toEqual({ page, rc });
  });

  test('a range that only ends there fails at the end of what is mapped', () => {
    const endless = 2 ** 52 - BASE - 1;
    expect(ioctl(HMM_DMIRROR_CHECK_EXCLUSIVE, BASE, endless, 4096).rc).toBe(0);
    expect(ioctl(HMM_DMIRROR_MIGRATE_TO_DEV, BASE, endless, 4096).rc).toBe(-EINVAL);
    expect(ioctl(HMM_DMIRROR_MIGRATE_TO_SYS, BASE, endless, 4096).rc).toBe(-EINVAL);
    expect(ioctl(HMM_DMIRROR_EXCLUSIVE, BASE, endless, 4096).rc).toBe(-EBUSY);
    // A batch of which not all pages could be had is not entered in the table.
    expect(ioctl(HMM_DMIRROR_CHECK_EXCLUSIVE, BASE, endless, 4096).rc).toBe(0);
  });
});

describe('a range that overlaps the one before', () => {
  const [READ, WRITE, TODEV, TOSYS, SNAP, EXCL, CHECK] = ALL;
  test.each([
    ['read after read', READ, READ, 0, 2, 1],
    ['read after write', WRITE, READ, 0, 2, 1],
    ['write after read', READ, WRITE, 0, 2, 1],
    ['read after migration', TODEV, READ, 0, 2, 1],
    ['write after exclusive access', EXCL, WRITE, 0, 2, 1],
    ['migration after migration', TODEV, TODEV, 0, 2, 0],
    ['migration home after migration', TODEV, TOSYS, 0, 1, 0],
    ['migration home twice', TOSYS, TOSYS, 0, 0, 0],
    ['migration after exclusive access', EXCL, TODEV, 0, 2, 0],
    ['snapshot after migration', TODEV, SNAP, 0, 2, 0],
    ['exclusive access twice', EXCL, EXCL, 0, 2, 0],
    ['exclusive access after migration', TODEV, EXCL, 0, 2, 0],
    ['check after exclusive access', EXCL, CHECK, -EPERM, -7, -7],
  ])('%s', (_what, before = 0, request = 0, rc, cpages, faults) => {
    expect(ioctl(before, BASE, 1).rc).toBe(0);
    expect(ioctl(request, BASE, 2)).toEqual({ rc, cpages, faults });
  });
});

describe('where the pages decide', () => {
  const [READ, WRITE, TODEV, TOSYS, SNAP, EXCL] = ALL;
  test.each([
    ['read of a hole', READ, 3, 1, -EFAULT],
    ['read of PROT_NONE', READ, 4, 1, -EFAULT],
    ['read that runs into a hole', READ, 2, 2, -EFAULT],
    ['write of a read-only VMA', WRITE, 2, 1, -EPERM],
    ['write of a hole', WRITE, 3, 1, -EFAULT],
    ['write that meets the read-only VMA before the hole', WRITE, 1, 3, -EPERM],
    ['migration of a hole', TODEV, 3, 1, -EINVAL],
    ['migration of PROT_NONE', TODEV, 4, 1, -EINVAL],
    ['migration of shared memory', TODEV, 5, 1, -ENOENT],
    ['migration home of a hole', TOSYS, 3, 1, -EINVAL],
    ['migration home of nothing', TOSYS, 0, 2, 0],
    ['snapshot of a hole', SNAP, 3, 1, 0],
    ['exclusive access to a hole', EXCL, 3, 1, -EBUSY],
    ['exclusive access to read-only memory', EXCL, 2, 1, -EBUSY],
    ['exclusive access to shared memory', EXCL, 5, 1, -EBUSY],
  ])('%s', (_what, request = 0, page, pages, rc) => {
    expect(ioctl(request, BASE + page, pages).rc).toBe(rc);
  });

  test('a user buffer that is too short is -EFAULT', () => {
    for (const request of [READ, WRITE, TODEV, EXCL])
      expect(ioctl(request ?? 0, BASE, 2, 4096).rc).toBe(-EFAULT);
    expect(ioctl(HMM_DMIRROR_SNAPSHOT, BASE, 2, 1).rc).toBe(-EFAULT);
  });

  test('an error leaves done what was done before it', () => {
    run(cpuWriteByte(mm, BASE, 0, 7));
    expect(ioctl(HMM_DMIRROR_MIGRATE_TO_DEV, BASE, 4).rc).toBe(-EINVAL);
    expect(driver.devices[0]?.chunks[0]?.pagemap.live).toBe(3);
    expect(run(cpuReadByte(mm, BASE, 0))).toBe(7);
  });

  test('exclusive pages are found until somebody takes them back', () => {
    expect(ioctl(HMM_DMIRROR_CHECK_EXCLUSIVE, BASE, 2).rc).toBe(0);
    expect(ioctl(HMM_DMIRROR_EXCLUSIVE, BASE, 2).rc).toBe(0);
    expect(ioctl(HMM_DMIRROR_CHECK_EXCLUSIVE, BASE, 2).rc).toBe(-EPERM);
    run(cpuWriteByte(mm, BASE, 0, 1));
    // The table loses one page more than the range.
    expect(ioctl(HMM_DMIRROR_CHECK_EXCLUSIVE, BASE, 2).rc).toBe(0);
  });
});

describe('memory that is used up', () => {
  test('of the device: a further chunk is made, until frame numbers are used up; then pages stay', () => {
    const small = new MemorySystem(kernel, {
      frames: 4096,
      systemFrames: 3072,
      maxTables: 256,
      swapSlots: 8,
    });
    const lone = new TestDevice(small, { chunkPages: 200, maxTables: 64 });
    const process = mmCreate(small);
    const page = run(sysMmap(process, 0, 600, RW, MAP_PRIVATE | MAP_ANONYMOUS));
    for (let i = 0; i < 600; i++) run(cpuWriteByte(process, page + i, 0, i));
    const mirror = run(lone.open(0, process));
    if (typeof mirror === 'number') throw new Error(`open: ${mirror}`);
    const cmd = { addr: page * 4096, ptr: new Uint8Array(600 * 4096), npages: 600, cpages: 0, faults: 0 };
    expect(run(dmirrorIoctl(mirror, HMM_DMIRROR_MIGRATE_TO_DEV, cmd))).toBe(-ENOENT);
    const live = (lone.devices[0]?.chunks ?? []).reduce((sum, { pagemap }) => sum + pagemap.live, 0);
    expect(live).toBe(400);
    for (let i = 0; i < 600; i++) expect(run(cpuReadByte(process, page + i, 0))).toBe(i & 255);
    run(dmirrorFopsRelease(mirror));
    run(mmput(process));
    expect(small.pages.free).toBe(3072 - 1024);
  });
});
