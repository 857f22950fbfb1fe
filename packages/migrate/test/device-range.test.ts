import { EINVAL, ENOMEM, HmmError } from '@hmm/kernel';
import { describe, expect, test } from 'vitest';
import {
  allocPage,
  FOLL_LONGTERM,
  FOLL_WRITE,
  MEMORY_DEVICE_PRIVATE,
  mmput,
  pinUserPages,
  PROT_READ,
} from '@hmm/mm';
import { isDeviceExclusivePte, lruAddDrain, folioPut } from '@hmm/mm/internal';
import {
  makeDeviceExclusiveRange,
  memremapPages,
  memunmapPages,
  MIGRATE_PFN_MIGRATE,
  migrateDeviceFinalize,
  migrateDevicePages,
  migrateDeviceRange,
  migrateInvariants,
  migratePfn,
  migratePfnToPage,
  zoneDevicePageInit,
} from '@hmm/migrate';
import { BASE, Host, MemoryDriver } from './support.js';

/** Brings all of a device's pages home, by frame. */
const evict = (host: Host, device: MemoryDriver): void => {
  const { start, nr } = device.pgmap;
  const [src, dst] = [new Int32Array(nr), new Int32Array(nr)];
  host.run(migrateDeviceRange(host.system, src, start, nr));
  for (let i = 0; i < nr; i++) {
    if (((src[i] ?? 0) & MIGRATE_PFN_MIGRATE) === 0) continue;
    const page = allocPage(host.system);
    host.system.map.tryLock(page);
    host.system.data.copyPage(page, migratePfnToPage(src[i] ?? 0));
    dst[i] = migratePfn(page);
  }
  host.run(migrateDevicePages(host.system, src, dst, nr));
  host.run(migrateDeviceFinalize(host.system, src, dst, nr));
};

