import {
  Gpu,
  GPU_ACCESS_PREFETCH,
  GPU_ACCESS_READ,
  GPU_ACCESS_WRITE,
  GPU_FAULT_INVALID_PTE,
  type GpuKernel,
  gpuPreset,
} from '@hmm/gpu';
import { Kernel, type Task } from '@hmm/kernel';
import {
  launchKernel,
  UvmDriver,
  type UvmDriverOptions,
  UvmEventTypeFatalFault,
  UvmEventTypeGpuFault,
  UvmEventTypeGpuFaultReplay,
} from '@hmm/nvidia-uvm-model';
import { type UvmVaSpace } from '@hmm/nvidia-uvm-model/internal';
import { describe, expect, it } from 'vitest';
import { BASE, Bench, params, sequence } from './setup.js';

/** A page that no memory lies at. */
const NOWHERE = 4096;

/** A driver with two processes, each with 2 MiB at the same address. */
class Two {
  readonly kernel = new Kernel();
  readonly driver: UvmDriver;
  readonly first: UvmVaSpace;
  readonly second: UvmVaSpace;

  constructor(gpu: string, options: UvmDriverOptions = {}) {
    this.driver = new UvmDriver(this.kernel, [new Gpu(this.kernel, gpuPreset(gpu))], options);
    this.first = this.driver.openVaSpace();
    this.second = this.driver.openVaSpace();
    this.first.alloc(BASE, 512 * 4096);
    this.second.alloc(BASE, 512 * 4096);
    this.kernel.trace.on = true;
  }

  /** A kernel of one thread in a process. */
  *touch(space: UvmVaSpace, pages: number[]): Task<GpuKernel> {
    const accesses = { access: GPU_ACCESS_READ, shape: 'serial', base: BASE, offset: 0, width: 1 } as const;
    return yield* launchKernel(space, { ...accesses, pages: Int32Array.from(pages), values: undefined });
  }

  count(kind: number): number {
    const { trace } = this.kernel;
    let count = 0;
    for (let i = 0; i < trace.length; i++) if (trace.at(i).kind === kind) count++;
    return count;
  }
}

describe.each(['h100', 'p100'])('a fatal fault on %s', (gpu) => {
  it('ends its kernel, once everything was thrown away, raised anew and looked at again', () => {
    const two = new Two(gpu);
    const kernel = two.kernel.sched.runSync(two.touch(two.first, [0, NOWHERE, 1]));
    expect([kernel.finished, kernel.cancelled, kernel.done]).toEqual([false, BASE + NOWHERE, 1]);
    expect(two.count(UvmEventTypeFatalFault)).toBe(1);
    expect(two.count(UvmEventTypeGpuFault)).toBe(1);
    expect(two.driver.gpu.hw.faultBuffer.pending).toBe(0);
    expect(two.first.fatal).toContain('Xid 31');
  });

  it('leaves other processes alone, though their faults came in the same batch through the same uTLB', () => {
    const two = new Two(gpu);
    const { faultBuffer } = two.driver.gpu.hw;
    const { sched } = two.kernel;
    const survivor = two.driver.gpu.hw.launch(two.second.instance, {
      access: GPU_ACCESS_WRITE,
      shape: 'serial',
      base: BASE,
      pages: sequence(64),
      offset: 0,
      width: 1,
      values: undefined,
    });
    survivor.advance();
    expect(faultBuffer.pending).toBe(1);
    const victim = sched.runSync(two.touch(two.first, [NOWHERE]));
    expect(victim.cancelled).toBe(BASE + NOWHERE);
    expect(survivor.cancelled).toBe(-1);
    sched.runSync(two.driver.gpu.hw.run(survivor));
    expect([survivor.finished, two.second.fatal]).toEqual([true, undefined]);
  });

  it('is no longer fatal when memory has come to be there meanwhile', () => {
    let looks = 0;
    const two = new Two(gpu);
    const { hw: hardware } = two.driver.gpu;
    const retry = hardware.retryStalled.bind(hardware);
    hardware.retryStalled = () => {
      looks++;
      two.first.alloc(BASE + NOWHERE, 4096);
      retry();
    };
    const kernel = two.kernel.sched.runSync(two.touch(two.first, [NOWHERE]));
    expect([looks, kernel.finished, two.first.fatal]).toEqual([1, true, undefined]);
    expect(two.count(UvmEventTypeFatalFault)).toBe(0);
  });
});

