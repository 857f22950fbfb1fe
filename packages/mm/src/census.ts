import { HPAGE_PMD_NR } from '@hmm/kernel';
import { ENTRY_TABLE, entryPages, LEVEL_PMD } from '@hmm/kernel/internal';
import type { MemorySystem } from './memory-system.js';
import type { MmStruct } from './mm-struct.js';
import {
  isSwapPte,
  PTE_EXCLUSIVE,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_TYPE_DEVICE_EXCLUSIVE,
  PTE_TYPE_DEVICE_PRIVATE,
  PTE_TYPE_MASK,
  PTE_TYPE_MIGRATION,
  PTE_TYPE_SWAP,
  PTE_WRITE,
} from './pte.js';
import {
  FIRST_PFN,
  type FrameRange,
  HUGE_ZERO_PFN,
  PG_anon,
  PG_free,
  PG_reserved,
  PG_swapcache,
  PG_zone_device,
} from './mem-map.js';
import { vmaLookup } from './vma-set.js';
import type { Vma } from './vma.js';

/** One leaf of a page table. */
export interface Leaf {
  readonly mm: MmStruct;
  /** The VMA that it is in. */
  readonly vma: Vma | undefined;
  readonly vpn: number;
  readonly flags: number;
  /** Frame or swap slot. */
  readonly payload: number;
}

/** What the page tables, caches and batches of a system add up to, counted afresh. Frames are indexed by pfn. */
export interface Census {
  readonly leaves: readonly Leaf[];
  /** References by entries, page and swap cache, LRU batches and pins. */
  readonly refs: Int32Array;
  /** Mappings by PTEs; by PMDs at the head of a folio. */
  readonly mapcount: Int32Array;
  readonly entireMapcount: Int32Array;
  /** Entries that may claim the page for themselves: all but readable migration entries. */
  readonly claims: Int32Array;
  /** Writable entries. */
  readonly writers: Int32Array;
  /** Entries that name each swap slot. */
  readonly swapCounts: Int32Array;
  /** The allocatable frames that are not free and of which there is anything to say: in use, named, marked or counted. */
  readonly frames: readonly number[];
}

/** A census while it is taken. */
interface Count extends Census {
  readonly leaves: Leaf[];
  readonly frames: number[];
  /** Every frame that a column has a count of. */
  readonly counted: number[];
}

/** The frames that can differ from how they began: what the allocator ever handed out, and device memory. */
export function usedFrames(system: MemorySystem): FrameRange[] {
  const device = system.pagemaps.map(({ start, nr }): FrameRange => [start, start + nr]);
  return [[0, system.pages.highest], ...device];
}

