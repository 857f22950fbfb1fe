import { Gpu, GPU_ACCESS_READ, gpuPreset } from '@hmm/gpu';
import { Kernel, PAGE_SIZE, type Task } from '@hmm/kernel';
import { UNTRACED_FIGURES, type UvmFigures } from '../timing/uvm-figures.js';
import { UvmTiming } from '../timing/uvm-timing.js';
import { uvmCpuAccess } from '../uvm-cpu-access.js';
import { UvmDriver } from '../uvm-driver.js';
import { launchKernel } from '../uvm-launch.js';
import { uvmMigrate } from '../uvm-migrate.js';
import { UVM_ID_CPU, UVM_ID_GPU } from '../uvm-types.js';

const BASE = 0x7f0000000;

/** What managed memory of one size costs, ns: a line of the recorded table. */
export interface ManagedTimes {
  readonly prefetchUp: number;
  readonly prefetchDown: number;
  /** A grid-stride read by the GPU after the CPU wrote every page. */
  readonly gpuFaultStream: number;
  /** The CPU touching every page afterwards. */
  readonly cpuFaultBack: number;
}

/** How a table is predicted. */
export interface ManagedOptions {
  /** The GPU preset's name. */
  readonly gpu?: string;
  /** What the driver's work costs; the recorded machine's figures without the recording of events when left out. */
  readonly figures?: UvmFigures;
}

/** Predicts the times of managed memory of `bytes` bytes. */
export function predictManaged(bytes: number, options: ManagedOptions = {}): ManagedTimes {
  const kernel = new Kernel();
  const preset = gpuPreset(options.gpu ?? 'h100');
  const gpu = new Gpu(kernel, preset);
  const figures = options.figures ?? UNTRACED_FIGURES;
  const timing = new UvmTiming(kernel.sched, preset.serviceScale.value, figures);
  const driver = new UvmDriver(kernel, [gpu], { timing });
  const space = driver.openVaSpace();
  space.alloc(BASE, bytes);
  const count = Math.ceil(bytes / PAGE_SIZE);
  const pages = Int32Array.from({ length: count }, (_, i) => i);
  const touch = { base: BASE, pages, offset: 0, width: 1, values: undefined, atomic: false };
  const timed = (task: Task<unknown>): number => {
    const start = kernel.sched.now;
    kernel.sched.runSync(task);
    return kernel.sched.now - start;
  };
  timed(uvmCpuAccess(space, { ...touch, write: true }));
  const prefetchUp = timed(uvmMigrate(space, BASE, count, UVM_ID_GPU));
  const prefetchDown = timed(uvmMigrate(space, BASE, count, UVM_ID_CPU));
  const stream = { ...touch, access: GPU_ACCESS_READ, shape: 'stream' as const };
  const gpuFaultStream = timed(launchKernel(space, stream));
  const cpuFaultBack = timed(uvmCpuAccess(space, { ...touch, write: true }));
  return { prefetchUp, prefetchDown, gpuFaultStream, cpuFaultBack };
}
