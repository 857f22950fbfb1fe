import type { Task } from '@hmm/kernel';
import { VM_FAULT_SIGBUS, type Vma } from '@hmm/mm';
import { memunmapPages } from '@hmm/migrate';
import type { HmmDevmem } from '../hmm-devmem.js';
import { migrateVma, type MigrateVmaOps } from './migrate.js';

/**
 * Hot-plugs `pages` pages of device memory that the CPU cannot reach.
 * @returns 0 or `-ENOMEM`: no frame numbers are left. @kernel 4.14 mm/hmm.c hmm_devmem_add (without: device resources, memory that the CPU
 * reaches, the tree of sections that keeps ranges from overlapping)
 */
export function hmmDevmemAdd(devmem: HmmDevmem, pages: number): number {
  return devmem.add(pages);
}

/** Gives the memory back, when all of it is unused: it waits for that. @kernel 4.14 mm/hmm.c hmm_devmem_remove (without: device resources) */
export function* hmmDevmemRemove(devmem: HmmDevmem): Task {
  const { pagemap, core } = devmem;
  core.touch();
  if (pagemap === undefined) return;
  yield* memunmapPages(core.memory, pagemap);
  devmem.pagemap = undefined;
}

/**
 * Brings [start, end) home for a fault of the CPU: {@link migrateVma}.
 * @returns 0, or `VM_FAULT_SIGBUS` where that cannot be asked for. @kernel 4.14 mm/hmm.c hmm_devmem_fault_range (without: ERROR of the slot)
 */
export function* hmmDevmemFaultRange(ops: MigrateVmaOps, vma: Vma, start: number, end: number): Task<number> {
  const src = new Int32Array(end - start);
  const dst = new Int32Array(end - start);
  return (yield* migrateVma(ops, vma, start, end, src, dst)) === 0 ? 0 : VM_FAULT_SIGBUS;
}
