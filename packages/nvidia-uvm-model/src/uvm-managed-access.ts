import { EPERM, type Task } from '@hmm/kernel';
import { uvmMigrate } from './uvm-migrate.js';
import { uvmSetAccessedBy, uvmSetPreferredLocation } from './uvm-policy.js';
import { UVM_ID_CPU, UVM_ID_GPU } from './uvm-types.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/**
 * How CPU and GPU share managed memory: `concurrent`, both at once; `exclusive` (`cudaDevAttrConcurrentManagedAccess` is 0), all of it is
 * moved to the GPU when a kernel is launched, and no CPU may touch any of it until the kernels have ended; `host`, as under WSL: as
 * exclusive, but it stays in host memory and the GPU reaches it across the link. From CUDA's documentation and from reports: not recorded.
 */
export type UvmManagedAccess = 'concurrent' | 'exclusive' | 'host';

/** A kernel of `space` is about to run: it gets all managed memory, where it does not share it. */
export function* uvmGiveManagedMemory(space: UvmVaSpace, access: UvmManagedAccess): Task {
  if (access === 'concurrent') return;
  space.kernels++;
  if (access === 'host') return;
  for (const start of space.allocationStarts()) {
    const allocation = space.allocation(start);
    if (allocation === undefined || space.range(start)?.deviceOnly === true) continue;
    yield* uvmMigrate(space, start, allocation.pages, UVM_ID_GPU);
  }
}

/** A kernel has ended, and was waited for. */
export function uvmTakeManagedMemory(space: UvmVaSpace, access: UvmManagedAccess): void {
  if (access !== 'concurrent') space.kernels--;
}

/** Whether a CPU may touch managed memory now: 0, or `-EPERM`, which is a SIGSEGV for the program. */
export function uvmCpuMayTouch(space: UvmVaSpace): number {
  return space.kernels > 0 ? -EPERM : 0;
}

/** New managed memory of a platform on which it stays in host memory. */
export function* uvmKeepOnHost(space: UvmVaSpace, start: number, pages: number): Task<number> {
  const errno = yield* uvmSetPreferredLocation(space, start, pages, UVM_ID_CPU);
  return errno === 0 ? yield* uvmSetAccessedBy(space, start, pages, UVM_ID_GPU) : errno;
}
