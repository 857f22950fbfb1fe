import type { Task } from '@hmm/kernel';
import { doWpPage } from './do-wp-page.js';
import { FAULT_FLAG_WRITE, VM_FAULT_OOM } from './fault.js';
import { folioLock } from './folio-lock.js';
import { NO_PFN, PG_anon, PG_lru, PG_mlocked, PG_swapcache } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { accessPte } from './observe.js';
import { folioPut } from './page-alloc.js';
import { PTE_DIRTY, PTE_EXCLUSIVE, PTE_WRITE, isSwapPte } from './pte.js';
import { mkPte } from './pte-make.js';
import { folioAddAnonRmapPte, folioAddNewAnonRmap } from './rmap.js';
import { readSlot, readSwapCacheAsync, swapCacheGetFolio, swapVmaReadahead } from './swap-state.js';
import { folioAddLru, lruAddDrain } from './swap.js';
import { folioFreeSwap } from './swapfile.js';
import { VM_LOCKED, VM_WRITE, type Vma } from './vma.js';

/**
 * Brings a swapped page back. A page that is this mapping's own becomes writable even for a read; a write to a page that is
 * not goes on with {@link doWpPage}. Announces nothing itself.
 * @kernel mm/memory.c do_swap_page (without: swap-in of large folios, memory control groups, KSM,
 * hardware-poisoned pages, swapoff, userfaultfd, delay accounting)
 */
export function* doSwapPage(vma: Vma, vpn: number, entry: number, flags: number): Task<number> {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables, swap } = system;
  const { lanes } = tables;
  const { does } = system.kernel;
  const slot = lanes[entry + 1] ?? 0;
  let folio = swapCacheGetFolio(vma, vpn, slot);
  let cached = folio !== NO_PFN;
  if (!cached && does.swapinThroughCache) {
    folio = readSwapCacheAsync(system, slot);
    cached = true;
  } else if (!cached && swap.counts[slot] === 1) {
    folio = readSlot(system, slot);
    if (folio !== NO_PFN) folioAddLru(system, folio);
  } else if (!cached) {
    folio = swapVmaReadahead(vma, vpn, entry, slot);
    cached = true;
  }
  if (folio === NO_PFN) return VM_FAULT_OOM;
  if (system.kernel.sched.exploring || !map.tryLock(folio)) yield* folioLock(system, folio);
  const here =
    tables.findPte(mm.root, vpn) === entry && isSwapPte(lanes[entry] ?? 0) && lanes[entry + 1] === slot;
  const stillCached = map.test(folio, PG_swapcache) && map.private[folio] === slot;
  if (!here || (cached && !stillCached)) {
    map.unlock(folio);
    folioPut(system, folio);
    return 0;
  }
  const write = (flags & FAULT_FLAG_WRITE) !== 0;
  if (does.swapinDrainsLru && cached && write && !map.test(folio, PG_lru)) lruAddDrain(system);
  const handled = mapSwappedIn(vma, vpn, entry, folio, cached, write);
  map.unlock(folio);
  return write && !handled ? yield* doWpPage(vma, vpn, entry, flags) : 0;
}

/** Maps the page in place of the swap entry. @returns whether a write is allowed now. */
function mapSwappedIn(
  vma: Vma,
  vpn: number,
  entry: number,
  folio: number,
  cached: boolean,
  write: boolean,
): boolean {
  const { mm } = vma;
  const { system } = mm;
  const { map, tables, swap } = system;
  const { lanes } = tables;
  const { does } = system.kernel;
  accessPte(system, entry, true);
  const certain = !cached || ((lanes[entry] ?? 0) & PTE_EXCLUSIVE) !== 0;
  swap.drop(lanes[entry + 1] ?? 0);
  if (shouldTryToFreeSwap(system, vma, folio, write)) folioFreeSwap(system, folio);
  mm.rssAnon++;
  mm.swapents--;
  const exclusive = certain || (!does.swapinOwnIfMarked && map.refcount[folio] === 1);
  let pte = mkPte(vma);
  if (exclusive && (vma.flags & VM_WRITE) !== 0) pte |= write ? PTE_WRITE | PTE_DIRTY : PTE_WRITE;
  if (map.test(folio, PG_anon)) folioAddAnonRmapPte(folio, vma, exclusive);
  else folioAddNewAnonRmap(folio, vma, vpn, exclusive);
  lanes[entry] = pte;
  lanes[entry + 1] = folio;
  return exclusive && (vma.flags & VM_WRITE) !== 0;
}

/** @kernel mm/memory.c should_try_to_free_swap (without: KSM, swap that is full by control group) */
function shouldTryToFreeSwap(system: MemorySystem, vma: Vma, folio: number, write: boolean): boolean {
  const { map, swap } = system;
  if (!map.test(folio, PG_swapcache)) return false;
  if (system.kernel.does.swapinThroughCache) return true;
  if (2 * swap.used > swap.slots || (vma.flags & VM_LOCKED) !== 0 || map.test(folio, PG_mlocked)) return true;
  return write && map.refcount[folio] === 2;
}
