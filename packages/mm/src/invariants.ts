/**
 * The safety invariants that speak of memory management's own state, as predicates: the broken rule in words, or undefined.
 * Those marked [Q] hold while no operation is under way. Rules over a trace (I56 …) are held by the property
 * tests; I28 and I31 have no state here, since page-table locks are atomic steps and no TLB is kept.
 *
 * @packageDocumentation
 */
import { type Census, inSwapCache, isAnonFrame, takeCensus, usedFrames } from './census.js';
import {
  FIRST_PFN,
  HUGE_ZERO_PFN,
  PG_anon,
  PG_anon_exclusive,
  PG_free,
  PG_hugetlb,
  PG_head,
  PG_locked,
  PG_lru,
  PG_swapcache,
  PG_zone_device,
} from './mem-map.js';
import type { MemorySystem } from './memory-system.js';
import type { MmStruct } from './mm-struct.js';
import { PTE_HUGE, PTE_PRESENT, PTE_SPECIAL, PTE_TYPE_MASK, PTE_TYPE_SWAP, PTE_WRITE } from './pte.js';
import { VM_SHARED, VM_WRITE } from './vma.js';

/** What a broken invariant says; undefined where it holds. */
export type MmBroken = string | undefined;

/** A rule over the state, given a count of it. */
export type MmInvariant = (system: MemorySystem, census?: Census) => MmBroken;

function overFrames(census: Census, rule: (pfn: number) => MmBroken): MmBroken {
  for (const pfn of census.frames) {
    const broken = rule(pfn);
    if (broken !== undefined) return broken;
  }
  return undefined;
}

/**
 * I19 [Q]: a page's references are its entries, the caches, the LRU batches and the pins. A frame without identity that
 * nothing maps is a driver's own, which counts itself.
 */
export const I19: MmInvariant = (system, census = takeCensus(system)) =>
  overFrames(census, (pfn) => {
    const held = system.map.refcount[pfn] ?? 0;
    const counted = census.refs[pfn] ?? 0;
    if (counted === 0 && system.map.mapping[pfn] === 0) return undefined;
    return held === counted ? undefined : `frame ${pfn} has ${held} references, ${counted} are accounted for`;
  });

/** I20 [Q]: map counts are the number of present and device-private entries. */
export const I20: MmInvariant = (system, census = takeCensus(system)) => {
  const { map } = system;
  return overFrames(census, (pfn) => {
    const counted = census.mapcount[pfn] ?? 0;
    if ((map.mapcount[pfn] ?? 0) !== counted)
      return `frame ${pfn} counts ${map.mapcount[pfn] ?? 0} mappings of ${counted}`;
    if (!map.test(pfn, PG_head)) return undefined;
    let total = census.entireMapcount[pfn] ?? 0;
    if (map.private[pfn + 1] !== total)
      return `folio ${pfn} counts ${map.private[pfn + 1] ?? 0} huge mappings of ${total}`;
    for (let tail = pfn; tail < pfn + 512; tail++) total += census.mapcount[tail] ?? 0;
    return map.private[pfn + 2] === total
      ? undefined
      : `folio ${pfn} counts ${map.private[pfn + 2] ?? 0} mappings of ${total}`;
  });
};

/** I21: no entry names a free frame. */
export const I21: MmInvariant = (system, census = takeCensus(system)) => {
  for (const { flags, payload, vpn } of census.leaves) {
    if ((flags & PTE_TYPE_MASK) === PTE_TYPE_SWAP || (flags & PTE_SPECIAL) !== 0) continue;
    const folio = system.map.folio(payload);
    const free = folio !== HUGE_ZERO_PFN && ((system.map.flags[payload] ?? 0) & PG_free) !== 0;
    if (free) return `page ${vpn} names the free frame ${payload}`;
  }
  return undefined;
};

/** I24: an exclusive page has at most one entry that claims it. */
export const I24: MmInvariant = (system, census = takeCensus(system)) =>
  overFrames(census, (pfn) =>
    system.map.test(pfn, PG_anon_exclusive) && (census.claims[pfn] ?? 0) > 1
      ? `the exclusive frame ${pfn} has ${census.claims[pfn] ?? 0} entries`
      : undefined,
  );

/** I25: a writable present entry of an anonymous page in private memory means that the page is exclusive. */
export const I25: MmInvariant = (system, census = takeCensus(system)) => {
  for (const { flags, payload, vpn, vma } of census.leaves) {
    if ((flags & (PTE_PRESENT | PTE_WRITE)) !== (PTE_PRESENT | PTE_WRITE)) continue;
    if (vma === undefined || (vma.flags & VM_SHARED) !== 0 || !isAnonFrame(system, payload)) continue;
    if (!system.map.test(payload, PG_anon_exclusive))
      return `page ${vpn} may write the shared frame ${payload}`;
  }
  return undefined;
};

