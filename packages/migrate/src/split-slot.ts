import { HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import { type Vma } from '@hmm/mm';
import {
  accessFolio,
  findPmd,
  folioPut,
  folioSplitUnmapped,
  isHuge,
  rmapWalk,
  splitHugePmd,
} from '@hmm/mm/internal';
import type { MigrateVma } from './migrate-vma.js';
import { MIGRATE_PFN_COMPOUND, MIGRATE_PFN_MIGRATE, migratePfn, migratePfnToPage } from './migrate-pfn.js';

/** Flags in the word of a source slot. */
const FLAGS = (1 << 6) - 1;

/**
 * Makes 512 slots of the compound one at `i`: its folio is split, or the hole that it stands for.
 * @param extra references that a CPU fault holds on the folio.
 * @returns false when the folio cannot be split. @kernel mm/migrate_device.c migrate_vma_split_unmapped_folio (from 6.19 on)
 */
export function* splitSlot(migrate: MigrateVma, src: Int32Array, i: number, extra: number): Task<boolean> {
  const { system } = migrate.vma.mm;
  const slot = (src[i] ?? 0) & ~MIGRATE_PFN_COMPOUND;
  const page = migratePfnToPage(slot);
  if (page === 0) {
    src.fill(MIGRATE_PFN_MIGRATE, i, i + HPAGE_PMD_NR);
    return true;
  }
  accessFolio(system, page, true);
  if (!(yield* splitUnmapped(migrate.vma, page, extra))) return false;
  for (let part = 0; part < HPAGE_PMD_NR; part++) src[i + part] = migratePfn(page + part) | (slot & FLAGS);
  return true;
}

/** Splits the folio's migration entries, then the folio. */
function* splitUnmapped(own: Vma, folio: number, extra: number): Task<boolean> {
  const { system } = own.mm;
  const { map, tables } = system;
  const { does } = system.kernel;
  // A split of an entry that is frozen drops a reference.
  map.get(folio);
  yield* rmapWalk(system, folio, function* (vma, vpn): Task<boolean> {
    const pmd = findPmd(vma.mm, vpn);
    const { lanes } = tables;
    if (does.fallbackSplitsOwnPmd && vma !== own) return true;
    if (pmd >= 0 && isHuge(lanes[pmd] ?? 0) && lanes[pmd + 1] === folio) yield* splitHugePmd(vma, vpn);
    return true;
  });
  folioPut(system, folio);
  return folioSplitUnmapped(system, folio, does.fallbackRefusesFault ? 0 : extra) === 0;
}
