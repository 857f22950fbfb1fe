import type { MmStruct } from './mm-struct.js';
import { folioPut } from './page-alloc.js';
import { lruAddDrain } from './swap.js';
import { freeSwapCache } from './swapfile.js';

/** Pages that one gather holds before it has to free them. @kernel include/asm-generic/tlb.h MAX_GATHER_BATCH_COUNT */
const MAX_GATHER_PAGES = 9697;

/**
 * Pages whose mappings were removed and that are freed only when the TLB has been flushed: at the end of the operation.
 * @kernel mm/mmu_gather.c
 */
export class MmuGather {
  readonly mm: MmStruct;
  /** Whether private copies of a file's pages are zapped as well. @kernel include/linux/mm.h zap_details */
  readonly evenCows: boolean;
  /** Whether page tables that a zap leaves empty are freed. @kernel include/linux/mm.h zap_details.reclaim_pt */
  readonly reclaimsTables: boolean;
  /** Whether guards stay: in a zap that leaves the VMA, such as MADV_DONTNEED's. @kernel mm/memory.c zap_drop_markers (all), the other way round */
  keepsMarkers = false;
  private pages: number[] = [];

  constructor(mm: MmStruct, evenCows = true, reclaimsTables = false) {
    this.mm = mm;
    this.evenCows = evenCows;
    this.reclaimsTables = reclaimsTables;
  }

  /** What was taken and is not freed yet. */
  get gathered(): readonly number[] {
    return this.pages;
  }

  /**
   * Takes over the reference that a mapping of `pfn` had.
   * @kernel include/asm-generic/tlb.h __tlb_remove_page (without: delayed rmap, lengths of large folios,
   * batches a page long)
   */
  removePage(pfn: number): void {
    this.pages.push(pfn);
    if (this.pages.length === MAX_GATHER_PAGES) this.flush();
  }

  /**
   * Frees what was gathered.
   * @kernel mm/mmu_gather.c tlb_finish_mmu (without: the TLB flush, other gathers of the same mm)
   */
  finish(): void {
    if (this.pages.length > 0) this.flush();
  }

  /** @kernel mm/swap_state.c free_pages_and_swap_cache (without: lengths of large folios) */
  private flush(): void {
    const { system } = this.mm;
    const { pages } = this;
    this.pages = [];
    if (system.kernel.does.unmapDrainsLru) lruAddDrain(system);
    for (const pfn of pages) {
      freeSwapCache(system, system.map.folio(pfn));
      folioPut(system, pfn);
    }
  }
}
