import { NO_PFN, PG_dirty, PG_readahead, PG_swapbacked, PG_uptodate } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { allocPage, folioPut } from './page-alloc.js';
import { isSwapPte } from './pte.js';
import { folioAddLru, lruAddDrain } from './swap.js';
import { NO_SLOT, addToSwapCache } from './swapfile.js';
import type { Vma } from './vma.js';

/** Largest read-ahead window, pages. @kernel mm/swap.c page_cluster */
const MAX_WINDOW = 8;
const MAX_HITS = 63;
/** Hits that a VMA starts with. @kernel mm/swap_state.c GET_SWAP_RA_VAL */
const INITIAL_HITS = 4;

/**
 * Gives a folio a swap slot and puts it into the swap cache; it is dirty then, since the slot is empty.
 * @returns false when no slot is left (or `swap_slot` is made to fail).
 * @kernel mm/swap_state.c add_to_swap (without: allocations that fail, memory control groups)
 */
export function addToSwap(system: MemorySystem, folio: number): boolean {
  if (system.kernel.shouldFail('swap_slot')) return false;
  const slot = system.swap.alloc();
  if (slot === NO_SLOT) return false;
  addToSwapCache(system, folio, slot);
  system.map.set(folio, PG_dirty);
  return true;
}

/**
 * A new page with the contents of `slot`, outside the swap cache, with one reference.
 * @kernel mm/memory.c alloc_swap_folio (without: large folios, NUMA nodes, memory control groups)
 */
export function readSlot(system: MemorySystem, slot: number): number {
  const pfn = allocPage(system);
  if (pfn === NO_PFN) return NO_PFN;
  system.map.set(pfn, PG_swapbacked | PG_uptodate);
  system.data.copyFrom(pfn, system.swap.data, slot);
  return pfn;
}

/**
 * The page of `slot` in the swap cache, read in if it is not there, with a reference for the caller.
 * @kernel mm/swap_state.c __read_swap_cache_async (without: readers that race, NUMA nodes, memory control
 * groups, shadow entries)
 */
export function readSwapCacheAsync(system: MemorySystem, slot: number): number {
  const cached = system.swap.cache[slot] ?? 0;
  if (cached !== 0) {
    system.map.get(cached);
    return cached;
  }
  const pfn = readSlot(system, slot);
  if (pfn === NO_PFN) return NO_PFN;
  addToSwapCache(system, pfn, slot);
  folioAddLru(system, pfn);
  return pfn;
}

/** Where a VMA's swap-ins were, which decides how many neighbours come along. @kernel include/linux/mm_types.h swap_readahead_info */
export interface SwapReadahead {
  /** Page of the last swap-in. */
  readonly vpn: number;
  /** Pages of the last window. */
  readonly window: number;
  /** Pages read ahead that were used since. */
  readonly hits: number;
}

function readaheadOf(vma: Vma): SwapReadahead {
  return vma.swapReadahead ?? { vpn: 0, window: 0, hits: INITIAL_HITS };
}

/**
 * The cached page of `slot` with a reference, {@link NO_PFN} for none; notes the hit.
 * @kernel mm/swap_state.c swap_cache_get_folio (without: the read-ahead of rotating disks)
 */
export function swapCacheGetFolio(vma: Vma, vpn: number, slot: number): number {
  const { map, swap } = vma.mm.system;
  const folio = swap.cache[slot] ?? 0;
  if (folio === 0) return NO_PFN;
  map.get(folio);
  const { window, hits } = readaheadOf(vma);
  const ahead = map.test(folio, PG_readahead);
  map.clear(folio, PG_readahead);
  vma.swapReadahead = { vpn, window, hits: ahead ? Math.min(hits + 1, MAX_HITS) : hits };
  return folio;
}

/**
 * Reads a swapped page and its neighbours within a window into the swap cache.
 * @returns the page wanted, with a reference.
 * @kernel mm/swap_state.c swap_vma_readahead (without: block plugs, waits for the device)
 */
export function swapVmaReadahead(vma: Vma, vpn: number, entry: number, slot: number): number {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const before = readaheadOf(vma);
  const window = swapinNrPages(before.vpn, vpn, before.hits, before.window);
  vma.swapReadahead = { vpn, window, hits: 0 };
  if (window > 1) {
    const [start, end] = readaheadRange(vma, before.vpn, vpn, window);
    for (let at = start; at < end; at++) {
      const here = entry + 2 * (at - vpn);
      if (!isSwapPte(lanes[here] ?? 0)) continue;
      readAhead(system, lanes[here + 1] ?? 0, at !== vpn);
    }
    lruAddDrain(system);
  }
  return readSwapCacheAsync(system, slot);
}

function readAhead(system: MemorySystem, slot: number, neighbour: boolean): void {
  const fresh = system.swap.cache[slot] === 0;
  const pfn = readSwapCacheAsync(system, slot);
  if (pfn === NO_PFN) return;
  if (fresh && neighbour) system.map.set(pfn, PG_readahead);
  folioPut(system, pfn);
}

/** @kernel mm/swap_state.c __swapin_nr_pages (all) */
function swapinNrPages(previous: number, vpn: number, hits: number, previousWindow: number): number {
  let pages = hits + 2;
  if (pages === 2) {
    if (vpn !== previous + 1 && vpn !== previous - 1) pages = 1;
  } else pages = 2 ** Math.max(2, Math.ceil(Math.log2(pages)));
  return Math.max(Math.min(pages, MAX_WINDOW), Math.floor(previousWindow / 2));
}

/** @kernel mm/swap_state.c swap_vma_ra_win (without: a page_cluster other than 3) */
function readaheadRange(vma: Vma, previous: number, vpn: number, window: number): readonly [number, number] {
  let first = vpn - Math.floor((window - 1) / 2);
  if (vpn === previous + 1) first = vpn;
  else if (vpn === previous - 1) first = vpn - window + 1;
  const table = vpn - (vpn % 512);
  return [Math.max(first, vma.start, table), Math.min(first + window, vma.end, table + 512)];
}
