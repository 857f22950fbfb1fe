import { EINVAL, ENOMEM, HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import { declareState, LEVEL_PMD } from '@hmm/kernel/internal';
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_PROTECTION_VMA, mmHasNotifiers } from '@hmm/mmu-notifier';
import { anonVmaPrepare } from './anon-vma.js';
import { FAULT_FLAG_UNSHARE, FAULT_FLAG_WRITE, VM_FAULT_OOM, VM_FAULT_SIGBUS } from './fault.js';
import { copyUserHighpage } from './highmem.js';
import type { HugetlbReservation } from './hstate.js';
import { NO_PFN, PG_anon_exclusive, PG_uptodate } from './mem-map.js';
import type { MmStruct } from './mm-struct.js';
import { MmuGather } from './mmu-gather.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessPte } from './observe.js';
import { folioPut, prepHugePage } from './page-alloc.js';
import { findPmd, nextPmd } from './page-walk.js';
import { PTE_DIRTY, PTE_HUGE, PTE_PROTNONE, PTE_WRITE, PTE_YOUNG } from './pte.js';
import { maybeMkwrite, mkPte, mkPteForWrite } from './pte-make.js';
import {
  folioAddNewAnonRmapPmd,
  folioDupRmapPmd,
  folioMapcount,
  folioMaybeDmaPinned,
  folioMoveAnonRmap,
  folioRemoveRmapPmd,
} from './rmap.js';
import { rmapWalk } from './rmap-walk.js';
import type { Vma, VmOperations } from './vma.js';
import { unmapPageRange } from './zap.js';

/**
 * Private anonymous memory of huge pages that were set aside at boot (`MAP_HUGETLB`, 2 MiB). Mapped by PMDs that are never
 * split. Shared mappings and files of hugetlbfs are not modelled.
 *
 * @packageDocumentation
 */

/** One mapping's operations, with what was promised to it. @kernel mm/hugetlb.c hugetlb_vm_ops */
export class HugetlbVmOps implements VmOperations {
  /** What of it is state. */
  static readonly state = declareState({
    reservation: 'constant',
    unmapped: 'constant',
  });

  private readonly reservation: HugetlbReservation | undefined;
  /** Whether a page was taken away: a fresh one would look like lost data. @kernel mm/hugetlb.c HPAGE_RESV_UNMAPPED */
  readonly unmapped: boolean;

  private constructor(reservation: HugetlbReservation | undefined, unmapped = false) {
    this.reservation = reservation;
    this.unmapped = unmapped;
  }

  /** For what is left to a process from which a page was taken away. */
  static ofLoser(): HugetlbVmOps {
    return new HugetlbVmOps(undefined, true);
  }

  /**
   * For a mapping of `pages` pages, promised unless `noreserve`; `-ENOMEM` when the pool cannot.
   * @kernel fs/hugetlbfs/inode.c hugetlbfs_file_mmap (without: files, seals, NUMA policies, page sizes other
   * than 2 MiB)
   */
  static create(mm: MmStruct, pages: number, noreserve: boolean): HugetlbVmOps | number {
    if (noreserve) return new HugetlbVmOps(undefined);
    const reservation = mm.system.hugetlb.reserve(mm, pages / HPAGE_PMD_NR);
    return reservation === undefined ? -ENOMEM : new HugetlbVmOps(reservation);
  }

  /** @inheritdoc */
  fault(vma: Vma, vpn: number, flags: number): Task<number> {
    return hugetlbFault(vma, vpn, flags);
  }

  /** @inheritdoc */
  maySplit(_vma: Vma, vpn: number): number {
    return vpn % HPAGE_PMD_NR === 0 ? 0 : -EINVAL;
  }

  /** @inheritdoc */
  close(vma: Vma, start: number, end: number): void {
    if (this.reservation?.owner !== vma.mm) return;
    vma.mm.system.hugetlb.unreserve(this.reservation, indexOf(vma, start), indexOf(vma, end));
  }

  /**
   * What was promised goes along.
   * @kernel mm/hugetlb.c clear_vma_resv_huge_pages (without: reference counts of the reservation)
   */
  moved(): HugetlbVmOps {
    return new HugetlbVmOps(undefined);
  }

  /** The mapping of `pages` pages was not made after all. */
  cancel(mm: MmStruct, pages: number): void {
    if (this.reservation !== undefined)
      mm.system.hugetlb.unreserve(this.reservation, 0, pages / HPAGE_PMD_NR);
  }

  /** Whether `vma` belongs to the process to which pages were promised. */
  isOwner(vma: Vma): boolean {
    return this.reservation?.owner === vma.mm;
  }

