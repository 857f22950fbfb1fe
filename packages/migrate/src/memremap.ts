import { alignUp, EINVAL, ENOMEM, HmmError, HPAGE_PMD_ORDER, type Task, HPAGE_PMD_NR } from '@hmm/kernel';
import {
  type DevPagemap,
  type DevPagemapOps,
  MEMORY_DEVICE_COHERENT,
  MEMORY_DEVICE_PRIVATE,
  type MemorySystem,
} from '@hmm/mm';
import {
  accessFolio,
  PG_dirty,
  PG_head,
  PG_locked,
  PG_lru,
  PG_referenced,
  PG_uptodate,
  PG_writeback,
  PG_zone_device_coherent,
  PG_zone_device_private,
  pagePgmap,
  pgmapChannel,
} from '@hmm/mm/internal';
import { migrateDeviceCoherentFolio } from './device-range.js';

/** What {@link memremapPages} is asked for. */
export interface MemremapRequest {
  /** `MEMORY_DEVICE_PRIVATE` or `MEMORY_DEVICE_COHERENT`. */
  readonly type: number;
  /** Frames. */
  readonly nr: number;
  /** Number of the owner, not 0. */
  readonly owner: number;
  readonly ops: DevPagemapOps;
}

/**
 * Takes a range of free frame numbers above system memory for a device, and makes its pages: unused, without any flag
 * from an earlier life.
 * @returns the range, `-EINVAL` (unknown type, no owner) or `-ENOMEM` (no frame numbers are left).
 * @kernel mm/memremap.c memremap_pages (without: types other than private and coherent, several ranges,
 * alternate allocators, page maps of the CPU, memory hotplug)
 */
export function memremapPages(system: MemorySystem, request: MemremapRequest): DevPagemap | number {
  const { type, nr, owner, ops } = request;
  if (type !== MEMORY_DEVICE_PRIVATE && type !== MEMORY_DEVICE_COHERENT) return -EINVAL;
  if (owner === 0 || !Number.isSafeInteger(nr) || nr <= 0) return -EINVAL;
  const at = firstFit(system, nr);
  if (at === undefined) return -ENOMEM;
  const pgmap: DevPagemap = { type, start: at.start, nr, owner, ops, live: 0 };
  const { map } = system;
  const end = at.start + nr;
  map.flags.fill(
    type === MEMORY_DEVICE_PRIVATE ? PG_zone_device_private : PG_zone_device_coherent,
    at.start,
    end,
  );
  map.refcount.fill(0, at.start, end);
  map.mapcount.fill(0, at.start, end);
  map.mapping.fill(0, at.start, end);
  map.private.fill(0, at.start, end);
  system.pagemaps.splice(at.index, 0, pgmap);
  // Long-term pins, a part of mm, move coherent pages out of the way by this.
  system.migrateDeviceCoherentFolio ??= (pfn): Task<number> => migrateDeviceCoherentFolio(system, pfn);
  return pgmap;
}

/** The lowest free range of `nr` frame numbers, and its place among the pagemaps, which are in ascending order. */
function firstFit(system: MemorySystem, nr: number): { start: number; index: number } | undefined {
  // A range that may be made of large folios is aligned to them.
  const order = nr >= HPAGE_PMD_NR ? HPAGE_PMD_ORDER : 0;
  let start = alignUp(system.config.systemFrames, order);
  for (const [index, pgmap] of system.pagemaps.entries()) {
    if (start + nr <= pgmap.start) return { start, index };
    start = alignUp(pgmap.start + pgmap.nr, order);
  }
  return start + nr <= system.config.frames ? { start, index: system.pagemaps.length } : undefined;
}

/**
 * Gives a device's range back, after waiting until all its pages are unused: whoever wants this to end evicts them first.
 * @kernel mm/memremap.c memunmap_pages (without: several ranges, memory hotplug, the time limit of the wait)
 */
export function* memunmapPages(system: MemorySystem, pgmap: DevPagemap): Task {
  const at = system.pagemaps.indexOf(pgmap);
  if (at < 0)
    throw new HmmError('NO_PAGEMAP', 'a range of device memory is given back twice', { start: pgmap.start });
  while (pgmap.live > 0) yield* system.kernel.sched.block(pgmapChannel(system, pgmap));
  system.pagemaps.splice(system.pagemaps.indexOf(pgmap), 1);
  system.map.flags.fill(0, pgmap.start, pgmap.start + pgmap.nr);
  system.map.private.fill(0, pgmap.start, pgmap.start + pgmap.nr);
}

/**
 * Makes 2^`order` free device pages ready as the destination of a migration: one folio with one reference, locked, without
 * anything left of an earlier life.
 * @throws HmmError `PAGE_IN_USE` when it is not free; `BAD_FOLIO` when it is not aligned to its size.
 * @kernel include/linux/memremap.h zone_device_folio_init (from 6.19 on)
 */
export function zoneDeviceFolioInit(system: MemorySystem, folio: number, order: number): void {
  if (folio % 2 ** order !== 0)
    throw new HmmError('BAD_FOLIO', `frame ${folio} cannot begin a folio of order ${order}`, { pfn: folio });
  zoneDevicePageInit(system, folio);
  if (order === 0) return;
  const { map } = system;
  if (system.kernel.does.deviceInitClearsFlags)
    for (let pfn = folio + 1; pfn < folio + 2 ** order; pfn++) map.clear(pfn, FORGOTTEN);
  map.set(folio, PG_head);
  map.private[folio + 1] = 0;
  map.private[folio + 2] = 0;
  pagePgmap(system, folio).live += 2 ** order - 1;
}

/** What a device frame forgets when it is handed out: the flags in the low byte of the kernel's word. */
const FORGOTTEN = PG_locked | PG_writeback | PG_referenced | PG_uptodate | PG_dirty | PG_lru;

/**
 * Makes a free device page ready as the destination of a migration: one reference, locked.
 * @throws HmmError `PAGE_IN_USE` when it is not free.
 * @kernel mm/memremap.c zone_device_page_init (without: the reference on the pagemap, for which its number
 * of live pages stands)
 */
export function zoneDevicePageInit(system: MemorySystem, pfn: number): void {
  const { map } = system;
  const used = map.refcount[pfn] !== 0;
  if (system.kernel.does.deviceInitClearsFlags) map.clear(pfn, FORGOTTEN);
  accessFolio(system, pfn, true);
  map.refcount[pfn] = 1;
  if (used || !map.tryLock(pfn)) {
    throw new HmmError('PAGE_IN_USE', `device frame ${pfn} is handed out while it is in use`, { pfn });
  }
  pagePgmap(system, pfn).live++;
}
