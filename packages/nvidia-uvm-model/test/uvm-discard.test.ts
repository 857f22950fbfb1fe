import { EINVAL, EOPNOTSUPP } from '@hmm/kernel';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE_ATOMIC,
  uvmDiscard,
  type UvmDriverOptions,
  uvmEnableReadDuplication,
  UvmEventTypeMigration,
  uvmMigrate,
  UvmProcess,
} from '@hmm/nvidia-uvm-model';
import { describe, expect, it } from 'vitest';
import { BASE, Bench, sequence } from './setup.js';

const BLOCK = 512;

class Discarding extends Bench {
  constructor(pages = BLOCK, options: UvmDriverOptions & { memoryPages?: number } = {}) {
    super(pages, options);
  }

  discard(first: number, pages: number, unmap = false): number {
    return this.kernel.sched.runSync(uvmDiscard(this.space, BASE + first, pages, unmap));
  }

  migrate(first: number, pages: number, to: 0 | 1): void {
    this.kernel.sched.runSync(uvmMigrate(this.space, BASE + first, pages, to));
  }

  get moved(): [number, number, number][] {
    return this.events(UvmEventTypeMigration);
  }

  prot(id: 0 | 1, page: number): number {
    const block = this.space.block(BASE + page);
    return block?.prot(id, BASE + page - block.start) ?? UVM_PROT_NONE;
  }
}

describe('discard (uvm_api_discard)', () => {
  it('what is discarded moves without a copy and reads as zero', () => {
    const bench = new Discarding();
    bench.cpu([0, 1], true, new Uint32Array([7, 8]));
    expect(bench.discard(0, 1)).toBe(0);
    const values = new Uint32Array(2);
    bench.gpu([0, 1], false, values);
    expect([...values]).toEqual([0, 8]);
    expect(bench.moved).toEqual([[1, 15, 3]]);
  });

  it('a read gets no right to write until a write makes the contents count again', () => {
    const bench = new Discarding();
    bench.cpu([0]);
    bench.discard(0, BLOCK);
    bench.gpu([0]);
    expect(bench.prot(UVM_ID_GPU, 0)).toBe(UVM_PROT_READ_ONLY);
    bench.gpu([0], true, new Uint32Array([5]));
    expect(bench.prot(UVM_ID_GPU, 0)).toBe(UVM_PROT_READ_WRITE_ATOMIC);
    const values = new Uint32Array(1);
    bench.cpu([0], false, values);
    expect(values[0]).toBe(5);
  });

  it('with unmap a page loses mappings and place: the next touch is a first touch', () => {
    const bench = new Discarding();
    bench.cpu(sequence(BLOCK));
    const faults = bench.cpuFaults;
    bench.discard(0, BLOCK, true);
    expect(bench.prot(UVM_ID_CPU, 0)).toBe(UVM_PROT_NONE);
    bench.cpu([0]);
    expect(bench.cpuFaults).toBe(faults + 1);
    bench.gpu([100]);
    expect(bench.moved).toEqual([]);
  });

  it('a prefetch makes the contents count again', () => {
    const bench = new Discarding();
    bench.cpu([0]);
    bench.discard(0, BLOCK);
    bench.migrate(0, BLOCK, UVM_ID_GPU);
    expect(bench.moved).toEqual([]);
    bench.migrate(0, BLOCK, UVM_ID_CPU);
    expect(bench.moved).toEqual([[0, BLOCK, 1]]);
  });

  it('copies collapse to one', () => {
    const bench = new Discarding();
    bench.kernel.sched.runSync(uvmEnableReadDuplication(bench.space, BASE, BLOCK));
    bench.cpu([0]);
    bench.gpu([0]);
    bench.discard(0, BLOCK);
    expect(bench.onGpu(BLOCK)).toEqual([]);
  });

  it('a chunk with nothing but discarded pages is evicted before older ones, and without a copy', () => {
    const bench = new Discarding(3 * BLOCK, { memoryPages: 2 * BLOCK });
    bench.migrate(0, BLOCK, UVM_ID_GPU);
    bench.migrate(BLOCK, BLOCK, UVM_ID_GPU);
    bench.discard(BLOCK, BLOCK);
    bench.migrate(2 * BLOCK, BLOCK, UVM_ID_GPU);
    expect(bench.onGpu(BLOCK)).toHaveLength(BLOCK);
    expect(bench.moved).toEqual([]);
  });

  it('is a call of the device: in releases that have it, on memory that is there', () => {
    const call = { name: 'discard_unmap', vpn: BASE, pages: 1 };
    const now = new Discarding();
    const run = (bench: Discarding, vpn = BASE): number =>
      bench.kernel.sched.runSync(new UvmProcess(bench.space).operation({ ...call, vpn })).rc;
    expect(run(now)).toBe(0);
    expect(run(now, BASE - BLOCK)).toBe(-EINVAL);
    expect(run(new Discarding(BLOCK, { release: 575 }))).toBe(-EOPNOTSUPP);
  });
});
