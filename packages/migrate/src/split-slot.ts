import { HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import {
  accessFolio,
  findPmd,
  folioPut,
  folioSplitUnmapped,
  isHuge,
  type MemorySystem,
  rmapWalk,
  splitHugePmd,
} from '@hmm/mm';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, migratePfn, migratePfnToPage } from './migrate-pfn.js';

/** Flags in the word of a source slot. */
const FLAGS = (1 << 6) - 1;

/**
 * Makes 512 slots of the compound one at `i`: its folio is split, or the hole that it stands for.
 * @param extra references that a CPU fault holds on the folio.
 * @returns false when the folio cannot be split. @kernel mm/migrate_device.c migrate_vma_split_unmapped_folio (from 6.19 on)
 */
export function* splitSlot(system: MemorySystem, src: Int32Array, i: number, extra: number): Task<boolean> {
  const slot = (src[i] ?? 0) & ~MIGRATE_PFN_COMPOUND;
  const page = migratePfnToPage(slot);
  if (page === 0) {
    src.fill(MIGRATE_PFN_MIGRATE, i, i + HPAGE_PMD_NR);
    return true;
  }
  accessFolio(system, page, true);
  if (!(yield* splitUnmapped(system, page, extra))) return false;
  for (let part = 0; part < HPAGE_PMD_NR; part++) src[i + part] = migratePfn(page + part) | (slot & FLAGS);
  return true;
}

/**
 * Splits the folio's migration entries, then the folio. The kernel looks for the entry of the migrating process alone: one
 * that a forked process has would be left huge, for a folio that is not.
 */
function* splitUnmapped(system: MemorySystem, folio: number, extra: number): Task<boolean> {
  const { map, tables } = system;
  // A split of an entry that is frozen drops a reference.
  map.get(folio);
  yield* rmapWalk(system, folio, function* (vma, vpn): Task<boolean> {
    const pmd = findPmd(vma.mm, vpn);
    const { lanes } = tables;
    if (pmd >= 0 && isHuge(lanes[pmd] ?? 0) && lanes[pmd + 1] === folio) yield* splitHugePmd(vma, vpn);
    return true;
  });
  folioPut(system, folio);
  return folioSplitUnmapped(system, folio, extra) === 0;
}
