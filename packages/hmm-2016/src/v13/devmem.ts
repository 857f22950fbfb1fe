import type { Task } from '@hmm/kernel';
import { VM_FAULT_SIGBUS, type Vma } from '@hmm/mm';
import { memunmapPages } from '@hmm/migrate';
import type { HmmDevmem } from '../hmm-devmem.js';
import { HMM_PFN_ERROR } from '../hmm-pfn.js';
import { hmmVmaMigrate, type HmmMigrateOps } from './migrate.js';

/**
 * Hot-plugs `pages` pages of device memory that the CPU cannot reach.
 * @returns 0 or `-ENOMEM`: no frame numbers are left. @v13 patch 17 hmm_devmem_add (without: the search for a hole from the top of the
 * physical addresses downwards, alignment to sections, device resources)
 */
export function hmmDevmemAdd(devmem: HmmDevmem, pages: number): number {
  return devmem.add(pages);
}

/**
 * Gives the memory back. @returns false while pages of it are in use, and nothing was done: to be called again, without a promise that
 * it ever returns true. @v13 patch 17 hmm_devmem_remove (without: device resources)
 */
export function* hmmDevmemRemove(devmem: HmmDevmem): Task<boolean> {
  const { pagemap, core } = devmem;
  core.touch();
  if (pagemap === undefined) return true;
  if (pagemap.live > 0) return false;
  yield* memunmapPages(core.memory, pagemap);
  devmem.pagemap = undefined;
  return true;
}

/**
 * Brings [start, end) home for a fault on page `addr`: {@link hmmVmaMigrate}, and what became of that page.
 * @returns 0, or `VM_FAULT_SIGBUS` where its slot ends with ERROR. @v13 patch 17 hmm_devmem_fault_range (all)
 */
export function* hmmDevmemFaultRange(
  ops: HmmMigrateOps,
  vma: Vma,
  start: number,
  addr: number,
  end: number,
  pfns: Int32Array,
): Task<number> {
  const ret = yield* hmmVmaMigrate(ops, vma, start, end, pfns);
  if (ret !== 0) return VM_FAULT_SIGBUS;
  return ((pfns[2 * (addr - start)] ?? 0) & HMM_PFN_ERROR) !== 0 ? VM_FAULT_SIGBUS : 0;
}
