import { describe, expect, test } from 'vitest';
import { GPU_ACCESS_PREFETCH, GPU_ACCESS_READ, GPU_ACCESS_WRITE } from '@hmm/gpu';
import { EACCES, EFAULT, EIO, type Task } from '@hmm/kernel';
import { type MmStruct, PROT_READ, dupMm, mmCreate, sysMmap, sysMunmap } from '@hmm/mm';
import { mmuIntervalNotifierInsert, mmuIntervalSetSeq } from '@hmm/mmu-notifier';
import {
  nouveauChannelNew,
  NouveauCli,
  NouveauChannel,
  nouveauSvmFaultCmp,
  type NouveauSvmFault,
} from '@hmm/nouveau-model/internal';
import { ANON, GPU_MAPPED, GPU_WRITE, HOME, REMOTE, Setup, type SetupOptions, upTo } from './setup.js';

const inst = (s: Setup): number => s.process.channel.inst;
const push = (s: Setup, vpn: number, access: number, instance = inst(s)): boolean =>
  s.client.device.gpu.faultBuffer.push(instance, vpn, access, 2, 0, 0);

function* interrupt(s: Setup): Task {
  const { gpu } = s.client.device;
  const waiting = gpu.handler?.faultsPending(gpu);
  if (waiting !== undefined) yield* waiting;
}

describe('reading the buffer (nouveau.md 5.1 to 5.3)', () => {
  test('a work item consumes everything up to PUT: there is no batch limit', () => {
    const s = new Setup();
    const a = s.malloc(1000);
    s.cpuWrite(a, 1000, 0);
    for (const i of upTo(1000)) push(s, a + i, GPU_ACCESS_READ);
    s.run(interrupt(s));
    expect(s.counters).toMatchObject({ faults: 1000, batches: 1, replays: 1 });
  });

  test('GET is written before the faults are served, so that their entries can be used again', () => {
    const s = new Setup();
    const a = s.malloc(1);
    push(s, a, GPU_ACCESS_READ);
    const { faultBuffer } = s.client.device.gpu;
    s.kernel.sched.spawn('irq', interrupt(s));
    const { interrupt: entry, record } = s.client.drm.cost;
    s.kernel.sched.run(s.kernel.sched.now + entry.value + record.value / 2);
    expect(s.counters).toMatchObject({ faults: 1, replays: 0 });
    expect(faultBuffer.pending).toBe(0);
    s.kernel.sched.run();
    expect(s.counters.replays).toBe(1);
  });

  test('a work item that finds GET = PUT does nothing', () => {
    const s = new Setup();
    s.malloc(1);
    s.kernel.sched.run(1e6);
    expect(s.counters).toMatchObject({ batches: 0, replays: 0 });
  });

  test('a record for which there is no memory is cancelled at once', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    s.fail('nouveau_svm_fault');
    const result = s.gpu(a, [0]);
    expect(result.errno).toBe(-EIO);
    expect(result.reason).toContain('no memory for its record');
  });
});

describe('order (nouveau.md 5.4)', () => {
  const fault = (i: number, vpn: number, access: number): NouveauSvmFault => ({
    inst: i,
    vpn,
    access,
    gpc: 0,
    client: 0,
    time: 0,
    svmm: undefined,
  });

  test('by instance, then address, then access with the weakest first: prefetch, read, write, atomic', () => {
    const [read, write, atomic, prefetch] = [0, 1, 2, 3];
    const sorted = [
      fault(1, 5, read),
      fault(0, 9, atomic),
      fault(0, 9, write),
      fault(0, 9, prefetch),
      fault(0, 9, read),
      fault(0, 3, atomic),
    ].sort(nouveauSvmFaultCmp);
    expect(sorted.map((f) => [f.inst, f.vpn, f.access])).toEqual([
      [0, 3, atomic],
      [0, 9, prefetch],
      [0, 9, read],
      [0, 9, write],
      [0, 9, atomic],
      [1, 5, read],
    ]);
  });
});

