import { EINVAL, EOPNOTSUPP } from '@hmm/kernel';
import { UvmClient, type UvmDriverOptions, UvmEventTypeMigration, UvmProcess } from '@hmm/nvidia-uvm-model';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_PROT_NONE,
  UVM_PROT_READ_ONLY,
  UVM_PROT_READ_WRITE_ATOMIC,
  uvmDiscard,
  uvmEnableReadDuplication,
  uvmMigrate,
} from '@hmm/nvidia-uvm-model/internal';
import { gpuPreset } from '@hmm/gpu';
import { Machine, type ProgramRun, runProgram } from '@hmm/machine';
import { DEFAULT_DEVICE, parseProgram } from '@hmm/workload';
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

  it('one discarded page that the GPU maps puts the whole chunk before older ones', () => {
    const bench = new Discarding(3 * BLOCK, { memoryPages: 2 * BLOCK });
    bench.migrate(0, BLOCK, UVM_ID_GPU);
    bench.migrate(BLOCK, BLOCK, UVM_ID_GPU);
    bench.discard(BLOCK, 1, true);
    bench.gpu([BLOCK]);
    bench.migrate(2 * BLOCK, BLOCK, UVM_ID_GPU);
    expect(bench.onGpu(BLOCK)).toHaveLength(BLOCK);
    expect(bench.moved).toEqual([[BLOCK + 1, BLOCK - 1, 4]]);
  });

  it('not a chunk that was taken for it just then', () => {
    const bench = new Discarding(3 * BLOCK, { memoryPages: 2 * BLOCK });
    bench.migrate(0, BLOCK, UVM_ID_GPU);
    bench.discard(BLOCK, BLOCK);
    bench.gpu([BLOCK]);
    bench.migrate(2 * BLOCK, BLOCK, UVM_ID_GPU);
    expect(bench.onGpu(BLOCK)).toEqual([]);
  });

  it('pages without a place go home with the chunk, and are still discarded', () => {
    const bench = new Discarding(2 * BLOCK, { memoryPages: BLOCK });
    bench.migrate(0, BLOCK, UVM_ID_GPU);
    bench.discard(0, 16, true);
    bench.migrate(BLOCK, BLOCK, UVM_ID_GPU);
    expect(bench.moved).toEqual([[16, BLOCK - 16, 4]]);
    bench.gpu([3]);
    expect(bench.prot(UVM_ID_GPU, 3)).toBe(UVM_PROT_READ_ONLY);
    expect(bench.moved).toHaveLength(2);
  });

  it('memory of which a part is not managed is refused before anything is done', () => {
    const bench = new Discarding();
    bench.cpu([BLOCK - 1], true, new Uint32Array([9]));
    expect(bench.discard(BLOCK - 1, 2)).toBe(-EINVAL);
    const values = new Uint32Array(1);
    bench.gpu([BLOCK - 1], false, values);
    expect(values[0]).toBe(9);
  });

  it('is a call of the device: in releases that have it, on memory that is there', () => {
    const call = { name: 'discard_unmap', vpn: BASE, pages: 1, value: 0 };
    const now = new Discarding();
    const run = (bench: Discarding, vpn = BASE): number =>
      bench.kernel.sched.runSync(new UvmProcess(bench.space).operation({ ...call, vpn })).rc;
    expect(run(now)).toBe(0);
    expect(run(now, BASE - BLOCK)).toBe(-EINVAL);
    expect(run(new Discarding(BLOCK, { release: 575 }))).toBe(-EOPNOTSUPP);
  });
});

/** Runs a program; the client's log as well. */
function run(text: string, release?: number): ProgramRun & { log: readonly string[] } {
  const parsed = parseProgram(text, 'test');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const machine = new Machine();
  const { kernel, memory } = machine;
  const client = new UvmClient(kernel, memory, gpuPreset('h100'), {
    memoryPages: 2 * BLOCK,
    ...(release === undefined ? {} : { release }),
  });
  machine.addDevice(DEFAULT_DEVICE, client);
  return { ...runProgram(machine, parsed.program, new Map()), log: client.log };
}

describe('in a program', () => {
  it('what the CPU wrote is not copied, a GPU write makes it count again, and the CPU reads it', () => {
    const ran = run(`managed a 2MiB cpu write a = 7
      discard a
      gpu read a -> lost assert count(bytes_to_device) = 0 /\\ mapped(a[3]) = r
      gpu write a = 5 assert mapped(a[3]) = rw
      cpu read a -> kept assert kept[0] == 5 /\\ kept[511] == 5 assert count(bytes_to_host) = 2097152`);
    expect([ran.problem, ran.failures]).toEqual([undefined, []]);
    expect(new Set(ran.results.get('lost'))).toEqual(new Set([0]));
  });

  it('an eviction of what is discarded copies nothing', () => {
    const text = (discard: string): string => `managed a 2MiB managed b 4MiB
      gpu write a = 1 ${discard} gpu write b = 2
      assert where(a[0]) = cpu cpu read b -> x assert x[1023] == 2`;
    const bytes = (discard: string): number => {
      const ran = run(`${text(discard)} assert count(bytes_to_host) = 0`);
      expect(ran.problem).toBeUndefined();
      return Number(/bytes_to_host\) = (\d+)/.exec(ran.failures[0]?.seen ?? '')?.[1]);
    };
    expect(bytes('') - bytes('discard a')).toBe(2 * 1024 * 1024);
  });

  it('with unmap the next write is a first touch; with a place the pages go there, uncopied', () => {
    const ran = run(`managed a 2MiB cpu write a = 7
      discard a unmap assert where(a[0]) = none
      cpu write a[0] = 3 cpu read a[0] -> x assert x == 3
      discard a to gpu rc e assert e == 0 /\\ where(a[0]) = gpu assert count(bytes_to_device) = 0`);
    expect([ran.problem, ran.failures]).toEqual([undefined, []]);
  });

  it('system memory keeps its contents', () => {
    const ran = run('malloc a 64KiB cpu write a = 7 discard a gpu read a -> x assert x[0] == 7');
    expect([ran.problem, ran.failures]).toEqual([undefined, []]);
    expect(ran.log).toContain('nvidia-uvm: discard: system memory keeps its contents, nothing was done');
  });

  it('before release 580 there is no such call', () => {
    const ran = run('managed a 64KiB\ndiscard a', 575);
    expect(ran.problem).toMatchObject({
      span: { line: 2, column: 1 },
      message: "nvidia on h100 has no call to discard (-EOPNOTSUPP; write 'rc e' to go on)",
    });
    expect(run('managed a 64KiB discard a to gpu rc e', 575).results.get('e')).toEqual([-EOPNOTSUPP]);
  });
});
