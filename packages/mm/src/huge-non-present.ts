import { HPAGE_PMD_NR } from '@hmm/kernel';
import { PG_anon_exclusive } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { accessPte } from './observe.js';
import { folioPut } from './page-alloc.js';
import { isDevicePrivatePte, PTE_EXCLUSIVE, PTE_HUGE, PTE_PRESENT, PTE_WRITE } from './pte.js';
import { folioAddAnonRmapPte, folioDupRmapPmd, folioRemoveRmapPmd } from './rmap.js';
import type { Vma } from './vma.js';

/**
 * Huge entries that are not present: a folio of device-private memory, or a large folio under migration. They begin with
 * Linux 6.19; `huge-memory.ts` hands them over to here.
 *
 * @packageDocumentation
 */

/** Whether the PMD entry at lane `pmd` is huge and not present. @kernel include/linux/leafops.h pmd_is_valid_softleaf (from 6.19 on) */
export function pmdIsNonPresent(system: MemorySystem, pmd: number): boolean {
  return ((system.tables.lanes[pmd] ?? 0) & (PTE_PRESENT | PTE_HUGE)) === PTE_HUGE;
}

/**
 * Fills a page table with what the entry at lane `pmd` stands for: 512 private entries, with a reference and a mapping
 * each; or 512 migration entries, which have neither.
 * @kernel mm/huge_memory.c __split_huge_pmd_locked (without: soft-dirty and userfaultfd of entries that are
 * not present)
 */
export function splitNonPresentHugePmd(vma: Vma, pmd: number, table: number): void {
  const { system } = vma.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const flags = (lanes[pmd] ?? 0) & ~PTE_HUGE;
  const head = lanes[pmd + 1] ?? 0;
  for (let i = 0; i < HPAGE_PMD_NR; i++) {
    lanes[table + 2 * i] = flags;
    lanes[table + 2 * i + 1] = head + i;
  }
  if (!isDevicePrivatePte(flags)) return;
  const exclusive = map.test(head, PG_anon_exclusive);
  map.refcount[head] = (map.refcount[head] ?? 0) + HPAGE_PMD_NR - 1;
  for (let pfn = head; pfn < head + HPAGE_PMD_NR; pfn++) folioAddAnonRmapPte(pfn, vma, exclusive);
  folioRemoveRmapPmd(head, vma);
}

/**
 * Removes the entry at lane `pmd`; a private folio is let go of at once.
 * @kernel mm/huge_memory.c zap_huge_pmd (without: file pages and DAX, the page table laid by)
 */
export function zapNonPresentHugePmd(vma: Vma, pmd: number): void {
  const { mm } = vma;
  const { lanes } = mm.system.tables;
  const flags = lanes[pmd] ?? 0;
  const head = lanes[pmd + 1] ?? 0;
  accessPte(mm.system, pmd, true);
  lanes[pmd] = 0;
  lanes[pmd + 1] = 0;
  mm.rssAnon -= HPAGE_PMD_NR;
  if (!isDevicePrivatePte(flags)) return;
  folioRemoveRmapPmd(head, vma);
  folioPut(mm.system, head);
}

/** fork's copy of the entry at lane `from` to lane `to`: read-only in both. @kernel mm/huge_memory.c copy_huge_non_present_pmd (from 6.19 on) */
export function copyHugeNonPresentPmd(dst: Vma, src: Vma, from: number, to: number): void {
  const { system } = src.mm;
  const { lanes } = system.tables;
  const flags = (lanes[from] ?? 0) & ~(PTE_WRITE | PTE_EXCLUSIVE);
  const head = lanes[from + 1] ?? 0;
  accessPte(system, from, true);
  if (isDevicePrivatePte(flags)) {
    system.map.get(head);
    system.map.clear(head, PG_anon_exclusive);
    folioDupRmapPmd(system, head);
  }
  dst.mm.rssAnon += HPAGE_PMD_NR;
  lanes[from] = flags;
  lanes[to] = flags;
  lanes[to + 1] = head;
}
