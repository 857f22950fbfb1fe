import { UvmEventTypeCpuFault, UvmEventTypeGpuFault, UvmEventTypeMigration } from '@hmm/nvidia-uvm-model';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  uvmFork,
  uvmGetUserPages,
  uvmSetPreferredLocation,
} from '@hmm/nvidia-uvm-model/internal';
import type { Task } from '@hmm/kernel';
import { describe, expect, it } from 'vitest';
import { BASE, Bench, sequence } from './setup.js';

const PAGES = 512;

class Parts extends Bench {
  run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  prefer(first: number, pages: number, id: 0 | 1): number {
    return this.run(uvmSetPreferredLocation(this.space, BASE + first, pages, id));
  }

  pin(first: number, pages: number, write = false): number {
    return this.run(uvmGetUserPages(this.space, BASE + first, pages, write));
  }
}

describe('a block that begins within a 64 KiB region (compute_prefetch_region)', () => {
  it('leaves out as many of its first pages as the region has before it', () => {
    const bench = new Parts(PAGES);
    bench.cpu(sequence(PAGES));
    bench.prefer(36, 200, UVM_ID_GPU);
    bench.gpu([36]);
    expect(bench.events(UvmEventTypeMigration)).toEqual([
      [36, 1, 2],
      [40, 8, 3],
    ]);
  });

  it('has no shifted tree where it holds no whole 64 KiB region', () => {
    const bench = new Parts(PAGES);
    bench.cpu(sequence(PAGES));
    bench.prefer(36, 20, UVM_ID_GPU);
    bench.gpu([36]);
    expect(bench.events(UvmEventTypeMigration)).toEqual([
      [36, 1, 2],
      [37, 19, 3],
    ]);
  });
});

describe('fork (uvm_vm_open_managed)', () => {
  it('leaves the parent everything: neither processor faults afterwards', () => {
    const bench = new Parts(PAGES);
    bench.cpu(sequence(PAGES));
    bench.gpu([0, 1]);
    const faults = [bench.cpuFaults, bench.events(UvmEventTypeGpuFault).length];
    bench.run(uvmFork(bench.space));
    bench.gpu([0, 1]);
    bench.cpu([100, 200, 300]);
    expect([bench.cpuFaults, bench.events(UvmEventTypeGpuFault).length]).toEqual(faults);
  });
});

describe('get_user_pages on managed memory', () => {
  it('faults in what the CPU has not mapped, and the GPU faults again afterwards', () => {
    const bench = new Parts(PAGES);
    bench.cpu(sequence(PAGES));
    bench.gpu([0]);
    const before = bench.cpuFaults;
    expect(bench.pin(0, 1)).toBe(0);
    expect(bench.cpuFaults).toBe(before + 1);
    bench.gpu([0]);
    expect(bench.events(UvmEventTypeGpuFault)).toHaveLength(2);
  });

  it('takes pages that the CPU has as they are', () => {
    const bench = new Parts(PAGES);
    bench.cpu(sequence(PAGES));
    const before = bench.events(UvmEventTypeCpuFault).length;
    expect(bench.pin(0, PAGES, true)).toBe(0);
    expect(bench.events(UvmEventTypeCpuFault)).toHaveLength(before);
  });

  it('ends at the first page that is not managed', () => {
    const bench = new Parts(PAGES);
    expect(bench.pin(PAGES - 1, 2)).toBeLessThan(0);
    expect(bench.cpuFaults).toBe(1);
    expect(bench.space.block(BASE)?.prot(UVM_ID_CPU, PAGES - 1)).toBeGreaterThan(0);
  });
});
