import { allocPage, type Vma } from '@hmm/mm';
import { NO_PFN } from '@hmm/mm/internal';

/**
 * A locked page of system memory, as the destination of the way home; 0 where there is none. Both versions have it.
 * @v13 patch 17 hmm_vma_alloc_locked_page (all)
 */
export function hmmVmaAllocLockedPage(vma: Vma): number {
  const { system } = vma.mm;
  const page = allocPage(system);
  if (page !== NO_PFN) system.map.tryLock(page);
  return page;
}
