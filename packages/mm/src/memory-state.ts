import { HASH_SEED, hashWord, hashWords, type PageTablePoolState } from '@hmm/kernel';
import type { MmuNotifierSubscriptions, MmuNotifierSubscriptionsState } from '@hmm/mmu-notifier';
import type { AddressSpace } from './address-space.js';
import type { AnonVma } from './anon-vma.js';
import { usedFrames } from './census.js';
import type { DevPagemap } from './dev-pagemap.js';
import type { HstateState } from './hstate.js';
import type { LruBatchesState } from './lru-batches.js';
import type { FrameRange, MemMapState } from './mem-map.js';
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

interface SavedMm extends Saved<MmStruct> {
  readonly vmas: readonly (Saved<Vma> & { readonly chain: readonly AnonVma[] })[];
  readonly subscriptions: MmuNotifierSubscriptions | undefined;
  readonly subscribed: MmuNotifierSubscriptionsState | undefined;
}

type SavedTree<T> = (Saved<T> & { readonly tree: readonly Vma[] }) | null;

/** A saved {@link MemorySystem}; opaque. */
export interface MemoryState {
  readonly ranges: readonly FrameRange[];
  readonly map: MemMapState;
  readonly data: PageDataState;
  readonly tables: PageTablePoolState;
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
  const ranges = usedFrames(system);
  return {
    ranges,
    map: system.map.save(ranges),
    data: system.data.save(ranges),
    tables: system.tables.save(),
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

/** Sets a memory system back to a state saved of it. */
export function restoreMemory(system: MemorySystem, state: MemoryState): void {
  const cleared = usedFrames(system);
  system.map.restore(state.map, cleared);
  system.data.restore(state.data, cleared);
  system.tables.restore(state.tables);
  system.pages.restore(state.pages);
  system.lru.restore(state.lru);
  system.hugetlb.restore(state.hugetlb);
  system.swap.restore(state.swap);
  refill(
    system.pagemaps,
    state.pagemaps.map(([pgmap, live]) => Object.assign(pgmap, { live })),
  );
  refill(system.mms, state.mms.map(restoreMm));
  refill(system.anonVmas, state.anonVmas.map(restoreTree));
  refill(system.addressSpaces, state.addressSpaces.map(restoreTree));
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
  Object.assign(object, fields);
  object.recentVma = undefined;
  object.notifierSubscriptions = subscriptions;
  if (subscriptions !== undefined && subscribed !== undefined) subscriptions.restore(subscribed);
  refill(
    object.vmas,
    vmas.map((saved) => {
      refill(saved.object.anonVmaChain, saved.chain);
      return Object.assign(saved.object, saved.fields);
    }),
  );
  return object;
}

function restoreTree<T extends { readonly tree: Vma[] }>(saved: SavedTree<T>): T | null {
  if (saved === null) return null;
  refill(saved.object.tree, saved.tree);
  return Object.assign(saved.object, saved.fields);
}

function refill<T>(target: T[], source: readonly T[]): void {
  target.length = 0;
  for (const item of source) target.push(item);
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