describe('faults that come while a batch is served', () => {
  /** Serves page 0, with `copies` duplicates of its fault; meanwhile a fault on page 256 arrives. */
  function late(ratio: number, copies: number): number {
    let delivered = false;
    const two = new Two('h100', {
      params: params({ uvm_perf_fault_replay_update_put_ratio: ratio, uvm_perf_fault_coalesce: 0 }),
      policy: {
        name: 'hardware delivers a fault now',
        selectResidency(_block, _page, _faulting, proposed) {
          if (!delivered) push(256);
          delivered = true;
          return proposed;
        },
      },
    });
    const { faultBuffer } = two.driver.gpu.hw;
    const push = (page: number): void => {
      faultBuffer.push(two.second.instance.id, BASE + page, GPU_ACCESS_READ, GPU_FAULT_INVALID_PTE, 0, 0);
    };
    for (let i = 0; i < copies; i++) push(0);
    two.kernel.sched.runSync(two.driver.faultsPending(two.driver.gpu.hw));
    return two.driver.tools.counters.batches;
  }

  it('outlast the flush, which knows an older PUT, and make a batch of their own', () => {
    expect(late(50, 2)).toBe(2);
  });

  it('are flushed with the rest where so many were duplicates that PUT is read', () => {
    expect(late(50, 4)).toBe(1);
    expect(late(80, 4)).toBe(2);
  });
});

describe('prefetch instructions', () => {
  /** `count` prefetches of pages where nothing is; whether the GPU may fault on prefetches afterwards. */
  function invalid(count: number, lapse: number): Two {
    const two = new Two('h100', {
      params: params({ uvm_perf_fault_batch_count: 30, uvm_perf_reenable_prefetch_faults_lapse_msec: lapse }),
    });
    const { faultBuffer } = two.driver.gpu.hw;
    const { id } = two.first.instance;
    for (let i = 0; i < count; i++) {
      faultBuffer.push(id, BASE + NOWHERE + i, GPU_ACCESS_PREFETCH, GPU_FAULT_INVALID_PTE, 0, 0);
    }
    two.kernel.sched.runSync(two.driver.faultsPending(two.driver.gpu.hw));
    return two;
  }

  it('of nothing are never fatal', () => {
    const two = invalid(10, 1000);
    expect([two.first.fatal, two.count(UvmEventTypeFatalFault)]).toEqual([undefined, 0]);
    expect(two.count(UvmEventTypeGpuFaultReplay)).toBe(1);
  });

  it('raise no faults for a while when they were more than two thirds of a batch', () => {
    expect(invalid(20, 1000).driver.gpu.hw.prefetchFaults).toBe(true);
    const two = invalid(21, 1000);
    expect(two.driver.gpu.hw.prefetchFaults).toBe(false);
    const { sched } = two.kernel;
    sched.runSync(two.touch(two.first, [0]));
    expect(two.driver.gpu.hw.prefetchFaults).toBe(false);
    sched.runSync(sched.delay(1e9));
    sched.runSync(two.touch(two.first, [100]));
    expect(two.driver.gpu.hw.prefetchFaults).toBe(true);
  });

  it.each([
    ['h100', 0, true],
    ['p100', 0, false],
    ['p100', 1, true],
    ['k80', 1, false],
  ] as const)('on %s, uvm_force_prefetch_fault_support=%i: they fault %s', (gpu, forced, fault) => {
    const two = new Two(gpu, { params: params({ uvm_force_prefetch_fault_support: forced }) });
    expect(two.driver.gpu.hw.prefetchFaults).toBe(fault);
  });

  it('go on raising faults with a lapse of 0', () => {
    expect(invalid(30, 0).driver.gpu.hw.prefetchFaults).toBe(true);
  });
});

describe('uvm_perf_prefetch_min_faults', () => {
  it.each([
    [1, [0, 16], 32],
    [2, [0, 64], 17],
    [3, [0, 16, 32], 18],
  ])('at %i, faults on %j leave %i pages on the GPU', (minimum, pages, resident) => {
    const bench = new Bench(512, { params: params({ uvm_perf_prefetch_min_faults: minimum }) });
    bench.gpu(pages);
    expect(bench.onGpu(512)).toHaveLength(resident);
  });
});
