import { findGpuTopology, GPU_ACCESS_READ, GPU_ACCESS_WRITE, makeGpus } from '@hmm/gpu';
import { Kernel } from '@hmm/kernel';
import {
  launchKernel,
  UvmDriver,
  UvmEventTypeEviction,
  UvmEventTypeMapRemote,
  UvmEventTypeMigration,
  unpackUvmEvent,
} from '@hmm/nvidia-uvm-model';
import type { UvmVaSpace } from '@hmm/nvidia-uvm-model/internal';
import { describe, expect, it } from 'vitest';
import { uvmEnableReadDuplication, uvmSetAccessedBy } from '../src/uvm-policy.js';
import { maskWeight } from '../src/uvm-page-mask.js';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UvmEventMapRemoteCausePolicy,
  UvmEventMigrationCauseEviction,
} from '../src/uvm-types.js';
import type { UvmVaBlock } from '../src/uvm-va-block.js';
import { BASE, sequence } from './setup.js';

const GPU1 = UVM_ID_GPU + 1;

/** Two H200 over NVLink with room for two blocks each, and a managed array of four. */
class TwoGpus {
  readonly kernel = new Kernel();
  readonly driver: UvmDriver;
  readonly space: UvmVaSpace;

  constructor() {
    const topology = findGpuTopology('2xh200-nvlink');
    if (topology === undefined) throw new Error('2xh200-nvlink');
    const cards = makeGpus(this.kernel, topology, { maxTables: 512, memoryPages: 1024 });
    this.driver = new UvmDriver(this.kernel, cards);
    this.space = this.driver.openVaSpace();
    this.space.alloc(BASE, 2048 * 4096);
    this.kernel.trace.on = true;
  }

  /** GPU `id` touches each page of some blocks, one after another. */
  touch(id: number, write: boolean, ...blocks: readonly number[]): void {
    const access = write ? GPU_ACCESS_WRITE : GPU_ACCESS_READ;
    for (const block of blocks) {
      const base = BASE + block * 512;
      const plain = { shape: 'serial' as const, offset: 0, width: 1 as const, values: undefined };
      this.kernel.sched.runSync(
        launchKernel(this.space, { ...plain, access, base, pages: sequence(512) }, id),
      );
    }
  }

  block(number: number): UvmVaBlock {
    const block = this.space.block(BASE + number * 512);
    if (block === undefined) throw new Error('no block');
    return block;
  }

  /** Pages of a block that each processor has. */
  holders(number: number): number[] {
    return [UVM_ID_CPU, UVM_ID_GPU, GPU1].map((id) => maskWeight(this.block(number).masks(id).resident));
  }

  /** Events of a kind as [block, pages, cause, source, destination]. */
  events(kind: number): number[][] {
    const { trace } = this.kernel;
    const found = [];
    for (let i = 0; i < trace.length; i++) {
      const event = trace.at(i);
      const { kind: cause, src, dst } = unpackUvmEvent(event.value);
      if (event.kind === kind) found.push([(event.page - BASE) / 512, event.length, cause, src, dst]);
    }
    return found;
  }
}

describe('eviction with several GPUs', () => {
  it('goes to the host, although a peer over NVLink has all its memory free', () => {
    const two = new TwoGpus();
    two.touch(UVM_ID_GPU, true, 0, 1, 2);
    expect(two.events(UvmEventTypeEviction)).toEqual([[0, 512, 0, UVM_ID_GPU, UVM_ID_CPU]]);
    const moved = two
      .events(UvmEventTypeMigration)
      .filter(([, , cause]) => cause === UvmEventMigrationCauseEviction);
    expect(moved).toEqual([[0, 512, UvmEventMigrationCauseEviction, UVM_ID_GPU, UVM_ID_CPU]]);
    expect(two.holders(0)).toEqual([512, 0, 0]);
    expect(two.driver.gpuOf(GPU1).pmm.allocated).toBe(0);
  });

  it('takes memory of the GPU that is short only: what a peer has stays', () => {
    const two = new TwoGpus();
    two.touch(GPU1, true, 0);
    two.touch(UVM_ID_GPU, true, 1, 2, 3);
    expect(two.events(UvmEventTypeEviction)).toEqual([[1, 512, 0, UVM_ID_GPU, UVM_ID_CPU]]);
    expect(two.holders(0)).toEqual([0, 0, 512]);
  });

  it('ends the copies of all GPUs: of pages on two of them the host has the only copy', () => {
    const two = new TwoGpus();
    two.kernel.sched.runSync(uvmEnableReadDuplication(two.space, BASE, 2048));
    two.touch(UVM_ID_GPU, false, 0);
    two.touch(GPU1, false, 0);
    expect(two.holders(0)).toEqual([0, 512, 512]);
    two.touch(GPU1, false, 1, 2);
    expect(two.holders(0)).toEqual([512, 0, 0]);
    expect(two.events(UvmEventTypeEviction)).toEqual([[0, 512, 0, GPU1, UVM_ID_CPU]]);
  });

  it('marks as evicted the GPU that the pages were copied from, which is the first that has them', () => {
    const two = new TwoGpus();
    two.kernel.sched.runSync(uvmEnableReadDuplication(two.space, BASE, 2048));
    two.touch(UVM_ID_GPU, false, 0);
    two.touch(GPU1, false, 0, 1, 2);
    const evicted = [UVM_ID_GPU, GPU1].map((id) => maskWeight(two.block(0).masks(id).evicted));
    expect(evicted).toEqual([512, 0]);
  });

  it('gives a peer that is to keep a mapping one of the host, by advice', () => {
    const two = new TwoGpus();
    two.kernel.sched.runSync(uvmSetAccessedBy(two.space, BASE, 2048, GPU1));
    two.touch(UVM_ID_GPU, true, 0, 1);
    const before = two.events(UvmEventTypeMapRemote).length;
    two.touch(UVM_ID_GPU, true, 2);
    expect(two.events(UvmEventTypeMapRemote).slice(before)[0]).toEqual([
      0,
      512,
      UvmEventMapRemoteCausePolicy,
      GPU1,
      UVM_ID_CPU,
    ]);
  });
});
