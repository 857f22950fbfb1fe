import { HmmError, HPAGE_PMD_NR } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { PG_dirty, PG_swapcache, PG_writeback } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { folioPut } from './page-alloc.js';
import { PageData } from './page-data.js';
import { folioMapped } from './rmap.js';

/** The slot that stands for "none". */
export const NO_SLOT = 0;

/** Slots of a cluster: as many as a huge page has pages. @kernel mm/swap.h SWAPFILE_CLUSTER */
const CLUSTER = HPAGE_PMD_NR;

/**
 * One swap device: slots 1 … `slots`, each with the number of page-table entries (and file pages) that name it, the
 * page that the swap cache has for it, and its contents. The device is synchronous: a write is done when it returns.
 * @kernel include/linux/swap.h swap_info_struct
 */
export class SwapDevice {
  /** What of it is state. */
  static readonly state = declareState({
    slots: 'constant',
    used: 'count',
    counts: 'constant',
    cache: 'constant',
    data: 'constant',
    taken: 'constant',
    huge: 'constant',
    next: 'count',
  });

  /** Slots that can be used at once. */
  readonly slots: number;
  /** Slots in use. */
  used = 0;
  /** Entries that name each slot. @kernel include/linux/swap.h swap_info_struct */
  readonly counts: Int32Array;
  /** Frame in the swap cache for each slot, 0 for none. */
  readonly cache: Int32Array;
  /** Contents by slot. */
  readonly data: PageData;
  /** 1 for each slot that is in use. */
  private readonly taken: Uint8Array;
  /** By cluster: 1 for one that was taken whole, until it is all free again. */
  private readonly huge: Uint8Array;
  /** Where the next slot is looked for: in its cluster, from there on. @kernel mm/swapfile.c percpu_swap_cluster */
  private next = 0;

  constructor(slots: number) {
    this.slots = slots;
    this.counts = new Int32Array(slots + 1);
    this.cache = new Int32Array(slots + 1);
    this.data = new PageData(slots + 1);
    this.taken = new Uint8Array(slots + 1);
    this.huge = new Uint8Array(Math.floor(slots / CLUSTER) + 1);
    // The header's: its cluster is never all free.
    this.taken[0] = 1;
  }

  /**
   * A free slot that nothing names yet, or {@link NO_SLOT}: from the cluster of the last one, else from the first that has
   * a free one. Clusters that were taken whole come last.
   * @kernel mm/swapfile.c cluster_alloc_swap_entry (without: several devices and priorities, per-CPU
   * clusters, lists of full and of fragmented clusters, discards)
   */
  alloc(): number {
    if (this.used === this.slots) return NO_SLOT;
    const { next } = this;
    const current = Math.floor(next / CLUSTER);
    const here = this.isEmpty(current) ? current * CLUSTER : next;
    if (this.huge[current] === 0) {
      const slot = this.freeIn(current, here);
      if (slot !== NO_SLOT) return this.take(slot);
    }
    for (const huge of [0, 1]) {
      for (let cluster = 0; cluster < this.huge.length; cluster++) {
        const slot = this.huge[cluster] === huge ? this.freeIn(cluster, cluster * CLUSTER) : NO_SLOT;
        if (slot !== NO_SLOT) return this.take(slot);
      }
    }
    return NO_SLOT;
  }

  /**
   * The first of 512 free slots for a huge page, or {@link NO_SLOT}.
   * @kernel mm/swapfile.c cluster_alloc_swap_entry (without: several devices and priorities, per-CPU
   * clusters, lists of full and of fragmented clusters, discards)
   */
  allocHuge(): number {
    for (let cluster = 0; cluster < this.huge.length; cluster++) {
      const first = cluster * CLUSTER;
      if (first + CLUSTER > this.slots + 1 || !this.isEmpty(cluster)) continue;
      this.taken.fill(1, first, first + CLUSTER);
      this.huge[cluster] = 1;
      this.used += CLUSTER;
      return first;
    }
    return NO_SLOT;
  }

  private take(slot: number): number {
    this.taken[slot] = 1;
    this.used++;
    this.next = slot + 1;
    return slot;
  }

  /** The first free slot of a cluster from `from` on. */
  private freeIn(cluster: number, from: number): number {
    const end = Math.min((cluster + 1) * CLUSTER, this.slots + 1);
    const slot = this.taken.indexOf(0, from);
    return slot < 0 || slot >= end ? NO_SLOT : slot;
  }