describe('handling (nouveau.md 5.6)', () => {
  test('a: a fault of a channel without SVM is cancelled', () => {
    const s = new Setup();
    const cli = new NouveauCli(s.client.drm, s.mm);
    const channel = s.run(nouveauChannelNew(cli));
    if (!(channel instanceof NouveauChannel)) throw new Error('no channel');
    push(s, 0x1000, GPU_ACCESS_READ, channel.inst);
    s.run(interrupt(s));
    expect(channel.death?.reason).toBe('its channel has no SVM');
    expect(s.counters.replays).toBe(0);
  });

  test('b: the window is one page: its neighbours stay unmapped', () => {
    const s = new Setup();
    const a = s.malloc(3);
    s.cpuWrite(a, 3, 1);
    s.gpu(a, [1]);
    expect(s.residency(a, 3)).toEqual([HOME, REMOTE, HOME]);
  });

  test('b: a fault in the unmanaged interval is not served from the process', () => {
    const s = new Setup({ unmanaged: { addr: 0x500000 * 4096, size: 0x10 * 4096 } });
    const a = s.malloc(0x20, 0x500000 - 8);
    s.cpuWrite(a, 0x20, 1);
    expect(s.gpu(a, [7]).errno).toBe(0);
    const result = s.gpu(a, [8]);
    expect(result).toMatchObject({ errno: -EIO });
    expect(result.reason).toContain('unmanaged');
  });

  test('c: a read asks for presence only: what the CPU has read-only is mapped read-only', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuRead(a);
    s.gpu(a, [0]);
    expect(s.residency(a, 1)).toEqual([HOME | GPU_MAPPED]);
  });

  test('c: a write asks for a writable page: the zero page is replaced', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuRead(a);
    s.gpu(a, [0], 'write', 3);
    expect(s.residency(a, 1)).toEqual([REMOTE]);
    expect(s.cpuRead(a)).toBe(3);
  });

  test('c: a prefetch mirrors what is there and asks for nothing', () => {
    const s = new Setup();
    const a = s.malloc(2);
    s.cpuWrite(a, 1, 1);
    push(s, a, GPU_ACCESS_PREFETCH);
    push(s, a + 1, GPU_ACCESS_PREFETCH);
    s.run(interrupt(s));
    expect(s.residency(a, 2)).toEqual([REMOTE, 0]);
    expect(s.counters.replays).toBe(1);
  });

  test('d: when the process is exiting the fault is cancelled', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.mm.users = 0;
    push(s, a, GPU_ACCESS_READ);
    s.run(interrupt(s));
    expect(s.process.channel.death?.reason).toBe('the process is exiting');
    s.mm.users = 1;
  });

  test('f: faults of the same page are taken as handled if the first may do what it wanted', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    for (const access of [GPU_ACCESS_READ, GPU_ACCESS_READ, GPU_ACCESS_WRITE]) push(s, a, access);
    s.run(interrupt(s));
    expect(s.events('nouveau:pfnmap')).toHaveLength(1);
    expect(s.counters).toMatchObject({ faults: 3, replays: 1 });
  });

  test('f: a prefetch of an absent page passes over a load behind it, which faults again after the replay', () => {
    const s = new Setup();
    const a = s.malloc(1);
    push(s, a, GPU_ACCESS_PREFETCH);
    s.kernel.sched.spawn('reader', s.launch(a, [0], 'read'));
    s.kernel.sched.run();
    expect(s.counters).toMatchObject({ faults: 3, batches: 2, replays: 2 });
  });

  test('g: one bad page kills the channel, the good ones were mapped and one replay is sent', () => {
    const s = new Setup();
    const a = s.malloc(3);
    s.cpuWrite(a, 3, 1);
    s.run(sysMunmap(s.mm, a + 1, 1));
    const result = s.gpu(a, [0, 1, 2]);
    expect(result.errno).toBe(-EFAULT);
    expect(s.counters.replays).toBe(1);
    expect(s.residency(a, 3)).toEqual([REMOTE, 0, REMOTE]);
  });

  test('late duplicates in the ring are served as any fault and found mapped', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    s.gpu(a, [0]);
    push(s, a, GPU_ACCESS_READ);
    s.run(interrupt(s));
    expect(s.counters).toMatchObject({ faults: 2, batches: 2, replays: 2 });
    expect(s.residency(a, 1)).toEqual([REMOTE]);
  });
});

