import { HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import { LEVEL_PMD } from '@hmm/kernel/internal';
import { VM_WRITE, type Vma } from '@hmm/mm';
import {
  accessPte,
  anonVmaPrepare,
  findPmd,
  folioAddLruVma,
  folioAddNewAnonRmapPmd,
  HUGE_ZERO_PFN,
  mkPte,
  PG_uptodate,
  PG_zone_device,
  PG_zone_device_private,
  PTE_DIRTY,
  PTE_HUGE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_WRITE,
  pmdTransHuge,
  splitHugePmd,
} from '@hmm/mm/internal';

/**
 * Maps a new large folio by a PMD where nothing was, or the huge zero page. False when something else is there by now, or
 * when memory for page tables is used up. @kernel mm/migrate_device.c migrate_vma_insert_huge_pmd_page (from 6.19 on)
 */
export function* migrateVmaInsertHugePmdPage(vma: Vma, vpn: number, folio: number): Task<boolean> {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables } = system;
  const { lanes } = tables;
  if (vma.anonVma === null) yield* anonVmaPrepare(vma);
  const pmd = tables.make(mm.root, vpn, LEVEL_PMD);
  if (pmd < 0) return false;
  accessPte(system, pmd, true);
  if (mm.unstable || vma.uffd !== null || (lanes[pmd] !== 0 && !isHugeZeroPmd(vma, pmd))) return false;
  map.set(folio, PG_uptodate);
  mm.rssAnon += HPAGE_PMD_NR;
  folioAddNewAnonRmapPmd(folio, vma, vpn);
  const flags = map.flags[folio] ?? 0;
  if ((flags & PG_zone_device) === 0) folioAddLruVma(vma, folio);
  map.get(folio);
  const write = (vma.flags & VM_WRITE) !== 0;
  lanes[pmd] =
    PTE_HUGE |
    ((flags & PG_zone_device_private) !== 0
      ? PTE_TYPE_DEVICE_PRIVATE | (write ? PTE_WRITE : 0)
      : mkPte(vma) | (write ? PTE_WRITE | PTE_DIRTY : 0));
  lanes[pmd + 1] = folio;
  return true;
}

/** Where the huge zero page is mapped, maps the zero page 512 times instead, so that single pages can be. */
export function* splitHugeZeroPmd(vma: Vma, vpn: number): Task {
  const pmd = findPmd(vma.mm, vpn);
  if (pmd >= 0 && isHugeZeroPmd(vma, pmd)) yield* splitHugePmd(vma, vpn);
}

function isHugeZeroPmd({ mm }: Vma, pmd: number): boolean {
  return pmdTransHuge(mm.system, pmd) && mm.system.tables.lanes[pmd + 1] === HUGE_ZERO_PFN;
}
