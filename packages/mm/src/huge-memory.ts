import { HmmError, ENOMEM, type Task } from '@hmm/kernel';
import { ENTRY_TABLE, LEVEL_PMD, NO_TABLE } from '@hmm/kernel/internal';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import {
  copyHugeNonPresentPmd,
  pmdIsNonPresent,
  splitNonPresentHugePmd,
  zapNonPresentHugePmd,
} from './huge-non-present.js';
import { HUGE_ZERO_PFN, PG_anon_exclusive, PG_dirty, PG_head, ZERO_PFN } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import type { MmuGather } from './mmu-gather.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessNewTable, accessPte } from './observe.js';
import { findPmd } from './page-walk.js';
import {
  isHuge,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_PROTNONE,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
} from './pte.js';
import { mkPte } from './pte-make.js';
import type { MmStruct } from './mm-struct.js';
import { isMapping, rmapTreeOf, vmaAddress } from './rmap-walk.js';
import {
  folioAddAnonRmapPte,
  folioDupRmapPmd,
  folioEntireMapcount,
  folioMapcount,
  folioRemoveRmapPmd,
} from './rmap.js';
import { VM_HUGETLB, VM_SHARED, VM_WRITE, type Vma } from './vma.js';

/** Pages that a PMD maps. */
const NR = 512;

/**
 * Whether the PMD entry at lane `pmd` maps a huge page.
 * @kernel arch/x86/include/asm/pgtable.h pmd_trans_huge (without: DAX's devmap bit)
 */
export function pmdTransHuge(system: MemorySystem, pmd: number): boolean {
  return ((system.tables.lanes[pmd] ?? 0) & (PTE_PRESENT | PTE_HUGE)) === (PTE_PRESENT | PTE_HUGE);
}

/**
 * Maps the huge page at `vpn` by PTEs, be it present, in device memory or under migration. The PMD's range is announced
 * as CLEAR whether or not a huge page is there.
 * @kernel mm/huge_memory.c __split_huge_pmd (without: DAX)
 */
export function* splitHugePmd(vma: Vma, vpn: number): Task {
  const { mm } = vma;
  const start = vpn - (vpn % NR);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, start, start + NR) : undefined;
  const pmd = findPmd(mm, vpn);
  if (pmd >= 0 && isHuge(mm.system.tables.lanes[pmd] ?? 0)) splitHugePmdLocked(vma, pmd);
  notifyEnd(range);
}

/**
 * {@link splitHugePmd} where the region has a PMD table at all.
 * @kernel mm/huge_memory.c split_huge_pmd_address (without: freezing, which is an operation of its own here)
 */
export function* splitHugePmdAddress(vma: Vma, vpn: number): Task {
  if (findPmd(vma.mm, vpn) >= 0) yield* splitHugePmd(vma, vpn);
}

/**
 * {@link splitHugePmd} for a caller that has announced it.
 * @kernel mm/huge_memory.c __split_huge_pmd_locked (without: file pages and DAX, soft-dirty, userfaultfd, the
 * page table laid by, freezing)
 */
export function splitHugePmdLocked(vma: Vma, pmd: number): void {
  const { system } = vma.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const flags = lanes[pmd] ?? 0;
  const head = lanes[pmd + 1] ?? 0;
  const table = tables.alloc();
  // The kernel has laid a table by when it mapped the huge page.
  if (table === NO_TABLE)
    throw new HmmError('OUT_OF_TABLES', 'no page table is left to split a huge page into');
  accessPte(system, pmd, true);
  accessNewTable(system, table);
  if (pmdIsNonPresent(system, pmd)) splitNonPresentHugePmd(vma, pmd, table);
  else if (head === HUGE_ZERO_PFN) fillTable(lanes, table, mkPte(vma) | PTE_SPECIAL, ZERO_PFN, 0);
  else {
    if ((flags & PTE_DIRTY) !== 0) map.set(head, PG_dirty);
    const exclusive = map.test(head, PG_anon_exclusive);
    map.refcount[head] = (map.refcount[head] ?? 0) + NR - 1;
    for (let pfn = head; pfn < head + NR; pfn++) folioAddAnonRmapPte(pfn, vma, exclusive);
    const kept = flags & (PTE_WRITE | PTE_DIRTY | PTE_YOUNG);
    fillTable(lanes, table, (mkPte(vma) & ~PTE_YOUNG) | kept, head, 1);
    folioRemoveRmapPmd(head, vma);
  }
  lanes[pmd] = ENTRY_TABLE;
  lanes[pmd + 1] = table;
}

function fillTable(lanes: Int32Array, table: number, flags: number, pfn: number, step: number): void {
  for (let i = 0; i < NR; i++) {
    lanes[table + 2 * i] = flags;
    lanes[table + 2 * i + 1] = pfn + i * step;
  }
}

/**
 * Unmaps a whole huge page; those of hugetlb count as no resident memory.
 * @kernel mm/huge_memory.c zap_huge_pmd (without: file pages and DAX, the page table laid by)
 */