/** One past the highest frame that can be in use, in whole blocks. */
export function framesInUse(system: MemorySystem): number {
  const systemEnd = Math.ceil(system.pages.highest / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  return system.pagemaps.reduce((end, pgmap) => Math.max(end, pgmap.start + pgmap.nr), systemEnd);
}

/**
 * Counts everything. Costs a walk over all page tables: for checks and tests.
 * @param memory columns to be used again: a caller that counts often hands the same ones in, and the census before is overwritten.
 * @param pages the only ones that can be mapped, in ascending order, where the caller knows them: it saves the walk.
 */
export function takeCensus(
  system: MemorySystem,
  memory = new CensusMemory(),
  pages?: readonly number[],
): Census {
  const census = memory.cleared(framesInUse(system), system.swap.slots + 1);
  for (const mm of system.mms) {
    if (pages === undefined) collectLeaves(mm, mm.root, system.tables.levels, 0, census.leaves);
    else collectPages(mm, pages, census.leaves);
  }
  for (const leaf of census.leaves) countLeaf(system, census, leaf);
  countHolders(system, census);
  collectFrames(system, census);
  return census;
}

/** The columns of a census, kept from one to the next. */
export class CensusMemory {
  private census: Count = emptyCount(0, 0);

  /** The census with all counts 0. */
  cleared(frames: number, slots: number): Count {
    const { census } = this;
    const { refs, mapcount, entireMapcount, claims, writers, swapCounts, leaves } = census;
    if (refs.length !== frames || swapCounts.length !== slots)
      return (this.census = emptyCount(frames, slots));
    for (const pfn of census.counted) {
      for (const column of [refs, mapcount, entireMapcount, claims, writers]) column[pfn] = 0;
    }
    swapCounts.fill(0);
    leaves.length = 0;
    census.frames.length = 0;
    census.counted.length = 0;
    return census;
  }
}

function emptyCount(frames: number, slots: number): Count {
  return {
    leaves: [],
    refs: new Int32Array(frames),
    mapcount: new Int32Array(frames),
    entireMapcount: new Int32Array(frames),
    claims: new Int32Array(frames),
    writers: new Int32Array(frames),
    swapCounts: new Int32Array(slots),
    frames: [],
    counted: [],
  };
}

/** Only frames that were ever handed out, and those that a table names without right, can have anything said of them. */
function collectFrames(system: MemorySystem, census: Count): void {
  const { pagemaps, pages } = system;
  for (const [start, end] of usedFrames(system))
    collectRange(system, census, Math.max(start, FIRST_PFN), end);
  for (const { payload: pfn, flags } of census.leaves) {
    if (pfn < pages.highest || pfn >= census.refs.length || isSwapPte(flags)) continue;
    if (pagemaps.some(({ start, nr }) => pfn >= start && pfn < start + nr)) continue;
    if (!census.frames.includes(pfn)) census.frames.push(pfn);
  }
}

function collectRange(
  { map }: MemorySystem,
  { refs, mapcount, writers, frames }: Count,
  start: number,
  end: number,
): void {
  for (let pfn = start; pfn < end; pfn++) {
    const flags = map.flags[pfn] ?? 0;
    if ((flags & PG_free) !== 0) continue;
    const held = (map.refcount[pfn] ?? 0) | (map.mapcount[pfn] ?? 0) | (map.mapping[pfn] ?? 0);
    const counted = (refs[pfn] ?? 0) | (mapcount[pfn] ?? 0) | (map.pincount[pfn] ?? 0);
    if ((held | counted | (writers[pfn] ?? 0) | (flags & ~PG_zone_device)) !== 0) frames.push(pfn);
  }
}

function collectLeaves(mm: MmStruct, table: number, level: number, base: number, into: Leaf[]): void {
  const { lanes } = mm.system.tables;
  const span = entryPages(level);
  for (let index = 0; index < 512; index++) {
    const flags = lanes[table + 2 * index] ?? 0;
    if (flags === 0) continue;
    const payload = lanes[table + 2 * index + 1] ?? 0;
    const vpn = base + index * span;
    if (flags === ENTRY_TABLE && level > 1) collectLeaves(mm, payload, level - 1, vpn, into);
    else into.push({ mm, vma: vmaLookup(mm, vpn), vpn, flags, payload });
  }
}

/** As {@link collectLeaves}, of the pages `pages` only. */
function collectPages(mm: MmStruct, pages: readonly number[], into: Leaf[]): void {
  const { tables } = mm.system;
  const { lanes } = tables;
  let last = -1;
  for (const vpn of pages) {
    const pte = tables.findPte(mm.root, vpn);
    const entry = pte >= 0 ? pte : tables.find(mm.root, vpn, LEVEL_PMD);
    const flags = entry < 0 || entry === last ? 0 : (lanes[entry] ?? 0);
    last = entry;
    if (flags === 0 || flags === ENTRY_TABLE) continue;
    const first = pte >= 0 ? vpn : vpn - (vpn % HPAGE_PMD_NR);
    into.push({ mm, vma: vmaLookup(mm, first), vpn: first, flags, payload: lanes[entry + 1] ?? 0 });
  }
}

function add(column: Int32Array, at: number, amount = 1): void {
  column[at] = (column[at] ?? 0) + amount;
}

function countLeaf(system: MemorySystem, census: Count, { flags, payload }: Leaf): void {
  census.counted.push(payload, system.map.folio(payload));
  const { refs, mapcount, entireMapcount, claims, writers, swapCounts } = census;
  if ((flags & PTE_PRESENT) !== 0) {
    if ((flags & PTE_SPECIAL) !== 0 || payload === HUGE_ZERO_PFN) return;
    add(refs, system.map.folio(payload));
    add((flags & PTE_HUGE) !== 0 ? entireMapcount : mapcount, payload);
    add(claims, payload);
    if ((flags & PTE_WRITE) !== 0) add(writers, payload);
    return;
  }
  switch (flags & PTE_TYPE_MASK) {
    case PTE_TYPE_SWAP:
      add(swapCounts, payload);
      return;
    case PTE_TYPE_MIGRATION:
      if ((flags & (PTE_WRITE | PTE_EXCLUSIVE)) !== 0) add(claims, payload);
      break;
    case PTE_TYPE_DEVICE_PRIVATE:
      add(refs, system.map.folio(payload));
      add((flags & PTE_HUGE) !== 0 ? entireMapcount : mapcount, payload);
      add(claims, payload);
      break;
    case PTE_TYPE_DEVICE_EXCLUSIVE:
      add(refs, system.map.folio(payload));
      if (system.kernel.does.exclusiveKeepsMapping) add(mapcount, payload);
      add(claims, payload);
      break;
    default:
      return;
  }
  if ((flags & PTE_WRITE) !== 0) add(writers, payload);
}

/** References that are not entries of page tables. */
function countHolders(system: MemorySystem, census: Count): void {
  const { map, lru, swap } = system;
  for (const batch of [lru.add, lru.lazyfree, lru.activate]) for (const folio of batch) hold(census, folio);
  for (const entry of lru.mlock) hold(census, entry >>> 2);
  for (let slot = 1; slot <= swap.slots; slot++)
    if (swap.cache[slot] !== 0) hold(census, swap.cache[slot] ?? 0);
  for (const file of system.addressSpaces) {
    if (file !== null) countFile(system, file.root, system.tables.levels, census);
  }
  for (const [start, end] of usedFrames(system)) {
    for (let pfn = Math.max(start, FIRST_PFN); pfn < end; pfn++) {
      const pins = map.pincount[pfn] ?? 0;
      if (pins > 0) hold(census, pfn, pins);
    }
  }
}

/** Somebody holds references on a folio. */
function hold({ refs, counted }: Count, folio: number, references = 1): void {
  counted.push(folio);
  add(refs, folio, references);
}

function countFile(system: MemorySystem, table: number, level: number, census: Count): void {
  const { lanes } = system.tables;
  for (let entry = table; entry < table + 1024; entry += 2) {
    const flags = lanes[entry] ?? 0;
    if (flags === 0) continue;
    const payload = lanes[entry + 1] ?? 0;
    if (flags === ENTRY_TABLE && level > 1) countFile(system, payload, level - 1, census);
    else if ((flags & PTE_PRESENT) !== 0) hold(census, payload);
    else add(census.swapCounts, payload);
  }
}

/** Whether `pfn` is the swap cache's page of the slot that it names. */
export function inSwapCache(system: MemorySystem, pfn: number): boolean {
  return system.map.test(pfn, PG_swapcache) && system.swap.cache[system.map.private[pfn] ?? 0] === pfn;
}

/** Whether a frame is an anonymous page of private memory, which its mappings may own. */
export function isAnonFrame(system: MemorySystem, pfn: number): boolean {
  const folio = system.map.folio(pfn);
  return system.map.test(folio, PG_anon) && !system.map.test(folio, PG_reserved);
}
