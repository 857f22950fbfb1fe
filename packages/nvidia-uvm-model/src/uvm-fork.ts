import { maskCopy, newMask } from './uvm-page-mask.js';
import { UVM_ID_CPU } from './uvm-types.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';
import type { UvmVaSpace } from './uvm-va-space.js';

const mapped = newMask();

/**
 * The process forks: the child's mapping of managed memory is disabled, and the parent's CPU mappings
 * are zapped; they fault back.
 * @uvm uvm.c uvm_vm_open_managed
 */
export function uvmForkZap(space: UvmVaSpace): void {
  for (const range of space.all()) {
    for (const block of range.existingBlocks()) {
      maskCopy(mapped, block.cpu.read);
      uvmVaBlockUnmap(block, UVM_ID_CPU, mapped);
    }
  }
}
