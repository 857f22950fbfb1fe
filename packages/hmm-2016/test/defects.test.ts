import { type Task } from '@hmm/kernel';
import { MADV_DONTNEED, mmput, sysMadvise, VM_IO } from '@hmm/mm';
import { expect, it } from 'vitest';
import {
  HMM_2016_BEHAVIOURS,
  HMM_PFN_DEVICE,
  HMM_PFN_ERROR,
  HMM_PFN_FAULT,
  HMM_PFN_MIGRATE,
  HMM_PFN_READ,
  HMM_PFN_SPECIAL,
  HMM_PFN_UNADDRESSABLE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  HmmRange,
  type Hmm2016BehaviourName,
} from '@hmm/hmm-2016';
import * as linux414 from '@hmm/hmm-2016/linux-4.14';
import * as v13 from '@hmm/hmm-2016/v13';
import { Bench } from './support.js';

const MAPPED = HMM_PFN_VALID | HMM_PFN_READ | HMM_PFN_WRITE;

/** The driver's part of a migration of v13 that moves the one page of the range to the first page of device memory. */
function moving(b: Bench): v13.HmmMigrateOps {
  const page = b.devmem.pagemap?.start ?? 0;
  return {
    devmem: b.devmem,
    allocAndCopy: (_vma, _start, _end, slots) => {
      if (((slots[0] ?? 0) & HMM_PFN_MIGRATE) === 0) return;
      b.devmem.init(page);
      slots[0] = HMM_PFN_VALID | HMM_PFN_MIGRATE | HMM_PFN_DEVICE | HMM_PFN_UNADDRESSABLE;
      slots[1] = page;
    },
    finalizeAndMap: () => undefined,
  };
}

it('a page that is refused after it was copied is lost, unless that is mended', () => {
  for (const mended of [[], ['refusedPageMapped']] as Hmm2016BehaviourName[][]) {
    const b = new Bench('v13', mended);
    b.write(0, 5);
    const ops = moving(b);
    const pfns = new Int32Array(2);
    let source = 0;
    const held: v13.HmmMigrateOps = {
      ...ops,
      allocAndCopy: (vma, start, end, slots) => {
        // Somebody takes a reference while the driver copies.
        source = slots[1] ?? 0;
        b.memory.map.get(source);
        ops.allocAndCopy(vma, start, end, slots);
      },
    };
    expect(b.underRead(v13.hmmVmaMigrate(held, b.vma, b.vpn, b.vpn + 1, pfns))).toBe(0);
    v13.hmmVmaGetPfns(b.vma, b.vpn, b.vpn + 1, pfns);
    expect([...pfns]).toEqual(mended.length > 0 ? [MAPPED, source] : [HMM_PFN_ERROR, 0]);
  }
});

it('no mirror is told of the end of a process, unless that is mended', () => {
  for (const version of ['v13', '4.14'] as const) {
    for (const mended of [[], ['exitUnannounced']] as Hmm2016BehaviourName[][]) {
      const b = new Bench(version, mended);
      b.write(0, 5);
      b.run(mmput(b.mm));
      expect([version, mended.length, b.told.length > 0]).toEqual([
        version,
        mended.length,
        mended.length > 0,
      ]);
    }
  }
});

it('the mm_struct outlives its process and its mirror, unless that is mended', () => {
  const ends = { v13: v13.hmmMirrorUnregister, '4.14': linux414.hmmMirrorUnregister } as const;
  for (const version of ['v13', '4.14'] as const) {
    for (const mended of [[], ['mmNeverFreed']] as Hmm2016BehaviourName[][]) {
      const b = new Bench(version, mended);
      b.run(mmput(b.mm));
      b.run(ends[version](b.mirror));
      expect([version, b.memory.mms.includes(b.mm)]).toEqual([version, mended.length === 0]);
    }
  }
});

it('in 4.14 an invalidation that ends where a range begins makes it invalid, unless that is mended', () => {
  for (const mended of [[], ['touchingOverlaps']] as Hmm2016BehaviourName[][]) {
    const b = new Bench('4.14', mended);
    b.write(0, 5);
    b.write(1, 6);
    const pfns = new Int32Array(2);
    const range = new HmmRange(b.core);
    linux414.hmmVmaGetPfns(b.vma, range, b.vpn + 1, b.vpn + 2, pfns);
    b.run(sysMadvise(b.mm, b.vpn, 1, MADV_DONTNEED));
    // The slots are as they were in either case.
    expect(pfns[0]).not.toBe(0);
    expect(linux414.hmmVmaRangeDone(range)).toBe(mended.length > 0);
  }
});

it('a fault that fails where nothing was mapped leaves 0 in the slot, unless that is mended', () => {
  for (const mended of [[], ['failedFaultLooksEmpty']] as Hmm2016BehaviourName[][]) {
    const b = new Bench('v13', mended);
    b.kernel.injector = { shouldFail: () => true };
    const pfns = new Int32Array([HMM_PFN_FAULT | HMM_PFN_WRITE, 0]);
    expect(b.underRead(v13.hmmVmaFault(b.core, b.vma, b.vpn, b.vpn + 1, pfns))).toBe(true);
    expect(pfns[0]).toBe(mended.length > 0 ? HMM_PFN_ERROR : 0);
  }
});

it('a mapping that no device mirrors looks like success to a fault, and 4.14 tracks it', () => {
  const old = new Bench('v13');
  special(old);
  const pfns = new Int32Array(2);
  expect(old.underRead(v13.hmmVmaFault(old.core, old.vma, old.vpn, old.vpn + 1, pfns))).toBe(true);
  expect(pfns[0]).toBe(HMM_PFN_SPECIAL);
  const b = new Bench('4.14');
  special(b);
  const range = new HmmRange(b.core);
  const fault: Task<number> = linux414.hmmVmaFault(b.vma, range, b.vpn, b.vpn + 1, pfns, false, true);
  expect(b.underRead(fault)).toBe(0);
  expect(range.hmm?.ranges).toContain(range);
  expect(linux414.hmmVmaGetPfns(b.vma, new HmmRange(b.core), b.vpn, b.vpn + 1, pfns)).toBeLessThan(0);
});

function special(b: Bench): void {
  b.vma.flags |= VM_IO;
}

it('each defect says whose it is and where it is seen', () => {
  for (const [, { bug, versions, source, shows }] of Object.entries(HMM_2016_BEHAVIOURS)) {
    expect(versions.length).toBeGreaterThan(0);
    expect(source).toMatch(/^(?:v13 patch|4\.14 )/);
    expect(shows.endsWith('.')).toBe(true);
    expect(typeof bug).toBe('boolean');
  }
});
