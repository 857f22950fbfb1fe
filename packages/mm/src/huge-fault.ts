import type { Task } from '@hmm/kernel';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import { anonVmaPrepare } from './anon-vma.js';
import { FAULT_FLAG_UNSHARE, FAULT_FLAG_WRITE, VM_FAULT_FALLBACK, VM_FAULT_SIGBUS } from './fault.js';
import { splitHugePmd } from './huge-memory.js';
import { HUGE_ZERO_PFN, NO_PFN, PG_anon_exclusive, PG_swapcache, PG_uptodate } from './mem-map.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessFolio, accessPte } from './observe.js';
import { findPmd } from './page-walk.js';
import { allocHugePage, folioPut } from './page-alloc.js';
import { isHuge, PTE_DIRTY, PTE_HUGE, PTE_WRITE, PTE_YOUNG } from './pte.js';
import { maybeMkwrite, mkPte, mkPteForWrite } from './pte-make.js';
import { folioAddNewAnonRmapPmd, folioMoveAnonRmap } from './rmap.js';
import { folioAddLruVma } from './swap.js';
import { VM_HUGEPAGE, VM_NOHUGEPAGE, VM_SPECIAL, type Vma } from './vma.js';

/**
 * Whether a huge page may be mapped at `vpn`.
 * @kernel mm/huge_memory.c __thp_vma_allowable_orders (without: sizes other than 2 MiB, shmem and files, DAX,
 * temporary stacks)
 */
export function thpVmaAllowable(vma: Vma, vpn: number): boolean {
  const { thp } = vma.mm.system.config;
  if (thp === 'never' || (thp === 'madvise' && (vma.flags & VM_HUGEPAGE) === 0)) return false;
  if (!thpVmaEligible(vma)) return false;
  const start = vpn - (vpn % 512);
  return start >= vma.start && start + 512 <= vma.end;
}

/** Whether `vma` may have huge pages at all, whatever the system's setting. */
export function thpVmaEligible(vma: Vma): boolean {
  return (vma.flags & (VM_NOHUGEPAGE | VM_SPECIAL)) === 0 && vma.isAnonymous() && vma.isCow();
}

/**
 * First access to a range of 2 MiB: the huge zero page for a read, a huge page for a write, if the VMA wants them.
 * `VM_FAULT_FALLBACK`: go on with small pages.
 * @kernel mm/huge_memory.c do_huge_pmd_anonymous_page (without: memory control groups,
 * khugepaged, the page table laid by, defragmentation settings)
 */
export function* createHugePmd(vma: Vma, vpn: number, pmd: number, flags: number): Task<number> {
  if (!thpVmaAllowable(vma, vpn)) return VM_FAULT_FALLBACK;
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  yield* anonVmaPrepare(vma);
  if (lanes[pmd] !== 0) return 0;
  accessPte(system, pmd, true);
  if (mm.unstable) return VM_FAULT_SIGBUS;
  if ((flags & FAULT_FLAG_WRITE) === 0) {
    lanes[pmd] = mkPte(vma) | PTE_HUGE;
    lanes[pmd + 1] = HUGE_ZERO_PFN;
    return 0;
  }
  const head = allocHugePage(system);
  if (head === NO_PFN) return VM_FAULT_FALLBACK;
  system.map.set(head, PG_uptodate);
  mm.rssAnon += 512;
  folioAddNewAnonRmapPmd(head, vma, vpn - (vpn % 512));
  folioAddLruVma(vma, head);
  lanes[pmd] = mkPteForWrite(vma) | PTE_HUGE;
  lanes[pmd + 1] = head;
  return 0;
}

/**
 * A fault on a huge entry. `VM_FAULT_FALLBACK`: it was split, go on with small pages.
 * @kernel mm/memory.c wp_huge_pmd (without: userfaultfd's write protection, file and DAX mappings)
 */
export function* doHugePmdFault(vma: Vma, vpn: number, pmd: number, flags: number): Task<number> {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const entry = lanes[pmd] ?? 0;
  const write = (flags & FAULT_FLAG_WRITE) !== 0;
  accessPte(system, pmd, true);
  if ((!write && (flags & FAULT_FLAG_UNSHARE) === 0) || (entry & PTE_WRITE) !== 0) {
    lanes[pmd] = entry | (write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
    return 0;
  }
  if (lanes[pmd + 1] === HUGE_ZERO_PFN && system.kernel.does.hugeZeroPageReplaced) {
    if (yield* replaceHugeZeroPage(vma, vpn, pmd)) return 0;
  } else if (canReuseHugePage(vma, lanes[pmd + 1] ?? 0)) {
    if (write) lanes[pmd] = maybeMkwrite(entry | PTE_YOUNG | PTE_DIRTY, vma);
    return 0;
  }
  yield* splitHugePmd(vma, vpn);
  return VM_FAULT_FALLBACK;
}

/** A huge page in place of the huge zero page. False when none is to be had. @kernel mm/huge_memory.c do_huge_zero_wp_pmd (from 6.13 on) */
function* replaceHugeZeroPage(vma: Vma, vpn: number, pmd: number): Task<boolean> {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  const start = vpn - (vpn % 512);
  const head = allocHugePage(system);
  if (head === NO_PFN) return false;
  system.map.set(head, PG_uptodate);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, start, start + 512) : undefined;
  const same = findPmd(mm, vpn) === pmd && lanes[pmd + 1] === HUGE_ZERO_PFN && isHuge(lanes[pmd] ?? 0);
  if (same && !mm.unstable) {
    accessPte(system, pmd, true);
    mm.rssAnon += 512;
    folioAddNewAnonRmapPmd(head, vma, start);
    folioAddLruVma(vma, head);
    lanes[pmd] = mkPteForWrite(vma) | PTE_HUGE;
    lanes[pmd + 1] = head;
  } else folioPut(system, head);
  notifyEnd(range);
  return true;
}

/**
 * Whether a huge page is this mapping's own, or has become it.
 * @kernel mm/huge_memory.c do_huge_pmd_wp_page (without: soft-dirty, freeing of swap, drains of the LRU
 * batches; a page in the swap cache is split at once)
 */
function canReuseHugePage(vma: Vma, head: number): boolean {
  const { system } = vma.mm;
  const { map } = system;
  if (head === HUGE_ZERO_PFN) return false;
  accessFolio(system, head, true);
  if (map.test(head, PG_anon_exclusive)) return true;
  if (map.refcount[head] !== 1 || map.test(head, PG_swapcache) || !map.tryLock(head)) return false;
  folioMoveAnonRmap(head, vma);
  map.set(head, PG_anon_exclusive);
  map.unlock(head);
  return true;
}
