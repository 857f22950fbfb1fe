import { Gpu, GPU_ACCESS_READ, GPU_ACCESS_WRITE, gpuPreset } from '@hmm/gpu';
import { Kernel } from '@hmm/kernel';
import {
  launchKernel,
  type UvmDriverOptions,
  uvmCpuAccess,
  UvmDriver,
  UvmEventTypeCpuFault,
  type UvmFigures,
  UvmModuleParams,
  UvmTiming,
  unpackUvmEvent,
} from '@hmm/nvidia-uvm-model';
import { type UvmVaSpace } from '@hmm/nvidia-uvm-model/internal';

/** First page of the allocations in tests. */
export const BASE = 0x7f0000000;

/** Pages 0 … n - 1. */
export const sequence = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

/** Module parameters by name. */
export function params(values: Readonly<Record<string, number>>): UvmModuleParams {
  const made = new UvmModuleParams();
  for (const [name, value] of Object.entries(values)) made.set(name, value);
  return made;
}

/** A driver, and what its work costs where that is not as recorded. */
export interface BenchOptions extends UvmDriverOptions {
  readonly figures?: UvmFigures;
  readonly memoryPages?: number;
  readonly gpu?: string;
}

/** A driver on an H100 with one VA space and one allocation of `pages` pages. */
export class Bench {
  readonly kernel = new Kernel();
  readonly driver: UvmDriver;
  readonly space: UvmVaSpace;

  constructor(pages: number, options: BenchOptions = {}) {
    const { figures, memoryPages } = options;
    const preset = gpuPreset(options.gpu ?? 'h100');
    const gpu = new Gpu(this.kernel, preset, {
      maxTables: 512,
      ...(memoryPages === undefined ? {} : { memoryPages }),
    });
    const timing = new UvmTiming(this.kernel.sched, preset.serviceScale.value, figures);
    this.driver = new UvmDriver(this.kernel, [gpu], { timing, ...options });
    this.space = this.driver.openVaSpace();
    this.space.alloc(BASE, pages * 4096);
    this.kernel.trace.on = true;
  }

  /** The CPU touches pages one by one. */
  cpu(pages: ArrayLike<number>, write = true, values?: Uint32Array): void {
    const touch = {
      base: BASE,
      pages: Int32Array.from(pages),
      write,
      offset: 0,
      width: 1,
      values,
      atomic: false,
    };
    this.kernel.sched.runSync(uvmCpuAccess(this.space, touch));
  }

  /** One GPU thread touches pages one by one. */
  gpu(pages: ArrayLike<number>, write = false, values?: Uint32Array): void {
    const access = write ? GPU_ACCESS_WRITE : GPU_ACCESS_READ;
    const touch = {
      access,
      shape: 'serial' as const,
      base: BASE,
      pages: Int32Array.from(pages),
      offset: 0,
      width: 1,
    };
    this.kernel.sched.runSync(launchKernel(this.space, { ...touch, values }));
  }

  /** Events of a kind as [first page, pages, kind field], oldest first. */
  events(kind: number): [number, number, number][] {
    const { trace } = this.kernel;
    const found: [number, number, number][] = [];
    for (let i = 0; i < trace.length; i++) {
      const event = trace.at(i);
      if (event.kind === kind)
        found.push([event.page - BASE, event.length, unpackUvmEvent(event.value).kind]);
    }
    return found;
  }

  /** CPU faults so far. */
  get cpuFaults(): number {
    return this.events(UvmEventTypeCpuFault).length;
  }

  /** Pages resident on the GPU. */
  onGpu(pages: number): number[] {
    const here: number[] = [];
    for (let page = 0; page < pages; page++) {
      const block = this.space.block(BASE + page);
      if (
        block !== undefined &&
        ((block.gpu.resident[(BASE + page - block.start) >>> 5] ?? 0) >>> (page & 31)) & 1
      ) {
        here.push(page);
      }
    }
    return here;
  }
}
