import { HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { folioMappedByOthers, pmdTransHuge } from './huge-memory.js';
import { folioPteBatch, splitFolioOfPmd, splitForPart } from './split-folio.js';
import {
  HUGE_ZERO_PFN,
  PG_active,
  PG_head,
  PG_lru,
  PG_referenced,
  PG_unevictable,
  PG_zone_device,
} from './mem-map.js';
import { accessFolio, accessPte } from './observe.js';
import { findPmd, nextPmd, pmdAddrEnd } from './page-walk.js';
import { PTE_PRESENT, PTE_SPECIAL, PTE_YOUNG } from './pte.js';
import { folioMapcount } from './rmap.js';
import { lruAddDrainTask } from './swap.js';
import { folioIsolateLru, folioPutbackLru, reclaimPages } from './vmscan.js';
import type { MemorySystem } from './memory-system.js';
import type { Vma } from './vma.js';

/**
 * Reclaims the pages of [start, end) at once (`pageout`), or makes them the next to be reclaimed. Only folios that nobody
 * else maps. A large folio of which only a part is meant is split first.
 * @kernel mm/madvise.c madvise_pageout (without: the test whether the caller may write a file)
 */
export function* madviseColdOrPageout(vma: Vma, start: number, end: number, pageout: boolean): Task {
  const { mm } = vma;
  const { system } = mm;
  const { lanes } = system.tables;
  yield* lruAddDrainTask(system);
  for (let at = nextPmd(mm, start, end); at < end; at = nextPmd(mm, pmdAddrEnd(at, end), end)) {
    const pmd = findPmd(mm, at);
    const next = pmdAddrEnd(at, end);
    const folios: number[] = [];
    if (lanes[pmd] !== ENTRY_TABLE) yield* hugeCandidate(vma, pmd, next - at, pageout, folios);
    if (lanes[pmd] === ENTRY_TABLE)
      yield* candidates(vma, (lanes[pmd + 1] ?? 0) + 2 * (at & 511), next - at, pageout, folios);
    if (pageout) yield* reclaimPages(system, folios);
  }
}

/**
 * The huge page of a PMD entry, isolated, or deactivated; split where only a part of it is meant.
 * @kernel mm/madvise.c madvise_cold_or_pageout_pte_range (without: folios between a page and 2 MiB, idle
 * marks, pending signals)
 */
function* hugeCandidate(vma: Vma, pmd: number, count: number, pageout: boolean, into: number[]): Task {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  const folio = lanes[pmd + 1] ?? 0;
  if (!pmdTransHuge(system, pmd) || folio === HUGE_ZERO_PFN || folioMappedByOthers(vma, folio)) return;
  if (count !== HPAGE_PMD_NR) yield* splitFolioOfPmd(vma, pmd);
  else takeCandidate(system, pmd, folio, pageout, into);
}

/**
 * The folios of one page table that qualify, isolated; or, without `pageout`, deactivated.
 * @kernel mm/madvise.c madvise_cold_or_pageout_pte_range (without: folios between a page and 2 MiB, idle
 * marks, pending signals)
 */
function* candidates(vma: Vma, first: number, count: number, pageout: boolean, into: number[]): Task {
  const { system } = vma.mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const end = first + 2 * count;
  for (let entry = first; entry < end; entry += 2) {
    const pte = lanes[entry] ?? 0;
    const pfn = lanes[entry + 1] ?? 0;
    const present = (pte & (PTE_PRESENT | PTE_SPECIAL)) === PTE_PRESENT;
    accessPte(system, entry, present);
    if (!present) continue;
    const folio = map.folio(pfn);
    accessFolio(system, folio, true);
    const flags = map.flags[folio] ?? 0;
    if ((flags & PG_zone_device) !== 0) continue;
    const large = (flags & PG_head) !== 0;
    const nr = large ? HPAGE_PMD_NR : 1;
    const batch = large ? folioPteBatch(lanes, entry, pfn, Math.min(end, entry + 2 * (folio + nr - pfn))) : 1;
    if (batch < nr) {
      if (yield* splitForPart(vma, folio)) entry -= 2;
      continue;
    }
    if ((flags & PG_lru) === 0 || folioMapcount(system, folio) !== nr) continue;
    for (let at = entry; !pageout && at < entry + 2 * nr; at += 2) lanes[at] = (lanes[at] ?? 0) & ~PTE_YOUNG;
    takeCandidate(system, entry, folio, pageout, into);
    entry += 2 * (nr - 1);
  }
}

/** Isolates a folio that the entry maps, or makes it and the entry old. */
function takeCandidate(
  system: MemorySystem,
  entry: number,
  folio: number,
  pageout: boolean,
  into: number[],
): void {
  const { map, tables } = system;
  map.clear(folio, PG_referenced);
  if (!pageout) {
    tables.lanes[entry] = (tables.lanes[entry] ?? 0) & ~PTE_YOUNG;
    map.clear(folio, PG_active);
  } else if (folioIsolateLru(system, folio)) {
    if (map.test(folio, PG_unevictable)) folioPutbackLru(system, folio);
    else into.push(folio);
  }
}
