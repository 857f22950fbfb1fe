import type { GpuAccesses, GpuKernel } from '@hmm/gpu';
import type { Task } from '@hmm/kernel';
import type { UvmVaSpace } from './uvm-va-space.js';

/** Launches a kernel in a VA space and waits for its end: launch, accesses with the faults they raise, synchronise. */
export function* launchKernel(space: UvmVaSpace, accesses: GpuAccesses): Task<GpuKernel> {
  const { driver } = space;
  const { sched } = space.kernel;
  const { costs } = driver;
  driver.replayable.firstOfKernel = true;
  space.kernels++;
  space.callWarm = false;
  yield* sched.delay(launchTime(space));
  const kernel = driver.gpu.launch(space.instance, accesses);
  yield* driver.gpu.run(kernel);
  yield* sched.delay(costs.kernelEnd);
  space.lastKernelEnd = sched.now;
  space.lastDone = sched.now;
  return kernel;
}

/** ns from the launch to the first access: the longer ago the last kernel, the colder all is. */
function launchTime({ driver, kernels, lastKernelEnd, kernel }: UvmVaSpace): number {
  const { costs } = driver;
  if (kernels === 1) return costs.launch;
  const idle = (kernel.sched.now - lastKernelEnd) / costs.launchIdleAfter;
  return (
    costs.launchBusy + costs.launchWarm * Math.exp(2 - kernels) + costs.launchIdle * (1 - Math.exp(-idle))
  );
}
