import { HASH_SEED, type PageTablePoolState, type SavedPart, type StateHash } from '@hmm/kernel/internal';
import { usedFrames } from './census.js';
import type { DevPagemap } from './dev-pagemap.js';
import { FIRST_PFN, type FrameRange, HUGE_ZERO_PFN, type MemMapState, ZERO_PFN } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import type { PageDataState } from './page-data.js';

/**
 * What is large about memory and changes with each execution of an exploration: the state of its frames, their contents, and all page
 * tables. They are saved as far as they are in use.
 *
 * @packageDocumentation
 */

interface MemoryColumnsState {
  readonly highest: number;
  readonly devices: readonly DevPagemap[];
  readonly map: MemMapState;
  readonly data: PageDataState;
  readonly tables: PageTablePoolState;
}

/** Saves the columns. They are set back before the allocator is: its mark tells how far they have been used since. */
export function saveMemoryColumns(system: MemorySystem): SavedPart {
  const ranges = changedFrames(system);
  const state: MemoryColumnsState = {
    highest: system.pages.highest,
    devices: [...system.pagemaps],
    map: system.map.save(ranges),
    data: system.data.save(ranges),
    tables: system.tables.save(),
  };
  const { highest, map, tables } = state;
  return {
    words: [highest, map, system.data.words(ranges), tables],
    restore: (): void => {
      restoreMemoryColumns(system, state);
    },
  };
}

function restoreMemoryColumns(system: MemorySystem, state: MemoryColumnsState): void {
  const cleared = framesSince(system, state);
  system.map.restore(state.map, cleared);
  system.data.restore(state.data, cleared);
  system.tables.restore(state.tables);
}

/** Folds the columns into a hash, unless it gives frames names: then whoever names them does. */
export function foldMemoryColumns(system: MemorySystem, hash: StateHash): void {
  if (hash.naming !== undefined) return;
  const { map, data, tables } = system;
  const ranges = usedFrames(system);
  hash.word(map.hash(HASH_SEED, ranges));
  hash.word(data.hash(HASH_SEED, ranges));
  hash.word(tables.hash(HASH_SEED));
}

/** The frames whose state can differ from how it began: as {@link usedFrames}, without the reserved ones that nobody touches. */
function changedFrames(system: MemorySystem): FrameRange[] {
  const [, ...device] = usedFrames(system);
  const huge: FrameRange = [HUGE_ZERO_PFN, HUGE_ZERO_PFN + 1];
  return [[0, ZERO_PFN + 1], huge, [FIRST_PFN, Math.max(FIRST_PFN, system.pages.highest)], ...device];
}

/** The frames that came into use after `state` was saved. */
function framesSince(system: MemorySystem, { highest, devices }: MemoryColumnsState): FrameRange[] {
  const since: FrameRange[] = [];
  if (system.pages.highest > highest) since.push([Math.max(FIRST_PFN, highest), system.pages.highest]);
  for (const pgmap of system.pagemaps) {
    if (!devices.includes(pgmap)) since.push([pgmap.start, pgmap.start + pgmap.nr]);
  }
  return since;
}
