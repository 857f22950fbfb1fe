import { EBUSY, EFAULT, EPERM, type Task } from '@hmm/kernel';
import { PROT_NONE, PROT_READ } from '@hmm/mm';
import { oomReapTaskMm } from '@hmm/mm/internal';
import {
  MMU_NOTIFY_CLEAR,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  mmuNotifierRangeInit,
} from '@hmm/mmu-notifier';
import { expect, test } from 'vitest';
import {
  DMA_MAPPING_ERROR,
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_ERROR,
  HMM_PFN_ORDER_SHIFT,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  hmmDmaMapAlloc,
  hmmDmaMapPfn,
  hmmRangeFaultUnlockedTimeout,
  I66,
} from '@hmm/mirror';
import { BASE, flagsOf, Process } from './support.js';

/** Faults pages while another agent holds mmap_lock for 20 ns, in which it invalidates them if `disturbed`. */
function besideWriter(timeoutNs: number, disturbed = true): { ret: number; p: Process; valid: number } {
  const p = new Process();
  const { sched } = p.kernel;
  p.map(BASE, 2);
  const range = p.range(BASE, 2, HMM_PFN_REQ_FAULT);
  let ret = NaN;
  const writer = function* (): Task {
    yield* p.mm.mmapLock.write();
    yield* sched.delay(20);
    if (disturbed) {
      const cleared = mmuNotifierRangeInit(MMU_NOTIFY_CLEAR, p.mm, BASE, BASE + 1);
      mmuNotifierInvalidateRangeStart(cleared);
      mmuNotifierInvalidateRangeEnd(cleared);
    }
    p.mm.mmapLock.unlockWrite();
  };
  const faulter = function* (): Task {
    ret = yield* hmmRangeFaultUnlockedTimeout(p.mm, range, timeoutNs);
  };
  sched.spawn('writer', writer());
  sched.spawn('faulter', faulter());
  sched.run();
  expect([p.mm.mmapLock.readers, p.mm.mmapLock.writer]).toEqual([0, -1]);
  return { ret, p, valid: flagsOf(range).filter((flags) => (flags & HMM_PFN_VALID) !== 0).length };
}

test('an invalidation between the sequence and the walk makes it begin anew, without a limit or inside it', () => {
  for (const limit of [0, 20, 1000]) expect(besideWriter(limit)).toMatchObject({ ret: 0, valid: 2 });
});

test('it gives up at the first look beyond the limit, and drops the lock', () => {
  expect(besideWriter(19)).toMatchObject({ ret: -EBUSY, valid: 0 });
  expect(besideWriter(19, false)).toMatchObject({ ret: -EBUSY, valid: 0 });
});

test('a process whose memory was taken has nothing to fault', () => {
  const p = new Process();
  p.map(BASE, 1);
  p.write(BASE, 1);
  const range = p.range(BASE, 1, HMM_PFN_REQ_FAULT);
  expect(p.run(oomReapTaskMm(p.mm))).toBe(true);
  expect(p.run(hmmRangeFaultUnlockedTimeout(p.mm, range, 0))).toBe(-EFAULT);
  expect(p.mm.mmapLock.readers).toBe(0);
});

test('what one page asks for is asked of its own VMA alone', () => {
  const p = new Process();
  p.map(BASE, 1, PROT_NONE);
  p.map(BASE + 1, 1);
  const range = { ...p.range(BASE, 2, 0), pfnFlagsMask: HMM_PFN_REQ_FAULT };
  range.hmmPfns[2] = HMM_PFN_REQ_FAULT;
  expect(p.fault(range)).toBe(0);
  expect(flagsOf(range)).toEqual([HMM_PFN_ERROR, HMM_PFN_VALID]);
  // And the other way round: the page that cannot be read is the one that is asked for.
  const wrong = { ...p.range(BASE, 2, 0), pfnFlagsMask: HMM_PFN_REQ_FAULT };
  wrong.hmmPfns[0] = HMM_PFN_REQ_FAULT;
  expect(p.fault(wrong)).toBe(-EFAULT);
});

test('one page of many that has to be written makes all of a hole be written', () => {
  const p = new Process();
  p.map(BASE, 4);
  const range = { ...p.range(BASE, 4, 0), pfnFlagsMask: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE };
  range.hmmPfns[6] = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
  expect(p.fault(range)).toBe(0);
  expect((flagsOf(range)[3] ?? 0) & (HMM_PFN_VALID | HMM_PFN_WRITE)).toBe(HMM_PFN_VALID | HMM_PFN_WRITE);
  const readOnly = new Process();
  readOnly.map(BASE, 4, PROT_READ);
  const refused = { ...readOnly.range(BASE, 4, 0), pfnFlagsMask: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE };
  refused.hmmPfns[6] = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
  expect(readOnly.fault(refused)).toBe(-EPERM);
});

test('I66 looks at pages that are valid and have an order, and at those only', () => {
  const p = new Process();
  p.map(BASE, 2);
  const broken = (flags: number, pfn: number): string | undefined => {
    const range = p.range(BASE, 2, 0);
    range.hmmPfns.set([flags, pfn]);
    return I66(p.mm, range);
  };
  const order = 9 << HMM_PFN_ORDER_SHIFT;
  expect(broken(order, 7)).toBeUndefined();
  expect(broken(HMM_PFN_VALID, 7)).toBeUndefined();
  expect(broken(HMM_PFN_VALID | order, 7)).toMatch(/order 9, more than its mapping/);
});

test('a page that is mapped already and needs no unmapping is mapped again as it may be used', () => {
  const asked: [number, boolean][] = [];
  const dev = {
    needSync: false,
    needUnmap: false,
    p2pdma: () => 'none' as const,
    mapPage: (pfn: number, write: boolean): number => {
      asked.push([pfn, write]);
      return 0x1000 + pfn;
    },
    unmapPage: () => undefined,
  };
  const map = hmmDmaMapAlloc(dev, 2);
  if (typeof map === 'number') throw new Error(String(map));
  map.pfnList.set([
    HMM_PFN_VALID | HMM_PFN_DMA_MAPPED,
    42,
    HMM_PFN_VALID | HMM_PFN_WRITE | HMM_PFN_DMA_MAPPED,
    43,
  ]);
  const all = [hmmDmaMapPfn(dev, map, 0), hmmDmaMapPfn(dev, map, 1)];
  expect(all).toEqual([0x1000 + 42, 0x1000 + 43]);
  expect(all).not.toContain(DMA_MAPPING_ERROR);
  expect(asked).toEqual([
    [42, false],
    [43, true],
  ]);
});
