import { HmmError, HPAGE_PMD_NR, HPAGE_PMD_ORDER } from '@hmm/kernel';
import type { DevPagemap } from './dev-pagemap.js';
import { PG_anon, PG_anon_exclusive, PG_head, PG_locked } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';

/** The device memory that frame `pfn` belongs to, undefined for system memory. @kernel include/linux/mmzone.h page_pgmap (from 6.15 on) */
export function pagemapOf(system: MemorySystem, pfn: number): DevPagemap | undefined {
  for (const pgmap of system.pagemaps) {
    if (pfn >= pgmap.start && pfn < pgmap.start + pgmap.nr) return pgmap;
  }
  return undefined;
}

/** As {@link pagemapOf} for a frame that must be one. @throws HmmError `NO_PAGEMAP` */
export function pagePgmap(system: MemorySystem, pfn: number): DevPagemap {
  const pgmap = pagemapOf(system, pfn);
  if (pgmap === undefined) throw new HmmError('NO_PAGEMAP', `frame ${pfn} is no device memory`, { pfn });
  return pgmap;
}

/**
 * A device page without references goes back to its owner. Its swapbacked, dirty, referenced and active flags stay:
 * nothing clears them until the frame's chunk is made anew.
 * @kernel mm/memremap.c free_zone_device_folio (without: memory control groups, DAX, generic and P2PDMA
 * pages)
 */
export function freeZoneDeviceFolio(system: MemorySystem, pfn: number): void {
  const { map } = system;
  map.clear(pfn, PG_anon | PG_anon_exclusive | PG_locked);
  map.mapping[pfn] = 0;
  const pgmap = pagePgmap(system, pfn);
  const large = map.test(pfn, PG_head);
  if (large) dissolveFolio(system, pfn);
  pgmap.live -= large ? HPAGE_PMD_NR : 1;
  if (pgmap.ops.folioFree === undefined) pgmap.ops.pageFree(pfn);
  else pgmap.ops.folioFree(pfn, large ? HPAGE_PMD_ORDER : 0);
  const { sched } = system.kernel;
  if (pgmap.live === 0) sched.wake(pgmapChannel(system, pgmap));
}

/** Nothing is left of a large folio's order, and of its parts' marks. */
function dissolveFolio({ map }: MemorySystem, head: number): void {
  for (let pfn = head; pfn < head + HPAGE_PMD_NR; pfn++) map.clear(pfn, PG_anon_exclusive);
  map.clear(head, PG_head);
}

/** The wait channel of who waits until no page of `pgmap` is in use: its first folio's. */
export function pgmapChannel(system: MemorySystem, pgmap: DevPagemap): number {
  return system.map.channels + pgmap.start;
}
