import type { StreamResult } from '@hmm/device';
import { gpuPreset } from '@hmm/gpu';
import { EACCES, EFAULT, Kernel, type Task } from '@hmm/kernel';
import {
  cpuReadByte,
  cpuWriteByte,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MemorySystem,
  type MmStruct,
  mmCreate,
  PROT_READ,
  PROT_WRITE,
  sysMmap,
  sysMprotect,
  sysMunmap,
} from '@hmm/mm';
import {
  UvmClient,
  UvmEventTypeCpuFault,
  UvmEventTypeFatalFault,
  UvmEventTypeGpuFault,
  UvmEventTypeMapRemote,
  UvmEventTypeMigration,
  type UvmProcess,
  unpackUvmEvent,
} from '@hmm/nvidia-uvm-model';
import { describe, expect, it } from 'vitest';

const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;

/** A process with the device open, and `pages` pages at a 2 MiB boundary. */
class Setup {
  readonly kernel = new Kernel();
  readonly memory = new MemorySystem(this.kernel, { frames: 65536, systemFrames: 32768, maxTables: 4096 });
  readonly client: UvmClient;
  readonly mm: MmStruct;
  readonly process: UvmProcess;
  readonly a: number;

  constructor(pages: number, flags = ANON, gpu = 'h100') {
    this.kernel.sched.lockdep.enabled = true;
    this.client = new UvmClient(this.kernel, this.memory, gpuPreset(gpu));
    this.mm = mmCreate(this.memory);
    const opened = this.run(this.client.openProcess(this.mm));
    if (!opened.ok) throw new Error(opened.reason);
    this.process = opened.process;
    this.a = this.run(sysMmap(this.mm, 0x40000, pages, RW, flags));
    this.kernel.trace.on = true;
  }

  run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  gpu(access: 1 | 2 | 3, page: number, value = 0): StreamResult & { value: number } {
    const values = Uint32Array.of(value);
    const pages = Int32Array.of(page);
    const stream = { access, shape: 'serial', base: this.a, pages, offset: 0, width: 1, values } as const;
    return { ...this.run(this.process.launch(stream)), value: values[0] ?? 0 };
  }

  write(page: number, value: number): void {
    this.run(cpuWriteByte(this.mm, this.a + page, 0, value));
  }

  read(page: number): number {
    return this.run(cpuReadByte(this.mm, this.a + page, 0));
  }

  /** Events of a kind: first page, pages, cause or access. */
  events(kind: number): number[][] {
    const { trace } = this.kernel;
    return Array.from({ length: trace.length }, (_, i) => trace.at(i))
      .filter((e) => e.kind === kind)
      .map((e) => [e.page - this.a, e.length, unpackUvmEvent(e.value).kind]);
  }

  /** `RES_*` bits of a page. */
  residency(page: number): number {
    const out = new Uint8Array(1);
    this.process.residency(this.a + page, 1, out);
    return out[0] ?? 0;
  }
}

const ON_GPU_WRITABLE = 2 | 8 | 16;
const ON_CPU_MAPPED = 1 | 4;

