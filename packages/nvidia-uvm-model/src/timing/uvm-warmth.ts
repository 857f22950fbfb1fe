import type { GpuBulk } from '@hmm/gpu';
import { UVM_ID_MAX_PROCESSORS, type UvmProcessorId } from '../uvm-types.js';
import { UvmCpuPages } from './uvm-cpu-pages.js';

/** How warm a process is: what it has done before, as far as later work gets cheaper by it. */
export class UvmWarmth {
  /** Faults served for its CPUs, and for the GPU; loops of its CPUs whose first fault came after other work. */
  cpuFaults = 0;
  gpuFaults = 0;
  /** The latter by GPU, by its processor id. */
  readonly faultsOfGpu = new Int32Array(UVM_ID_MAX_PROCESSORS);
  coldLoops = 0;
  /** Kernels launched. */
  kernels = 0;
  /** Something was copied to the GPU before. */
  copiedToGpu = false;
  /** Advice, and explicit prefetches with something to do, so far; whether the last thing was such a call. */
  advice = 0;
  prefetches = 0;
  called = false;
  discards = 0;
  /** The GPU has run a kernel, mapped pages, or got some. */
  gpuUsed = false;
  /** Prefetches to the CPU, with something to do or not; kinds of copies and fills done. */
  askedToCpu = 0;
  readonly copies = new Set<GpuBulk>();
  /** Since the last call a kernel ran, or a CPU faulted, or the process forked. */
  worked = false;
  /** When the last loop of a CPU or kernel ended, and the last kernel, ns. */
  lastDone = 0;
  lastKernelEnd = -Infinity;
  /** Something else than a loop of a CPU came last. */
  otherWork = false;
  /** The loop under way has not faulted yet, and comes after other work or this long a pause, ns. */
  cold = false;
  pause = 0;
  /** The loop under way came after other work, whether it faults or not; pages it touched so far. */
  coldLoop = false;
  touched = 0;
  readonly pages = new UvmCpuPages();

  /** The GPU maps pages or gets some. @returns whether it is the first that the process does with it. */
  usesGpu(): boolean {
    const first = !this.gpuUsed && this.kernels === 0;
    this.gpuUsed = true;
    return first;
  }

  /** `taken` faults of GPU `gpu` were served. @returns how many of it were so far. */
  served(gpu: UvmProcessorId, taken: number): number {
    this.gpuFaults += taken;
    const faults = (this.faultsOfGpu[gpu] ?? 0) + taken;
    this.faultsOfGpu[gpu] = faults;
    return faults;
  }
}
