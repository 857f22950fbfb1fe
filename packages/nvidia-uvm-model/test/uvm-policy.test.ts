import { GPU_ACCESS_ATOMIC_STRONG, GPU_ACCESS_ATOMIC_WEAK } from '@hmm/gpu';
import {
  launchKernel,
  type UvmDriverOptions,
  UvmEventTypeGpuFault,
  UvmEventTypeMapRemote,
  UvmEventTypeMigration,
  UvmEventTypeThrashingDetected,
} from '@hmm/nvidia-uvm-model';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_ID_INVALID,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE,
  UVM_PROT_READ_WRITE_ATOMIC,
  uvmDisableReadDuplication,
  uvmEnableReadDuplication,
  uvmMigrate,
  type UvmProcessorId,
  uvmSetAccessedBy,
  uvmSetPreferredLocation,
} from '@hmm/nvidia-uvm-model/internal';
import { describe, expect, it } from 'vitest';
import { BASE, Bench, sequence } from './setup.js';

const PAGES = 128;
const USER = 1;
const COHERENCE = 2;
const PREFETCH = 3;

class Advised extends Bench {
  readonly pages: number;

  constructor(pages = PAGES, options: UvmDriverOptions = {}) {
    super(pages, options);
    this.pages = pages;
  }

  preferred(id: UvmProcessorId): this {
    this.kernel.sched.runSync(uvmSetPreferredLocation(this.space, BASE, this.pages, id));
    return this;
  }

  accessedBy(id: UvmProcessorId): this {
    this.kernel.sched.runSync(uvmSetAccessedBy(this.space, BASE, this.pages, id));
    return this;
  }

  readMostly(on = true): this {
    const call = on ? uvmEnableReadDuplication : uvmDisableReadDuplication;
    this.kernel.sched.runSync(call(this.space, BASE, this.pages));
    return this;
  }

  prefetch(id: UvmProcessorId): this {
    this.kernel.sched.runSync(uvmMigrate(this.space, BASE, this.pages, id));
    return this;
  }

  atomic(
    pages: readonly number[],
    access: typeof GPU_ACCESS_ATOMIC_WEAK | typeof GPU_ACCESS_ATOMIC_STRONG,
  ): void {
    const touch = { access, shape: 'serial' as const, base: BASE, offset: 0, width: 1, values: undefined };
    this.kernel.sched.runSync(launchKernel(this.space, { ...touch, pages: Int32Array.from(pages) }));
  }

  prot(id: UvmProcessorId, page: number): number {
    return this.space.block(BASE + page)?.prot(id, page) ?? UVM_PROT_NONE;
  }

  get gpuFaults(): number {
    return this.events(UvmEventTypeGpuFault).length;
  }
}

describe('read duplication (read-mostly advice)', () => {
  it('a write takes its page and copies what is taken along, the copies first', () => {
    const bench = new Advised();
    bench.cpu(sequence(PAGES));
    bench.readMostly().gpu([0], true);
    expect(bench.events(UvmEventTypeMigration)).toEqual([
      [1, 15, PREFETCH],
      [0, 1, COHERENCE],
    ]);
    expect([bench.prot(UVM_ID_GPU, 0), bench.prot(UVM_ID_CPU, 0)]).toEqual([
      UVM_PROT_READ_WRITE_ATOMIC,
      UVM_PROT_NONE,
    ]);
    expect([bench.prot(UVM_ID_GPU, 1), bench.prot(UVM_ID_CPU, 1)]).toEqual([
      UVM_PROT_READ_ONLY,
      UVM_PROT_READ_ONLY,
    ]);
  });

  it('a page that is taken along again, being there already, loses the right to write', () => {
    const bench = new Advised().readMostly();
    bench.gpu([0, 1], true);
    expect([bench.prot(UVM_ID_GPU, 0), bench.prot(UVM_ID_GPU, 1)]).toEqual([
      UVM_PROT_READ_ONLY,
      UVM_PROT_READ_WRITE_ATOMIC,
    ]);
    bench.gpu([0], true);
    expect(bench.gpuFaults).toBe(3);
  });

  it('a GPU that loses the rights to atomics and to writes is two events for the thrashing detector', () => {
    const bench = new Advised(512);
    bench.cpu([0]);
    bench.gpu([0], true);
    bench.cpu([0]);
    bench.gpu([0], true);
    bench.readMostly().gpu([0, 1, 2], true);
    const [first] = bench.events(UvmEventTypeThrashingDetected);
    expect(first?.[0]).toBe(0);
  });

  it('a CPU that loses the right to write, since the GPU takes a copy along, is one too', () => {
    const bench = new Advised().readMostly();
    bench.cpu(sequence(16));
    // Each second write takes page 0 along again, from which the GPU loses two rights each time.
    bench.gpu([1, 0, 2, 0, 3], true);
    const thrashing = bench.events(UvmEventTypeThrashingDetected).map(([page]) => page);
    expect(thrashing).toContain(0);
  });

  it('goes before accessed-by: advice and faults map nobody else', () => {
    const bench = new Advised().accessedBy(UVM_ID_GPU).readMostly();
    bench.cpu([0, 40], false);
    bench.accessedBy(UVM_ID_CPU);
    expect(bench.events(UvmEventTypeMapRemote)).toEqual([]);
  });

  it('a prefetch maps what was never touched for writing, as it is mapped nowhere else', () => {
    const bench = new Advised().readMostly().prefetch(UVM_ID_GPU);
    bench.gpu(sequence(PAGES), true);
    expect(bench.gpuFaults).toBe(0);
  });

  it('ends with the copy of the preferred location, or else of the CPU', () => {
    const copies = new Advised().readMostly();
    copies.cpu([0]);
    copies.gpu([0]);
    copies.readMostly(false);
    expect(copies.onGpu(PAGES)).toEqual([]);
    const preferring = new Advised().readMostly();
    preferring.cpu([0]);
    preferring.gpu([0]);
    preferring.preferred(UVM_ID_GPU).readMostly(false);
    expect(preferring.onGpu(PAGES)).toEqual([...sequence(16)]);
    expect(preferring.events(UvmEventTypeMigration).filter(([, , cause]) => cause === USER)).toEqual([]);
  });
});

