import { SP_PREEMPT, type Task } from '@hmm/kernel';
import { cacheEntry, filemapRemoveFolio } from './filemap.js';
import {
  PG_active,
  PG_anon,
  PG_dirty,
  PG_head,
  PG_lru,
  PG_mlocked,
  PG_swapbacked,
  PG_swapcache,
} from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { accessFolio } from './observe.js';
import { folioPut } from './page-alloc.js';
import { PTE_TYPE_SWAP } from './pte.js';
import { folioMapped, folioMaybeDmaPinned } from './rmap.js';
import { splitFolio } from './split-folio.js';
import { swapOutHuge } from './swap-out-huge.js';
import { addToSwap } from './swap-state.js';
import { folioAddLru } from './swap.js';
import { NO_SLOT, addToSwapCache, deleteFromSwapCache, folioFreeSwap } from './swapfile.js';
import { TP_VMSCAN_WRITE_FOLIO } from './tracepoints.js';
import { tryToUnmap } from './try-to-unmap.js';

/** The folio was freed; it may be tried again; it is in use and becomes active. */
const FREED = 0;
const KEEP = 1;
const ACTIVATE = 2;

/**
 * Takes a folio off the LRU list. @returns false when it is on none. The caller owns one reference then.
 * @kernel mm/vmscan.c folio_isolate_lru (without: the LRU lists themselves)
 */
export function folioIsolateLru(system: MemorySystem, folio: number): boolean {
  const { map } = system;
  accessFolio(system, folio, true);
  if (!map.test(folio, PG_lru)) return false;
  map.clear(folio, PG_lru);
  map.get(folio);
  return true;
}

/** Puts an isolated folio back, through the batch of new ones. @kernel mm/vmscan.c folio_putback_lru (all) */
export function folioPutbackLru(system: MemorySystem, folio: number): void {
  folioAddLru(system, folio);
  folioPut(system, folio);
}

/**
 * Reclaims isolated folios, in the order given, whether or not they are in use. What cannot be reclaimed goes back to the
 * LRU. @kernel mm/vmscan.c reclaim_pages (without: NUMA nodes)
 */
export function* reclaimPages(system: MemorySystem, folios: readonly number[]): Task {
  const { map } = system;
  const kept: number[] = [];
  // A huge page that is split adds its other pages to the end.
  const queue = [...folios];
  for (let i = 0; i < queue.length; i++) {
    const folio = queue[i] ?? 0;
    if (system.kernel.sched.exploring) yield SP_PREEMPT;
    map.clear(folio, PG_active);
    if (!map.tryLock(folio)) {
      kept.push(folio);
      continue;
    }
    const outcome = yield* shrinkFolio(system, folio, queue);
    if (outcome === FREED) continue;
    if (outcome === ACTIVATE) activateLocked(system, folio);
    map.unlock(folio);
    kept.push(folio);
  }
  for (const folio of kept) folioPutbackLru(system, folio);
}

/**
 * @kernel mm/vmscan.c shrink_folio_list (without: write-back that goes on, demotion to other nodes, aging by
 * references, files on disks, control groups)
 */
function* shrinkFolio(system: MemorySystem, folio: number, queue: number[]): Task<number> {
  const { map } = system;
  accessFolio(system, folio, true);
  if (map.test(folio, PG_mlocked)) return ACTIVATE;
  if (map.test(folio, PG_anon | PG_swapbacked) && !map.test(folio, PG_swapcache)) {
    if (folioMaybeDmaPinned(system, folio)) return KEEP;
    if (map.test(folio, PG_head)) {
      const swapped = yield* swapOutHuge(system, folio);
      if (swapped) return FREED;
      if ((yield* splitFolio(system, folio, folio, queue)) !== 0) return ACTIVATE;
    }
    if (!addToSwap(system, folio)) return ACTIVATE;
  }
  if (folioMapped(system, folio)) {
    yield* tryToUnmap(system, folio);
    accessFolio(system, folio, true);
    if (folioMapped(system, folio)) return ACTIVATE;
  }
  if (folioMaybeDmaPinned(system, folio)) return ACTIVATE;
  if (map.test(folio, PG_dirty)) {
    const written = pageout(system, folio);
    if (written !== FREED) return written;
  }
  return freeReclaimed(system, folio);
}

/**
 * Writes a dirty folio to its slot, synchronously.
 * @kernel mm/vmscan.c pageout (without: files on disks, writes that end later)
 */
function pageout(system: MemorySystem, folio: number): number {
  const { map, swap, data } = system;
  if (map.test(folio, PG_anon) && !map.test(folio, PG_swapbacked)) return KEEP;
  // Only the cache and the isolation may hold it.
  accessFolio(system, folio, true);
  if (map.refcount[folio] !== 2) return KEEP;
  map.clear(folio, PG_dirty);
  if (!map.test(folio, PG_swapcache) && !shmemWritepage(system, folio)) {
    map.set(folio, PG_dirty);
    return ACTIVATE;
  }
  // Nothing names the slot any more: nothing has to be written.
  if (folioFreeSwap(system, folio)) return KEEP;
  const slot = map.private[folio] ?? 0;
  swap.data.copyFrom(slot, data, folio);
  if (system.kernel.trace.on) system.kernel.emit(TP_VMSCAN_WRITE_FOLIO, folio, 1, slot);
  return FREED;
}

/**
 * A page of a file moves from the page cache to a slot.
 * @kernel mm/shmem.c shmem_writepage (without: huge pages, quotas, allocations that fail)
 */
function shmemWritepage(system: MemorySystem, folio: number): boolean {
  const { map, tables, swap } = system;
  const file = system.addressSpaces[(map.mapping[folio] ?? 0) - 1];
  if (file === undefined || file === null || system.kernel.shouldFail('swap_slot')) return false;
  const slot = swap.alloc();
  if (slot === NO_SLOT) return false;
  const index = (map.index[folio] ?? 0) >>> 0;
  addToSwapCache(system, folio, slot);
  swap.duplicate(slot);
  filemapRemoveFolio(system, file, folio);
  const entry = cacheEntry(system, file, index);
  tables.lanes[entry] = PTE_TYPE_SWAP;
  tables.lanes[entry + 1] = slot;
  return true;
}

/**
 * Frees a clean folio that nothing maps, if the isolation holds its last reference.
 * @kernel mm/vmscan.c __remove_mapping (without: shadow entries, control groups, large folios)
 */
function freeReclaimed(system: MemorySystem, folio: number): number {
  const { map } = system;
  const cached = !map.test(folio, PG_anon) || map.test(folio, PG_swapbacked);
  accessFolio(system, folio, true);
  if (map.refcount[folio] !== (cached ? 2 : 1) || map.test(folio, PG_dirty)) return KEEP;
  if (map.test(folio, PG_swapcache)) deleteFromSwapCache(system, folio);
  else if (cached) {
    const file = system.addressSpaces[(map.mapping[folio] ?? 0) - 1];
    if (file === undefined || file === null) return KEEP;
    filemapRemoveFolio(system, file, folio);
  }
  map.unlock(folio);
  folioPut(system, folio);
  return FREED;
}

function activateLocked(system: MemorySystem, folio: number): void {
  const { map, swap } = system;
  const full = 2 * swap.used > swap.slots;
  if (map.test(folio, PG_swapcache) && (full || map.test(folio, PG_mlocked))) folioFreeSwap(system, folio);
  if (!map.test(folio, PG_mlocked)) map.set(folio, PG_active);
}