export function zapHugePmd(tlb: MmuGather, vma: Vma, pmd: number): void {
  const { mm } = vma;
  const { lanes } = mm.system.tables;
  if (pmdIsNonPresent(mm.system, pmd)) {
    zapNonPresentHugePmd(vma, pmd);
    return;
  }
  const head = lanes[pmd + 1] ?? 0;
  accessPte(mm.system, pmd, true);
  lanes[pmd] = 0;
  lanes[pmd + 1] = 0;
  if (head === HUGE_ZERO_PFN) return;
  folioRemoveRmapPmd(head, vma);
  if ((vma.flags & VM_HUGETLB) === 0) mm.rssAnon -= NR;
  tlb.removePage(head);
}

/**
 * Gives a huge entry the VMA's protection.
 * @kernel mm/huge_memory.c change_huge_pmd (without: NUMA hints, soft-dirty, userfaultfd's write protection)
 */
export function changeHugePmd(vma: Vma, pmd: number): void {
  const { system } = vma.mm;
  const { map, tables } = system;
  const head = tables.lanes[pmd + 1] ?? 0;
  let flags = (tables.lanes[pmd] ?? 0) & ~(PTE_WRITE | PTE_PROTNONE);
  flags |= mkPte(vma) & (PTE_WRITE | PTE_PROTNONE);
  const own = head !== HUGE_ZERO_PFN && map.test(head, PG_anon_exclusive);
  if (own && (vma.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE) flags |= PTE_WRITE;
  accessPte(system, pmd, true);
  tables.lanes[pmd] = flags;
}

/**
 * fork's copy of a huge entry: read-only in both. A pinned one is split in the parent instead, and copied page by page.
 * @returns 0 or `-ENOMEM`.
 * @kernel mm/huge_memory.c copy_huge_pmd (without: DAX, userfaultfd, the page table laid by)
 */
export function* copyHugePmd(dst: Vma, src: Vma, pmd: number, vpn: number): Task<number> {
  const { system } = src.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const head = lanes[pmd + 1] ?? 0;
  if (head !== HUGE_ZERO_PFN && map.test(head, PG_anon_exclusive) && (map.pincount[head] ?? 0) > 0) {
    yield* splitHugePmd(src, vpn);
    return 0;
  }
  const to = tables.make(dst.mm.root, vpn, LEVEL_PMD);
  if (to < 0) return -ENOMEM;
  if (pmdIsNonPresent(system, pmd)) {
    copyHugeNonPresentPmd(dst, src, pmd, to);
    return 0;
  }
  accessPte(system, pmd, true);
  if (head !== HUGE_ZERO_PFN) {
    map.get(head);
    map.clear(head, PG_anon_exclusive);
    folioDupRmapPmd(system, head);
    dst.mm.rssAnon += NR;
  }
  const flags = (lanes[pmd] ?? 0) & ~PTE_WRITE;
  lanes[pmd] = flags;
  lanes[to] = flags & ~PTE_YOUNG;
  lanes[to + 1] = head;
  return 0;
}

/**
 * Whether a process other than that of `vma` maps a part of a folio, or may do so.
 * @kernel include/linux/mm.h folio_maybe_mapped_shared (before 6.15 folio_likely_mapped_shared)
 */
export function folioMappedByOthers(vma: Vma, folio: number): boolean {
  const { system } = vma.mm;
  if (!system.kernel.does.sharedMarkIsExact || !system.map.test(folio, PG_head))
    return folioLikelyMappedShared(system, folio);
  return folioMapcount(system, folio) > mappingsIn(vma.mm, folio);
}

/** Mappings of a large folio in one address space, by PTEs and PMDs. */
function mappingsIn(mm: MmStruct, folio: number): number {
  const { system } = mm;
  const { tables } = system;
  let count = 0;
  for (const vma of rmapTreeOf(system, folio)?.tree ?? []) {
    const vpn = vma.mm === mm ? vmaAddress(vma, folio, system.map.index[folio] ?? 0, NR) : -1;
    if (vpn < 0) continue;
    const first = folio + ((vma.pgoff + (vpn - vma.start) - (system.map.index[folio] ?? 0)) | 0);
    const pmd = findPmd(mm, vpn);
    if (pmd >= 0 && isHuge(tables.lanes[pmd] ?? 0)) {
      if (first === folio && tables.lanes[pmd + 1] === folio) count++;
      continue;
    }
    for (let at = vpn; at < vma.end && first + (at - vpn) < folio + NR; at++) {
      const entry = tables.findPte(mm.root, at);
      if (
        entry >= 0 &&
        tables.lanes[entry + 1] === first + (at - vpn) &&
        isMapping(system, tables.lanes[entry] ?? 0)
      )
        count++;
    }
  }
  return count;
}

/**
 * Whether more than one process probably maps a folio.
 * @kernel include/linux/mm.h folio_likely_mapped_shared (without: small and hugetlb folios, which have an
 * exact count)
 */
function folioLikelyMappedShared(system: MemorySystem, folio: number): boolean {
  const mapcount = folioMapcount(system, folio);
  if (mapcount <= 1) return false;
  if (folioEntireMapcount(system, folio) > 0 || mapcount > NR) return true;
  return (system.map.mapcount[folio] ?? 0) > 1;
}
