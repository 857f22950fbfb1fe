import {
  alignDown,
  alignUp,
  EAGAIN,
  EINVAL,
  ENOMEM,
  HPAGE_PMD_NR,
  HPAGE_PMD_ORDER,
  type Task,
} from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import { VM_FAULT_ERROR } from './fault.js';
import { handleMmFault } from './handle-mm-fault.js';
import { thpVmaEligible } from './huge-fault.js';
import { pmdTransHuge } from './huge-memory.js';
import {
  NO_PFN,
  PG_anon,
  PG_head,
  PG_isolated,
  PG_locked,
  PG_lru,
  PG_swapcache,
  PG_uptodate,
} from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import type { MmStruct } from './mm-struct.js';
import { notifyEnd, notifyStart } from './notify.js';
import { allocHugePage, folioPut } from './page-alloc.js';
import { findPmd } from './page-walk.js';
import { PTE_HUGE, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE } from './pte.js';
import { mkPteForWrite } from './pte-make.js';
import { folioAddNewAnonRmapPmd, folioMapcount, folioRemoveRmapPte } from './rmap.js';
import { folioAddLruVma, lruAddDrain } from './swap.js';
import { freeSwapCache } from './swapfile.js';
import { TP_COLLAPSE_HUGE_PAGE } from './tracepoints.js';
import { vmaLookup } from './vma-set.js';
import type { Vma } from './vma.js';

const NR = HPAGE_PMD_NR;

/**
 * Makes huge pages of the small ones in [start, end) (MADV_COLLAPSE). The caller holds mmap_lock for reading, which is
 * dropped meanwhile. @returns 0 when every whole 2 MiB is a huge page now; `-EINVAL` (before 7.3 also for a range that ends before
 * its first whole 2 MiB begins), `-EAGAIN` (a page is in use) or `-ENOMEM`.
 * @kernel mm/khugepaged.c madvise_collapse (without: shmem and files, memory control groups, drains of other
 * CPUs' batches)
 */
export function* madviseCollapse(vma: Vma, start: number, end: number): Task<number> {
  const { mm } = vma;
  const lastWhole = alignDown(vma.end - NR, HPAGE_PMD_ORDER);
  if (!thpVmaEligible(vma) || vma.anonVma === null || lastWhole < vma.start) return -EINVAL;
  lruAddDrain(mm.system);
  const first = alignUp(start, HPAGE_PMD_ORDER);
  const last = alignDown(end, HPAGE_PMD_ORDER);
  if (last < first && !mm.kernel.does.collapseCountsBackwards) return 0;
  let missing = (last - first) / NR;
  let failed = -EINVAL;
  for (let at = first; at < last; at += NR) {
    const error = yield* collapseScanPmd(mm, at);
    if (mm.kernel.trace.on) mm.kernel.emit(TP_COLLAPSE_HUGE_PAGE, at, NR, error);
    if (error === 0) missing--;
    else failed = error;
    if (error === -ENOMEM) break;
  }
  return missing === 0 ? 0 : failed;
}

/**
 * Looks whether the 2 MiB at `start` can become a huge page, before what is swapped out or with a device is brought back, and
 * makes them one.
 * @kernel mm/khugepaged.c hpage_collapse_scan_pmd (without: the daemon's limits and its NUMA node,
 * userfaultfd's write protection)
 */
function* collapseScanPmd(mm: MmStruct, start: number): Task<number> {
  const { system } = mm;
  const pmd = findPmd(mm, start);
  if (pmd < 0) return -EINVAL;
  if (pmdTransHuge(system, pmd)) return 0;
  if (system.tables.lanes[pmd] !== ENTRY_TABLE) return -EINVAL;
  const error = collapsible(system, system.tables.lanes[pmd + 1] ?? 0, true, armed(mm, start));
  if (error !== 0) return error;
  if (!(yield* collapseSwapin(mm, start))) return -EINVAL;
  mm.mmapLock.unlockRead();
  if (!mm.mmapLock.tryWriteFast()) yield* mm.mmapLock.write();
  const ret = yield* collapseHugePage(mm, start);
  mm.mmapLock.unlockWrite();
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  return ret;
}

/**
 * Brings swapped pages, and pages that devices have, back first; false when one cannot come.
 * @kernel mm/khugepaged.c __collapse_huge_page_swapin (without: the daemon's limits, mmap_lock that a fault
 * has dropped)
 */
function* collapseSwapin(mm: MmStruct, start: number): Task<boolean> {
  const { tables } = mm.system;
  let swappedIn = false;
  for (let vpn = start; vpn < start + NR; vpn++) {
    const entry = tables.findPte(mm.root, vpn);
    const pte = entry < 0 ? 0 : (tables.lanes[entry] ?? 0);
    const vma = vmaLookup(mm, vpn);
    if (pte === 0 || (pte & PTE_PRESENT) !== 0 || vma === undefined) continue;
    const served = handleMmFault(vma, vpn, 0);
    const result = typeof served === 'number' ? served : yield* served;
    if ((result & VM_FAULT_ERROR) !== 0) return false;
    swappedIn = true;
  }
  if (swappedIn) lruAddDrain(mm.system);
  return true;
}