describe('by frame', () => {
  test('every page comes home for every process that maps it, one CLEAR a mapping, in the order of frames', () => {
    const host = new Host();
    const device = new MemoryDriver(host);
    host.map(BASE, 3);
    for (let i = 0; i < 3; i++) host.write(BASE + i, i + 1);
    device.toDevice(BASE, 3);
    const child = host.fork();
    host.events();
    evict(host, device);
    // The driver hands its highest frame out first: page 2 has the lowest of the three.
    expect(host.events()).toEqual([
      ['CLEAR', 2, 1],
      ['CLEAR', 1, 1],
      ['CLEAR', 0, 1],
    ]);
    expect(device.pgmap.live).toBe(0);
    expect([0, 1, 2].map((i) => [host.read(BASE + i), host.read(BASE + i, child)])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    host.run(memunmapPages(host.system, device.pgmap));
    expect(host.system.pagemaps).toEqual([]);
    host.run(mmput(child));
  });

  test('a range of device memory is given back only when its last page is free', () => {
    const host = new Host();
    const device = new MemoryDriver(host);
    host.map(BASE, 1);
    host.write(BASE, 1);
    device.toDevice(BASE, 1);
    const { sched } = host.kernel;
    const log: string[] = [];
    sched.spawn(
      'unbind',
      (function* () {
        yield* memunmapPages(host.system, device.pgmap);
        log.push('gone');
      })(),
    );
    sched.spawn(
      'cpu',
      (function* () {
        yield* sched.delay(1);
        log.push('home');
        evict(host, device);
        yield* sched.delay(1);
      })(),
    );
    sched.run();
    expect(log).toEqual(['home', 'gone']);
  });
});

describe('memremap', () => {
  const ops = {
    pageFree: () => undefined,
    *migrateToRam() {
      return 0;
    },
  };

  test('ranges come from the lowest free frame numbers; a freed one is used again', () => {
    const host = new Host();
    const request = { type: MEMORY_DEVICE_PRIVATE, nr: 4096, owner: 1, ops };
    const [a, b] = [memremapPages(host.system, request), memremapPages(host.system, request)];
    expect(memremapPages(host.system, request)).toBe(-ENOMEM);
    if (typeof a === 'number' || typeof b === 'number') throw new Error('no range');
    expect([a.start, b.start]).toEqual([8192, 12288]);
    host.run(memunmapPages(host.system, a));
    const c = memremapPages(host.system, { ...request, nr: 16 });
    expect(typeof c === 'number' ? c : c.start).toBe(8192);
  });

  test.each([
    ['an unknown type', { type: 9 }],
    ['no owner', { owner: 0 }],
    ['no frames', { nr: 0 }],
  ])('%s is -EINVAL', (_what, change) => {
    const host = new Host();
    expect(memremapPages(host.system, { type: 1, nr: 4, owner: 1, ops, ...change })).toBe(-EINVAL);
  });

  test('a page in use is not handed out again', () => {
    const host = new Host();
    const device = new MemoryDriver(host);
    const page = device.take();
    expect(() => {
      zoneDevicePageInit(host.system, page);
    }).toThrow(HmmError);
  });
});

describe('long-term pins', () => {
  test('move coherent device memory out of the way', () => {
    const host = new Host();
    const device = new MemoryDriver(host, 64, true);
    host.map(BASE, 2);
    host.write(BASE, 7);
    host.write(BASE + 1, 8);
    device.toDevice(BASE, 2);
    const pages: number[] = [];
    expect(host.run(pinUserPages(host.mm, BASE, 2, FOLL_WRITE | FOLL_LONGTERM, pages))).toBe(2);
    expect(device.pgmap.live).toBe(0);
    expect([host.pfn(BASE), host.pfn(BASE + 1)]).toEqual(pages);
    expect([host.read(BASE), host.read(BASE + 1)]).toEqual([7, 8]);
    for (const [name, rule] of Object.entries(migrateInvariants))
      expect(rule(host.system), name).toBeUndefined();
  });
});

describe('device-exclusive', () => {
  const take = (host: Host, pages: number): number[] => {
    const got: number[] = [];
    expect(host.run(makeDeviceExclusiveRange(host.mm, BASE, BASE + pages, got, 5))).toBe(pages);
    for (const page of got) {
      if (page === 0) continue;
      host.system.map.unlock(page);
      folioPut(host.system, page);
    }
    return got;
  };

  test('a CPU access takes the page back, and the device is told', () => {
    const host = new Host();
    host.map(BASE, 2);
    host.write(BASE, 4);
    const frame = host.pfn(BASE);
    host.events();
    const got = take(host, 2);
    expect(got[0]).toBe(frame);
    expect(host.events()).toEqual([
      ['EXCLUSIVE', 0, 1],
      ['EXCLUSIVE', 1, 1],
    ]);
    expect(isDeviceExclusivePte(host.pte(BASE))).toBe(true);
    // Its batch holds a new page until it is drained.
    lruAddDrain(host.system);
    expect([host.system.map.mapcount[frame], host.system.map.refcount[frame]]).toEqual([0, 1]);
    host.system.data.writeByte(frame, 0, 9);
    expect(host.read(BASE)).toBe(9);
    expect(host.events()).toEqual([['EXCLUSIVE', 0, 1]]);
    expect(host.pfn(BASE)).toBe(frame);
  });

  test('a page shared with a child is copied first', () => {
    const host = new Host();
    host.map(BASE, 1);
    host.write(BASE, 4);
    const child = host.fork();
    const before = host.pfn(BASE);
    const [page] = take(host, 1);
    expect(page).not.toBe(before);
    expect(host.read(BASE, child)).toBe(4);
    expect(host.pfn(BASE, child)).toBe(before);
    host.run(mmput(child));
  });

  test('a shared page is none for one device alone; a read-only VMA gives nothing', () => {
    const host = new Host();
    host.map(BASE, 1, 3, true);
    host.write(BASE, 1);
    expect(take(host, 1)).toEqual([0]);
    expect(host.read(BASE)).toBe(1);
    host.map(BASE, 1, PROT_READ);
    const got: number[] = [];
    expect(host.run(makeDeviceExclusiveRange(host.mm, BASE, BASE + 1, got, 5))).toBeLessThan(0);
  });
});
