import type { UvmVaSpace } from './uvm-va-space.js';
import { zapCpu } from './uvm-vma.js';

/**
 * The process forks: the child's mapping of managed memory is disabled, and the parent's CPU mappings
 * are zapped; they fault back.
 * @uvm uvm.c uvm_vm_open_managed (without: allocations that fail)
 */
export function uvmForkZap(space: UvmVaSpace): void {
  for (const range of space.all()) for (const block of range.existingBlocks()) zapCpu(space.context, block);
}
