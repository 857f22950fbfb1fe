import type { MemorySystem } from './memory-system.js';

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
