import type { Task } from '@hmm/kernel';
import { maskTest } from './uvm-page-mask.js';
import type { UvmVaSpace } from './uvm-va-space.js';
import { uvmVmFault } from './uvm-vm.js';

/**
 * The kernel takes hold of pages of managed memory for itself, as `get_user_pages` does for `process_vm_readv`, direct I/O or an
 * adapter: where the CPU has them not mapped, or not for writing and `write`, it faults them in, page by page. The driver does
 * not know: nothing keeps the pages from moving afterwards.
 * @returns 0; the errno of the first page that cannot be had, with those before it taken.
 * @kernel mm/gup.c faultin_page (without: retries, pages of other kinds)
 */
export function* uvmGetUserPages(
  space: UvmVaSpace,
  start: number,
  pages: number,
  write: boolean,
): Task<number> {
  for (let vpn = start; vpn < start + pages; vpn++) {
    const block = space.range(vpn)?.findBlock(vpn);
    const mapped = block === undefined ? undefined : write ? block.cpu.write : block.cpu.read;
    if (block !== undefined && mapped !== undefined && maskTest(mapped, vpn - block.start)) continue;
    const errno = yield* uvmVmFault(space, vpn, write);
    if (errno !== 0) return errno;
  }
  return 0;
}
