import { GPU_ACCESS_WRITE } from '@hmm/gpu';
import { uvmCpuAccess } from '../uvm-cpu-access.js';
import { launchKernel } from '../uvm-launch.js';
import type { UvmVaSpace } from '../uvm-va-space.js';

/**
 * `PAGESxROUNDS`: a GPU thread and a CPU thread write the same pages at once, each as often as it is told, on one
 * virtual clock.
 */
export function duel(space: UvmVaSpace, base: number, order: string): void {
  const [pages = 1, rounds = 1] = order.split('x').map(Number);
  const sequence = Int32Array.from({ length: pages * rounds }, (_, i) => i % pages);
  const { sched } = space.kernel;
  const common = { base, pages: sequence, offset: 0, width: 1, values: undefined };
  sched.spawn('gpu', launchKernel(space, { ...common, access: GPU_ACCESS_WRITE, shape: 'serial' }));
  sched.spawn('cpu', uvmCpuAccess(space, { ...common, write: true, atomic: false }, 'warm'));
  sched.run();
}
