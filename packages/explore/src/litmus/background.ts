import { framesInUse, type MemorySystem } from '@hmm/mm';
import {
  accessFolio,
  FIRST_PFN,
  folioIsolateLru,
  lruAddDrainTask,
  oomReapTaskMm,
  PG_reserved,
  PG_zone_device,
  reclaimPages,
} from '@hmm/mm/internal';
import type { Task } from '@hmm/kernel';
import type { WorldThread } from '../world/world-model.js';
import type { World } from '../world/world.js';

/** The OOM reaper, which takes the first process's memory while the others run. */
export function oomReaper(world: World): WorldThread {
  return {
    name: 'oom_reaper',
    *run() {
      yield* oomReapTaskMm(world.main);
    },
  };
}

/**
 * Reclaim, which goes once over the pages that were in use at the start, whosever they are, and swaps out what it can.
 * It finds who maps a page by reverse mapping: unlike `madvise pageout`, it is no part of any process.
 */
export function kswapd(world: World): WorldThread {
  const { system } = world;
  const { map } = system;
  const frames: number[] = [];
  const end = framesInUse(system);
  for (let pfn = FIRST_PFN; pfn < end; pfn++) {
    if ((map.refcount[pfn] ?? 0) > 0 && ((map.flags[pfn] ?? 0) & (PG_reserved | PG_zone_device)) === 0)
      frames.push(pfn);
  }
  return {
    name: 'kswapd',
    *run() {
      yield* shrinkInactiveList(system, frames);
    },
  };
}

/** @kernel mm/vmscan.c shrink_inactive_list (without: lists, batches, control groups: one page at a time) */
function* shrinkInactiveList(system: MemorySystem, frames: readonly number[]): Task {
  yield* lruAddDrainTask(system);
  for (const pfn of frames) {
    accessFolio(system, pfn, false);
    if (folioIsolateLru(system, pfn)) yield* reclaimPages(system, [pfn]);
  }
}
