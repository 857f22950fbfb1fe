import {
  DIRECT_DMA,
  type IbDevice,
  type IbUmemOdp,
  ibUmemOdpGet,
  ibUmemOdpMapDmaAndLock,
  ibUmemOdpUnmapDmaPages,
  MmputQueue,
  ODP_INTENDED,
  ODP_READ,
  type OdpSwitches,
} from '@hmm/ib-core';
import { EBUSY, Kernel, type Task } from '@hmm/kernel';
import {
  cpuWriteByte,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  sysMadvise,
  sysMmap,
} from '@hmm/mm';
import { mmuIntervalSetSeq } from '@hmm/mmu-notifier';
import { IB_ACCESS_HUGETLB, IB_ACCESS_ON_DEMAND, IB_ACCESS_REMOTE_READ } from '@hmm/rdma-nic';
import { describe, expect, test } from 'vitest';

const SECOND = 1e9;

/** A region of `pages` pages of a process, whose callbacks only say that they were there. */
function region(pages: number, odp: Partial<OdpSwitches>, access = 0) {
  const kernel = new Kernel();
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  const mm = mmCreate(new MemorySystem(kernel, { frames: 8192, systemFrames: 8192, maxTables: 64 }));
  const vpn = run(sysMmap(mm, 0, pages, 3, MAP_PRIVATE | MAP_ANONYMOUS));
  const device: IbDevice = {
    kernel,
    dma: DIRECT_DMA,
    odp: { ...ODP_INTENDED, ...odp },
    exits: new MmputQueue(kernel),
  };
  const flags = IB_ACCESS_ON_DEMAND | IB_ACCESS_REMOTE_READ | access;
  const made: { umem?: IbUmemOdp } = {};
  const start = Math.ceil(vpn / 512) * 512;
  const first = access === 0 ? vpn : start;
  const umem = run(
    ibUmemOdpGet(device, mm, first * 4096, pages * 4096, flags, {
      *invalidate(sub, _range, seq) {
        if (made.umem !== undefined) yield* made.umem.umemMutex.lock();
        mmuIntervalSetSeq(sub, seq);
        made.umem?.umemMutex.unlock();
        return true;
      },
    }),
  );
  if (typeof umem === 'number') throw new Error(`errno ${umem}`);
  made.umem = umem;
  return { kernel, mm, vpn: first, umem };
}

describe('hazards of 7.3 in the common layer', () => {
  test.each([
    ['off', false, -EBUSY],
    ['on', true, 1],
  ])(
    'OO11 %s: a walk that is overtaken again and again gives up after a second',
    (_title, endlessRetry, result) => {
      const { kernel, mm, vpn, umem } = region(1, { endlessRetry });
      const { sched } = kernel;
      sched.runSync(cpuWriteByte(mm, vpn, 0, 5));
      const done: { ret?: number } = {};
      function* fault(): Task {
        yield* sched.delay(20);
        done.ret = yield* ibUmemOdpMapDmaAndLock(umem, vpn * 4096, 8, ODP_READ, true);
        if (done.ret >= 0) umem.umemMutex.unlock();
      }
      // Each time the mutex is held while an invalidation and the walk come to it, in this order.
      function* storm(): Task {
        for (let i = 0; i < 4; i++) {
          yield* umem.umemMutex.lock();
          yield* sched.delay(SECOND / 3);
          umem.umemMutex.unlock();
          yield* sched.delay(0);
        }
      }
      function* cpu(): Task {
        yield* sched.delay(10);
        for (let i = 0; i < 4; i++) yield* sysMadvise(mm, vpn, 1, MADV_DONTNEED);
      }
      sched.spawn('storm', storm());
      sched.spawn('cpu', cpu());
      sched.spawn('fault', fault());
      sched.run();
      expect(done.ret).toBe(result);
    },
  );

  test.each([
    ['off', false, [true, false]],
    ['on', true, [true, true]],
  ])('OO5 %s: the second huge page of a region leaves it', (_title, unitIndex, left) => {
    const { umem } = region(1024, { unitIndex }, IB_ACCESS_HUGETLB);
    const { pfnList } = umem.map;
    for (let page = 0; page < 1024; page++) pfnList[2 * page] = 1;
    ibUmemOdpUnmapDmaPages(umem, umem.start + 2 ** 21, umem.end);
    expect([0, 512].map((page) => (pfnList[2 * page] ?? 0) !== 0)).toEqual(left);
  });
});
