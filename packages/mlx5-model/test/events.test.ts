import { expect, test } from 'vitest';
import { EFAULT } from '@hmm/kernel';
import { cpuWriteByte, MADV_DONTNEED, sysMadvise, sysMunmap } from '@hmm/mm';
import { IB_WC_RNR_RETRY_EXC_ERR, postSend, QueuePair } from '@hmm/rdma-nic';
import { mlx5IbPfault, type Mlx5PageFault } from '@hmm/mlx5-model';
import { ALL, entries, newMachine } from './support.js';

/** A region of eight pages that nobody has touched, and what serves an event about it. */
function region() {
  const machine = newMachine(8);
  const { run, verbs, vpn, device } = machine;
  run(verbs.register(0, vpn, 8, ALL));
  const mr = verbs.region(0);
  if (mr === undefined) throw new Error('no region');
  const serve = (event: Mlx5PageFault) => run(mlx5IbPfault(device, event)).resume;
  return { ...machine, mr, serve, va: vpn * 4096 };
}

test('an event of a work request asks for all that is left of it', () => {
  const { serve, mr, va } = region();
  const segments = [
    { key: mr.key, addr: va, length: 4096 },
    { key: mr.key, addr: va + 4096, length: 3 * 4096 },
  ];
  expect(serve({ subtype: 'wqe', type: 1, bytesCommitted: 4096 + 100, segments })).toBe(0);
  expect(entries(mr)).toBe('.www....');
});

test('a work request without segments, or with a bad page at its end, is resumed with an error', () => {
  const { serve, mr, va, run, mm, vpn } = region();
  expect(serve({ subtype: 'wqe', type: 1, bytesCommitted: 0, segments: [] })).toBe(-EFAULT);
  run(sysMunmap(mm, vpn + 7, 1));
  const segments = [{ key: mr.key, addr: va, length: 8 * 4096 }];
  expect(serve({ subtype: 'wqe', type: 1, bytesCommitted: 0, segments })).toBe(-EFAULT);
  expect(mr.stats.faultsHandled).toBe(0);
});

test('a remote access asks for its length, or for a packet where the length is not known', () => {
  const { serve, mr, va } = region();
  const event = { subtype: 'rdma', rKey: mr.key, packetSize: 4096, rdmaVa: va, bytesCommitted: 0 } as const;
  expect(serve({ ...event, rdmaOpLen: 0 })).toBe(0);
  expect(entries(mr)).toBe('w.......');
  expect(serve({ ...event, rdmaOpLen: 3 * 4096, bytesCommitted: 4096 })).toBe(0);
  expect(entries(mr)).toBe('www.....');
});

test('a memory event takes its window, and only what it needs where the window fails', () => {
  const { serve, mr, va, run, mm, vpn } = region();
  const event = { subtype: 'memory', mkey: mr.key, demandPages: 1, last: true } as const;
  expect(serve({ ...event, va: va + 2 * 4096, before: 1, after: 2 })).toBe(0);
  expect(entries(mr)).toBe('.wwww...');
  run(sysMunmap(mm, vpn + 7, 1));
  expect(serve({ ...event, va: va + 6 * 4096, before: 1, after: 1 })).toBe(0);
  expect(entries(mr)).toBe('.wwww.w.');
});

test('a success is told with the last event only, a failure at once', () => {
  const { serve, mr, va, run, mm, vpn } = region();
  const event = { subtype: 'memory', mkey: mr.key, demandPages: 1, before: 0, after: 0, va } as const;
  expect(serve({ ...event, last: false })).toBeUndefined();
  expect(serve({ ...event, last: true })).toBe(0);
  run(sysMunmap(mm, vpn + 1, 1));
  expect(serve({ ...event, va: va + 4096, last: false })).toBe(-EFAULT);
  expect(serve({ ...event, mkey: mr.key + 1, last: false })).toBe(-EFAULT);
});

test('a key that is not on demand counts as served', () => {
  const { serve, mr, va } = region();
  const event = { subtype: 'rdma', packetSize: 4096, rdmaVa: va, rdmaOpLen: 8, bytesCommitted: 0 } as const;
  expect(serve({ ...event, rKey: mr.key + 256 })).toBe(0);
  expect(mr.stats.faultsHandled).toBe(0);
});

test('counters: pages and pieces of faults, units in blocks of callbacks', () => {
  const { mr, run, mm, vpn, verbs, piece } = region();
  for (let i = 0; i < 3; i++) run(cpuWriteByte(mm, vpn + i, 0, i));
  run(verbs.read(piece(0, 3)));
  expect(mr.stats).toMatchObject({ faults: 3, faultsHandled: 1, invalidations: 0 });
  run(sysMadvise(mm, vpn, 8, MADV_DONTNEED));
  // The holes behind the block do not end it: no group begins with one of them.
  expect(mr.stats).toMatchObject({ invalidations: 8, invalidationsHandled: 1 });
});

test("without retries a responder's fault ends the request", () => {
  const { device, run, mr, va, verbs, piece } = region();
  const bytes = new Uint8Array(4096);
  const buffer = device.regBuffer(1, 15, bytes);
  const peer = new QueuePair(device, 1, { rnrRetry: 0 });
  peer.connect(new QueuePair(device, 1));
  const local = { key: buffer.key, addr: 0, length: 8 };
  const remote = { key: mr.key, addr: va, length: 8 };
  expect(run(postSend(peer, { opcode: 'RDMA_READ', local, remote })).status).toBe(IB_WC_RNR_RETRY_EXC_ERR);
  expect(run(verbs.read(piece(0))).wc).toBe(0);
});
