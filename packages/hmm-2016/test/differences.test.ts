import { EAGAIN, EBUSY, EFAULT, EINVAL, type Task } from '@hmm/kernel';
import { MADV_DONTNEED, sysMadvise } from '@hmm/mm';
import { MIGRATE_PFN_MIGRATE, migratePfn, migratePfnToPage } from '@hmm/migrate';
import { expect, it } from 'vitest';
import {
  HMM_2016_BEHAVIOURS,
  HMM_PFN_DEVICE,
  HMM_PFN_EMPTY,
  HMM_PFN_FAULT,
  HMM_PFN_MIGRATE,
  HMM_PFN_READ,
  HMM_PFN_UNADDRESSABLE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  HmmMirror,
  HmmRange,
} from '@hmm/hmm-2016';
import * as linux414 from '@hmm/hmm-2016/linux-4.14';
import * as v13 from '@hmm/hmm-2016/v13';
import { Bench } from './support.js';

const MAPPED = HMM_PFN_VALID | HMM_PFN_READ | HMM_PFN_WRITE;

/** Drops pages [page, page + pages) of the mapping. */
const drop = (b: Bench, page: number, pages = 1): number =>
  b.run(sysMadvise(b.mm, b.vpn + page, pages, MADV_DONTNEED));

/** Tests by the name of the row that they prove. */
const DIFFERENCES: Readonly<Record<string, () => void>> = {
  registerTakesLock() {
    const old = new Bench('v13');
    expect(old.mm.mmapLock.writer).toBe(-1);
    const other = new HmmMirror(() => undefined);
    expect(old.run(v13.hmmMirrorRegister(old.core, other, old.mm))).toBe(0);
    const b = new Bench('4.14');
    expect(() => linux414.hmmMirrorRegister(b.core, new HmmMirror(() => undefined), b.mm)).toThrow(
      /without mmap_sem/,
    );
  },
  callbackAtEnd() {
    for (const [version, first] of [
      ['v13', 5],
      ['4.14', 0],
    ] as const) {
      const b = new Bench(version);
      b.write(0, 5);
      const { lanes } = b.memory.tables;
      const entry = b.memory.tables.findPte(b.mm.root, b.vpn);
      const seen: boolean[] = [];
      const looking = new HmmMirror(() => seen.push(lanes[entry] !== 0));
      if (version === 'v13') b.run(v13.hmmMirrorRegister(b.core, looking, b.mm));
      else b.run(b.underWrite(() => linux414.hmmMirrorRegister(b.core, looking, b.mm)));
      drop(b, 0);
      // In v13 the page is still there when the mirror is told.
      expect(seen).toEqual([first === 5]);
    }
  },
  unregisterWaits() {
    const old = new Bench('v13');
    const hmm = old.mirror.hmm;
    if (hmm === undefined) throw new Error('not registered');
    hmm.notifierCount = 1;
    let done = false;
    old.kernel.sched.spawn(
      'closer',
      closer(v13.hmmMirrorUnregister(old.mirror), () => (done = true)),
    );
    expect(() => {
      old.kernel.sched.run();
    }).toThrow(/no agent can go on/);
    hmm.notifierCount = 0;
    old.kernel.sched.wake(hmm.channel);
    old.kernel.sched.run();
    expect(done).toBe(true);
    const b = new Bench('4.14');
    if (b.mirror.hmm !== undefined) b.mirror.hmm.notifierCount = 1;
    b.run(linux414.hmmMirrorUnregister(b.mirror));
    expect(b.mirror.hmm).toBeUndefined();
  },
  locksRanges() {
    const b = new Bench('v13');
    b.write(0, 5);
    const range = new HmmRange(b.core);
    expect(b.underRead(v13.hmmVmaRangeLock(range, b.vma, b.vpn, b.vpn + 9))).toBe(-EINVAL);
    expect(b.underRead(v13.hmmVmaRangeLock(range, b.vma, b.vpn, b.vpn + 1))).toBe(0);
    b.kernel.sched.spawn('dontneed', sysMadvise(b.mm, b.vpn, 1, MADV_DONTNEED));
    expect(() => {
      b.kernel.sched.run();
    }).toThrow(/no agent can go on/);
    expect(b.told).toEqual([]);
    // Elsewhere nothing is held off.
    expect(drop(b, 3)).toBe(0);
    v13.hmmVmaRangeUnlock(range);
    b.kernel.sched.run();
    expect(Object.keys(linux414)).not.toContain('hmmVmaRangeLock');
  },
  tracksApart() {
    const b = new Bench('v13');
    b.write(0, 5);
    const range = new HmmRange(b.core);
    const pfns = new Int32Array(2);
    expect(b.underRead(v13.hmmVmaRangeMonitorStart(range, b.vma, b.vpn, b.vpn + 1, false))).toBe(true);
    expect(v13.hmmVmaGetPfns(b.vma, b.vpn, b.vpn + 1, pfns)).toBe(0);
    expect(v13.hmmVmaRangeMonitorEnd(range)).toBe(true);
    expect(v13.hmmVmaRangeMonitorEnd(range)).toBe(false);
    const later = new Bench('4.14');
    later.write(0, 5);
    const tracked = new HmmRange(later.core);
    expect(linux414.hmmVmaGetPfns(later.vma, tracked, later.vpn, later.vpn + 1, pfns)).toBe(0);
    drop(later, 0);
    expect(linux414.hmmVmaRangeDone(tracked)).toBe(false);
  },
  tracksOnlyWhenQuiet() {
    const b = new Bench('v13');
    const hmm = b.mirror.hmm;
    if (hmm === undefined) throw new Error('not registered');
    hmm.notifierCount = 1;
    const range = new HmmRange(b.core);
    expect(b.underRead(v13.hmmVmaRangeMonitorStart(range, b.vma, b.vpn, b.vpn + 1, false))).toBe(false);
    const later = new Bench('4.14');
    later.write(0, 5);
    // Tracked between start and end of an invalidation, by a mirror that is told at the end.
    const tracked = new HmmRange(later.core);
    expect(linux414.hmmVmaGetPfns(later.vma, tracked, later.vpn, later.vpn + 1, new Int32Array(2))).toBe(0);
    expect(linux414.hmmVmaRangeDone(tracked)).toBe(true);
  },
  erasesSlots() {
    const b = new Bench('4.14');
    b.write(0, 5);
    b.write(1, 6);
    const pfns = new Int32Array(4);
    const tracked = new HmmRange(b.core);
    linux414.hmmVmaGetPfns(b.vma, tracked, b.vpn, b.vpn + 2, pfns);
    expect(Bench.flags(pfns)).toEqual([MAPPED, MAPPED]);
    drop(b, 1);
    expect(Bench.flags(pfns)).toEqual([MAPPED, 0]);
    // Without hmm_vma_range_done, invalidations go on writing there, whoever has the array by now.
    pfns.fill(77);
    drop(b, 0, 2);
    expect([...pfns]).toEqual([0, 0, 0, 0]);
    const old = new Bench('v13');
    old.write(0, 5);
    const range = new HmmRange(old.core);
    old.underRead(v13.hmmVmaRangeMonitorStart(range, old.vma, old.vpn, old.vpn + 1, false));
    v13.hmmVmaGetPfns(old.vma, old.vpn, old.vpn + 1, pfns);
    drop(old, 0);
    expect(Bench.flags(pfns)[0]).toBe(MAPPED);
    expect(v13.hmmVmaRangeMonitorEnd(range)).toBe(false);
  },
  faultSaysLockHeld() {
    const pfns = new Int32Array(2);
    const old = new Bench('v13');
    pfns[0] = HMM_PFN_FAULT;
    const ours = v13.hmmVmaFault(old.core, old.vma, old.vpn, old.vpn + 1, pfns);
    expect(old.whileMissing(ours)).toEqual({ result: false, readers: 0 });
    expect(pfns[0]).toBe(0);
    pfns[0] = HMM_PFN_FAULT;
    const again = v13.hmmVmaFault(old.core, old.vma, old.vpn, old.vpn + 1, pfns);
    expect(old.underRead(again)).toBe(true);
    const b = new Bench('4.14');
    const range = new HmmRange(b.core);
    const theirs = linux414.hmmVmaFault(b.vma, range, b.vpn, b.vpn + 1, pfns, false, true);
    expect(b.whileMissing(theirs)).toEqual({ result: -EBUSY, readers: 0 });
    // As the comment says; and as block means it, which cannot wait for such a page.
    for (const [mended, result] of [
      ['droppedLockIsBusy', -EAGAIN],
      ['blockIgnored', -EFAULT],
    ] as const) {
      const whole = new Bench('4.14', [mended]);
      const blocking = mended === 'blockIgnored';
      const fault = linux414.hmmVmaFault(
        whole.vma,
        new HmmRange(whole.core),
        whole.vpn,
        whole.vpn + 1,
        pfns,
        false,
        true,
      );
      expect(whole.whileMissing(fault)).toEqual({ result, readers: blocking ? 1 : 0 });
    }
  },
  requestsBySlot() {
    const old = new Bench('v13');
    const pfns = new Int32Array(4);
    pfns[0] = HMM_PFN_FAULT | HMM_PFN_WRITE;
    expect(old.underRead(v13.hmmVmaFault(old.core, old.vma, old.vpn, old.vpn + 2, pfns))).toBe(true);
    expect(Bench.flags(pfns)).toEqual([MAPPED, HMM_PFN_EMPTY]);
    const b = new Bench('4.14');
    const range = new HmmRange(b.core);
    const fault = linux414.hmmVmaFault(b.vma, range, b.vpn, b.vpn + 2, pfns, true, true);
    expect(b.underRead(fault)).toBe(0);
    expect(Bench.flags(pfns)).toEqual([MAPPED, MAPPED]);
    linux414.hmmVmaRangeDone(range);
  },
  migratesInOneArray() {
    const old = new Bench('v13');
    old.write(0, 5);
    const pfns = new Int32Array(2);
    let source = 0;
    const page = old.devmem.pagemap?.start ?? 0;
    const ops: v13.HmmMigrateOps = {
      devmem: old.devmem,
      allocAndCopy: (_vma, _start, _end, slots) => {
        source = slots[1] ?? 0;
        old.devmem.init(page);
        slots[0] = HMM_PFN_VALID | HMM_PFN_MIGRATE | HMM_PFN_DEVICE | HMM_PFN_UNADDRESSABLE;
        slots[1] = page;
      },
      finalizeAndMap: (_vma, _start, _end, slots) => {
        expect(slots[1]).toBe(page);
      },
    };
    expect(old.underRead(v13.hmmVmaMigrate(ops, old.vma, old.vpn, old.vpn + 1, pfns))).toBe(0);
    expect(source).toBeGreaterThan(0);
    expect(v13.hmmVmaGetPfns(old.vma, old.vpn, old.vpn + 1, pfns)).toBe(0);
    expect([...pfns]).toEqual([MAPPED | HMM_PFN_DEVICE | HMM_PFN_UNADDRESSABLE, page]);
    const b = new Bench('4.14');
    b.write(0, 5);
    const [src, dst] = [new Int32Array(1), new Int32Array(1)];
    const seen = moveOn414(b, src, dst, 0);
    expect(seen).toEqual([migratePfnToPage(src[0] ?? 0), b.devmem.pagemap?.start]);
  },
  migrationWaitsForLocks() {
    const old = new Bench('v13');
    old.write(0, 5);
    const pfns = new Int32Array(2);
    v13.hmmVmaGetPfns(old.vma, old.vpn, old.vpn + 1, pfns);
    old.memory.map.tryLock(pfns[1] ?? 0);
    const nothing: v13.HmmMigrateOps = {
      devmem: old.devmem,
      allocAndCopy: (_vma, _start, _end, slots) => {
        slots[0] = (slots[0] ?? 0) & ~HMM_PFN_MIGRATE;
      },
      finalizeAndMap: () => undefined,
    };
    expect(() =>
      old.underRead(v13.hmmVmaMigrate(nothing, old.vma, old.vpn, old.vpn + 1, new Int32Array(2))),
    ).toThrow(/waits for another agent/);
    const b = new Bench('4.14');
    b.write(0, 5);
    v13.hmmVmaGetPfns(b.vma, b.vpn, b.vpn + 1, pfns);
    b.memory.map.tryLock(pfns[1] ?? 0);
    const src = new Int32Array(1);
    expect(moveOn414(b, src, new Int32Array(1), 0)).toEqual([]);
    expect((src[0] ?? 0) & MIGRATE_PFN_MIGRATE).toBe(0);
  },
  migratesHoles() {
    const old = new Bench('v13');
    let asked = 0;
    const ops: v13.HmmMigrateOps = {
      devmem: old.devmem,
      allocAndCopy: () => {
        asked++;
      },
      finalizeAndMap: () => undefined,
    };
    expect(old.underRead(v13.hmmVmaMigrate(ops, old.vma, old.vpn, old.vpn + 1, new Int32Array(2)))).toBe(0);
    expect(asked).toBe(0);
    const b = new Bench('4.14');
    expect(moveOn414(b, new Int32Array(1), new Int32Array(1), 0)).toEqual([0, b.devmem.pagemap?.start]);
  },
  removeMayFail() {
    const old = new Bench('v13');
    const page = old.devmem.pagemap?.start ?? 0;
    old.devmem.init(page);
    expect(old.run(v13.hmmDevmemRemove(old.devmem))).toBe(false);
    const b = new Bench('4.14');
    b.devmem.init(b.devmem.pagemap?.start ?? 0);
    expect(() => {
      b.run(linux414.hmmDevmemRemove(b.devmem));
    }).toThrow(/waits for another agent/);
    const free = new Bench('v13');
    expect(free.run(v13.hmmDevmemRemove(free.devmem))).toBe(true);
    expect(free.devmem.pagemap).toBeUndefined();
  },
};

