import { HPAGE_PMD_NR } from '@hmm/kernel';
import type { MemorySystem } from './memory-system.js';
import type { MmStruct } from './mm-struct.js';

/**
 * Reports of accesses to shared state, for an exploration that wants to know which steps are independent. They cost one
 * test while nobody observes.
 *
 * @packageDocumentation
 */

/** An access to the page-table entry at `lane`. */
export function accessPte(system: MemorySystem, lane: number, write: boolean): void {
  const { observer } = system.kernel.sched;
  if (observer !== undefined) observer.access(system.pteObjects + (lane >>> 1), write);
}

/** All entries of the table that begins at `lane` come into being: who walks finds them in place of what was above. */
export function accessNewTable(system: MemorySystem, lane: number): void {
  if (system.kernel.sched.observer === undefined) return;
  for (let i = 0; i < HPAGE_PMD_NR; i++) accessPte(system, lane + 2 * i, true);
}

/** An access to the state of a folio: its counts and flags. */
export function accessFolio(system: MemorySystem, pfn: number, write: boolean): void {
  const { observer } = system.kernel.sched;
  if (observer !== undefined) observer.access(system.folioObjects + pfn, write);
}

/** An access to the contents of a page. */
export function accessData(system: MemorySystem, pfn: number, write: boolean): void {
  const { observer } = system.kernel.sched;
  if (observer !== undefined) observer.access(system.dataObjects + pfn, write);
}

/** The running agent adds to the batches of folios on their way to the LRU. Additions of several agents commute. */
export function accessLruAdd(system: MemorySystem): void {
  system.kernel.sched.counted(system.lruObject, false);
}

/** The batches are emptied, or found empty. */
export function accessLruDrain(system: MemorySystem): void {
  const { sched } = system.kernel;
  if (sched.observer === undefined) return;
  const { add, lazyfree, activate, mlock } = system.lru;
  const write = add.length + lazyfree.length + activate.length + mlock.length > 0;
  sched.observer.access(system.lruObject, write);
}

/**
 * An access to the shape of the page tables of `mm`: finding no table for a page, or (to write) making one. Those who take
 * tables away hold mmap_lock for writing, which says it.
 */
export function accessTables(mm: MmStruct, write: boolean): void {
  const { observer } = mm.kernel.sched;
  if (observer !== undefined) observer.access(mm.system.pteObjects + (mm.root >>> 1), write);
}

/** Reads of the entries of the pages [start, end), by a walk that takes no lock. */
export function accessWalk(mm: MmStruct, start: number, end: number): void {
  const { system } = mm;
  if (system.kernel.sched.observer === undefined) return;
  accessTables(mm, false);
  for (let vpn = start; vpn < end; vpn++) {
    const entry = system.tables.findPte(mm.root, vpn);
    if (entry >= 0) accessPte(system, entry, false);
  }
}
