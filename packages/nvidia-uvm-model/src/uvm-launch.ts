import type { GpuAccesses, GpuKernel } from '@hmm/gpu';
import type { Task } from '@hmm/kernel';
import { UVM_ID_GPU, type UvmProcessorId } from './uvm-types.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/**
 * Launches a kernel of a VA space on GPU `id`, the first one unless said, and waits for its end: launch, accesses with the faults they
 * raise, synchronise.
 */
export function* launchKernel(
  space: UvmVaSpace,
  accesses: GpuAccesses,
  id: UvmProcessorId = UVM_ID_GPU,
): Task<GpuKernel> {
  const { driver } = space;
  const { work } = driver;
  const gpu = driver.gpuOf(id);
  const { sched } = space.kernel;
  yield* sched.delay(work.kernelLaunched(space.id, accesses.bulk !== undefined));
  const kernel = gpu.hw.launch(space.instanceOn(id), accesses);
  yield* gpu.hw.run(kernel);
  yield* sched.delay(work.kernelEnded(space.id));
  return kernel;
}
