import { ENTRY_TABLE } from '@hmm/kernel/internal';
import type { MemorySystem, Vma } from '@hmm/mm';
import { PG_locked, PG_zone_device, PTE_PRESENT } from '@hmm/mm/internal';
import type { MmuNotifierSubscriptions } from '@hmm/mmu-notifier/internal';
import type { Contents } from '../engine/model.js';
import { namesFrame } from './frame-names.js';

/** The columns that hold what page-table entries and folios are. */
interface Columns {
  readonly lanes: ArrayLike<number>;
  readonly refcount: ArrayLike<number>;
  readonly mapcount: ArrayLike<number>;
  readonly flags: ArrayLike<number>;
  readonly mapping: ArrayLike<number>;
  readonly index: ArrayLike<number>;
  readonly private: ArrayLike<number>;
  readonly pincount: ArrayLike<number>;
}

const fold = (hash: number, word: number): number => {
  const h = Math.imul(hash ^ word, 0x01000193);
  return h ^ (h >>> 15);
};

/**
 * What the observed objects of a memory system hold: page-table entries, folios and their locks, pages' bytes, users of
 * processes, the sequence numbers of notifiers. Of all others (locks and what they protect) it knows nothing.
 */
export class ObjectContents {
  private readonly system: MemorySystem;
  /** The columns as they were when executions begin. */
  private readonly first: Columns;
  private readonly entries: number;

  constructor(system: MemorySystem) {
    const { map, tables } = system;
    this.system = system;
    this.entries = tables.lanes.length / 2;
    this.first = {
      lanes: tables.lanes.slice(0, tables.end),
      refcount: map.refcount.slice(),
      mapcount: map.mapcount.slice(),
      flags: map.flags.slice(),
      mapping: map.mapping.slice(),
      index: map.index.slice(),
      private: map.private.slice(),
      pincount: map.pincount.slice(),
    };
  }

  /** The frame that an object is about, 0 for none. */
  frameOf(object: number): number {
    const { map, dataObjects } = this.system;
    for (const base of [map.channels, map.objects, dataObjects])
      if (object >= base && object < base + map.frames) return object - base;
    return 0;
  }

  /** Reads what an object holds; false where that is not known. */
  read(object: number, into: Contents): boolean {
    const { map, tables } = this.system;
    into.word = 0;
    into.more = 0;
    into.frame = 0;
    into.other = 0;
    into.sequence = undefined;
    const { lanes } = tables;
    const { refcount, mapcount, flags, mapping, index, private: own, pincount } = map;
    return (
      this.column(
        object,
        { lanes, refcount, mapcount, flags, mapping, index, private: own, pincount },
        into,
      ) || this.ofProcesses(object, into)
    );
  }

  /** Reads what it held when executions begin. */
  readFirst(object: number, into: Contents): boolean {
    into.word = 0;
    into.more = 0;
    into.frame = 0;
    into.other = 0;
    into.sequence = undefined;
    return this.column(object, this.first, into);
  }

  private column(object: number, columns: Columns, into: Contents): boolean {
    const { pteObjects, map, dataObjects, data } = this.system;
    const entry = object - pteObjects;
    if (entry >= 0 && entry < this.entries) return this.entry(entry, columns, into);
    let pfn = object - map.channels;
    if (pfn >= 0 && pfn < map.frames) {
      into.word = (columns.flags[pfn] ?? 0) & PG_locked;
      return true;
    }
    pfn = object - map.objects;
    if (pfn >= 0 && pfn < map.frames) {
      folio(pfn, columns, into);
      return true;
    }
    pfn = object - dataObjects;
    if (pfn < 0 || pfn >= map.frames) return false;
    into.word = columns === this.first ? 0 : data.hash(0, [[pfn, pfn + 1]]);
    return true;
  }

  private entry(entry: number, { lanes }: Columns, into: Contents): boolean {
    // Under its first entry the shape of all tables of a process is observed.
    for (const { root } of this.system.mms) if (root >>> 1 === entry) return false;
    const flags = lanes[2 * entry] ?? 0;
    const payload = lanes[2 * entry + 1] ?? 0;
    into.word = flags;
    if (flags === 0) return true;
    if (flags !== ENTRY_TABLE && ((flags & PTE_PRESENT) !== 0 || namesFrame(flags))) into.frame = payload;
    else into.more = payload;
    if (into.more !== 0) into.word = fold(flags, payload);
    return true;
  }

  private ofProcesses(object: number, into: Contents): boolean {
    if (object === this.system.lruObject) {
      const { add, lazyfree, activate, mlock } = this.system.lru;
      for (const { length } of [add, lazyfree, activate, mlock]) into.word = fold(into.word, length);
      return true;
    }
    for (const { usersObject, users, mmapLock, vmas, notifierSubscriptions: subs } of this.system.mms) {
      if (object === usersObject) into.word = users;
      else if (object === mmapLock.id) into.word = vmasOf(vmas);
      else if (subs === undefined || !ofNotifiers(object, subs, into)) continue;
      return true;
    }
    return this.ofAnonVmas(object - this.system.mappingObjects, into);
  }

  /** The lock of a tree of anon_vmas: who is in them. */
  private ofAnonVmas(id: number, into: Contents): boolean {
    const { anonVmas } = this.system;
    if (id < 0 || anonVmas[id]?.root.id !== id) return false;
    for (const each of anonVmas) {
      if (each?.root.id !== id) continue;
      into.word = fold(into.word, each.id);
      for (const { mm, start, end, pgoff } of each.tree)
        into.word = fold(fold(fold(fold(into.word, mm.id), start | 0), end | 0), pgoff | 0);
    }
    return true;
  }
}

/** The mappings of a process, which `mmap_lock` protects. */
function vmasOf(vmas: readonly Vma[]): number {
  let word = vmas.length;
  for (const { start, end, flags, pgoff, file, anonVma, anonVmaChain } of vmas) {
    word = fold(fold(fold(fold(word, start | 0), end | 0), flags), pgoff | 0);
    word = fold(fold(fold(word, file?.id ?? -1), anonVma?.id ?? -1), anonVmaChain.length);
  }
  return word;
}

/** The subscriptions of a process and their sequence numbers. */
function ofNotifiers(object: number, subs: MmuNotifierSubscriptions, into: Contents): boolean {
  if (object === subs.id) {
    into.word = fold(subs.activeInvalidateRanges, subs.invalidateSeq & 1);
    into.more = (subs.hasItree ? 1 : 0) + 2 * subs.intervals.length;
    into.sequence = subs.invalidateSeq;
    return true;
  }
  for (const sub of subs.intervals) {
    if (sub?.seqObject !== object) continue;
    into.word = fold(sub.invalidateSeq === subs.invalidateSeq ? 1 : 0, sub.invalidateSeq & 1);
    into.sequence = sub.invalidateSeq;
    return true;
  }
  return false;
}

function folio(pfn: number, columns: Columns, into: Contents): void {
  const flags = columns.flags[pfn] ?? 0;
  // Who locks it says so of its lock.
  let word = fold(0, flags & ~PG_locked);
  word = fold(word, columns.mapcount[pfn] ?? 0);
  word = fold(word, columns.mapping[pfn] ?? 0);
  word = fold(word, columns.index[pfn] ?? 0);
  const own = columns.private[pfn] ?? 0;
  const device = (flags & PG_zone_device) !== 0;
  if (device) into.frame = own;
  else word = fold(word, own);
  into.word = word;
  into.more = fold(columns.refcount[pfn] ?? 0, columns.pincount[pfn] ?? 0);
}
