import type { StreamResult } from '@hmm/device';
import { type GpuPageTable, type GpuPreset, gpuPreset } from '@hmm/gpu';
import { type FaultInjector, Kernel, type Release, type Task, tracepoint } from '@hmm/kernel';
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySystem,
  type MmStruct,
  PROT_READ,
  PROT_WRITE,
  cpuReadByte,
  cpuWriteByte,
  mmCreate,
  sysMmap,
} from '@hmm/mm';
import { NouveauClient, type NouveauClientOptions, type NouveauProcess } from '@hmm/nouveau-model';

export const RW = PROT_READ | PROT_WRITE;
export const ANON = MAP_PRIVATE | MAP_ANONYMOUS;

/** Frame numbers for device memory: four large chunks. */
const VRAM_FRAMES = 4 * 65536;

/** How a {@link Setup} differs from the default: the driver of Linux 6.12 as it is. */
export interface SetupOptions extends NouveauClientOptions {
  readonly release?: Release;
}

/** A machine with one process that has nouveau's device file open. */
export class Setup {
  readonly kernel: Kernel;
  readonly memory: MemorySystem;
  readonly client: NouveauClient;
  readonly mm: MmStruct;
  readonly process: NouveauProcess;

  constructor(
    { release, ...options }: SetupOptions = {},
    preset: string | GpuPreset = 'p100',
    thp: 'never' | 'always' = 'never',
  ) {
    this.kernel = new Kernel(release === undefined ? {} : { release });
    this.kernel.sched.lockdep.enabled = true;
    this.kernel.trace.on = true;
    this.memory = new MemorySystem(this.kernel, {
      frames: 32768 + VRAM_FRAMES,
      systemFrames: 32768,
      maxTables: 4096,
      thp,
    });
    this.client = new NouveauClient(
      this.kernel,
      this.memory,
      typeof preset === 'string' ? gpuPreset(preset) : preset,
      options,
    );
    for (const worker of this.client.workers()) this.kernel.sched.spawnDaemon(worker.name, worker.task);
    this.mm = mmCreate(this.memory);
    const opened = this.run(this.client.openProcess(this.mm));
    if (!opened.ok) throw new Error(opened.reason);
    this.process = opened.process;
  }

  /** The page table that the channel's accesses go through. */
  get table(): GpuPageTable {
    const table = this.process.instance?.table;
    if (table === undefined) throw new Error('no channel');
    return table;
  }

  get counters(): ReturnType<NouveauClient['counters']> {
    return this.client.counters();
  }

  /** Runs a task as an agent, the driver's worker beside it. */
  run<T>(task: Task<T>): T {
    const results: T[] = [];
    const { sched } = this.kernel;
    sched.spawn('test', keep(task, results));
    sched.run();
    const [result] = results;
    if (results.length !== 1 || result === undefined) return undefined as T;
    return result;
  }

  malloc(pages: number, addr = 0): number {
    return this.run(sysMmap(this.mm, addr, pages, RW, ANON));
  }

  /** The CPU writes `value + i` to byte 0 of each page. */
  cpuWrite(vpn: number, pages: number, value: number): void {
    for (let i = 0; i < pages; i++) {
      const rc = this.run(cpuWriteByte(this.mm, vpn + i, 0, value + i));
      if (rc !== 0) throw new Error(`CPU write: ${rc}`);
    }
  }

  cpuRead(vpn: number, mm = this.mm): number {
    return this.run(cpuReadByte(mm, vpn, 0));
  }

  /** A kernel: `access` of each page in `pages` (relative to `vpn`). */
  *launch(
    vpn: number,
    pages: readonly number[],
    access: 'read' | 'write' | 'atomic',
    value = 0,
    shape: 'serial' | 'parallel' = 'parallel',
  ): Task<StreamResult & { values: number[] }> {
    const values = Uint32Array.from(pages, (_, i) => (access === 'write' ? value + i : value));
    const kind = ({ read: 1, write: 2, atomic: 3 } as const)[access];
    const stream = {
      access: kind,
      shape,
      base: vpn,
      pages: Int32Array.from(pages),
      offset: 0,
      width: 1,
      values,
    } as const;
    const result = yield* this.process.launch(stream);
    return { ...result, values: [...values] };
  }

  gpu(
    vpn: number,
    pages: readonly number[],
    access: 'read' | 'write' | 'atomic' = 'read',
    value = 0,
    shape: 'serial' | 'parallel' = 'parallel',
  ): StreamResult & { values: number[] } {
    return this.run(this.launch(vpn, pages, access, value, shape));
  }

  residency(vpn: number, pages: number): number[] {
    const out = new Uint8Array(pages);
    this.process.residency(vpn, pages, out);
    return [...out];
  }

  /** Events of one kind so far: page, length, value. */
  events(name: string): { page: number; length: number; value: number }[] {
    const { trace } = this.kernel;
    const found: { page: number; length: number; value: number }[] = [];
    for (let i = 0; i < trace.length; i++) {
      const { kind, page, length, value } = trace.at(i);
      if (tracepoint(kind).name === name) found.push({ page, length, value });
    }
    return found;
  }

  /** Makes the steps named in `sites` fail: each the given number of times, after letting `skip` pass. */
  fail(site: string, times = Infinity, skip = 0): void {
    let seen = 0;
    const injector: FaultInjector = {
      shouldFail: (at) => at === site && seen++ >= skip && seen <= skip + times,
    };
    this.kernel.injector = injector;
  }
}

function* keep<T>(task: Task<T>, into: T[]): Task {
  into.push(yield* task);
}

/** Whole numbers below `n`. */
export const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Residency bits, as `@hmm/machine` numbers them. */
export const CPU = 1;
export const DEVICE = 2;
export const CPU_MAPPED = 4;
export const GPU_MAPPED = 8;
export const GPU_WRITE = 16;
/** On the CPU and mapped there; mapped on the GPU across the link, read-only or writable. */
export const HOME = CPU | CPU_MAPPED;
export const REMOTE = HOME | GPU_MAPPED | GPU_WRITE;
/** In device memory and mapped there. */
export const VRAM = DEVICE | GPU_MAPPED | GPU_WRITE;
