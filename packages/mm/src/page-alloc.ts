import { HmmError } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { BlockAllocator } from './block-allocator.js';
import { freeZoneDeviceFolio } from './memremap.js';
import {
  FIRST_PFN,
  type MemMap,
  NO_PFN,
  PG_free,
  PG_head,
  PG_hugetlb,
  PG_reserved,
  PG_zone_device,
} from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { accessData } from './observe.js';

/** What freed frames hold with `quarantine`. @kernel include/linux/poison.h PAGE_POISON */
export const PAGE_POISON = 0xaa;

const BLOCK = 512;

/**
 * All free frames of system memory: the blocks that serve everybody and, behind them, those of the contiguous memory allocator,
 * which are lent to pages that can be moved.
 */
export class PageAllocator {
  /** What of it is state. */
  static readonly state = declareState({
    cmaStart: 'constant',
    all: 'constant',
    cma: 'constant',
  });

  /** First frame of the contiguous memory allocator; all frames from here on are its own. */
  readonly cmaStart: number;
  private readonly all: BlockAllocator;
  private readonly cma: BlockAllocator;

  /** Frames [1024, systemFrames) of `map` can be handed out, the last `cmaFrames` of them for what can be moved. */
  constructor(map: MemMap, systemFrames: number, cmaFrames = 0) {
    this.cmaStart = Math.max(FIRST_PFN, Math.floor((systemFrames - cmaFrames) / BLOCK) * BLOCK);
    this.all = new BlockAllocator(map, FIRST_PFN, this.cmaStart);
    this.cma = new BlockAllocator(map, this.cmaStart, systemFrames);
  }

  /** Frames that can be had. */
  get free(): number {
    return this.all.free + this.cma.free;
  }

  /** One past the highest frame that was ever handed out. */
  get highest(): number {
    const { highest } = this.cma;
    return highest > this.cmaStart ? highest : this.all.highest;
  }

  /**
   * A frame, or {@link NO_PFN}. What can be moved comes from the contiguous memory allocator as long as that has more free frames than the
   * rest, and when the rest is used up.
   * @kernel mm/page_alloc.c __rmqueue (without: free lists by order and mobility)
   */
  take(movable = true): number {
    const { all, cma } = this;
    if (movable && cma.free > all.free) return cma.take();
    const pfn = all.take();
    return pfn === NO_PFN && movable ? cma.take() : pfn;
  }

  /** The first of 512 aligned frames for what can be moved, or {@link NO_PFN}. */
  takeBlock(): number {
    const { all, cma } = this;
    if (cma.free > all.free) return cma.takeBlock();
    const pfn = all.takeBlock();
    return pfn === NO_PFN ? cma.takeBlock() : pfn;
  }

  /** Gives a frame back. */
  put(pfn: number): void {
    if (pfn >= this.cmaStart) this.cma.put(pfn);
    else this.all.put(pfn);
  }

  /** Gives 512 aligned frames back. */
  putBlock(pfn: number): void {
    if (pfn >= this.cmaStart) this.cma.putBlock(pfn);
    else this.all.putBlock(pfn);
  }
}

/**
 * A frame with one reference and no state; its contents are whatever was there before.
 * @param movable whether it may lie in blocks of the contiguous memory allocator.
 * @returns its number, {@link NO_PFN} when memory is used up (or `alloc_page` is made to fail).
 * @kernel mm/page_alloc.c __alloc_pages_noprof (without: zones, NUMA nodes, watermarks, reclaim, compaction,
 * kinds of blocks, memory control groups, per-CPU lists)
 */
export function allocPage(system: MemorySystem, movable = true): number {
  const { kernel, map } = system;
  if (kernel.injector !== undefined && kernel.shouldFail('alloc_page')) return NO_PFN;
  const pfn = system.pages.take(movable);
  if (pfn === NO_PFN) return NO_PFN;
  map.flags[pfn] = 0;
  map.refcount[pfn] = 1;
  return pfn;
}

/**
 * As {@link allocPage}, with every byte 0.
 * @kernel mm/memory.c folio_prealloc (without: memory control groups)
 */
export function allocZeroedPage(system: MemorySystem): number {
  const pfn = allocPage(system);
  if (pfn !== NO_PFN) system.data.fillPage(pfn, 0);
  return pfn;
}

/**
 * A folio of 512 zeroed pages with one reference; its head's number, {@link NO_PFN} when no whole block is left (or
 * `alloc_huge_page` is made to fail). @kernel include/linux/gfp.h vma_alloc_folio
 */
export function allocHugePage(system: MemorySystem): number {
  const { kernel } = system;
  if (kernel.shouldFail('alloc_huge_page')) return NO_PFN;
  const head = system.pages.takeBlock();
  if (head !== NO_PFN) prepHugePage(system, head, false);
  return head;
}

/**
 * Makes 512 frames a folio of zeroed pages with one reference.
 * @kernel mm/page_alloc.c prep_compound_page (without: orders other than 9, the list of deferred splits)
 */
export function prepHugePage({ map, data }: MemorySystem, head: number, hugetlb: boolean): void {
  map.flags.fill(0, head, head + BLOCK);
  map.flags[head] = hugetlb ? PG_head | PG_hugetlb : PG_head;
  map.refcount[head] = 1;
  for (let pfn = head; pfn < head + BLOCK; pfn++) data.fillPage(pfn, 0);
}

/** Takes one reference on the folio of `pfn`. @kernel include/linux/mm.h folio_get (all) */
export function folioGet(system: MemorySystem, pfn: number): void {
  system.map.get(system.map.folio(pfn));
}

/**
 * Drops one reference on the folio of `pfn`; the last one frees it.
 * @kernel include/linux/mm.h folio_put (all)
 */
export function folioPut(system: MemorySystem, pfn: number): void {
  const { map } = system;
  const folio = map.folio(pfn);
  if (((map.flags[folio] ?? 0) & PG_reserved) !== 0) return;
  if (map.dropRef(folio) === 0) folioFree(system, folio);
}

/** Frees a folio without references: device memory to its owner, the rest to the allocator. */
function folioFree(system: MemorySystem, folio: number): void {
  const { map } = system;
  const flags = map.flags[folio] ?? 0;
  if ((map.mapcount[folio] ?? 0) !== 0)
    throw new HmmError('FREE_MAPPED', `frame ${folio} is freed while it is mapped`, { pfn: folio });
  if ((flags & PG_zone_device) !== 0) {
    freeZoneDeviceFolio(system, folio);
    return;
  }
  if ((flags & PG_head) !== 0) {
    for (let pfn = folio; pfn < folio + BLOCK; pfn++) resetFrame(system, pfn);
    if ((flags & PG_hugetlb) !== 0) system.hugetlb.put(folio);
    else system.pages.putBlock(folio);
    return;
  }
  resetFrame(system, folio);
  if (!system.config.quarantine) system.pages.put(folio);
}

function resetFrame(system: MemorySystem, pfn: number): void {
  const { map } = system;
  map.flags[pfn] = PG_free;
  map.mapping[pfn] = 0;
  if (map.private[pfn] !== 0) map.private[pfn] = 0;
  if (map.mlockCount[pfn] !== 0) map.mlockCount[pfn] = 0;
  if (system.config.quarantine) {
    // Who still looks at it sees this.
    accessData(system, pfn, true);
    system.data.fillPage(pfn, PAGE_POISON);
  } else system.data.release(pfn);
}
