import { HPAGE_PMD_NR, type Task } from '@hmm/kernel';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import { splitHugePmdLocked } from './huge-memory.js';
import { PG_anon_exclusive } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessPte } from './observe.js';
import { folioPut } from './page-alloc.js';
import { findPmd } from './page-walk.js';
import { isHuge, PTE_EXCLUSIVE, PTE_PRESENT, PTE_TYPE_SWAP } from './pte.js';
import { folioMapcount, folioRemoveRmapPte } from './rmap.js';
import { rmapWalk } from './rmap-walk.js';
import { NO_SLOT } from './swapfile.js';
import { TP_VMSCAN_WRITE_FOLIO } from './tracepoints.js';
import type { Vma } from './vma.js';

/**
 * Swaps an isolated, locked large folio out whole, each of its pages to a slot of its own, one behind the other: one CLEAR
 * for each VMA visited. What the kernel does step by step (a slot, the swap cache, the mappings, the writing, the freeing)
 * is one step here, since nobody else maps the folio or holds a reference on it.
 * @returns false, and nothing done, when there are no 512 free slots in a row, or somebody does.
 * @kernel mm/vmscan.c shrink_folio_list (without: the single steps of a huge folio: slots, swap cache, write
 * and freeing are one)
 */
export function* swapOutHuge(system: MemorySystem, folio: number): Task<boolean> {
  const { map, swap } = system;
  if (folioMapcount(system, folio) !== (map.refcount[folio] ?? 0) - 1) return false;
  if (system.kernel.shouldFail('swap_slot')) return false;
  if (!system.kernel.does.swapsHugePagesWhole) return false;
  const slot = swap.allocHuge();
  if (slot === NO_SLOT) return false;
  for (let part = 0; part < HPAGE_PMD_NR; part++) {
    swap.data.copyFrom(slot + part, system.data, folio + part);
    // Keeps the slots taken until the entries name them.
    swap.duplicate(slot + part);
  }
  yield* rmapWalk(system, folio, function* (vma, vpn): Task<boolean> {
    yield* unmapHuge(vma, folio, vpn, slot);
    return folioMapcount(system, folio) > 0;
  });
  for (let part = 0; part < HPAGE_PMD_NR; part++) swap.drop(slot + part);
  if (system.kernel.trace.on) system.kernel.emit(TP_VMSCAN_WRITE_FOLIO, folio, HPAGE_PMD_NR, slot);
  map.unlock(folio);
  folioPut(system, folio);
  return true;
}

/** @kernel mm/rmap.c try_to_unmap_one (without: mlocked mappings of a huge folio) */
function* unmapHuge(vma: Vma, folio: number, vpn: number, slot: number): Task {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables } = system;
  const { lanes } = tables;
  const first = folio + ((vma.pgoff + (vpn - vma.start) - (map.index[folio] ?? 0)) | 0);
  const end = Math.min(vma.end, vpn + folio + HPAGE_PMD_NR - first);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, vpn, end) : undefined;
  const pmd = findPmd(mm, vpn);
  if (pmd >= 0 && isHuge(lanes[pmd] ?? 0) && lanes[pmd + 1] === folio) splitHugePmdLocked(vma, pmd);
  for (let at = vpn; at < end; at++) {
    const pfn = first + (at - vpn);
    const entry = tables.findPte(mm.root, at);
    if (entry < 0 || ((lanes[entry] ?? 0) & PTE_PRESENT) === 0 || lanes[entry + 1] !== pfn) continue;
    accessPte(system, entry, true);
    const exclusive = map.test(pfn, PG_anon_exclusive) ? PTE_EXCLUSIVE : 0;
    map.clear(pfn, PG_anon_exclusive);
    lanes[entry] = PTE_TYPE_SWAP | exclusive;
    lanes[entry + 1] = slot + (pfn - folio);
    system.swap.duplicate(slot + (pfn - folio));
    mm.rssAnon--;
    mm.swapents++;
    folioRemoveRmapPte(pfn, vma);
    folioPut(system, pfn);
  }
  notifyEnd(range);
}
