import { HASH_SEED, hashWord, hashWords, type PageTablePoolState } from '@hmm/kernel';
import type { MmuNotifierSubscriptions, MmuNotifierSubscriptionsState } from '@hmm/mmu-notifier';
import type { AddressSpace } from './address-space.js';
import type { AnonVma } from './anon-vma.js';
import { usedFrames } from './census.js';
import { refill } from './columns.js';
import type { DevPagemap } from './dev-pagemap.js';
import type { HstateState } from './hstate.js';
import type { LruBatchesState } from './lru-batches.js';
import { FIRST_PFN, type FrameRange, HUGE_ZERO_PFN, type MemMapState, ZERO_PFN } from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import type { MmStruct } from './mm-struct.js';
import type { PageAllocatorState } from './page-alloc.js';
import type { PageDataState } from './page-data.js';
import type { SwapDeviceState } from './swapfile.js';
import type { Vma } from './vma.js';

/** An object and what its fields held: restoring sets them back in place, so that who holds the object sees the old state. */
interface Saved<T> {
  readonly object: T;
  readonly fields: Partial<T>;
}

interface SavedVma {
  readonly object: Vma;
  readonly fields: Pick<Vma, 'start' | 'end' | 'flags' | 'pgoff' | 'anonVma' | 'ops' | 'swapReadahead'>;
  readonly chain: readonly AnonVma[];
}

interface SavedMm {
  readonly object: MmStruct;
  readonly fields: Pick<
    MmStruct,
    'users' | 'count' | 'rssAnon' | 'rssShmem' | 'rssFile' | 'swapents' | 'lockedVm' | 'mmapBase' | 'unstable'
  >;
  readonly vmas: readonly SavedVma[];
  readonly subscriptions: MmuNotifierSubscriptions | undefined;
  readonly subscribed: MmuNotifierSubscriptionsState | undefined;
}

type SavedTree<T> = (Saved<T> & { readonly tree: readonly Vma[] }) | null;

/** The saved columns of a {@link MemorySystem}; opaque. */
export interface MemoryColumnsState {
  readonly highest: number;
  readonly devices: readonly DevPagemap[];
  readonly map: MemMapState;
  readonly data: PageDataState;
  readonly tables: PageTablePoolState;
}

/** A saved {@link MemorySystem}; opaque. */
export interface MemoryState {
  readonly columns: MemoryColumnsState;
  readonly pages: PageAllocatorState;
  readonly lru: LruBatchesState;
  readonly hugetlb: HstateState;
  readonly swap: SwapDeviceState;
  readonly pagemaps: readonly (readonly [DevPagemap, live: number])[];
  readonly mms: readonly SavedMm[];
  readonly anonVmas: readonly SavedTree<AnonVma>[];
  readonly addressSpaces: readonly SavedTree<AddressSpace>[];
}

/**
 * A copy of all memory, its address spaces and their subscriptions, as large as what is in use. To be taken and set back
 * while no operation is under way; a driver's own tables are the driver's to save.
 */
export function saveMemory(system: MemorySystem): MemoryState {
  return {
    columns: saveMemoryColumns(system),
    pages: system.pages.save(),
    lru: system.lru.save(),
    hugetlb: system.hugetlb.save(),
    swap: system.swap.save(),
    pagemaps: system.pagemaps.map((pgmap) => [pgmap, pgmap.live] as const),
    mms: system.mms.map(saveMm),
    anonVmas: system.anonVmas.map(
      (object) =>
        object && {
          object,
          fields: { activeVmas: object.activeVmas, children: object.children },
          tree: [...object.tree],
        },
    ),
    addressSpaces: system.addressSpaces.map(
      (object) =>
        object && { object, fields: { size: object.size, users: object.users }, tree: [...object.tree] },
    ),
  };
}

/**
 * A copy of what is large about memory: the state of its frames, their contents, and all page tables, as far as they are in
 * use. For who saves the objects around them by other means.
 */
export function saveMemoryColumns(system: MemorySystem): MemoryColumnsState {
  const ranges = changedFrames(system);
  return {
    highest: system.pages.highest,
    devices: [...system.pagemaps],
    map: system.map.save(ranges),
    data: system.data.save(ranges),
    tables: system.tables.save(),
  };
}

/** Sets the columns back, before the allocator is: its mark tells how far they have been used since. */
export function restoreMemoryColumns(system: MemorySystem, state: MemoryColumnsState): void {
  const cleared = framesSince(system, state);
  system.map.restore(state.map, cleared);
  system.data.restore(state.data, cleared);
  system.tables.restore(state.tables);
}

