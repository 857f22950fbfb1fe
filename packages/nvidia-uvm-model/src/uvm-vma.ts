import { EINVAL, type Task } from '@hmm/kernel';
import { maskCopy } from './uvm-page-mask.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { UVM_ID_CPU, UVM_PROT_NONE, UVM_PROT_READ_ONLY, UVM_PROT_READ_WRITE } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { uvmVaBlockUnmap } from './uvm-va-block-map.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** A system call on managed memory. */
export type UvmVmaCall = 'munmap' | 'mprotect' | 'mremap';

/**
 * The kernel changes the VMA of managed memory: the driver splits its ranges and blocks at the same pages. `munmap` ends the part and
 * forgets its data; `mremap` does the same, as the driver disables the VMA at the new place. `mprotect` (`protection`: letters,
 * `r`, `rw` …, or `none`) rules the CPU alone: what it had mapped it faults on anew.
 * @returns 0; -EINVAL where nothing is managed.
 * @uvm uvm.c uvm_vm_open_managed, uvm_vm_close_managed (without: allocations that fail)
 */
export function* uvmVmaCall(
  space: UvmVaSpace,
  call: UvmVmaCall,
  start: number,
  pages: number,
  protection = 'none',
): Task<number> {
  if (!space.lock.tryWriteFast()) yield* space.lock.write();
  const end = start + pages;
  space.splitAsNeeded(start, pages, () => true);
  const ranges = space.all().filter((range) => range.start >= start && range.end <= end);
  if (call !== 'mprotect') space.destroyRanges(start, end);
  else
    for (const range of ranges) {
      range.cpuProt = protOf(protection);
      for (const block of range.existingBlocks()) zapCpu(space.context, block);
    }
  space.lock.unlockWrite();
  return ranges.length === 0 ? -EINVAL : 0;
}

function protOf(protection: string): number {
  if (protection.includes('w')) return UVM_PROT_READ_WRITE;
  return protection.includes('r') ? UVM_PROT_READ_ONLY : UVM_PROT_NONE;
}

/** The CPU's mappings of the block go. */
export function zapCpu(ctx: UvmServiceBlockContext, block: UvmVaBlock): void {
  const { part } = ctx.scratch;
  maskCopy(part, block.cpu.read);
  uvmVaBlockUnmap(ctx, block, UVM_ID_CPU, part);
}