  /**
   * A zeroed huge page for the mapping's page at `vpn`, or {@link NO_PFN}.
   * @kernel mm/hugetlb.c alloc_hugetlb_folio (without: NUMA nodes, control groups, subpools, surplus pages,
   * shared mappings)
   */
  alloc(vma: Vma, vpn: number): number {
    const { system } = vma.mm;
    if (system.kernel.shouldFail('alloc_huge_page')) return NO_PFN;
    const { taken } = this.isOwner(vma) && this.reservation !== undefined ? this.reservation : NO_RESERVATION;
    const page = indexOf(vma, vpn);
    const promised = taken[page] === 0;
    if (promised) taken[page] = 1;
    const head = system.hugetlb.take(promised);
    if (head !== NO_PFN) prepHugePage(system, head, true);
    return head;
  }
}

const NO_RESERVATION = { taken: new Uint8Array(0) };

/** Which huge page of its mapping `vpn` is. */
function indexOf(vma: Vma, vpn: number): number {
  return (vma.pgoff + (vpn - vma.start)) / HPAGE_PMD_NR;
}

function opsOf(vma: Vma): HugetlbVmOps | undefined {
  return vma.ops instanceof HugetlbVmOps ? vma.ops : undefined;
}

/**
 * A CPU access to memory of huge pages. @returns 0 or `VM_FAULT_*`.
 * @kernel mm/hugetlb.c hugetlb_fault (without: shared page tables, the table of fault mutexes, migration and
 * poison entries, userfaultfd)
 */
export function* hugetlbFault(vma: Vma, vpn: number, flags: number): Task<number> {
  const { system, root } = vma.mm;
  const { lanes } = system.tables;
  const pmd = system.tables.make(root, vpn, LEVEL_PMD);
  if (pmd < 0) return VM_FAULT_OOM;
  yield* anonVmaPrepare(vma);
  accessPte(system, pmd, true);
  const start = vpn - (vpn % HPAGE_PMD_NR);
  if (lanes[pmd] === 0) return yield* hugetlbNoPage(vma, start, pmd, flags);
  const entry = lanes[pmd] ?? 0;
  if ((flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)) !== 0 && (entry & PTE_WRITE) === 0)
    return yield* hugetlbWp(vma, start, pmd, flags);
  lanes[pmd] = entry | ((flags & FAULT_FLAG_WRITE) !== 0 ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
  return 0;
}

/**
 * The first access; also a read gets a page of its own.
 * @kernel mm/hugetlb.c hugetlb_no_page (without: shared mappings and their page cache, userfaultfd, poisoned
 * pages)
 */
function* hugetlbNoPage(vma: Vma, start: number, pmd: number, flags: number): Task<number> {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const ops = opsOf(vma);
  const lost = ops === undefined || ops.unmapped || vma.mm.unstable;
  const head = lost ? NO_PFN : ops.alloc(vma, start);
  if (head === NO_PFN) return VM_FAULT_SIGBUS;
  system.map.set(head, PG_uptodate);
  folioAddNewAnonRmapPmd(head, vma, start);
  lanes[pmd] = mkPte(vma) | PTE_HUGE;
  lanes[pmd + 1] = head;
  return (flags & FAULT_FLAG_WRITE) === 0 ? 0 : yield* hugetlbWp(vma, start, pmd, flags);
}

/**
 * A write to (or the pin of) a page that is mapped read-only: its own already, or to be copied.
 * @kernel mm/hugetlb.c hugetlb_wp (without: shared mappings, userfaultfd)
 */
function* hugetlbWp(vma: Vma, start: number, pmd: number, flags: number): Task<number> {
  const { system } = vma.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const old = lanes[pmd + 1] ?? 0;
  if (folioMapcount(system, old) === 1) {
    if (!map.test(old, PG_anon_exclusive)) folioMoveAnonRmap(old, vma);
    map.set(old, PG_anon_exclusive);
    if ((flags & FAULT_FLAG_UNSHARE) === 0)
      lanes[pmd] = maybeMkwrite((lanes[pmd] ?? 0) | PTE_DIRTY | PTE_YOUNG, vma);
    return 0;
  }
  map.get(old);
  const fresh = opsOf(vma)?.alloc(vma, start) ?? NO_PFN;
  if (fresh !== NO_PFN) yield* replaceHugePage(vma, start, old, fresh, (flags & FAULT_FLAG_UNSHARE) === 0);
  else if (opsOf(vma)?.isOwner(vma) === true) yield* unmapRefPrivate(vma, old);
  const failed = fresh === NO_PFN && folioMapcount(system, old) > 1;
  folioPut(system, old);
  // Who made the mapping has the page alone now, and finds that by the access that is repeated.
  return failed ? VM_FAULT_SIGBUS : 0;
}

