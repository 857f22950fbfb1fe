import { HmmError } from '@hmm/kernel';
import { NO_TABLE } from '@hmm/kernel/internal';
import type { MemorySystem } from './memory-system.js';
import { MmStruct } from './mm-struct.js';

/**
 * A new, empty address space with one user. @returns null when page tables are used up (or `alloc_mm` is made to fail).
 * @kernel kernel/fork.c mm_alloc (without: all that is not memory: limits, CPU masks, the context of the
 * architecture)
 */
export function mmAlloc(system: MemorySystem): MmStruct | null {
  if (system.kernel.shouldFail('alloc_mm')) return null;
  const root = system.tables.alloc();
  if (root === NO_TABLE) return null;
  let id = 0;
  while (system.mms.some((mm) => mm.id === id)) id++;
  const mm = new MmStruct(system, id, root);
  system.mms.push(mm);
  return mm;
}

/** As {@link mmAlloc} where it cannot fail. @throws HmmError `NO_MEMORY` */
export function mmCreate(system: MemorySystem): MmStruct {
  const mm = mmAlloc(system);
  if (mm === null) throw new HmmError('NO_MEMORY', 'no page table is left for an address space');
  return mm;
}