describe('the walk (nouveau.md 6)', () => {
  test('data that the CPU has stays where it is: the GPU writes it across the link, the CPU sees it without a fault', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    s.gpu(a, [0], 'write', 9);
    expect(s.cpuRead(a)).toBe(9);
    expect(s.counters).toMatchObject({ cpuFaults: 0, byCause: { user: { toDevice: 0 } } });
  });

  test('memory that nobody touched is allocated in system memory', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.gpu(a, [0], 'write', 5);
    expect(s.residency(a, 1)).toEqual([REMOTE]);
  });

  test('a page of the own device memory is mapped there, with the right that its entry has', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 4);
    s.run(s.process.prefetch(a, 1, 'gpu'));
    s.process.svmm.vmm.pfnclr(a, a + 1);
    expect(s.gpu(a, [0]).values).toEqual([4]);
    expect(s.residency(a, 1)).toEqual([2 | GPU_MAPPED | GPU_WRITE]);
  });

  /** A page in device memory, read-only since a fork. */
  const forked = (options: SetupOptions): { s: Setup; a: number; child: MmStruct } => {
    const s = new Setup(options);
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 4);
    s.run(s.process.prefetch(a, 1, 'gpu'));
    const child = s.run(dupMm(s.mm));
    if (typeof child === 'number') throw new Error('fork failed');
    return { s, a, child };
  };

  test('a store to a page in device memory that a fork made read-only faults for ever', () => {
    const { s, a } = forked({});
    expect(s.gpu(a, [0]).values).toEqual([4]);
    const result = s.gpu(a, [0], 'write', 9);
    expect(result.errno).toBe(-EIO);
    expect(result.reason).toContain('faults for ever');
    expect(s.counters.replays).toBeGreaterThan(100);
    expect(s.cpuRead(a)).toBe(4);
  });

  test('mended, it brings the page home', () => {
    const { s, a, child } = forked({ mended: ['readOnlyVram'] });
    expect(s.gpu(a, [0]).values).toEqual([4]);
    expect(s.gpu(a, [0], 'write', 9).errno).toBe(0);
    expect(s.cpuRead(a, child)).toBe(4);
    expect(s.cpuRead(a)).toBe(9);
  });

  test('an address without mapping is EFAULT, a store without the right is EACCES: the channel is killed', () => {
    const s = new Setup();
    expect(s.gpu(0x700000, [0])).toMatchObject({ errno: -EFAULT, done: 0 });
    expect(s.process.fatal()).toBe('channel 0 killed: the process cannot give the page (EFAULT)');
    expect(s.client.log).toEqual([
      'nouveau 0000:01:00.0: fifo: fault 00 [READ] at 0000000700000000 engine 00 [GR] reason 02 [PTE] on channel 0',
      'nouveau 0000:01:00.0: fifo: channel 0: killed',
    ]);
    const r = new Setup();
    const a = r.run(sysMmap(r.mm, 0, 1, PROT_READ, ANON));
    expect(r.gpu(a, [0]).errno).toBe(0);
    expect(r.gpu(a, [0], 'write', 1).errno).toBe(-EACCES);
  });

  test('a dead channel runs nothing more', () => {
    const s = new Setup();
    s.gpu(0x700000, [0]);
    expect(s.gpu(0x700000, [0]).errno).toBe(-EIO);
  });

  test('a sequence that never settles is given up after one second: EBUSY, cancelled', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    s.kernel.sched.spawnDaemon('restless', bumpForEver(s, a));
    const started = s.kernel.sched.now;
    const result = s.gpu(a, [0]);
    expect(result.errno).toBe(-EIO);
    expect(result.reason).toContain('EBUSY');
    expect(s.kernel.sched.now - started).toBeGreaterThan(1e9);
    expect(s.kernel.sched.now - started).toBeLessThan(1.01e9);
    expect(s.counters.retries).toBeGreaterThan(1000);
  });

  test('the temporary notifier is gone afterwards', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.gpu(a, [0]);
    expect(s.mm.notifierSubscriptions?.intervals.filter((sub) => sub !== undefined)).toEqual([]);
  });

  test('a page of another process at the same address is another page', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 1);
    const other = mmCreate(s.memory);
    const opened = s.run(s.client.openProcess(other));
    if (!opened.ok) throw new Error(opened.reason);
    s.run(sysMmap(other, a, 1, 3, ANON));
    s.gpu(a, [0], 'write', 77);
    expect(s.cpuRead(a, other)).toBe(0);
    expect(s.residency(a, 1)).toEqual([REMOTE]);
  });
});

/** Keeps the sequence of every notifier of `vpn` moving, as an endless stream of invalidations would. */
function* bumpForEver(s: Setup, vpn: number): Task {
  const own = yield* mmuIntervalNotifierInsert(s.mm, vpn + 1000, 1, { invalidate: () => true });
  if (typeof own === 'number') throw new Error('no notifier');
  for (;;) {
    const subs = s.mm.notifierSubscriptions;
    for (const sub of subs?.intervals ?? []) {
      if (sub !== undefined && sub.start === vpn)
        mmuIntervalSetSeq(sub, subs?.seqPlus(sub.invalidateSeq, 2) ?? 0);
    }
    yield* s.kernel.sched.delay(2000);
  }
}
