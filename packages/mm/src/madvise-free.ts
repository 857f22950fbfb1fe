import { type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import { PG_dirty, PG_head, PG_locked, PG_swapcache, PG_zone_device } from './mem-map.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessPte } from './observe.js';
import { findPmd, nextPmd, pmdAddrEnd } from './page-walk.js';
import { PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL, PTE_YOUNG, isSwapPte } from './pte.js';
import { folioMapcount } from './rmap.js';
import { folioPteBatch, madviseFreeHugePmd, splitForPart } from './split-folio.js';
import { folioMarkLazyfree, lruAddDrain } from './swap.js';
import { folioFreeSwap, freeSwapAndCache } from './swapfile.js';
import type { Vma } from './vma.js';

/**
 * Lets reclaim drop the pages of [start, end): they stay readable until it does, and a write keeps a page.
 * @kernel mm/madvise.c madvise_free_single_vma (without: the TLB flush)
 */
export function* madviseFree(vma: Vma, start: number, end: number): Task {
  const { mm } = vma;
  const { lanes } = mm.system.tables;
  lruAddDrain(mm.system);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, start, end) : undefined;
  for (let at = nextPmd(mm, start, end); at < end; at = nextPmd(mm, pmdAddrEnd(at, end), end)) {
    const pmd = findPmd(mm, at);
    const next = pmdAddrEnd(at, end);
    if (lanes[pmd] !== ENTRY_TABLE) yield* madviseFreeHugePmd(vma, at, next, pmd);
    if (lanes[pmd] === ENTRY_TABLE)
      yield* freePteRange(vma, (lanes[pmd + 1] ?? 0) + 2 * (at & 511), next - at);
  }
  notifyEnd(range);
}

/**
 * @kernel mm/madvise.c madvise_free_pte_range (without: markers of userfaultfd and poison, folios between a
 * page and 2 MiB, breaks to let others run)
 */
function* freePteRange(vma: Vma, first: number, count: number): Task {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const end = first + 2 * count;
  for (let entry = first; entry < end; entry += 2) {
    const pte = lanes[entry] ?? 0;
    const pfn = lanes[entry + 1] ?? 0;
    if (pte === 0) continue;
    accessPte(system, entry, true);
    if (isSwapPte(pte)) {
      lanes[entry] = 0;
      lanes[entry + 1] = 0;
      mm.swapents--;
      freeSwapAndCache(system, pfn);
      continue;
    }
    if ((pte & (PTE_PRESENT | PTE_SPECIAL)) !== PTE_PRESENT) continue;
    const folio = map.folio(pfn);
    const flags = map.flags[folio] ?? 0;
    if ((flags & PG_zone_device) !== 0) continue;
    if ((flags & PG_head) === 0) freePage(vma, entry, folio);
    else if (folioPteBatch(lanes, entry, pfn, Math.min(end, entry + 2 * (folio + 512 - pfn))) === 512) {
      freeLargeFolio(vma, entry, folio);
      entry += 2 * 511;
    } else if (yield* splitForPart(vma, folio)) entry -= 2;
  }
}

function freePage(vma: Vma, entry: number, folio: number): void {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  if (!makeClean(vma, folio, 1)) return;
  lanes[entry] = (lanes[entry] ?? 0) & ~(PTE_DIRTY | PTE_YOUNG);
  folioMarkLazyfree(system, folio);
}

function freeLargeFolio(vma: Vma, entry: number, folio: number): void {
  const { system } = vma.mm;
  const { lanes } = system.tables;
  if (!makeClean(vma, folio, 512)) return;
  for (let at = entry; at < entry + 1024; at += 2) lanes[at] = (lanes[at] ?? 0) & ~(PTE_DIRTY | PTE_YOUNG);
  folioMarkLazyfree(system, folio);
}

/** Takes a folio out of the swap cache and makes it clean; false where others use it. */
function makeClean(vma: Vma, folio: number, mappings: number): boolean {
  const { system } = vma.mm;
  const { map } = system;
  const flags = map.flags[folio] ?? 0;
  if ((flags & (PG_swapcache | PG_dirty)) === 0) return true;
  if ((flags & PG_locked) !== 0 || folioMapcount(system, folio) !== mappings) return false;
  if ((flags & PG_swapcache) !== 0 && !folioFreeSwap(system, folio)) return false;
  map.clear(folio, PG_dirty);
  return true;
}
