import { PG_active, PG_head, PG_lru, PG_mlocked, PG_unevictable } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import { accessFolio, accessLruAdd } from './observe.js';
import { folioPut } from './page-alloc.js';
import { FOLIO_BATCH_SIZE, takeAll } from './lru-batches.js';
import { VM_LOCKED, VM_SPECIAL, type Vma } from './vma.js';

/**
 * What makes folios of locked VMAs unevictable. Each change waits in a batch with a reference of its own; the number of
 * locked mappings of an unevictable folio is in `MemMap.mlockCount`.
 *
 * @packageDocumentation
 */

const MUNLOCK = 0;
const MLOCK_LRU = 1;
const MLOCK_NEW = 2;

/** A folio gets a mapping in `vma`. @kernel mm/internal.h mlock_vma_folio (all) */
export function mlockVmaFolio(vma: Vma, folio: number): void {
  if ((vma.flags & (VM_LOCKED | VM_SPECIAL)) === VM_LOCKED) mlockFolio(vma.mm.system, folio);
}

/** A folio loses a mapping in `vma`. @kernel mm/internal.h munlock_vma_folio (all) */
export function munlockVmaFolio(vma: Vma, folio: number): void {
  if ((vma.flags & VM_LOCKED) !== 0) munlockFolio(vma.mm.system, folio);
}

/**
 * Mlocks a folio that is on the LRU or on its way there.
 * @kernel mm/mlock.c mlock_folio (without: a batch for each CPU)
 */
export function mlockFolio(system: MemorySystem, folio: number): void {
  system.map.set(folio, PG_mlocked);
  push(system, folio, MLOCK_LRU);
}

/**
 * Mlocks a folio that was just made, in place of adding it to the LRU.
 * @kernel mm/mlock.c mlock_new_folio (without: a batch for each CPU)
 */
export function mlockNewFolio(system: MemorySystem, folio: number): void {
  system.map.set(folio, PG_mlocked);
  push(system, folio, MLOCK_NEW);
}

/** @kernel mm/mlock.c munlock_folio (without: a batch for each CPU) */
export function munlockFolio(system: MemorySystem, folio: number): void {
  push(system, folio, MUNLOCK);
}

/** Carries out what waits. @kernel mm/mlock.c mlock_drain_local (without: a batch for each CPU) */
export function mlockDrainLocal(system: MemorySystem): void {
  for (const entry of takeAll(system.lru.mlock)) {
    const folio = entry >>> 2;
    const kind = entry & 3;
    accessFolio(system, folio, true);
    if (kind === MLOCK_LRU) mlockOnLru(system, folio);
    else if (kind === MLOCK_NEW) mlockNew(system, folio);
    else munlock(system, folio);
    folioPut(system, folio);
  }
}

function push(system: MemorySystem, folio: number, kind: number): void {
  const { map, lru } = system;
  map.get(folio);
  accessFolio(system, folio, true);
  accessLruAdd(system);
  lru.mlock.push(4 * folio + kind);
  if (lru.mlock.length >= FOLIO_BATCH_SIZE || map.test(folio, PG_head)) mlockDrainLocal(system);
}

/** @kernel mm/mlock.c __mlock_folio (without: the LRU lists themselves) */
function mlockOnLru(system: MemorySystem, folio: number): void {
  const { map } = system;
  const flags = map.flags[folio] ?? 0;
  if ((flags & PG_lru) === 0) return;
  if ((flags & PG_mlocked) === 0) {
    map.clear(folio, PG_unevictable);
    return;
  }
  if ((flags & PG_unevictable) !== 0) {
    map.mlockCount[folio] = (map.mlockCount[folio] ?? 0) + 1;
    return;
  }
  map.flags[folio] = (flags & ~PG_active) | PG_unevictable;
  map.mlockCount[folio] = 1;
}

/** @kernel mm/mlock.c __mlock_new_folio (without: the LRU lists themselves) */
function mlockNew(system: MemorySystem, folio: number): void {
  const { map } = system;
  const flags = map.flags[folio] ?? 0;
  if ((flags & PG_lru) !== 0) return;
  const mlocked = (flags & PG_mlocked) !== 0;
  map.flags[folio] = flags | PG_lru | (mlocked ? PG_unevictable : 0);
  map.mlockCount[folio] = mlocked ? 1 : 0;
}

/** @kernel mm/mlock.c __munlock_folio (without: the LRU lists themselves) */
function munlock(system: MemorySystem, folio: number): void {
  const { map } = system;
  const flags = map.flags[folio] ?? 0;
  const isolated = (flags & PG_lru) !== 0;
  if (isolated && (flags & PG_unevictable) !== 0) {
    const count = map.mlockCount[folio] ?? 0;
    if (count > 0) map.mlockCount[folio] = count - 1;
    if (count > 1) return;
  }
  map.clear(folio, PG_mlocked | (isolated ? PG_unevictable : 0));
}
