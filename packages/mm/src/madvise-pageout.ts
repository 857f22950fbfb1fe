import { ENTRY_TABLE, type Task } from '@hmm/kernel';
import { splitFolioOfPmd } from './split-folio.js';
import { PG_active, PG_head, PG_lru, PG_referenced, PG_unevictable, PG_zone_device } from './mem-map.js';
import { accessFolio, accessPte } from './observe.js';
import { findPmd, nextPmd, pmdAddrEnd } from './page-walk.js';
import { PTE_PRESENT, PTE_SPECIAL, PTE_YOUNG } from './pte.js';
import { folioMapcount } from './rmap.js';
import { lruAddDrainTask } from './swap.js';
import { folioIsolateLru, folioPutbackLru, reclaimPages } from './vmscan.js';
import type { Vma } from './vma.js';

/**
 * Reclaims the pages of [start, end) at once (`pageout`), or makes them the next to be reclaimed. Only pages with one
 * mapping, of whichever process. A huge page is split first.
 * @kernel mm/madvise.c madvise_pageout
 */
export function* madviseColdOrPageout(vma: Vma, start: number, end: number, pageout: boolean): Task {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  yield* lruAddDrainTask(system);
  for (let at = nextPmd(mm, start, end); at < end; at = nextPmd(mm, pmdAddrEnd(at, end), end)) {
    const pmd = findPmd(mm, at);
    if (lanes[pmd] !== ENTRY_TABLE && pageout) yield* splitFolioOfPmd(vma, pmd);
    if (lanes[pmd] !== ENTRY_TABLE) continue;
    const folios = candidates(vma, (lanes[pmd + 1] ?? 0) + 2 * (at & 511), pmdAddrEnd(at, end) - at, pageout);
    if (pageout) yield* reclaimPages(system, folios);
  }
}

/** The folios of one page table that qualify, isolated; or, without `pageout`, deactivated. @kernel mm/madvise.c madvise_cold_or_pageout_pte_range */
function candidates(vma: Vma, first: number, count: number, pageout: boolean): readonly number[] {
  const { system } = vma.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const isolated: number[] = [];
  for (let entry = first; entry < first + 2 * count; entry += 2) {
    const pte = lanes[entry] ?? 0;
    const present = (pte & (PTE_PRESENT | PTE_SPECIAL)) === PTE_PRESENT;
    accessPte(system, entry, present);
    if (!present) continue;
    const folio = map.folio(lanes[entry + 1] ?? 0);
    accessFolio(system, folio, true);
    const flags = map.flags[folio] ?? 0;
    if ((flags & (PG_zone_device | PG_head)) !== 0 || (flags & PG_lru) === 0) continue;
    if (folioMapcount(system, folio) !== 1) continue;
    map.clear(folio, PG_referenced);
    if (!pageout) {
      lanes[entry] = pte & ~PTE_YOUNG;
      map.clear(folio, PG_active);
    } else if (folioIsolateLru(system, folio)) {
      if (map.test(folio, PG_unevictable)) folioPutbackLru(system, folio);
      else isolated.push(folio);
    }
  }
  return isolated;
}
