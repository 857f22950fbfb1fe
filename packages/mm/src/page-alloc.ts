import { HmmError } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
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
const NO_BLOCK = 0;

const FREE_FRAMES = 'which frames are free matters only when there are none';

/**
 * Free frames of system memory, kept by blocks of 512 (2 MiB, the kernel's pageblock): single frames come from blocks
 * already broken, whole blocks serve huge pages, and a block whose frames are all back is whole again. The list of a
 * block's free frames runs through `MemMap.private`.
 * @kernel mm/page_alloc.c
 */
export class PageAllocator {
  /** What of it is state. */
  static readonly state = declareState({
    free: { saved: FREE_FRAMES },
    map: { outside: 'the memory system saves it' },
    blocks: 'constant',
    heads: { saved: FREE_FRAMES },
    counts: { saved: FREE_FRAMES },
    links: { saved: FREE_FRAMES },
    broken: { saved: FREE_FRAMES },
    freeBlocks: { saved: FREE_FRAMES },
    nextBlock: { saved: FREE_FRAMES },
    bump: { saved: FREE_FRAMES },
    bumpEnd: { saved: FREE_FRAMES },
  });

  /** Frames that can be had. */
  free: number;
  private readonly map: MemMap;
  private readonly blocks: number;
  private readonly heads: Int32Array;
  private readonly counts: Uint16Array;
  /** Previous and next of each block in the list of broken blocks with free frames. */
  private readonly links: Int32Array;
  private broken = NO_BLOCK;
  private readonly freeBlocks: number[] = [];
  private nextBlock = FIRST_PFN / BLOCK;
  private bump = 0;
  private bumpEnd = 0;

  /** Frames [1024, systemFrames) of `map` can be handed out. */
  constructor(map: MemMap, systemFrames: number) {
    this.map = map;
    this.blocks = Math.floor(systemFrames / BLOCK);
    this.heads = new Int32Array(this.blocks);
    this.counts = new Uint16Array(this.blocks);
    this.links = new Int32Array(2 * this.blocks);
    this.free = Math.max(0, (this.blocks - this.nextBlock) * BLOCK);
  }

  /** One past the highest frame that was ever handed out. */
  get highest(): number {
    const end = this.nextBlock * BLOCK;
    return this.bumpEnd === end ? this.bump : end;
  }

  /** A frame, or {@link NO_PFN}. */
  take(): number {
    const block = this.broken;
    if (block === NO_BLOCK) {
      if (this.bump === this.bumpEnd && !this.openBlock()) return NO_PFN;
      this.free--;
      return this.bump++;
    }
    const pfn = this.heads[block] ?? 0;
    this.heads[block] = this.map.private[pfn] ?? 0;
    this.map.private[pfn] = 0;
    const left = (this.counts[block] ?? 0) - 1;
    this.counts[block] = left;
    if (left === 0) this.unlink(block);
    this.free--;
    return pfn;
  }

  /** The first of 512 aligned frames, or {@link NO_PFN}. */
  takeBlock(): number {
    const block = this.wholeBlock();
    if (block === NO_BLOCK) return NO_PFN;
    this.free -= BLOCK;
    return block * BLOCK;
  }

  /** Gives a frame back. */
  put(pfn: number): void {
    const block = (pfn / BLOCK) | 0;
    const count = (this.counts[block] ?? 0) + 1;
    this.map.private[pfn] = this.heads[block] ?? 0;
    this.heads[block] = pfn;
    this.counts[block] = count;
    this.free++;
    if (count === 1) this.link(block);
    else if (count === BLOCK) {
      this.unlink(block);
      this.clearList(block);
      this.freeBlocks.push(block);
    }
  }

  /** Gives 512 aligned frames back. */
  putBlock(pfn: number): void {
    this.freeBlocks.push((pfn / BLOCK) | 0);
    this.free += BLOCK;
  }

  private wholeBlock(): number {
    const block = this.freeBlocks.pop();
    if (block !== undefined) return block;
    return this.nextBlock < this.blocks ? this.nextBlock++ : NO_BLOCK;
  }

  private openBlock(): boolean {
    const block = this.wholeBlock();
    if (block === NO_BLOCK) return false;
    this.bump = block * BLOCK;
    this.bumpEnd = this.bump + BLOCK;
    return true;
  }

  private clearList(block: number): void {
    this.map.private.fill(0, block * BLOCK, (block + 1) * BLOCK);
    this.heads[block] = 0;
    this.counts[block] = 0;
  }

  private link(block: number): void {
    const next = this.broken;
    this.links[2 * block] = NO_BLOCK;
    this.links[2 * block + 1] = next;
    if (next !== NO_BLOCK) this.links[2 * next] = block;
    this.broken = block;
  }

  private unlink(block: number): void {
    const previous = this.links[2 * block] ?? NO_BLOCK;
    const next = this.links[2 * block + 1] ?? NO_BLOCK;
    if (previous === NO_BLOCK) this.broken = next;
    else this.links[2 * previous + 1] = next;
    if (next !== NO_BLOCK) this.links[2 * next] = previous;
  }
}

/**
 * A frame with one reference and no state; its contents are whatever was there before.
 * @returns its number, {@link NO_PFN} when memory is used up (or `alloc_page` is made to fail).
 * @kernel mm/page_alloc.c __alloc_pages_noprof (without: zones, NUMA nodes, watermarks, reclaim, compaction,
 * kinds of blocks, memory control groups, per-CPU lists)
 */
export function allocPage(system: MemorySystem): number {
  const { kernel, map } = system;
  if (kernel.injector !== undefined && kernel.shouldFail('alloc_page')) return NO_PFN;
  const pfn = system.pages.take();
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
