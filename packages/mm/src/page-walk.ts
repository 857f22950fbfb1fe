import { ENTRY_TABLE, LEVEL_PMD, LEVEL_PUD, entryPages, tableIndex } from '@hmm/kernel/internal';
import type { MmStruct } from './mm-struct.js';

/**
 * The first page at or after `vpn` whose PMD entry is something, `end` when there is none before it. Ranges without page
 * tables are passed over by what their missing table covers.
 * @kernel mm/pagewalk.c walk_pgd_range (without: callbacks of a walk, for which loops stand)
 */
export function nextPmd(mm: MmStruct, vpn: number, end: number): number {
  return nextPopulated(mm, vpn, end, LEVEL_PMD);
}

/** The first page at or after `vpn` whose PUD entry is something, `end` when there is none before it. */
export function nextPud(mm: MmStruct, vpn: number, end: number): number {
  return nextPopulated(mm, vpn, end, LEVEL_PUD);
}

function nextPopulated(mm: MmStruct, vpn: number, end: number, lowest: number): number {
  const { tables } = mm.system;
  const { lanes } = tables;
  let at = vpn;
  while (at < end) {
    let table = mm.root;
    let level: number = tables.levels;
    for (; level >= lowest; level--) {
      const entry = table + 2 * tableIndex(at, level);
      const flags = lanes[entry] ?? 0;
      if (flags === 0) break;
      if (flags !== ENTRY_TABLE || level === lowest) return at;
      table = lanes[entry + 1] ?? 0;
    }
    const span = entryPages(level);
    at = at - (at % span) + span;
  }
  return end;
}

/** The lane of the PMD entry for `vpn`, -1 where no PMD table is. @kernel mm/rmap.c mm_find_pmd (all) */
export function findPmd(mm: MmStruct, vpn: number): number {
  return mm.system.tables.find(mm.root, vpn, LEVEL_PMD);
}

/** Whether a PMD table covers `vpn`: the region's PUD entry is populated. */
export function pudPopulated(mm: MmStruct, vpn: number): boolean {
  const { tables } = mm.system;
  const pud = tables.find(mm.root, vpn, LEVEL_PUD);
  return pud >= 0 && tables.lanes[pud] !== 0;
}

/** End of the PMD's range that `vpn` is in, or `end` if that is nearer. @kernel include/linux/pgtable.h pmd_addr_end */
export function pmdAddrEnd(vpn: number, end: number): number {
  return Math.min(vpn - (vpn % 512) + 512, end);
}
