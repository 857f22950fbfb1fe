import { HmmError } from '@hmm/kernel';
import type { AnonVma } from './anon-vma.js';
import { PG_anon, PG_anon_exclusive, PG_head, PG_swapbacked } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { mlockVmaFolio, munlockVmaFolio } from './mlock-folio.js';
import { accessFolio } from './observe.js';
import type { Vma } from './vma.js';

/**
 * Map counts and the identity by which rmap finds a page's mappings. Functions that take a `pfn` take the very page;
 * functions that take a `folio` take its head. Adding and removing mappings commute: whoever looks at their number reports
 * a write of the folio.
 *
 * @packageDocumentation
 */

/** Mappings of a folio, by PTEs and PMDs. @kernel include/linux/mm.h folio_mapcount (all) */
export function folioMapcount(system: MemorySystem, folio: number): number {
  const { map } = system;
  if (map.test(folio, PG_head)) return map.private[folio + 2] ?? 0;
  return map.mapcount[folio] ?? 0;
}

/** Whether a folio is mapped at all. @kernel include/linux/mm.h folio_mapped (all) */
export function folioMapped(system: MemorySystem, folio: number): boolean {
  return folioMapcount(system, folio) > 0;
}

/** PMD mappings of a large folio. @kernel include/linux/mm.h folio_entire_mapcount (all) */
export function folioEntireMapcount(system: MemorySystem, folio: number): number {
  return system.map.private[folio + 1] ?? 0;
}

/**
 * Mappings of one page, PMD mappings of its folio included.
 * @kernel fs/proc/internal.h folio_precise_page_mapcount (all)
 */
export function pageMapcount(system: MemorySystem, pfn: number): number {
  const { map } = system;
  const folio = map.folio(pfn);
  const own = map.mapcount[pfn] ?? 0;
  return map.test(folio, PG_head) ? own + folioEntireMapcount(system, folio) : own;
}

/** Page offset of `vpn` in what `vma` maps. @kernel include/linux/pagemap.h linear_page_index (all) */
export function linearPageIndex(vma: Vma, vpn: number): number {
  return vpn - vma.start + vma.pgoff;
}

/**
 * Gives a page its anon_vma: the VMA's own one if the page is this VMA's alone, else the topmost ancestor.
 * @kernel mm/rmap.c __folio_set_anon (all)
 */
export function folioSetAnon(folio: number, vma: Vma, vpn: number, exclusive: boolean): void {
  const { map } = vma.mm.system;
  const own = anonVmaOf(vma);
  map.mapping[folio] = exclusive ? own.id : own.root.id;
  map.index[folio] = linearPageIndex(vma, vpn) | 0;
  map.set(folio, PG_anon);
}

function anonVmaOf(vma: Vma): AnonVma {
  if (vma.anonVma === null)
    throw new HmmError('NO_ANON_VMA', 'an anonymous page is mapped before anon_vma_prepare', {
      start: vma.start,
    });
  return vma.anonVma;
}

/**
 * Maps a new small folio for the first time.
 * @kernel mm/rmap.c folio_add_new_anon_rmap (without: large folios mapped by PTEs)
 */
export function folioAddNewAnonRmap(folio: number, vma: Vma, vpn: number, exclusive: boolean): void {
  const { map } = vma.mm.system;
  folioSetAnon(folio, vma, vpn, exclusive);
  map.set(folio, exclusive ? PG_swapbacked | PG_anon_exclusive : PG_swapbacked);
  map.mapcount[folio] = 1;
}

/**
 * Maps a new large folio by a PMD.
 * @kernel mm/rmap.c folio_add_new_anon_rmap (without: large folios mapped by PTEs)
 */
export function folioAddNewAnonRmapPmd(folio: number, vma: Vma, vpn: number): void {
  const { map } = vma.mm.system;
  folioSetAnon(folio, vma, vpn, true);
  map.set(folio, PG_swapbacked | PG_anon_exclusive);
  map.private[folio + 1] = 1;
  map.private[folio + 2] = 1;
}

/** Adds a PTE mapping of an anonymous page that has its identity. @kernel include/linux/rmap.h folio_add_anon_rmap_pte */
export function folioAddAnonRmapPte(pfn: number, vma: Vma, exclusive: boolean): void {
  const { system } = vma.mm;
  if (exclusive) system.map.set(pfn, PG_anon_exclusive);
  addPte(system, pfn, vma);
}

