import type { GpuAccesses, GpuKernel } from '@hmm/gpu';
import type { Task } from '@hmm/kernel';
import type { UvmVaSpace } from './uvm-va-space.js';

/** A launch that follows the kernel before within this finds everything warm, ns. */
const WARM_NS = 1_000_000;

/** Launches a kernel in a VA space and waits for its end: launch, accesses with the faults they raise, synchronise. */
export function* launchKernel(space: UvmVaSpace, accesses: GpuAccesses): Task<GpuKernel> {
  const { driver } = space;
  const { sched } = space.kernel;
  const { costs } = driver;
  driver.replayable.firstOfKernel = true;
  space.kernels++;
  const warm = space.kernels > 2 && sched.now - space.lastKernelEnd < WARM_NS;
  yield* sched.delay(warm ? costs.launchBusy : costs.launch);
  const kernel = driver.gpu.launch(space.instance, accesses);
  yield* driver.gpu.run(kernel);
  yield* sched.delay(costs.kernelEnd);
  space.lastKernelEnd = sched.now;
  return kernel;
}
