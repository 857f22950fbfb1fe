import type { StreamShape } from '@hmm/device';
import { describe, expect, it } from 'vitest';
import {
  type Gpu,
  GPU_ACCESS_ATOMIC_STRONG,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
  GPU_CANCEL_ALL,
  GPU_CANCEL_WRITE_AND_ATOMIC,
  GPU_PTE_ATOMIC,
  GPU_PTE_VALID,
  GPU_PTE_WRITE,
  Gpu as GpuClass,
  type GpuFaultEntry,
  type GpuFaultHandler,
  gpuPreset,
} from '@hmm/gpu';
import { Kernel, type Task } from '@hmm/kernel';

const BASE = 0x7f0000000;

/** A driver of ten lines: maps what faults, frame by page, and replays. */
class MapOnFault implements GpuFaultHandler {
  readonly batches: number[][] = [];

  *faultsPending(gpu: Gpu): Task {
    const entry: GpuFaultEntry = {
      instance: 0,
      vpn: 0,
      access: 0,
      type: 0,
      client: 0,
      gpc: 0,
      utlb: 0,
      timestamp: 0,
    };
    const batch = new Set<number>();
    while (gpu.faultBuffer.pending > 0) {
      gpu.faultBuffer.read(gpu.faultBuffer.get, entry);
      gpu.faultBuffer.get = gpu.faultBuffer.next(gpu.faultBuffer.get);
      batch.add(entry.vpn - BASE);
    }
    const flags = GPU_PTE_VALID | GPU_PTE_WRITE | GPU_PTE_ATOMIC;
    for (const page of batch) gpu.instance(0)?.table.map(BASE + page, 1, page, flags);
    this.batches.push([...batch]);
    gpu.replay();
  }
}

function run(shape: StreamShape, pages: Int32Array, access = GPU_ACCESS_READ, values?: Uint32Array) {
  const kernel = new Kernel();
  const gpu = new GpuClass(kernel, gpuPreset('h100'), { memoryPages: 65536 });
  const handler = new MapOnFault();
  gpu.handler = handler;
  const instance = gpu.openInstance();
  const launched = gpu.launch(instance, { access, shape, base: BASE, pages, offset: 0, width: 4, values });
  kernel.sched.runSync(gpu.run(launched));
  return { gpu, launched, handler };
}

const sequence = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

