import { describe, expect, test } from 'vitest';
import { IMPLICIT_LENGTH, ODP_AS_7_3, ODP_INTENDED } from '@hmm/ib-core';
import { EFAULT, type Task } from '@hmm/kernel';
import {
  mmput,
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MADV_DONTNEED,
  PROT_READ,
  sysMadvise,
  sysMprotect,
  sysMunmap,
} from '@hmm/mm';
import {
  IB_ACCESS_ON_DEMAND,
  IB_ACCESS_REMOTE_READ,
  IB_WC_LOC_PROT_ERR,
  IB_WC_REM_ACCESS_ERR,
  IB_WC_REM_OP_ERR,
  IB_WC_SUCCESS,
} from '@hmm/rdma-nic';
import {
  IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH,
  IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT,
  IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE,
} from '@hmm/ib-core';
import { MLX5_MEMORY, MLX5_TRANSPORT, mlx5IbPfault } from '@hmm/mlx5-model';
import { ALL, entries, newMachine, resident } from './support.js';

describe.each([
  ['transport', MLX5_TRANSPORT],
  ['memory', MLX5_MEMORY],
])('explicit regions, %s scheme', (_scheme, options) => {
  test('what is stored before registration is mapped by it; what is stored after faults once', () => {
    const { run, mm, verbs, vpn, piece, faults } = newMachine(2, options);
    run(cpuWriteByte(mm, vpn, 0, 5));
    run(verbs.register(0, vpn, 2, ALL));
    run(cpuWriteByte(mm, vpn + 1, 0, 6));
    expect(entries(verbs.region(0))).toBe('w.');
    expect(run(verbs.read(piece(0))).values).toEqual([5]);
    expect(faults()).toEqual({ adapter: 0, served: [] });
    expect(run(verbs.read(piece(1))).values).toEqual([6]);
    expect(faults()).toEqual({ adapter: 1, served: ['1w'] });
    expect(entries(verbs.region(0))).toBe('ww');
  });

  test('a read of untouched memory allocates it, and a write after it does not fault', () => {
    const { run, mm, verbs, vpn, piece, faults } = newMachine(1, options);
    run(verbs.register(0, vpn, 1, ALL));
    expect(run(verbs.read(piece(0))).values).toEqual([0]);
    expect(resident(mm)).toBe(1);
    run(verbs.write(piece(0), 7));
    expect(faults()).toEqual({ adapter: 1, served: ['0w'] });
    expect(run(cpuReadByte(mm, vpn, 0))).toBe(7);
  });

  test('memory that may not be written cannot be read through a region that may be, but through one that may not', () => {
    const { run, mm, verbs, vpn, piece, faults } = newMachine(1, options);
    run(cpuWriteByte(mm, vpn, 0, 5));
    run(verbs.register(0, vpn, 1, ALL));
    run(sysMprotect(mm, vpn, 1, PROT_READ));
    expect(run(verbs.read(piece(0))).wc).toBe(IB_WC_REM_ACCESS_ERR);
    expect(new Set(faults().served)).toEqual(new Set(['0w-1']));
    run(verbs.register(1, vpn, 1, IB_ACCESS_ON_DEMAND | IB_ACCESS_REMOTE_READ));
    expect(run(verbs.read({ ...piece(0), mr: 1 })).values).toEqual([5]);
    // Advice for reading maps it for reading, until something takes it away.
    expect(run(verbs.advise(piece(0), IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH)).rc).toBe(0);
    expect(run(verbs.read(piece(0))).values).toEqual([5]);
  });

  test('local requests: a gather that cannot be served is LOC_PROT_ERR, a receive too, and REM_OP_ERR for the sender', () => {
    const { run, mm, verbs, vpn, piece } = newMachine(2, options);
    run(verbs.register(0, vpn, 2, ALL));
    run(cpuWriteByte(mm, vpn, 0, 5));
    expect(run(verbs.send(piece(0)))).toMatchObject({ wc: IB_WC_SUCCESS, rwc: IB_WC_SUCCESS, values: [5] });
    expect(run(verbs.receive(piece(1), 8))).toMatchObject({ wc: IB_WC_SUCCESS, rwc: IB_WC_SUCCESS });
    expect(run(cpuReadByte(mm, vpn + 1, 0))).toBe(8);
    run(sysMunmap(mm, vpn, 2));
    expect(run(verbs.send(piece(0)))).toMatchObject({ wc: IB_WC_LOC_PROT_ERR });
    expect(run(verbs.receive(piece(1), 8))).toMatchObject({
      wc: IB_WC_REM_OP_ERR,
      rwc: IB_WC_LOC_PROT_ERR,
    });
  });

  test('after fork a read alone breaks the sharing, in the parent', () => {
    const { run, mm, verbs, vpn, piece, faults } = newMachine(1, options);
    run(cpuWriteByte(mm, vpn, 0, 6));
    run(verbs.register(0, vpn, 1, ALL));
    const child = run(dupMm(mm));
    if (typeof child === 'number') throw new Error(`errno ${child}`);
    faults();
    run(verbs.read(piece(0)));
    expect(faults().served).toEqual(['0w']);
    run(verbs.write(piece(0), 7));
    expect(faults().served).toEqual([]);
    expect([run(cpuReadByte(mm, vpn, 0)), run(cpuReadByte(child, vpn, 0))]).toEqual([7, 6]);
  });
});