/** Maps `fresh`, a copy of `old`, announced as CLEAR of the huge page. */
function* replaceHugePage(vma: Vma, start: number, old: number, fresh: number, write: boolean): Task {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  for (let i = 0; i < HPAGE_PMD_NR; i++) copyUserHighpage(system, fresh + i, old + i);
  system.map.set(fresh, PG_uptodate);
  const range = mmHasNotifiers(mm)
    ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, start, start + HPAGE_PMD_NR)
    : undefined;
  const pmd = findPmd(mm, start);
  const same = pmd >= 0 && lanes[pmd + 1] === old;
  if (same) {
    accessPte(system, pmd, true);
    folioRemoveRmapPmd(old, vma);
    folioAddNewAnonRmapPmd(fresh, vma, start);
    lanes[pmd] = (write ? mkPteForWrite(vma) : mkPte(vma)) | PTE_HUGE;
    lanes[pmd + 1] = fresh;
  }
  notifyEnd(range);
  folioPut(system, same ? old : fresh);
}

/**
 * With the pool empty, who made the mapping takes the page from the others: their next access is SIGBUS.
 * @kernel mm/hugetlb.c unmap_ref_private (without: VMAs of the file that do not map the page)
 */
function* unmapRefPrivate(vma: Vma, head: number): Task {
  yield* rmapWalk(vma.mm.system, head, function* (other, start): Task<boolean> {
    const pmd = findPmd(other.mm, start);
    const { lanes } = other.mm.system.tables;
    const maps = pmd >= 0 && lanes[pmd] !== 0 && lanes[pmd + 1] === head;
    if (!maps || opsOf(other)?.isOwner(other) === true) return true;
    yield* unmapHugepageRange(other, start);
    other.ops = HugetlbVmOps.ofLoser();
    return true;
  });
}

/** @kernel mm/hugetlb.c unmap_hugepage_range (without: shared page tables) */
function* unmapHugepageRange(vma: Vma, start: number): Task {
  const { mm } = vma;
  const end = start + HPAGE_PMD_NR;
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, start, end) : undefined;
  const tlb = new MmuGather(mm);
  yield* unmapPageRange(tlb, vma, start, end);
  notifyEnd(range);
  tlb.finish();
}

/**
 * fork's copy: read-only in both, announced as CLEAR; a pinned page is copied at once. @returns 0 or
 * `-ENOMEM`.
 * @kernel mm/hugetlb.c copy_hugetlb_page_range (without: shared mappings and page tables, migration, poison
 * and userfaultfd's entries)
 */
export function* copyHugetlbPageRange(dst: Vma, src: Vma): Task<number> {
  const { mm, start, end } = src;
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, start, end) : undefined;
  let ret = 0;
  for (let at = nextPmd(mm, start, end); at < end && ret === 0; at = nextPmd(mm, at + HPAGE_PMD_NR, end))
    ret = copyHugePage(dst, src, at);
  notifyEnd(range);
  return ret;
}

function copyHugePage(dst: Vma, src: Vma, at: number): number {
  const { system } = src.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const from = findPmd(src.mm, at);
  const to = tables.make(dst.mm.root, at, LEVEL_PMD);
  if (to < 0) return -ENOMEM;
  accessPte(system, from, true);
  const head = lanes[from + 1] ?? 0;
  if (map.test(head, PG_anon_exclusive) && folioMaybeDmaPinned(system, head)) {
    const fresh = opsOf(dst)?.alloc(dst, at) ?? NO_PFN;
    if (fresh === NO_PFN) return -ENOMEM;
    for (let i = 0; i < HPAGE_PMD_NR; i++) copyUserHighpage(system, fresh + i, head + i);
    map.set(fresh, PG_uptodate);
    folioAddNewAnonRmapPmd(fresh, dst, at);
    lanes[to] = mkPteForWrite(dst) | PTE_HUGE;
    lanes[to + 1] = fresh;
    return 0;
  }
  map.clear(head, PG_anon_exclusive);
  map.get(head);
  folioDupRmapPmd(system, head);
  lanes[from] = (lanes[from] ?? 0) & ~PTE_WRITE;
  lanes[to] = lanes[from] ?? 0;
  lanes[to + 1] = head;
  return 0;
}

/**
 * Gives huge pages the VMA's protection; a write finds out later whose the page is.
 * @kernel mm/hugetlb.c hugetlb_change_protection (without: shared page tables, migration and poison entries,
 * userfaultfd)
 */
export function* hugetlbChangeProtection(vma: Vma, start: number, end: number): Task {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  const range = mmHasNotifiers(mm)
    ? yield* notifyStart(mm, MMU_NOTIFY_PROTECTION_VMA, start, end)
    : undefined;
  const protection = mkPte(vma) & (PTE_WRITE | PTE_PROTNONE);
  for (let at = nextPmd(mm, start, end); at < end; at = nextPmd(mm, at + HPAGE_PMD_NR, end)) {
    const pmd = findPmd(mm, at);
    accessPte(system, pmd, true);
    lanes[pmd] = ((lanes[pmd] ?? 0) & ~(PTE_WRITE | PTE_PROTNONE)) | protection;
  }
  notifyEnd(range);
}