describe('preferred location', () => {
  it('a first touch from elsewhere fills the block there and is mapped remotely in one run', () => {
    const bench = new Advised().preferred(UVM_ID_CPU);
    bench.atomic([PAGES - 1], GPU_ACCESS_ATOMIC_WEAK);
    expect(bench.events(UvmEventTypeMapRemote)).toEqual([[0, PAGES, 3]]);
    expect(bench.prot(UVM_ID_GPU, 0)).toBe(UVM_PROT_READ_WRITE);
  });

  it('a system-scope atomic gets its page alone the right to atomics', () => {
    const bench = new Advised().preferred(UVM_ID_CPU);
    bench.atomic([2], GPU_ACCESS_ATOMIC_STRONG);
    expect(bench.prot(UVM_ID_GPU, 2)).toBe(UVM_PROT_READ_WRITE_ATOMIC);
    expect(bench.prot(UVM_ID_GPU, 3)).toBe(UVM_PROT_READ_WRITE);
  });

  it('takes the preferred processor its remote mappings, and gives them back where it stays in the accessed-by set', () => {
    const bench = new Advised().accessedBy(UVM_ID_GPU);
    bench.cpu(sequence(PAGES));
    expect(bench.prot(UVM_ID_GPU, 0)).toBe(UVM_PROT_READ_WRITE);
    bench.preferred(UVM_ID_GPU);
    expect(bench.prot(UVM_ID_GPU, 0)).toBe(UVM_PROT_NONE);
    bench.preferred(UVM_ID_INVALID);
    expect(bench.prot(UVM_ID_GPU, 0)).toBe(UVM_PROT_READ_WRITE);
  });
});

describe('preferred location in releases from 590 on', () => {
  it.each([
    [580, 16],
    [590, 1],
  ])('release %i takes %i pages along with a fault that leaves it', (release, pages) => {
    const bench = new Advised(PAGES, { release }).preferred(UVM_ID_GPU);
    bench.gpu([0], true);
    bench.cpu([0]);
    expect(bench.onGpu(PAGES)).toHaveLength(PAGES - pages);
  });
});

describe('accessed-by', () => {
  it('gives the GPU atomics on host memory only while the CPU cannot write there', () => {
    const written = new Advised();
    written.cpu([0]);
    written.accessedBy(UVM_ID_GPU);
    expect(written.prot(UVM_ID_GPU, 0)).toBe(UVM_PROT_READ_WRITE);
    const unmapped = new Advised().preferred(UVM_ID_CPU);
    unmapped.gpu([0]);
    unmapped.accessedBy(UVM_ID_GPU);
    expect(unmapped.prot(UVM_ID_GPU, 0)).toBe(UVM_PROT_READ_WRITE_ATOMIC);
  });

  it('leaves the CPU read access beside system-scope atomics of the GPU on host memory', () => {
    const bench = new Advised().preferred(UVM_ID_CPU).accessedBy(UVM_ID_CPU);
    bench.atomic([0], GPU_ACCESS_ATOMIC_STRONG);
    expect([bench.prot(UVM_ID_CPU, 0), bench.prot(UVM_ID_CPU, 1)]).toEqual([
      UVM_PROT_READ_ONLY,
      UVM_PROT_READ_WRITE_ATOMIC,
    ]);
  });

  it('splits a range only where the advice changes its policy', () => {
    const bench = new Advised().accessedBy(UVM_ID_GPU);
    expect(bench.space.all()).toHaveLength(2);
    const untouched = new Advised().preferred(UVM_ID_INVALID);
    expect(untouched.space.all()).toHaveLength(1);
  });
});