/** I26: an anonymous page has at most one writable entry in all address spaces. */
export const I26: MmInvariant = (system, census = takeCensus(system)) =>
  overFrames(census, (pfn) =>
    isAnonFrame(system, pfn) && (census.writers[pfn] ?? 0) > 1
      ? `the anonymous frame ${pfn} has ${census.writers[pfn] ?? 0} writable entries`
      : undefined,
  );

/** I27: a writable present entry lies in a writable VMA. */
export const I27: MmInvariant = (system, census = takeCensus(system)) => {
  for (const { flags, vpn, vma } of census.leaves) {
    if ((flags & (PTE_PRESENT | PTE_WRITE)) !== (PTE_PRESENT | PTE_WRITE)) continue;
    if (vma === undefined || (vma.flags & VM_WRITE) === 0)
      return `page ${vpn} is writable in a VMA that is not`;
  }
  return undefined;
};

/** I29: a pinned anonymous page keeps its exclusive mark. */
export const I29: MmInvariant = (system, census = takeCensus(system)) =>
  overFrames(census, (pfn) => {
    const { map } = system;
    if ((map.pincount[pfn] ?? 0) === 0 || !map.test(pfn, PG_anon) || map.test(pfn, PG_head)) return undefined;
    return map.test(pfn, PG_anon_exclusive)
      ? undefined
      : `the pinned frame ${pfn} has lost its exclusive mark`;
  });

/** I30 [Q]: the counters of resident and swapped pages are right. */
export const I30: MmInvariant = (system, census = takeCensus(system)) => {
  for (const mm of system.mms) {
    const counted = { anon: 0, shmem: 0, swap: 0 };
    for (const leaf of census.leaves) if (leaf.mm === mm) countRss(system, leaf.flags, leaf.payload, counted);
    const broken = compareRss(mm, counted);
    if (broken !== undefined) return broken;
  }
  return undefined;
};

function countRss(
  system: MemorySystem,
  flags: number,
  payload: number,
  counted: { anon: number; shmem: number; swap: number },
): void {
  if ((flags & PTE_TYPE_MASK) === PTE_TYPE_SWAP) counted.swap++;
  else if (
    (flags & PTE_SPECIAL) === 0 &&
    payload !== HUGE_ZERO_PFN &&
    !system.map.test(payload, PG_hugetlb)
  ) {
    const pages = (flags & PTE_HUGE) !== 0 ? 512 : 1;
    if (system.map.test(system.map.folio(payload), PG_anon)) counted.anon += pages;
    else counted.shmem += pages;
  }
}

function compareRss(
  mm: MmStruct,
  { anon, shmem, swap }: { anon: number; shmem: number; swap: number },
): MmBroken {
  const is = `${mm.rssAnon}/${mm.rssShmem}/${mm.swapents}`;
  const should = `${anon}/${shmem}/${swap}`;
  return is === should ? undefined : `mm ${mm.id} counts ${is} anonymous/shared/swapped pages of ${should}`;
}

/** I50: a page of device memory is on no LRU list. */
export const I50: MmInvariant = (system, census = takeCensus(system)) =>
  overFrames(census, (pfn) => {
    const flags = system.map.flags[pfn] ?? 0;
    return (flags & PG_lru) !== 0 && (flags & PG_zone_device) !== 0
      ? `the device frame ${pfn} is on the LRU`
      : undefined;
  });

/** I60 [Q]: every lock that an operation took is released: no page is locked, nobody is inside an mmap_lock. */
export const I60: MmInvariant = (system) => {
  for (const { id, mmapLock } of system.mms) {
    if (mmapLock.writer !== -1 || mmapLock.readers !== 0)
      return `the mmap_lock of mm ${id} has ${mmapLock.readers} readers and the writer ${mmapLock.writer}`;
  }
  for (const [start, end] of usedFrames(system)) {
    for (let pfn = Math.max(start, FIRST_PFN); pfn < end; pfn++)
      if (((system.map.flags[pfn] ?? 0) & PG_locked) !== 0) return `frame ${pfn} is still locked`;
  }
  return undefined;
};

/** I62 [Q]: an address space that can be found is referenced, and has VMAs only while it has users. */
export const I62: MmInvariant = (system) => {
  for (const { id, count, users, vmas } of system.mms) {
    if (count <= 0) return `mm ${id} is in use and has ${count} references`;
    if (users < 0 || (users === 0 && vmas.length > 0))
      return `mm ${id} has ${users} users and ${vmas.length} VMAs`;
  }
  return undefined;
};

