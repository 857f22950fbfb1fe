import type { Task } from '@hmm/kernel';
import type { UvmVaSpace } from './uvm-va-space.js';

/**
 * The process forks. The child gets a VMA without the driver's memory: whatever it touches there is SIGBUS. The parent keeps
 * everything, its CPU mappings too: in recordings of an H200, 256 pages read after a fork take 3 µs and no fault.
 * @uvm uvm.c uvm_vm_open_managed (without: allocations that fail)
 */
export function* uvmFork(space: UvmVaSpace): Task {
  const { driver, kernel } = space;
  yield* kernel.sched.delay(driver.work.forked(space.id));
}