/** Moves page `page` to the device by 4.14's call. @returns source and destination of each slot that the driver was asked for. */
function moveOn414(b: Bench, src: Int32Array, dst: Int32Array, page: number): number[] {
  const seen: number[] = [];
  const target = b.devmem.pagemap?.start ?? 0;
  const ops: linux414.MigrateVmaOps = {
    devmem: b.devmem,
    allocAndCopy: (_vma, sources, destinations) => {
      if (((sources[0] ?? 0) & MIGRATE_PFN_MIGRATE) === 0) return;
      b.devmem.init(target);
      destinations[0] = migratePfn(target);
      seen.push(migratePfnToPage(sources[0] ?? 0), target);
    },
    finalizeAndMap: () => undefined,
  };
  const at = b.vpn + page;
  expect(b.underRead(linux414.migrateVma(ops, b.vma, at, at + 1, src, dst))).toBe(0);
  return seen;
}

function* closer(task: Task, then: () => void): Task {
  yield* task;
  then();
}

it.each(Object.entries(DIFFERENCES))('v13 and 4.14 differ: %s', (_name, check) => {
  check();
});

it('each difference of the contracts has a test, and each version its own', () => {
  const rows = Object.entries(HMM_2016_BEHAVIOURS);
  const contracts = rows
    .slice(
      0,
      rows.findIndex(([name]) => name === 'waiterSkipsUpdate'),
    )
    .map(([name]) => name);
  expect(Object.keys(DIFFERENCES)).toEqual(contracts);
  for (const [, { versions }] of rows.slice(0, contracts.length)) expect(versions).toHaveLength(1);
});