describe('HMM: malloc, stack and files on the GPU', () => {
  it('the first GPU read of a page that the CPU wrote brings its 64 KiB, and maps it writable', () => {
    const setup = new Setup(64);
    for (let page = 0; page < 64; page++) setup.write(page, 5);
    expect(setup.residency(3)).toBe(ON_CPU_MAPPED);
    expect(setup.gpu(1, 3)).toMatchObject({ errno: 0, value: 5 });
    expect(setup.events(UvmEventTypeGpuFault)).toEqual([[3, 1, 1]]);
    expect(setup.events(UvmEventTypeMigration)).toEqual([
      [0, 3, 3],
      [3, 1, 2],
      [4, 12, 3],
    ]);
    expect(setup.residency(3)).toBe(ON_GPU_WRITABLE);
    expect(setup.residency(16)).toBe(ON_CPU_MAPPED);
  });

  it('counts the callbacks for what the process changes, not those for its own migrations', () => {
    const setup = new Setup(16);
    setup.write(0, 5);
    setup.gpu(1, 0);
    expect(setup.read(0)).toBe(5);
    setup.gpu(1, 0);
    expect(setup.client.counters().invalidations).toBe(0);
    setup.run(sysMunmap(setup.mm, setup.a, 16));
    expect(setup.client.counters().invalidations).toBe(1);
  });

  it('the CPU’s next access brings the 64 KiB home and takes them off the GPU', () => {
    const setup = new Setup(16);
    for (let page = 0; page < 16; page++) setup.write(page, page);
    setup.gpu(2, 2, 99);
    expect([setup.read(2), setup.read(7)]).toEqual([99, 7]);
    expect(setup.events(UvmEventTypeCpuFault)).toEqual([[2, 1, 1]]);
    expect(setup.residency(2) & ON_GPU_WRITABLE).toBe(0);
  });

  it('memory that nobody touched is populated on the GPU, zeroed', () => {
    const setup = new Setup(16);
    expect(setup.gpu(1, 9)).toMatchObject({ errno: 0, value: 0 });
    expect(setup.events(UvmEventTypeMigration)).toEqual([]);
    expect(setup.residency(9)).toBe(ON_GPU_WRITABLE);
  });

  it('shared memory never moves: it is mapped remotely, and both sides see one page', () => {
    const setup = new Setup(4, MAP_SHARED | MAP_ANONYMOUS);
    setup.write(1, 7);
    expect(setup.gpu(1, 1).value).toBe(7);
    setup.gpu(2, 1, 8);
    expect(setup.read(1)).toBe(8);
    expect(setup.events(UvmEventTypeMigration)).toEqual([]);
    expect(setup.events(UvmEventTypeMapRemote)[0]).toEqual([1, 1, 3]);
  });

  it('an address that is not there ends the context: Xid 31, sticky', () => {
    const setup = new Setup(4);
    setup.run(sysMunmap(setup.mm, setup.a, 4));
    expect(setup.gpu(1, 0).errno).toBe(-EFAULT);
    expect(setup.events(UvmEventTypeFatalFault)).toEqual([[0, 1, 1]]);
    expect(setup.client.log.join()).toContain('Xid 31');
    expect(setup.gpu(1, 0).errno).toBeLessThan(0);
  });

  it('a write to read-only memory is fatal, a read is served', () => {
    const setup = new Setup(4);
    setup.write(0, 3);
    setup.run(sysMprotect(setup.mm, setup.a, 4, PROT_READ));
    expect(setup.gpu(1, 0)).toMatchObject({ errno: 0, value: 3 });
    expect(setup.gpu(2, 0, 4).errno).toBe(-EACCES);
    expect(setup.events(UvmEventTypeFatalFault)).toEqual([[0, 1, 2]]);
    expect(setup.read(0)).toBe(3);
  });

  it('pages that prefer the CPU stay there, page by page', () => {
    const setup = new Setup(32);
    for (let page = 0; page < 32; page++) setup.write(page, 1);
    setup.run(setup.process.advise(setup.a, 16, 'preferred', 'cpu'));
    setup.gpu(1, 2);
    setup.gpu(1, 20);
    expect(setup.residency(2) & 3).toBe(1);
    expect(setup.residency(20) & 3).toBe(2);
  });

  it('a prefetch moves there and back, without faults afterwards', () => {
    const setup = new Setup(600);
    for (let page = 0; page < 600; page++) setup.write(page, page % 200);
    expect(setup.run(setup.process.prefetch(setup.a, 600, 'gpu'))).toBe(0);
    expect([0, 300, 599].map((page) => setup.residency(page))).toEqual([26, 26, 26]);
    expect([0, 300, 599].map((page) => setup.gpu(1, page).value)).toEqual([0, 100, 199]);
    setup.gpu(2, 300, 100);
    expect(setup.events(UvmEventTypeGpuFault)).toEqual([]);
    expect(setup.run(setup.process.prefetch(setup.a, 600, 'cpu'))).toBe(0);
    expect([0, 300, 599].map((page) => setup.read(page))).toEqual([0, 100, 199]);
    expect(setup.events(UvmEventTypeCpuFault)).toEqual([]);
  });

  it('less device memory than data: chunks go home, no byte is lost', () => {
    const setup = new Setup(1200);
    for (let page = 0; page < 1200; page++) setup.write(page, page % 251);
    setup.run(setup.client.limitMemory(512));
    for (let page = 0; page < 1200; page += 64) expect(setup.gpu(1, page).value).toBe(page % 251);
    setup.run(setup.process.prefetch(setup.a, 1200, 'gpu'));
    expect(setup.client.counters().evictedPages).toBeGreaterThan(0);
    for (let page = 0; page < 1200; page += 7) expect(setup.read(page)).toBe(page % 251);
  });

  it('with ATS the GPU works on host memory where it is', () => {
    const setup = new Setup(4, ANON, 'gh200');
    setup.write(0, 6);
    expect(setup.gpu(1, 0).value).toBe(6);
    expect(setup.gpu(3, 0, 1)).toMatchObject({ errno: 0, value: 6 });
    expect(setup.read(0)).toBe(7);
    expect(setup.residency(0) & 2).toBe(0);
  });
});