describe('running kernels', () => {
  it('one thread faults once a page, one page at a time', () => {
    const { handler, launched } = run('serial', Int32Array.from([3, 1, 3, 2]));
    expect(handler.batches).toEqual([[3], [1], [2]]);
    expect(launched).toMatchObject({ done: 4, finished: true });
  });

  it('stores, loads and atomics reach the memory that the page table names', () => {
    const { gpu, launched } = run('serial', sequence(2), GPU_ACCESS_WRITE, Uint32Array.from([5, 6]));
    expect([gpu.vidmem.read(0, 0, 4), gpu.vidmem.read(1, 0, 4)]).toEqual([5, 6]);
    const values = Uint32Array.from([10, 10]);
    const add = { ...launched.accesses, access: GPU_ACCESS_ATOMIC_STRONG, values };
    gpu.kernel.sched.runSync(gpu.run(gpu.launch(launched.instance, add)));
    expect([...values, gpu.vidmem.read(1, 0, 4)]).toEqual([5, 6, 16]);
  });

  it('a uTLB has 56 faults outstanding: four thread blocks of 128 make a first batch of 224 pages', () => {
    const { handler, launched } = run('parallel', sequence(512));
    expect(handler.batches[0]).toHaveLength(4 * 56);
    expect(launched.done).toBe(512);
  });

  it.each(['parallel', 'stream'] as const)(
    'a %s kernel does every access once, in whatever batches',
    (shape) => {
      const { launched, handler } = run(shape, sequence(5000));
      expect(launched).toMatchObject({ done: 5000, finished: true });
      expect(new Set(handler.batches.flat()).size).toBe(5000);
      expect(Math.max(...handler.batches.map((b) => b.length))).toBeLessThanOrEqual(
        shape === 'stream' ? 256 : 40 * 56,
      );
    },
  );

  it('a parallel kernel has tried again when a replay returns, and can be cancelled by the uTLB it came through', () => {
    const kernel = new Kernel();
    const gpu = new GpuClass(kernel, gpuPreset('p100'));
    const cancelled: number[] = [];
    gpu.handler = {
      *faultsPending(): Task {
        gpu.faultBuffer.discardTo(gpu.faultBuffer.put);
        gpu.replay();
        expect(gpu.faultBuffer.pending).toBe(56);
        gpu.retryStalled();
        expect(gpu.faultBuffer.pending).toBe(56);
        cancelled.push(gpu.cancelUtlb(1, BASE), gpu.cancelUtlb(0, BASE));
      },
    };
    const accesses = { access: GPU_ACCESS_READ, shape: 'parallel', base: BASE, offset: 0, width: 1 } as const;
    const pages = sequence(128);
    const launched = gpu.launch(gpu.openInstance(), { ...accesses, pages, values: undefined });
    kernel.sched.runSync(gpu.run(launched));
    expect(cancelled).toEqual([0, 1]);
  });

  it('a cancelled access ends its kernel; cancelling writes spares a reader', () => {
    const kernel = new Kernel();
    const gpu = new GpuClass(kernel, gpuPreset('h100'));
    const results: number[] = [];
    gpu.handler = {
      *faultsPending(): Task {
        results.push(
          gpu.cancel(0, BASE + 1, GPU_CANCEL_WRITE_AND_ATOMIC),
          gpu.cancel(0, BASE + 1, GPU_CANCEL_ALL),
        );
      },
    };
    const accesses = {
      access: GPU_ACCESS_READ,
      shape: 'serial',
      base: BASE,
      pages: Int32Array.of(1),
      offset: 0,
      width: 1,
    } as const;
    const launched = gpu.launch(gpu.openInstance(), { ...accesses, values: undefined });
    kernel.sched.runSync(gpu.run(launched));
    expect([results, launched.cancelled, launched.finished]).toEqual([[0, 1], BASE + 1, false]);
  });
});

describe('a walker (ATS)', () => {
  it.each<StreamShape>(['serial', 'parallel', 'stream', 'warps'])(
    'is asked for what the table lacks, right by right, before a fault is raised: %s',
    (shape) => {
      const kernel = new Kernel();
      const gpu = new GpuClass(kernel, gpuPreset('gh200'), { memoryPages: 65536 });
      const handler = new MapOnFault();
      gpu.handler = handler;
      const instance = gpu.openInstance();
      const asked = new Set<string>();
      instance.table.walker = {
        walk(vpn, needs) {
          const write = (needs & GPU_PTE_WRITE) !== 0;
          asked.add(`${vpn - BASE}${write ? 'w' : 'r'}`);
          if (vpn !== BASE + 2)
            instance.table.map(vpn, 1, vpn - BASE, GPU_PTE_VALID | (write ? GPU_PTE_WRITE : 0));
        },
      };
      const pages = Int32Array.of(0, 1, 2, 3);
      const go = (access: number): void => {
        const accesses = { access, shape, base: BASE, pages, offset: 0, width: 1, values: undefined };
        kernel.sched.runSync(gpu.run(gpu.launch(instance, accesses)));
      };
      go(GPU_ACCESS_READ);
      expect([...asked].sort()).toEqual(['0r', '1r', '2r', '3r']);
      expect(handler.batches).toEqual([[2]]);
      asked.clear();
      if (shape === 'stream') return;
      go(GPU_ACCESS_WRITE);
      expect([...asked].sort()).toEqual(['0w', '1w', '3w']);
      expect(handler.batches).toEqual([[2]]);
    },
  );
});
