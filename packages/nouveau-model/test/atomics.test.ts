import { describe, expect, test } from 'vitest';
import { EIO, type Task } from '@hmm/kernel';
import { MAP_SHARED, cpuWriteByte, sysMmap } from '@hmm/mm';
import { isDeviceExclusivePte, shmemFileSetup } from '@hmm/mm/internal';
import { GPU_PTE_ATOMIC, figure, gpuPreset } from '@hmm/gpu';
import { CPU, GPU_MAPPED, GPU_WRITE, HOME, REMOTE, RW, Setup, VRAM } from './setup.js';

const pte = (s: Setup, vpn: number): number =>
  s.memory.tables.lanes[s.memory.tables.findPte(s.mm.root, vpn)] ?? 0;
const atomicOnGpu = (s: Setup, vpn: number): boolean => (s.table.flags(vpn) & GPU_PTE_ATOMIC) !== 0;

describe('atomics through device-exclusive access (nouveau.md 7)', () => {
  test('the page stays in system memory, the CPU loses it, the GPU maps it with the atomic bit', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 40);
    expect(s.gpu(a, [0], 'atomic', 2).values).toEqual([40]);
    expect(isDeviceExclusivePte(pte(s, a))).toBe(true);
    expect(s.residency(a, 1)).toEqual([CPU | GPU_MAPPED | GPU_WRITE]);
    expect(atomicOnGpu(s, a)).toBe(true);
  });

  test('a CPU access gives the page back, and the GPU loses its mapping', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 40);
    s.gpu(a, [0], 'atomic', 2);
    expect(s.cpuRead(a)).toBe(42);
    expect(s.residency(a, 1)).toEqual([HOME]);
  });

  test('while the page is exclusive, further atomics take no fault', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 0);
    for (let i = 0; i < 5; i++) s.gpu(a, [0], 'atomic', 1);
    expect(s.counters.faults).toBe(1);
    expect(s.cpuRead(a)).toBe(5);
  });

  test('an atomic on a page mapped by an ordinary fault is a fault of its own: that mapping has no atomic bit', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 0);
    s.gpu(a, [0], 'write', 3);
    expect(s.residency(a, 1)).toEqual([REMOTE]);
    s.gpu(a, [0], 'atomic', 1);
    expect(s.counters.faults).toBe(2);
    expect(s.cpuRead(a)).toBe(4);
  });

  test('mended, an atomic on a page in device memory brings it home', () => {
    const s = new Setup({ mended: ['retriesOwnExclusive'] });
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 7);
    s.run(s.process.prefetch(a, 1, 'gpu'));
    expect(s.residency(a, 1)).toEqual([VRAM]);
    s.gpu(a, [0], 'atomic', 1);
    expect(s.residency(a, 1)).toEqual([CPU | GPU_MAPPED | GPU_WRITE]);
    expect(s.counters.cpuFaults).toBe(1);
    expect(s.client.drm.dmem?.used).toBe(0);
    expect(s.cpuRead(a)).toBe(8);
  });

  test('as the driver is, that atomic is tried for one second, then the channel is killed', () => {
    // A slow host: fewer tries in the second.
    const slow = { ...gpuPreset('p100'), serviceScale: figure(50, 'estimate') };
    const s = new Setup({}, slow);
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 7);
    s.run(s.process.prefetch(a, 1, 'gpu'));
    const result = s.gpu(a, [0], 'atomic', 1);
    expect(result.errno).toBe(-EIO);
    expect(result.reason).toContain('EBUSY');
    expect(s.counters.retries).toBeGreaterThan(1000);
    expect(s.cpuRead(a)).toBe(7);
  });

  test('only anonymous memory: on a shared file the atomic is EINVAL, cancelled', () => {
    const s = new Setup();
    const file = shmemFileSetup(s.memory, 1);
    if (file === null) throw new Error('no file');
    const a = s.run(sysMmap(s.mm, 0, 1, RW, MAP_SHARED, { file }));
    s.cpuWrite(a, 1, 1);
    expect(s.gpu(a, [0]).errno).toBe(0);
    const result = s.gpu(a, [0], 'atomic', 1);
    expect(result.errno).toBe(-EIO);
    expect(result.reason).toContain('EINVAL');
  });

  test('the page and its lock are let go of whatever happens: the CPU can have it at once', () => {
    const s = new Setup();
    const a = s.malloc(1);
    s.cpuWrite(a, 1, 0);
    const { sched } = s.kernel;
    sched.spawn('gpu', adds(s, a, 12));
    sched.spawn('cpu', stores(s, a, 12));
    sched.run();
    expect(s.cpuRead(a)).toBe(12);
    expect(s.memory.map.refcount.some((count) => count > 2)).toBe(false);
    expect(s.counters.faults).toBeGreaterThan(1);
  });
});

/** Adds 1 to the page `times` times from the GPU. */
function* adds(s: Setup, vpn: number, times: number): Task {
  for (let i = 0; i < times; i++) {
    yield* s.launch(vpn, [0], 'atomic', 1);
    yield* s.kernel.sched.delay(31_000);
  }
}

/** Stores to another byte of the page from the CPU, taking it from the GPU each time. */
function* stores(s: Setup, vpn: number, times: number): Task {
  for (let i = 0; i < times; i++) {
    yield* cpuWriteByte(s.mm, vpn, 100, i);
    yield* s.kernel.sched.delay(70_000);
  }
}