  private isEmpty(cluster: number): boolean {
    const end = Math.min((cluster + 1) * CLUSTER, this.slots + 1);
    const first = this.taken.indexOf(1, cluster * CLUSTER);
    return first < 0 || first >= end;
  }

  /**
   * One more entry names `slot`.
   * @kernel mm/swapfile.c swap_duplicate (without: continuations of the count)
   */
  duplicate(slot: number): void {
    this.counts[slot] = (this.counts[slot] ?? 0) + 1;
  }

  /**
   * One entry less names `slot`; unused, uncached slots become free.
   * @kernel mm/swapfile.c swap_free_nr (without: continuations of the count, caches of free slots)
   */
  drop(slot: number): void {
    const left = (this.counts[slot] ?? 0) - 1;
    if (left < 0) throw new HmmError('SWAP_UNDERFLOW', `swap slot ${slot} has no entry to drop`, { slot });
    this.counts[slot] = left;
    this.releaseUnused(slot);
  }

  /**
   * Frees `slot` when neither an entry nor the swap cache uses it.
   * @kernel mm/swapfile.c swap_entry_range_free (without: discards, memory control groups, zswap)
   */
  releaseUnused(slot: number): void {
    if (this.counts[slot] !== 0 || this.cache[slot] !== 0) return;
    this.data.release(slot);
    this.taken[slot] = 0;
    this.used--;
    const cluster = Math.floor(slot / CLUSTER);
    if (this.huge[cluster] === 1 && this.isEmpty(cluster)) this.huge[cluster] = 0;
  }
}

/**
 * Puts a folio into the swap cache under `slot`.
 * @kernel mm/swap_state.c add_to_swap_cache (without: shadow entries, large folios)
 */
export function addToSwapCache(system: MemorySystem, folio: number, slot: number): void {
  const { map, swap } = system;
  swap.cache[slot] = folio;
  map.private[folio] = slot;
  map.set(folio, PG_swapcache);
  map.get(folio);
}

/**
 * Takes a folio out of the swap cache, dropping the cache's reference.
 * @kernel mm/swap_state.c delete_from_swap_cache (without: shadow entries, large folios)
 */
export function deleteFromSwapCache(system: MemorySystem, folio: number): void {
  const { map, swap } = system;
  const slot = map.private[folio] ?? 0;
  swap.cache[slot] = 0;
  map.private[folio] = 0;
  map.clear(folio, PG_swapcache);
  swap.releaseUnused(slot);
  folioPut(system, folio);
}

/**
 * Frees the swap slot of a folio in the swap cache if no entry names it; the folio's copy is the only one then, so it
 * becomes dirty. @returns whether the folio has left the swap cache.
 * @kernel mm/swapfile.c folio_free_swap (without: hibernation, large folios)
 */
export function folioFreeSwap(system: MemorySystem, folio: number): boolean {
  const { map, swap } = system;
  const flags = map.flags[folio] ?? 0;
  if ((flags & PG_swapcache) === 0 || (flags & PG_writeback) !== 0) return false;
  if ((swap.counts[map.private[folio] ?? 0] ?? 0) !== 0) return false;
  map.set(folio, PG_dirty);
  deleteFromSwapCache(system, folio);
  return true;
}

/**
 * Frees the swap slot of a folio that nothing maps any more.
 * @kernel mm/swap_state.c free_swap_cache (all)
 */
export function freeSwapCache(system: MemorySystem, folio: number): void {
  const { map } = system;
  if (!map.test(folio, PG_swapcache) || folioMapped(system, folio) || !map.tryLock(folio)) return;
  map.get(folio);
  folioFreeSwap(system, folio);
  map.unlock(folio);
  folioPut(system, folio);
}

/**
 * A page-table entry that named `slot` goes away; with the last one goes a cached page that nothing maps.
 * @kernel mm/swapfile.c free_swap_and_cache_nr (without: ranges of several slots)
 */
export function freeSwapAndCache(system: MemorySystem, slot: number): void {
  const { swap } = system;
  swap.drop(slot);
  const folio = swap.cache[slot] ?? 0;
  if (folio !== 0 && swap.counts[slot] === 0) freeSwapCache(system, folio);
}