/** Sets a memory system back to a state saved of it. */
export function restoreMemory(system: MemorySystem, state: MemoryState): void {
  restoreMemoryColumns(system, state.columns);
  system.pages.restore(state.pages);
  system.lru.restore(state.lru);
  system.hugetlb.restore(state.hugetlb);
  system.swap.restore(state.swap);
  refill(system.pagemaps, state.pagemaps, ([pgmap, live]) => {
    pgmap.live = live;
    return pgmap;
  });
  refill(system.mms, state.mms, restoreMm);
  refill(system.anonVmas, state.anonVmas, restoreTree);
  refill(system.addressSpaces, state.addressSpaces, restoreTree);
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

function saveMm(mm: MmStruct): SavedMm {
  const { users, count, rssAnon, rssShmem, rssFile, swapents, lockedVm, mmapBase, unstable } = mm;
  const { notifierSubscriptions } = mm;
  return {
    object: mm,
    fields: { users, count, rssAnon, rssShmem, rssFile, swapents, lockedVm, mmapBase, unstable },
    subscriptions: notifierSubscriptions,
    subscribed: notifierSubscriptions?.save(),
    vmas: mm.vmas.map((vma) => {
      const { start, end, flags, pgoff, anonVma, ops, swapReadahead } = vma;
      const fields = { start, end, flags, pgoff, anonVma, ops, swapReadahead };
      return { object: vma, fields, chain: [...vma.anonVmaChain] };
    }),
  };
}

function restoreMm({ object, fields, vmas, subscriptions, subscribed }: SavedMm): MmStruct {
  // Written out: this is done before each execution of an exploration, and Object.assign is a slow call.
  object.users = fields.users;
  object.count = fields.count;
  object.rssAnon = fields.rssAnon;
  object.rssShmem = fields.rssShmem;
  object.rssFile = fields.rssFile;
  object.swapents = fields.swapents;
  object.lockedVm = fields.lockedVm;
  object.mmapBase = fields.mmapBase;
  object.unstable = fields.unstable;
  object.recentVma = undefined;
  object.notifierSubscriptions = subscriptions;
  if (subscriptions !== undefined && subscribed !== undefined) subscriptions.restore(subscribed);
  refill(object.vmas, vmas, restoreVma);
  return object;
}

function restoreVma({ object, fields, chain }: SavedVma): Vma {
  refill(object.anonVmaChain, chain);
  object.start = fields.start;
  object.end = fields.end;
  object.flags = fields.flags;
  object.pgoff = fields.pgoff;
  object.anonVma = fields.anonVma;
  object.ops = fields.ops;
  object.swapReadahead = fields.swapReadahead;
  return object;
}

function restoreTree<T extends { readonly tree: Vma[] }>(saved: SavedTree<T>): T | null {
  if (saved === null) return null;
  refill(saved.object.tree, saved.tree);
  return Object.assign(saved.object, saved.fields);
}

/**
 * The state of all memory in one number: equal states give equal numbers. Covers what decides behaviour, contents included.
 */
export function hashMemory(system: MemorySystem, hash: number = HASH_SEED): number {
  const ranges = usedFrames(system);
  let h = system.tables.hash(system.map.hash(hash, ranges));
  h = system.swap.hash(system.data.hash(h, ranges));
  h = hashWord(hashWord(h, system.hugetlb.freeHugePages), system.hugetlb.resvHugePages);
  for (const batch of system.lru.save()) h = hashWords(hashWord(h, batch.length), batch, 0, batch.length);
  for (const mm of system.mms) h = hashMm(mm, h);
  for (const holder of [...system.anonVmas, ...system.addressSpaces]) {
    h = hashWord(h, holder?.id ?? 0);
    for (const vma of holder?.tree ?? []) h = hashWord(hashWord(h, vma.mm.id), vma.start);
  }
  return h;
}

function hashMm(mm: MmStruct, hash: number): number {
  let h = hashWord(hashWord(hash, mm.id), mm.users);
  for (const vma of mm.vmas) {
    const { start, end, flags, pgoff, anonVma, file, swapReadahead } = vma;
    const { vpn, window, hits } = swapReadahead ?? { vpn: 0, window: 0, hits: 0 };
    for (const word of [start, end, flags, pgoff, anonVma?.id ?? 0, file?.id ?? 0, vpn, window, hits])
      h = hashWord(h, word);
    for (const { id } of vma.anonVmaChain) h = hashWord(h, id);
  }
  return mm.notifierSubscriptions?.hash(h) ?? h;
}
