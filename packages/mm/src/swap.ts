import { SP_PREEMPT, type Task } from '@hmm/kernel';
import {
  PG_active,
  PG_anon,
  PG_head,
  PG_lru,
  PG_mlocked,
  PG_referenced,
  PG_swapbacked,
  PG_swapcache,
  PG_unevictable,
} from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { FOLIO_BATCH_SIZE, takeAll } from './lru-batches.js';
import { mlockDrainLocal, mlockNewFolio } from './mlock-folio.js';
import { accessFolio, accessLruAdd, accessLruDrain } from './observe.js';
import { folioPut } from './page-alloc.js';
import { VM_LOCKED, VM_SPECIAL, type Vma } from './vma.js';

/**
 * Puts a folio that is on no list into the batch of new ones.
 * @kernel mm/swap.c folio_add_lru (without: a batch for each CPU, LRU generations)
 */
export function folioAddLru(system: MemorySystem, folio: number): void {
  const { map, lru } = system;
  map.get(folio);
  // Two additions commute: only draining changes what an addition does.
  accessLruAdd(system);
  lru.add.push(folio);
  if (lru.add.length >= FOLIO_BATCH_SIZE || map.test(folio, PG_head)) flushAdd(system);
}

/**
 * Makes a new page of `vma` known to the LRU, or to the mlocked ones.
 * @kernel mm/swap.c folio_add_lru_vma (all)
 */
export function folioAddLruVma(vma: Vma, folio: number): void {
  if ((vma.flags & (VM_LOCKED | VM_SPECIAL)) === VM_LOCKED) mlockNewFolio(vma.mm.system, folio);
  else folioAddLru(vma.mm.system, folio);
}

/**
 * Drains every batch of folios.
 * @kernel mm/swap.c lru_add_drain (without: the batches of deactivation and of rotation, one set for each
 * CPU)
 */
export function lruAddDrain(system: MemorySystem): void {
  const { lru } = system;
  accessLruDrain(system);
  if (lru.add.length > 0) flushAdd(system);
  if (lru.lazyfree.length > 0) flushLazyfree(system);
  if (lru.activate.length > 0) flushActivate(system);
  if (lru.mlock.length > 0) mlockDrainLocal(system);
}

/**
 * As {@link lruAddDrain}; while exploring, others may run when the folios are on the LRU and the batch's references on
 * them are not dropped yet.
 */
export function* lruAddDrainTask(system: MemorySystem): Task {
  if (system.kernel.sched.exploring) {
    accessLruDrain(system);
    const folios = takeAll(system.lru.add);
    addToLru(system, folios);
    if (folios.length > 0) yield SP_PREEMPT;
    for (const folio of folios) folioPut(system, folio);
  }
  lruAddDrain(system);
}

/**
 * Notes that a folio is used: the first time it becomes referenced, the second time active.
 * @kernel mm/swap.c folio_mark_accessed (without: LRU generations, idle marks, the working set's history)
 */
export function folioMarkAccessed(system: MemorySystem, folio: number): void {
  const { map } = system;
  const flags = map.flags[folio] ?? 0;
  accessFolio(system, folio, true);
  if ((flags & PG_referenced) === 0) {
    map.set(folio, PG_referenced);
    return;
  }
  if ((flags & (PG_unevictable | PG_active)) !== 0) return;
  if ((flags & PG_lru) !== 0) folioActivate(system, folio);
  else if (system.lru.add.includes(folio)) map.set(folio, PG_active);
  map.clear(folio, PG_referenced);
}

function folioActivate(system: MemorySystem, folio: number): void {
  const { map, lru } = system;
  map.get(folio);
  accessLruAdd(system);
  lru.activate.push(folio);
  if (lru.activate.length >= FOLIO_BATCH_SIZE || map.test(folio, PG_head)) flushActivate(system);
}

/**
 * Makes an anonymous folio one that reclaim may drop, once its batch is flushed.
 * @kernel mm/swap.c folio_mark_lazyfree (without: LRU generations)
 */
export function folioMarkLazyfree(system: MemorySystem, folio: number): void {
  const { map, lru } = system;
  const flags = map.flags[folio] ?? 0;
  const wanted = PG_anon | PG_swapbacked | PG_lru;
  accessFolio(system, folio, true);
  if ((flags & (wanted | PG_swapcache | PG_unevictable)) !== wanted) return;
  map.get(folio);
  accessLruAdd(system);
  lru.lazyfree.push(folio);
  if (lru.lazyfree.length >= FOLIO_BATCH_SIZE || map.test(folio, PG_head)) flushLazyfree(system);
}

/** @kernel mm/swap.c lru_add (without: the LRU lists themselves, LRU generations) */
function flushAdd(system: MemorySystem): void {
  const folios = takeAll(system.lru.add);
  addToLru(system, folios);
  for (const folio of folios) folioPut(system, folio);
}

function addToLru(system: MemorySystem, folios: readonly number[]): void {
  const { map } = system;
  for (const folio of folios) {
    const flags = map.flags[folio] ?? 0;
    accessFolio(system, folio, true);
    if ((flags & PG_mlocked) === 0) map.flags[folio] = (flags & ~PG_unevictable) | PG_lru;
    else {
      map.flags[folio] = (flags & ~PG_active) | PG_unevictable | PG_lru;
      map.mlockCount[folio] = 0;
    }
  }
}

/** @kernel mm/swap.c lru_lazyfree (without: the LRU lists themselves, LRU generations) */
function flushLazyfree(system: MemorySystem): void {
  const { map } = system;
  for (const folio of takeAll(system.lru.lazyfree)) {
    accessFolio(system, folio, true);
    const flags = map.flags[folio] ?? 0;
    const wanted = PG_anon | PG_swapbacked | PG_lru;
    if ((flags & (wanted | PG_swapcache | PG_unevictable)) === wanted)
      map.flags[folio] = flags & ~(PG_active | PG_referenced | PG_swapbacked);
    folioPut(system, folio);
  }
}

/** @kernel mm/swap.c lru_activate (without: the LRU lists themselves) */
function flushActivate(system: MemorySystem): void {
  const { map } = system;
  for (const folio of takeAll(system.lru.activate)) {
    accessFolio(system, folio, true);
    const flags = map.flags[folio] ?? 0;
    if ((flags & PG_lru) !== 0 && (flags & (PG_active | PG_unevictable)) === 0) map.set(folio, PG_active);
    folioPut(system, folio);
  }
}
