import type { Task } from '@hmm/kernel';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import { PG_anon, PG_anon_exclusive, PG_dirty, PG_swapbacked } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { mlockDrainLocal, mlockVmaFolio } from './mlock-folio.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessFolio, accessPte, accessTables } from './observe.js';
import { folioPut } from './page-alloc.js';
import { PTE_DIRTY, PTE_EXCLUSIVE, PTE_PRESENT, PTE_SPECIAL, PTE_TYPE_SWAP } from './pte.js';
import { folioMapcount, folioMapped, folioRemoveRmapPte, folioTryShareAnonRmapPte } from './rmap.js';
import { rmapWalk } from './rmap-walk.js';
import { VM_LOCKED, type Vma } from './vma.js';

/**
 * Removes the mappings of a locked small folio for reclaim, announcing each VMA visited as CLEAR: anonymous pages leave
 * their swap slot behind (or nothing, when they are lazily freed), file pages nothing. Mappings that must stay do.
 * @kernel mm/rmap.c try_to_unmap (without: flags of callers other than reclaim)
 */
export function* tryToUnmap(system: MemorySystem, folio: number): Task {
  yield* rmapWalk(system, folio, function* (vma, vpn): Task<boolean> {
    const going = yield* tryToUnmapOne(vma, folio, vpn);
    accessFolio(system, folio, true);
    return going && folioMapped(system, folio);
  });
}

/**
 * @kernel mm/rmap.c try_to_unmap_one (without: hugetlb, KSM, poisoned pages, userfaultfd, TLB flushes in
 * batches, swap counts that overflow)
 */
function* tryToUnmapOne(vma: Vma, folio: number, vpn: number): Task<boolean> {
  const { mm } = vma;
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, vpn, vpn + 1) : undefined;
  const { tables } = mm.system;
  const entry = tables.findPte(mm.root, vpn);
  let going = true;
  if (entry < 0) accessTables(mm, false);
  else {
    accessPte(mm.system, entry, false);
    const flags = tables.lanes[entry] ?? 0;
    const present = (flags & (PTE_PRESENT | PTE_SPECIAL)) === PTE_PRESENT;
    if (present && tables.lanes[entry + 1] === folio) going = unmapPte(vma, entry, folio);
  }
  notifyEnd(range);
  return going;
}

function unmapPte(vma: Vma, entry: number, folio: number): boolean {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables } = system;
  accessPte(system, entry, true);
  if ((vma.flags & VM_LOCKED) !== 0) {
    mlockVmaFolio(vma, folio);
    return false;
  }
  if (((tables.lanes[entry] ?? 0) & PTE_DIRTY) !== 0) map.set(folio, PG_dirty);
  const left = map.test(folio, PG_anon) ? unmappedAnonEntry(vma, folio) : 0;
  if (left < 0) return false;
  if (left === 0) {
    tables.lanes[entry + 1] = 0;
    if (map.test(folio, PG_anon)) mm.rssAnon--;
    else mm.rssShmem--;
  } else {
    tables.lanes[entry + 1] = map.private[folio] ?? 0;
    mm.rssAnon--;
    mm.swapents++;
  }
  tables.lanes[entry] = left;
  folioRemoveRmapPte(folio, vma);
  if ((vma.flags & VM_LOCKED) !== 0) mlockDrainLocal(system);
  folioPut(system, folio);
  return true;
}

/** Flags of the entry that an anonymous page leaves behind, 0 for none, -1 when it has to stay mapped. */
function unmappedAnonEntry(vma: Vma, folio: number): number {
  const { system } = vma.mm;
  const { map, swap } = system;
  if (!map.test(folio, PG_swapbacked)) {
    if (map.test(folio, PG_dirty)) {
      map.set(folio, PG_swapbacked);
      return -1;
    }
    if (map.refcount[folio] === 1 + folioMapcount(system, folio)) return 0;
    if (!system.kernel.does.lazyfreeInUseStaysFree) map.set(folio, PG_swapbacked);
    return -1;
  }
  const exclusive = map.test(folio, PG_anon_exclusive);
  if (exclusive && !folioTryShareAnonRmapPte(system, folio)) return -1;
  swap.duplicate(map.private[folio] ?? 0);
  return exclusive ? PTE_TYPE_SWAP | PTE_EXCLUSIVE : PTE_TYPE_SWAP;
}