describe('groups of eight', () => {
  test('a zap of one page takes away its group, and a neighbour faults again although its page never moved', () => {
    const { run, mm, verbs, vpn, piece, faults } = newMachine(16);
    for (let i = 0; i < 16; i++) run(cpuWriteByte(mm, vpn + i, 0, i));
    run(verbs.register(0, vpn, 16, ALL));
    run(sysMadvise(mm, vpn + 4, 1, MADV_DONTNEED));
    expect(entries(verbs.region(0))).toBe('........wwwwwwww');
    faults();
    expect(run(verbs.read(piece(9))).values).toEqual([9]);
    expect(faults().adapter).toBe(0);
    expect(run(verbs.read(piece(5))).values).toEqual([5]);
    expect(faults().adapter).toBe(1);
    expect(entries(verbs.region(0))).toBe('wwww.wwwwwwwwwww');
  });

  test('advice for reading beside a page mapped for writing takes its writing away', () => {
    const { run, verbs, vpn, piece, faults } = newMachine(8);
    run(verbs.register(0, vpn, 8, ALL));
    run(verbs.advise(piece(2), IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE));
    expect(entries(verbs.region(0))).toBe('..w.....');
    run(verbs.advise(piece(3), IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH));
    expect(entries(verbs.region(0))).toBe('..rr....');
    faults();
    run(verbs.write(piece(2), 1));
    expect(faults()).toEqual({ adapter: 1, served: ['2w'] });
  });

  test('advice without faults counts the pages that are not there', () => {
    const { run, mm, verbs, vpn, piece, faults } = newMachine(16);
    run(verbs.register(0, vpn, 16, ALL));
    run(cpuWriteByte(mm, vpn + 2, 0, 5));
    run(verbs.advise(piece(0, 16), IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT));
    expect(entries(verbs.region(0))).toBe('..w.............');
    expect(verbs.region(0)?.stats.prefetch).toBe(16);
    faults();
    run(verbs.read(piece(2)));
    expect(faults().adapter).toBe(0);
  });
});

describe('implicit regions', () => {
  const options = { ...MLX5_TRANSPORT, leafPages: 512 };

  test('a leaf for each that is used; an empty one goes, and one after it is another', () => {
    const { run, mm, verbs, vpn, device } = newMachine(1024, options);
    run(verbs.register(0, 0, 0, ALL));
    const mr = verbs.region(0);
    const at = (page: number) => ({ mr: 0, page: vpn + page, pages: 1, shift: 0 });
    run(cpuWriteByte(mm, vpn, 0, 5));
    run(cpuWriteByte(mm, vpn + 600, 0, 6));
    expect(run(verbs.read(at(0))).values).toEqual([5]);
    expect(run(verbs.read(at(600))).values).toEqual([6]);
    expect([...(mr?.implicitChildren.keys() ?? [])]).toHaveLength(2);
    expect(mr?.ksm.size).toBe(2);
    const first = mr?.implicitChildren.get(Math.floor(vpn / 512));
    run(sysMunmap(mm, vpn, 1));
    run(cpuWriteByte(mm, vpn + 1, 0, 7));
    expect(mr?.implicitChildren.has(Math.floor(vpn / 512))).toBe(false);
    expect(run(verbs.read(at(1))).values).toEqual([7]);
    expect(mr?.implicitChildren.get(Math.floor(vpn / 512))?.key).not.toBe(first?.key);
    run(verbs.deregister(0));
    expect([mr?.implicitChildren.size, mr?.ksm.size, device.odpMkeys.size]).toEqual([0, 0, 0]);
  });
});