/**
 * Replaces the page table of the 2 MiB at `start` by one huge page, announced as CLEAR. The caller holds mmap_lock for
 * writing. @returns 0 or a negative errno: nothing has changed then.
 * @kernel mm/khugepaged.c collapse_huge_page (without: memory control groups, the test of the VMA before the
 * allocation, fast GUP)
 */
export function* collapseHugePage(mm: MmStruct, start: number): Task<number> {
  const { system } = mm;
  const { lanes } = system.tables;
  const vma = vmaLookup(mm, start);
  if (vma === undefined || vma.end < start + NR || !thpVmaEligible(vma) || vma.anonVma === null)
    return -EINVAL;
  const pmd = findPmd(mm, start);
  if (pmd < 0) return -EINVAL;
  if (pmdTransHuge(system, pmd)) return 0;
  if (lanes[pmd] !== ENTRY_TABLE) return -EINVAL;
  const head = allocHugePage(system);
  if (head === NO_PFN) return -ENOMEM;
  if (!vma.anonVma.rwsem.tryWriteFast()) yield* vma.anonVma.rwsem.write();
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, start, start + NR) : undefined;
  const table = lanes[pmd + 1] ?? 0;
  const error = collapsible(system, table, false, armed(mm, start));
  notifyEnd(range);
  if (error === 0) {
    copyAndFree(vma, table, head);
    installHugePage(vma, pmd, table, start, head);
  }
  vma.anonVma.rwsem.unlockWrite();
  if (error !== 0) folioPut(system, head);
  return error;
}

/**
 * Whether all that the table maps can be copied: anonymous pages that only mappings hold, before 6.18 one of them writable. What
 * is not present is passed over where it is going to be brought in (`swapin`). @returns 0, `-EINVAL` or `-EAGAIN`.
 * @kernel mm/khugepaged.c __collapse_huge_page_isolate (without: isolation and locks page by page, the
 * daemon's limits, userfaultfd's write protection, KSM)
 */
function collapsible(system: MemorySystem, table: number, swapin: boolean, uffd: boolean): number {
  const { map, tables } = system;
  let writable = !system.kernel.does.collapseNeedsWritable;
  for (let entry = table; entry < table + 2 * NR; entry += 2) {
    const pte = tables.lanes[entry] ?? 0;
    if (pte === 0 || (pte & PTE_SPECIAL) !== 0) {
      // What a userfaultfd is to bring cannot be brought by the way.
      if (uffd) return -EINVAL;
      continue;
    }
    if ((pte & PTE_PRESENT) === 0) {
      if (swapin) continue;
      return -EINVAL;
    }
    if ((pte & PTE_WRITE) !== 0) writable = true;
    const folio = map.folio(tables.lanes[entry + 1] ?? 0);
    const flags = map.flags[folio] ?? 0;
    if ((flags & PG_anon) === 0) return -EINVAL;
    if ((flags & (PG_locked | PG_isolated)) !== 0 || (flags & PG_lru) === 0) return -EAGAIN;
    const cached = (flags & PG_swapcache) !== 0 ? ((flags & PG_head) !== 0 ? NR : 1) : 0;
    if (map.refcount[folio] !== folioMapcount(system, folio) + cached) return -EAGAIN;
  }
  return writable ? 0 : -EINVAL;
}

/** @kernel include/linux/userfaultfd_k.h userfaultfd_armed (without: write protection, minor faults) */
function armed(mm: MmStruct, vpn: number): boolean {
  return (vmaLookup(mm, vpn)?.uffd ?? null) !== null;
}

/** @kernel mm/khugepaged.c __collapse_huge_page_copy (without: poisoned memory and the way back from it) */
function copyAndFree(vma: Vma, table: number, head: number): void {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  for (let i = 0; i < NR; i++) {
    const entry = table + 2 * i;
    const pte = lanes[entry] ?? 0;
    const pfn = lanes[entry + 1] ?? 0;
    lanes[entry] = 0;
    lanes[entry + 1] = 0;
    if (pte === 0 || (pte & PTE_SPECIAL) !== 0) {
      mm.rssAnon++;
      continue;
    }
    system.data.copyPage(head + i, pfn);
    folioRemoveRmapPte(pfn, vma);
    freeSwapCache(system, system.map.folio(pfn));
    folioPut(system, pfn);
  }
}

function installHugePage(vma: Vma, pmd: number, table: number, start: number, head: number): void {
  const { system } = vma.mm;
  const { tables, map } = system;
  tables.free(table);
  map.set(head, PG_uptodate);
  folioAddNewAnonRmapPmd(head, vma, start);
  folioAddLruVma(vma, head);
  tables.lanes[pmd] = mkPteForWrite(vma) | PTE_HUGE;
  tables.lanes[pmd + 1] = head;
}
