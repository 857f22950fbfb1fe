import { GPU_ACCESS_WRITE } from '@hmm/gpu';
import type { Task } from '@hmm/kernel';
import { uvmCpuAccess } from '../uvm-cpu-access.js';
import { launchKernel } from '../uvm-launch.js';
import type { UvmVaSpace } from '../uvm-va-space.js';

/** The CPU thread begins so long after the launch, when the GPU has just faulted; its hits take little. */
const CPU_LATE_NS = 40_000;
const CPU_HIT_NS = 4;
/** Accesses between two scheduling points: of the GPU one, so that it may stop at any page of its round. */
const GPU_SLICE = 1;
const CPU_SLICE = 2048;

/**
 * `PAGESxROUNDS`: a GPU thread and a CPU thread write the same pages at once, each as often as it is told, on one
 * virtual clock.
 */
export function duel(space: UvmVaSpace, base: number, order: string): void {
  const [pages = 1, rounds = 1] = order.split('x').map(Number);
  const sequence = Int32Array.from({ length: pages * rounds }, (_, i) => i % pages);
  const { sched } = space.kernel;
  const common = { base, pages: sequence, offset: 0, width: 1, values: undefined };
  space.driver.gpu.hw.slice = GPU_SLICE;
  sched.spawn('gpu', launchKernel(space, { ...common, access: GPU_ACCESS_WRITE, shape: 'serial' }));
  sched.spawn('cpu', cpuThread(space, base, sequence));
  sched.run();
}

function* cpuThread(space: UvmVaSpace, base: number, pages: Int32Array): Task {
  yield* space.kernel.sched.delay(CPU_LATE_NS);
  const writes = { base, pages, write: true, offset: 0, width: 1, values: undefined, atomic: false };
  yield* uvmCpuAccess(space, { ...writes, slice: CPU_SLICE, touchNs: CPU_HIT_NS });
}