/**
 * Adds a PMD mapping of a large anonymous folio that has its identity.
 * @kernel mm/rmap.c folio_add_anon_rmap_pmd (without: a PMD mapping that is mlocked)
 */
export function folioAddAnonRmapPmd(system: MemorySystem, folio: number, exclusive: boolean): void {
  if (exclusive) system.map.set(folio, PG_anon_exclusive);
  folioDupRmapPmd(system, folio);
}

/** Adds a PTE mapping of a file page. @kernel include/linux/rmap.h folio_add_file_rmap_pte */
export function folioAddFileRmapPte(pfn: number, vma: Vma): void {
  addPte(vma.mm.system, pfn, vma);
}

function addPte(system: MemorySystem, pfn: number, vma: Vma): void {
  const { map } = system;
  map.addMapping(pfn);
  const folio = map.folio(pfn);
  accessFolio(system, folio, false);
  if (map.test(folio, PG_head)) map.private[folio + 2] = (map.private[folio + 2] ?? 0) + 1;
  else mlockVmaFolio(vma, folio);
}

/**
 * Counts one more PTE mapping of a page for fork's child.
 * @kernel include/linux/rmap.h folio_dup_file_rmap_pte (all)
 */
export function folioDupRmapPte(system: MemorySystem, pfn: number): void {
  const { map } = system;
  map.addMapping(pfn);
  const folio = map.folio(pfn);
  accessFolio(system, folio, false);
  if (map.test(folio, PG_head)) map.private[folio + 2] = (map.private[folio + 2] ?? 0) + 1;
}

/** Counts one more PMD mapping of a large folio. */
export function folioDupRmapPmd(system: MemorySystem, folio: number): void {
  const { map } = system;
  map.private[folio + 1] = (map.private[folio + 1] ?? 0) + 1;
  map.private[folio + 2] = (map.private[folio + 2] ?? 0) + 1;
}

/**
 * Drops a PTE mapping of a page (not its reference).
 * @throws HmmError `MAPCOUNT_UNDERFLOW` when it has none.
 * @kernel include/linux/rmap.h folio_remove_rmap_pte
 */
export function folioRemoveRmapPte(pfn: number, vma: Vma): void {
  const { map } = vma.mm.system;
  const left = (map.mapcount[pfn] ?? 0) - 1;
  if (left < 0) throw new HmmError('MAPCOUNT_UNDERFLOW', `frame ${pfn} has no mapping to remove`, { pfn });
  map.mapcount[pfn] = left;
  const folio = map.folio(pfn);
  accessFolio(vma.mm.system, folio, false);
  if (map.test(folio, PG_head)) map.private[folio + 2] = (map.private[folio + 2] ?? 0) - 1;
  munlockVmaFolio(vma, folio);
}

/**
 * Drops a PMD mapping of a large folio (not its reference).
 * @kernel mm/rmap.c folio_remove_rmap_pmd (without: deferred splits)
 */
export function folioRemoveRmapPmd(folio: number, vma: Vma): void {
  const { map } = vma.mm.system;
  map.private[folio + 1] = (map.private[folio + 1] ?? 0) - 1;
  map.private[folio + 2] = (map.private[folio + 2] ?? 0) - 1;
  munlockVmaFolio(vma, folio);
}

/** A page that only `vma` maps becomes that VMA's own. @kernel mm/rmap.c folio_move_anon_rmap (all) */
export function folioMoveAnonRmap(folio: number, vma: Vma): void {
  vma.mm.system.map.mapping[folio] = anonVmaOf(vma).id;
}

/**
 * Takes the exclusive mark off an anonymous page, so that it can be shared.
 * @returns false when it may be pinned and must stay exclusive.
 * @kernel include/linux/rmap.h folio_try_share_anon_rmap_pte (without: barriers against fast GUP)
 */
export function folioTryShareAnonRmapPte(system: MemorySystem, pfn: number): boolean {
  const { map } = system;
  if ((map.pincount[map.folio(pfn)] ?? 0) > 0) return false;
  map.clear(pfn, PG_anon_exclusive);
  return true;
}

/**
 * Whether a folio may be pinned.
 * @kernel include/linux/mm.h folio_maybe_dma_pinned (without: false answers for small folios with 1024
 * references)
 */
export function folioMaybeDmaPinned(system: MemorySystem, folio: number): boolean {
  return (system.map.pincount[folio] ?? 0) > 0;
}
