import { expect, test } from 'vitest';
import type { Task } from '@hmm/kernel';
import { sysMunmap } from '@hmm/mm';
import { HOME, REMOTE, Setup, VRAM, upTo } from './setup.js';

// The nine scenarios of nouveau.md 14.

test('14.1 CPU writes 8 pages, GPU reads them: 8 records, one work item, 8 host mappings, one replay, no migration', () => {
  const s = new Setup();
  const a = s.malloc(8);
  s.cpuWrite(a, 8, 10);
  expect(s.gpu(a, upTo(8)).values).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
  expect(s.counters).toMatchObject({ faults: 8, batches: 1, remoteMaps: 8, replays: 1 });
  expect(s.events('nouveau:pfnmap').map((e) => e.length)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  expect(s.events('nouveau:migrate_to_vram')).toEqual([]);
  expect(s.residency(a, 8)).toEqual(upTo(8).map(() => REMOTE));
});

test('14.2 the same inside a huge page of the CPU: the first fault maps 2 MiB, the other 7 are skipped', () => {
  const s = new Setup({}, 'p100', 'always');
  const a = s.malloc(512, 0x100000);
  s.cpuWrite(a, 8, 1);
  expect(s.gpu(a, upTo(8)).values).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(s.counters).toMatchObject({ faults: 8, batches: 1, remoteMaps: 512, replays: 1 });
  expect(s.events('nouveau:pfnmap')).toMatchObject([{ page: a, length: 512 }]);
});

test('14.3 SVM_BIND of 8 pages, then the GPU reads: no fault, the migration has mapped them', () => {
  const s = new Setup();
  const a = s.malloc(8);
  s.cpuWrite(a, 8, 20);
  expect(s.run(s.process.prefetch(a, 8, 'gpu'))).toBe(0);
  expect(s.residency(a, 8)).toEqual(upTo(8).map(() => VRAM));
  expect(s.gpu(a, upTo(8)).values).toEqual([20, 21, 22, 23, 24, 25, 26, 27]);
  expect(s.counters).toMatchObject({ faults: 0, batches: 0 });
});

test('14.4 then the CPU reads page 3: that page comes home, the GPU faults on it and maps it there', () => {
  const s = new Setup();
  const a = s.malloc(8);
  s.cpuWrite(a, 8, 20);
  s.run(s.process.prefetch(a, 8, 'gpu'));
  expect(s.cpuRead(a + 3)).toBe(23);
  expect(s.residency(a, 8)).toEqual(upTo(8).map((i) => (i === 3 ? HOME : VRAM)));
  expect(s.events('nouveau:migrate_to_ram')).toMatchObject([{ page: a + 3, length: 1 }]);
  expect(s.gpu(a, [3]).values).toEqual([23]);
  expect(s.counters).toMatchObject({ faults: 1, cpuFaults: 1 });
  expect(s.residency(a, 8)).toEqual(upTo(8).map((i) => (i === 3 ? REMOTE : VRAM)));
});

test('14.5 SVM_BIND of more than there is: the first part moves, the rest stays, the call returns 0', () => {
  const s = new Setup({ vramPages: 1024 });
  const a = s.malloc(1536);
  s.cpuWrite(a, 1536, 0);
  expect(s.run(s.process.prefetch(a, 1536, 'gpu'))).toBe(0);
  expect(s.residency(a, 1536)).toEqual(upTo(1536).map((i) => (i < 1024 ? VRAM : HOME)));
});

test('14.6 a load and a store of one page that the CPU maps read-only, in one batch: the store takes a second round', () => {
  const s = new Setup();
  const a = s.malloc(1);
  expect(s.cpuRead(a)).toBe(0); // the zero page, read-only
  const { sched } = s.kernel;
  sched.spawn('reader', s.launch(a, [0], 'read'));
  sched.spawn('writer', s.launch(a, [0], 'write', 7));
  sched.run();
  const maps = s.events('nouveau:pfnmap').map((e) => e.value);
  expect(maps).toEqual([1, 3]);
  expect(s.counters).toMatchObject({ batches: 2, replays: 2 });
  expect(s.cpuRead(a)).toBe(7);
});

test('14.7 an atomic first in the batch, then loads elsewhere: without the mend all take the exclusive path', () => {
  for (const stickyAtomic of [false, true]) {
    const s = new Setup({ mended: stickyAtomic ? [] : ['stickyAtomic'] });
    const a = s.malloc(4);
    s.cpuWrite(a, 4, 1);
    const { sched } = s.kernel;
    sched.spawn('adder', s.launch(a, [0], 'atomic', 1));
    sched.spawn('reader', s.launch(a, [1, 2, 3], 'read'));
    sched.run();
    expect(s.counters.batches).toBe(1);
    expect(s.events('nouveau:pfnmap').map((e) => e.value)).toEqual(
      stickyAtomic ? [7, 7, 7, 7] : [7, 3, 3, 3],
    );
  }
});

test('14.8 munmap during the fault: the sequence changes, the walk is repeated, EFAULT, cancel', () => {
  const s = new Setup();
  const a = s.malloc(2);
  s.cpuWrite(a, 2, 1);
  const { sched } = s.kernel;
  const found: number[] = [];
  sched.spawn('kernel', keepErrno(s, a, found));
  // The work item is between its walk and its lock when the other thread unmaps: wait for the interval notifier.
  sched.spawn('cpu', unmapWhenWatched(s, a));
  sched.run();
  expect(found).toEqual([-14]);
  expect(s.counters.retries).toBeGreaterThan(0);
  expect(s.process.fatal()).toContain('killed');
});

test('14.9 a prefetch fault on an absent page maps nothing and counts as handled', () => {
  const s = new Setup();
  const a = s.malloc(1);
  const { faultBuffer } = s.client.device.gpu;
  faultBuffer.push(s.process.channel.inst, a, 0, 2, 0, 0);
  s.run(interrupt(s));
  expect(s.counters).toMatchObject({ faults: 1, replays: 1 });
  expect(s.events('nouveau:pfnmap')).toEqual([]);
  expect(s.residency(a, 1)).toEqual([0]);
});

function* keepErrno(s: Setup, vpn: number, into: number[]): Task {
  const result = yield* s.launch(vpn, [0], 'read');
  into.push(result.errno);
}

function* unmapWhenWatched(s: Setup, vpn: number): Task {
  const subs = s.mm.notifierSubscriptions;
  while (!(subs?.tree.overlaps(vpn, vpn) ?? false)) yield* s.kernel.sched.delay(100);
  yield* sysMunmap(s.mm, vpn, 2);
}

function* interrupt(s: Setup): Task {
  const { gpu } = s.client.device;
  const waiting = gpu.handler?.faultsPending(gpu);
  if (waiting !== undefined) yield* waiting;
}
