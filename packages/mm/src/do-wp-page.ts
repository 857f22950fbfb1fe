import type { Task } from '@hmm/kernel';
import { copyUserHighpage } from './highmem.js';
import { MMU_NOTIFY_CLEAR, mmHasNotifiers } from '@hmm/mmu-notifier';
import { anonVmaPrepare } from './anon-vma.js';
import { folioMappedByOthers } from './huge-memory.js';
import { FAULT_FLAG_UNSHARE, VM_FAULT_OOM } from './fault.js';
import {
  NO_PFN,
  PG_anon,
  PG_anon_exclusive,
  PG_dirty,
  PG_head,
  PG_lru,
  PG_swapcache,
  PG_uptodate,
} from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { notifyEnd, notifyStart } from './notify.js';
import { accessFolio, accessPte } from './observe.js';
import { allocPage, folioPut } from './page-alloc.js';
import { PTE_DIRTY, PTE_SPECIAL, PTE_YOUNG } from './pte.js';
import { maybeMkwrite, mkPte, mkPteForWrite } from './pte-make.js';
import { folioAddNewAnonRmap, folioMapcount, folioMoveAnonRmap, folioRemoveRmapPte } from './rmap.js';
import { folioAddLruVma, lruAddDrain } from './swap.js';
import { folioFreeSwap, freeSwapCache } from './swapfile.js';
import { VM_SHARED, type Vma } from './vma.js';

/**
 * A write to (or, with `FAULT_FLAG_UNSHARE`, a pin of) a page that is mapped read-only: reuse it if it is this mapping's
 * alone, else copy it. @returns 0 or `VM_FAULT_*`.
 * @kernel mm/memory.c do_wp_page (without: userfaultfd's write protection, soft-dirty, page_mkwrite and
 * dirty accounting of files, KSM, DAX, PFN maps)
 */
export function* doWpPage(vma: Vma, vpn: number, entry: number, flags: number): Task<number> {
  const { system } = vma.mm;
  const { map, tables } = system;
  const pte = tables.lanes[entry] ?? 0;
  const pfn = tables.lanes[entry + 1] ?? 0;
  const unshare = (flags & FAULT_FLAG_UNSHARE) !== 0;
  if ((vma.flags & VM_SHARED) !== 0) {
    if (unshare) return 0;
    map.set(map.folio(pfn), PG_dirty);
    tables.lanes[entry] = maybeMkwrite(pte | PTE_DIRTY | PTE_YOUNG, vma);
    return 0;
  }
  if ((pte & PTE_SPECIAL) === 0 && map.test(map.folio(pfn), PG_anon)) {
    accessFolio(system, pfn, true);
    if (map.test(pfn, PG_anon_exclusive) || wpCanReuseAnonFolio(system, vma, pfn)) {
      map.set(pfn, PG_anon_exclusive);
      if (!unshare) tables.lanes[entry] = maybeMkwrite(pte | PTE_DIRTY | PTE_YOUNG, vma);
      return 0;
    }
  }
  return yield* wpPageCopy(vma, vpn, entry, unshare);
}

/**
 * Whether the only reference left to an anonymous page is the mapping at hand's.
 * @kernel mm/memory.c wp_can_reuse_anon_folio (without: KSM)
 */
function wpCanReuseAnonFolio(system: MemorySystem, vma: Vma, pfn: number): boolean {
  const { map } = system;
  const folio = map.folio(pfn);
  const { does } = system.kernel;
  // A pin needs no look of its own: it is one of the references.
  if (map.test(folio, PG_head)) return does.reusesPartsOfLargeFolios && wpCanReuseLargeAnonFolio(vma, folio);
  const bearable = does.cowCountsBatch
    ? 1 + (map.test(folio, PG_lru) ? 0 : 1) + (map.test(folio, PG_swapcache) ? 1 : 0)
    : 3;
  if ((map.refcount[folio] ?? 0) > bearable) return false;
  if (!map.test(folio, PG_lru)) lruAddDrain(system);
  const cached = map.test(folio, PG_swapcache) ? 1 : 0;
  if ((map.refcount[folio] ?? 0) > 1 + cached || !map.tryLock(folio)) return false;
  if (cached === 1) folioFreeSwap(system, folio);
  const alone = map.refcount[folio] === 1;
  if (alone) folioMoveAnonRmap(folio, vma);
  map.unlock(folio);
  return alone;
}

/**
 * Whether only this process maps a large folio, by more than one page, and nothing else holds it: a part of it is the
 * mapping's own then. @kernel mm/memory.c __wp_can_reuse_large_anon_folio (from 6.15 on)
 */
function wpCanReuseLargeAnonFolio(vma: Vma, folio: number): boolean {
  const { system } = vma.mm;
  const { map } = system;
  if (folioMapcount(system, folio) <= 1 || folioMappedByOthers(vma, folio)) return false;
  if (map.test(folio, PG_swapcache)) {
    if (!map.tryLock(folio)) return false;
    folioFreeSwap(system, folio);
    map.unlock(folio);
  }
  return folioMapcount(system, folio) === map.refcount[folio];
}

/**
 * Gives the mapping a copy of its page, announced as CLEAR of one page.
 * @kernel mm/memory.c wp_page_copy (without: memory control groups, DAX and PFN maps, userfaultfd,
 * hardware-poisoned pages, delay accounting)
 */
function* wpPageCopy(vma: Vma, vpn: number, entry: number, unshare: boolean): Task<number> {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables, data } = system;
  const { lanes } = tables;
  const pte = lanes[entry] ?? 0;
  const old = lanes[entry + 1] ?? 0;
  const special = (pte & PTE_SPECIAL) !== 0;
  const oldFolio = map.folio(old);
  if (!special) map.get(oldFolio);
  yield* anonVmaPrepare(vma);
  const fresh = allocPage(system);
  if (fresh === NO_PFN) {
    if (!special) folioPut(system, old);
    return VM_FAULT_OOM;
  }
  if (special) data.fillPage(fresh, 0);
  else copyUserHighpage(system, fresh, old);
  map.set(fresh, PG_uptodate);
  const range = mmHasNotifiers(mm) ? yield* notifyStart(mm, MMU_NOTIFY_CLEAR, vpn, vpn + 1) : undefined;
  const here = tables.findPte(mm.root, vpn);
  const same = here === entry && samePte(lanes[entry] ?? 0, pte) && lanes[entry + 1] === old;
  if (same) {
    accessPte(system, entry, true);
    if (special || !map.test(oldFolio, PG_anon)) mm.rssAnon++;
    if (!special && !map.test(oldFolio, PG_anon)) mm.rssShmem--;
    folioAddNewAnonRmap(fresh, vma, vpn, true);
    folioAddLruVma(vma, fresh);
    lanes[entry] = unshare ? mkPte(vma) : mkPteForWrite(vma);
    lanes[entry + 1] = fresh;
    if (!special) folioRemoveRmapPte(old, vma);
  }
  notifyEnd(range);
  if (!same) folioPut(system, fresh);
  if (special) return 0;
  if (same) {
    freeSwapCache(system, oldFolio);
    folioPut(system, old);
  }
  folioPut(system, old);
  return 0;
}

/**
 * Whether an entry is what it was; another CPU's read may have set the young bit.
 * @kernel arch/x86/include/asm/pgtable.h pte_same (without: the young bit, in which the entries may differ
 * here)
 */
function samePte(now: number, before: number): boolean {
  return (now | PTE_YOUNG) === (before | PTE_YOUNG);
}