/** I64: a huge entry maps all of an aligned folio. */
export const I64: MmInvariant = (system, census = takeCensus(system)) => {
  for (const { flags, payload, vpn } of census.leaves) {
    if ((flags & PTE_HUGE) === 0) continue;
    if (payload % 512 !== 0 || vpn % 512 !== 0 || !system.map.test(payload, PG_head))
      return `the huge entry at ${vpn} maps frame ${payload}`;
  }
  return undefined;
};

/** VMAs are ascending and disjoint, every leaf lies in one, and each VMA is in exactly its trees, which are in order. */
export const vmaTrees: MmInvariant = (system, census = takeCensus(system)) => {
  for (const { vma, vpn } of census.leaves) if (vma === undefined) return `page ${vpn} is mapped in no VMA`;
  for (const mm of system.mms) {
    let end = 0;
    for (const vma of mm.vmas) {
      if (vma.start < end || vma.end <= vma.start) return `the VMA at ${vma.start} overlaps or is empty`;
      end = vma.end;
      if (vma.anonVma !== null && !vma.anonVmaChain.includes(vma.anonVma))
        return `the VMA at ${vma.start} is not in its own anon_vma`;
      for (const { tree } of vma.anonVmaChain)
        if (!tree.includes(vma)) return `the VMA at ${vma.start} is missing in a tree`;
      if (vma.file !== null && !vma.file.tree.includes(vma))
        return `the VMA at ${vma.start} is missing in its file's tree`;
    }
  }
  for (const holder of [...system.anonVmas, ...system.addressSpaces]) {
    const tree = holder?.tree ?? [];
    if (tree.some((vma, i) => i > 0 && (tree[i - 1]?.pgoff ?? 0) > vma.pgoff))
      return `the tree of mapping ${holder?.id ?? 0} is out of order`;
    if (tree.some((vma) => !vma.mm.vmas.includes(vma)))
      return `the tree of mapping ${holder?.id ?? 0} has a VMA that is gone`;
  }
  return undefined;
};

/** [Q] Every swap slot counts the entries that name it, and the swap cache and its pages agree. */
export const swapSlots: MmInvariant = (system, census = takeCensus(system)) => {
  const { swap } = system;
  let used = 0;
  for (let slot = 1; slot <= swap.slots; slot++) {
    const counted = census.swapCounts[slot] ?? 0;
    if (swap.counts[slot] !== counted)
      return `slot ${slot} counts ${swap.counts[slot] ?? 0} entries of ${counted}`;
    const cached = swap.cache[slot] ?? 0;
    if (cached !== 0 && !inSwapCache(system, cached))
      return `slot ${slot} caches frame ${cached}, which is not its page`;
    if (counted > 0 || cached !== 0) used++;
  }
  if (used !== swap.used) return `${swap.used} slots are taken, ${used} are in use`;
  return overFrames(census, (pfn) =>
    system.map.test(pfn, PG_swapcache) && !inSwapCache(system, pfn)
      ? `frame ${pfn} is not in the swap cache`
      : undefined,
  );
};

/** [Q] A frame of system memory is free, or somebody holds a reference on it. */
export const freeFrames: MmInvariant = (system) => {
  let held = 0;
  for (let pfn = FIRST_PFN; pfn < system.pages.highest; pfn++) {
    if (system.map.refcount[pfn] !== 0) held += system.map.test(pfn, PG_head) ? 512 : 1;
  }
  const capacity = Math.floor(system.config.systemFrames / 512) * 512 - FIRST_PFN;
  const free = system.pages.free + 512 * system.hugetlb.freeHugePages;
  return held + free === capacity ? undefined : `${held} frames are held and ${free} free, of ${capacity}`;
};

/** All of them, by name. */
export const mmInvariants: Readonly<Record<string, MmInvariant>> = {
  I19,
  I20,
  I21,
  I24,
  I25,
  I26,
  I27,
  I29,
  I30,
  I50,
  I60,
  I62,
  I64,
  vmaTrees,
  swapSlots,
  freeFrames,
};

/** Checks all invariants on one count. @returns the first that is broken, with its name. */
export function checkMm(system: MemorySystem): MmBroken {
  const census = takeCensus(system);
  for (const [name, invariant] of Object.entries(mmInvariants)) {
    const broken = invariant(system, census);
    if (broken !== undefined) return `${name}: ${broken}`;
  }
  return undefined;
}