describe('hazards of 7.3, as switches', () => {
  test.each([
    ['off', ODP_INTENDED, '..w.'],
    ['on', ODP_AS_7_3, 'www.'],
  ])(
    'OO1 %s: what a failed fault left in the list survives DONTNEED, and a neighbour maps it',
    (_title, odp, mapped) => {
      const { run, mm, verbs, vpn, piece } = newMachine(4, { ...MLX5_TRANSPORT, odp });
      run(verbs.register(0, vpn, 4, ALL));
      run(cpuWriteByte(mm, vpn, 0, 5));
      run(cpuWriteByte(mm, vpn + 1, 0, 6));
      run(sysMunmap(mm, vpn + 3, 1));
      expect(run(verbs.read(piece(0, 4))).wc).toBe(IB_WC_REM_ACCESS_ERR);
      run(sysMadvise(mm, vpn, 3, MADV_DONTNEED));
      run(verbs.write(piece(2), 1));
      expect(entries(verbs.region(0))).toBe(mapped);
    },
  );

  test.each([
    ['off', false, 'wwwwwwww........'],
    ['on', true, 'wwwwwwwwwwwwwwww'],
  ])(
    'OO13 %s: an absent page of the second chunk gets the entry of the first',
    (_title, staleChunks, mapped) => {
      const odp = { ...ODP_INTENDED, staleChunks };
      const { run, mm, verbs, vpn } = newMachine(16, { ...MLX5_TRANSPORT, chunkUnits: 8, odp });
      for (let i = 0; i < 8; i++) run(cpuWriteByte(mm, vpn + i, 0, i));
      run(verbs.register(0, vpn, 16, ALL));
      expect(entries(verbs.region(0))).toBe(mapped);
    },
  );

  test.each([
    ['off', false, 1],
    ['on', true, 2],
  ])('OO6 %s: what is programmed twice is counted', (_title, overCount, npages) => {
    const odp = { ...ODP_INTENDED, overCount };
    const { run, mm, verbs, vpn, piece } = newMachine(2, { ...MLX5_TRANSPORT, odp });
    run(cpuWriteByte(mm, vpn, 0, 5));
    run(verbs.register(0, vpn, 2, ALL));
    run(verbs.advise(piece(0), IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH));
    const umem = verbs.region(0)?.umem;
    expect(umem !== undefined && 'npages' in umem ? umem.npages : undefined).toBe(npages);
  });

  test('OO12: a leaf is entered among the keys under a spinlock, which another callback wants meanwhile', () => {
    const readWhileLeafGoes = (sleepUnderLock: boolean): void => {
      const odp = { ...ODP_INTENDED, sleepUnderLock };
      const machine = newMachine(1024, { ...MLX5_MEMORY, leafPages: 512, odp });
      const { run, mm, kernel, verbs, vpn } = machine;
      run(verbs.register(0, 0, 0, ALL));
      run(cpuWriteByte(mm, vpn, 0, 5));
      const piece = (page: number) => ({ mr: 0, page, pages: 1, shift: 0, byAddress: true });
      run(verbs.read(piece(vpn)));
      const { sched } = kernel;
      function* cpu(): Task {
        // The fault takes 220 us, and then the leaf is made.
        yield* sched.delay(228_000);
        yield* sysMadvise(mm, vpn, 1, MADV_DONTNEED);
      }
      sched.spawn('peer', verbs.read(piece(vpn + 512)));
      sched.spawn('cpu', cpu());
      sched.run();
    };
    expect(() => {
      readWhileLeafGoes(true);
    }).toThrow(/spinlock/);
    expect(() => {
      readWhileLeafGoes(false);
    }).not.toThrow();
  });

  test.each([
    ['off', false, []],
    ['on', true, ['I62']],
  ])('OO16 %s: a leaf is made for a process that is gone', (_title, unreferencedOwner, broken) => {
    const odp = { ...ODP_INTENDED, unreferencedOwner };
    const { run, mm, device, vpn } = newMachine(1, { ...MLX5_TRANSPORT, leafPages: 512, odp });
    const request = { va: 0, length: IMPLICIT_LENGTH, access: ALL };
    const mr = run(device.regUserMr(mm, 1, request));
    if (typeof mr === 'number') throw new Error(`errno ${mr}`);
    run(mmput(mm));
    const event = { subtype: 'rdma' as const, bytesCommitted: 0, rKey: mr.key, packetSize: 8, rdmaOpLen: 8 };
    expect(run(mlx5IbPfault(device, { ...event, rdmaVa: vpn * 4096 })).resume).toBe(-EFAULT);
    expect(device.broken.list().map(({ invariant }) => invariant)).toEqual(broken);
  });
});
