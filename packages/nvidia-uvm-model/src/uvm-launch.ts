import type { GpuAccesses, GpuKernel } from '@hmm/gpu';
import type { Task } from '@hmm/kernel';
import type { UvmVaSpace } from './uvm-va-space.js';

/** Launches a kernel in a VA space and waits for its end: launch, accesses with the faults they raise, synchronise. */
export function* launchKernel(space: UvmVaSpace, accesses: GpuAccesses): Task<GpuKernel> {
  const { gpu, work } = space.driver;
  const { sched } = space.kernel;
  yield* sched.delay(work.kernelLaunched(space.id));
  const kernel = gpu.hw.launch(space.instance, accesses);
  yield* gpu.hw.run(kernel);
  yield* sched.delay(work.kernelEnded(space.id));
  return kernel;
}
