import { FAULT_FLAG_WRITE, VM_FAULT_OOM, VM_FAULT_SIGBUS } from './fault.js';
import { NO_PFN, PG_uptodate, ZERO_PFN } from './mem-map.js';
import { accessPte } from './observe.js';
import { allocZeroedPage } from './page-alloc.js';
import { PTE_SPECIAL } from './pte.js';
import { mkPte, mkPteForWrite } from './pte-make.js';
import { folioAddNewAnonRmap } from './rmap.js';
import { folioAddLruVma } from './swap.js';
import type { Vma } from './vma.js';

/**
 * First access to a page of anonymous memory: the shared zero page for a read, a new zeroed page for a write (whose VMA
 * must have its anon_vma). Announces nothing, since nothing was mapped. Never sleeps.
 * @returns 0 or `VM_FAULT_*`.
 * @kernel mm/memory.c do_anonymous_page (without: memory control groups, userfaultfd, folios between a page
 * and 2 MiB)
 */
export function doAnonymousPage(vma: Vma, vpn: number, entry: number, flags: number): number {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  accessPte(system, entry, true);
  // Somebody else may have been here since the fault began.
  if (lanes[entry] !== 0) return 0;
  if (mm.unstable) return VM_FAULT_SIGBUS;
  if ((flags & FAULT_FLAG_WRITE) === 0) {
    lanes[entry] = mkPte(vma) | PTE_SPECIAL;
    lanes[entry + 1] = ZERO_PFN;
    return 0;
  }
  const pfn = allocZeroedPage(system);
  if (pfn === NO_PFN) return VM_FAULT_OOM;
  system.map.set(pfn, PG_uptodate);
  mm.rssAnon++;
  folioAddNewAnonRmap(pfn, vma, vpn, true);
  folioAddLruVma(vma, pfn);
  lanes[entry] = mkPteForWrite(vma);
  lanes[entry + 1] = pfn;
  return 0;
}
