import { EACCES, EFAULT, EINVAL } from '@hmm/kernel';
import { type UvmManagedMemory, UvmProcess } from '@hmm/nvidia-uvm-model';
import { describe, expect, it } from 'vitest';
import { BASE, Bench, sequence } from './setup.js';

const PAGES = 512;

class Mapped extends Bench {
  readonly process: UvmProcess;
  readonly managed: UvmManagedMemory;

  constructor() {
    super(PAGES);
    this.process = new UvmProcess(this.space);
    this.managed = this.process.managed;
  }

  syscall(call: 'munmap' | 'mprotect' | 'mremap', first: number, pages: number, word?: string): number {
    return this.kernel.sched.runSync(this.managed.syscall(call, BASE + first, pages, word));
  }

  access(page: number, access: 1 | 2): { errno: number; reason: string } {
    const stream = {
      access,
      shape: 'serial' as const,
      base: BASE,
      offset: 0,
      width: 1 as const,
      values: undefined,
    };
    return this.kernel.sched.runSync(this.managed.cpuAccess({ ...stream, pages: Int32Array.of(page) }));
  }
}

describe('system calls on managed memory (uvm_vm_open_managed, uvm_vm_close_managed)', () => {
  it('munmap of a part splits ranges and blocks there; the rest keeps its data', () => {
    const bench = new Mapped();
    bench.cpu([0, 100, 300], true, new Uint32Array([1, 2, 3]));
    bench.gpu([300]);
    expect(bench.syscall('munmap', 64, 64)).toBe(0);
    expect(bench.space.all().map((range) => [range.start - BASE, range.pages])).toEqual([
      [0, 64],
      [128, 384],
    ]);
    expect(bench.access(100, 1)).toMatchObject({ errno: -EFAULT, reason: /SIGBUS/ });
    const values = new Uint32Array(2);
    bench.cpu([0, 300], false, values);
    expect([...values]).toEqual([1, 3]);
    expect(bench.syscall('munmap', 64, 64)).toBe(-EINVAL);
  });

  it('a GPU that touches what was unmapped loses its context', () => {
    const bench = new Mapped();
    bench.syscall('munmap', 0, 16);
    bench.gpu([3]);
    expect(bench.process.fatal()).toMatch(/Xid 31/);
  });

  it('mprotect rules the CPU alone', () => {
    const bench = new Mapped();
    bench.cpu(sequence(PAGES));
    expect(bench.syscall('mprotect', 0, 32, 'r')).toBe(0);
    expect(bench.access(3, 2)).toMatchObject({ errno: -EACCES, reason: /SIGSEGV/ });
    expect(bench.access(3, 1).errno).toBe(0);
    expect(bench.access(40, 2).errno).toBe(0);
    bench.gpu([3], true);
    expect(bench.process.fatal()).toBeUndefined();
    bench.syscall('mprotect', 0, 32, 'none');
    expect(bench.access(3, 1).errno).toBe(-EACCES);
    bench.syscall('mprotect', 0, 32, 'rw');
    expect(bench.access(3, 2).errno).toBe(0);
  });

  it('mremap leaves nothing at the old place', () => {
    const bench = new Mapped();
    bench.cpu([0]);
    expect(bench.syscall('mremap', 0, PAGES)).toBe(0);
    expect(bench.space.range(BASE)).toBeUndefined();
    expect(bench.access(0, 1).errno).toBe(-EFAULT);
  });
});
