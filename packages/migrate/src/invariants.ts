/**
 * The safety invariants that speak of device memory and migration slots, as predicates: the broken rule in words, or
 * undefined. Those over a trace (data preservation, one free call for each allocation …) are held by the property tests; which of
 * all invariants are where is in the table of `docs/invariants.md`.
 *
 * @packageDocumentation
 */
import { type Census, type MemorySystem } from '@hmm/mm';
import {
  folioMapcount,
  folioNrPages,
  isDeviceExclusivePte,
  isDevicePrivatePte,
  isMigrationPte,
  NO_PFN,
  PG_anon,
  PG_anon_exclusive,
  PG_head,
  PG_locked,
  PG_lru,
  PG_zone_device,
  PG_zone_device_private,
  PTE_PRESENT,
} from '@hmm/mm/internal';
import { HPAGE_PMD_NR } from '@hmm/kernel';
import { ENTRY_TABLE, TABLE_LANES } from '@hmm/kernel/internal';
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, migratePfnToPage } from './migrate-pfn.js';

/** What a broken invariant says; undefined where it holds. */
export type Broken = string | undefined;

/** A rule over all leaf entries below `table`; the first word it gives is the answer. */
function overEntries(
  system: MemorySystem,
  table: number,
  level: number,
  rule: (flags: number, payload: number) => Broken,
): Broken {
  const { lanes } = system.tables;
  for (let entry = table; entry < table + TABLE_LANES; entry += 2) {
    const flags = lanes[entry] ?? 0;
    if (flags === 0) continue;
    const payload = lanes[entry + 1] ?? 0;
    const broken =
      flags === ENTRY_TABLE && level > 1
        ? overEntries(system, payload, level - 1, rule)
        : rule(flags, payload);
    if (broken !== undefined) return broken;
  }
  return undefined;
}

function overAllEntries(
  system: MemorySystem,
  census: Census | undefined,
  rule: (flags: number, payload: number) => Broken,
): Broken {
  if (census !== undefined) {
    for (const { flags, payload } of census.leaves) {
      const broken = rule(flags, payload);
      if (broken !== undefined) return broken;
    }
    return undefined;
  }
  for (const mm of system.mms) {
    const broken = overEntries(system, mm.root, system.tables.levels, rule);
    if (broken !== undefined) return broken;
  }
  return undefined;
}

/** I22: a migration entry names a page that is locked and referenced. */
export function I22(system: MemorySystem, census?: Census): Broken {
  const { map } = system;
  return overAllEntries(system, census, (flags, pfn) => {
    if (!isMigrationPte(flags)) return undefined;
    if (!map.test(map.folio(pfn), PG_locked)) return `a migration entry names the unlocked page ${pfn}`;
    return (map.refcount[map.folio(pfn)] ?? 0) > 0
      ? undefined
      : `a migration entry names the free page ${pfn}`;
  });
}

/** I23, of a moment without a migration: no migration entry is left. */
export function I23(system: MemorySystem, census?: Census): Broken {
  return overAllEntries(system, census, (flags, pfn) =>
    isMigrationPte(flags) ? `a migration entry of page ${pfn} is left` : undefined,
  );
}

/** I32: no present entry names device-private memory, which is never on the LRU; a private entry names nothing else. */
export function I32(system: MemorySystem, census?: Census): Broken {
  const { map } = system;
  return overAllEntries(system, census, (flags, pfn) => {
    const page = map.flags[pfn] ?? 0;
    if (isDevicePrivatePte(flags)) {
      return (page & PG_zone_device_private) !== 0
        ? undefined
        : `a private entry names the ordinary page ${pfn}`;
    }
    if ((flags & PTE_PRESENT) === 0 || (page & PG_zone_device_private) === 0) return undefined;
    return `a present entry names the device-private page ${pfn}`;
  });
}

/** I33: a free device page has no mapping, no identity, no lock and no exclusive mark; device pages are on no LRU. */
export function I33(system: MemorySystem): Broken {
  const { map } = system;
  for (const pgmap of system.pagemaps) {
    for (let pfn = pgmap.start; pfn < pgmap.start + pgmap.nr; pfn++) {
      const flags = map.flags[pfn] ?? 0;
      if ((flags & PG_lru) !== 0) return `device page ${pfn} is on the LRU`;
      if ((flags & PG_zone_device) === 0) return `device page ${pfn} is not marked as one`;
      if (map.refcount[map.folio(pfn)] !== 0) continue;
      if (folioMapcount(system, pfn) !== 0) return `free device page ${pfn} is mapped`;
      if (map.mapping[pfn] !== 0) return `free device page ${pfn} has an identity`;
      if ((flags & (PG_locked | PG_anon_exclusive)) !== 0)
        return `free device page ${pfn} is locked or exclusive`;
    }
  }
  return undefined;
}

/** I34: a pagemap counts exactly its pages in use. */
export function I34(system: MemorySystem): Broken {
  for (const pgmap of system.pagemaps) {
    let used = 0;
    for (let pfn = pgmap.start; pfn < pgmap.start + pgmap.nr; pfn++)
      if (system.map.refcount[pfn] !== 0) used += folioNrPages(system, pfn);
    if (used !== pgmap.live)
      return `${used} pages of the range at ${pgmap.start} are in use, ${pgmap.live} counted`;
  }
  return undefined;
}

/** I67: a large device folio is one: aligned, in use, and none of its pages behind the first is in use by itself. */
export function I67(system: MemorySystem): Broken {
  const { map } = system;
  for (const pgmap of system.pagemaps) {
    for (let pfn = pgmap.start; pfn < pgmap.start + pgmap.nr; pfn++) {
      if (map.test(pfn, PG_head) && (pfn % HPAGE_PMD_NR !== 0 || map.refcount[pfn] === 0))
        return `device frame ${pfn} is marked as the head of a large folio and is none`;
      if (map.folio(pfn) !== pfn && map.refcount[pfn] !== 0)
        return `device frame ${pfn} is in use by itself within the large folio ${map.folio(pfn)}`;
    }
  }
  return undefined;
}

/** I53: only a whole small anonymous page that is its process's own is exclusive to a device. */
export function I53(system: MemorySystem, census?: Census): Broken {
  const { map } = system;
  return overAllEntries(system, census, (flags, pfn) => {
    if (!isDeviceExclusivePte(flags)) return undefined;
    const own = map.test(pfn, PG_anon) && map.test(pfn, PG_anon_exclusive);
    return own && map.folio(pfn) === pfn && !map.test(pfn, PG_head)
      ? undefined
      : `an exclusive entry names page ${pfn}, which is not small, anonymous and its process's own`;
  });
}

/** All invariants of this package that speak of a memory system, by name. They take a count of it if there is one. */
export const migrateInvariants: Readonly<Record<string, (system: MemorySystem, census?: Census) => Broken>> =
  {
    I22,
    I32,
    I33,
    I34,
    I53,
    I67,
  };

/**
 * I45, of a migration between setup and finalize: a slot with a page names one that is locked and referenced; a given
 * destination likewise.
 */
export function I45(system: MemorySystem, src: Int32Array, dst: Int32Array, npages: number): Broken {
  const { map } = system;
  for (let i = 0; i < npages; i++) {
    for (const slot of [src[i] ?? 0, dst[i] ?? 0]) {
      if ((slot & MIGRATE_PFN_VALID) === 0) continue;
      const page = migratePfnToPage(slot);
      if (!map.test(page, PG_locked)) return `slot ${i} names the unlocked page ${page}`;
      if (map.refcount[page] === 0) return `slot ${i} names the free page ${page}`;
    }
  }
  return undefined;
}

/** I36, of a device's `migrateToRam`: the fault holds a reference on the page, beside that of the entry that names it. */
export function I36(system: MemorySystem, faultPage: number): Broken {
  const held = system.map.refcount[system.map.folio(faultPage)] ?? 0;
  return held > 1 ? undefined : `page ${faultPage} is faulted home with ${held} references`;
}

/** I42, while a driver copies: each page that it may copy from is locked, and no process maps it. */
export function I42(system: MemorySystem, src: Int32Array, npages: number): Broken {
  const { map } = system;
  for (let i = 0; i < npages; i++) {
    const slot = src[i] ?? 0;
    const page = migratePfnToPage(slot);
    if ((slot & MIGRATE_PFN_MIGRATE) === 0 || page === NO_PFN) continue;
    if (!map.test(page, PG_locked)) return `slot ${i} is copied from page ${page}, which is not locked`;
    if (folioMapcount(system, page) !== 0) return `slot ${i} is copied from page ${page}, which is mapped`;
  }
  return undefined;
}

/**
 * I40, after finalize, given the slots as they were before it, of a range that nobody else has touched: of each slot's
 * pages the one that the migration chose is mapped, neither is locked, and the other one is free unless somebody else
 * holds it.
 */
export function I40(system: MemorySystem, src: Int32Array, dst: Int32Array, npages: number): Broken {
  const { map } = system;
  for (let i = 0; i < npages; i++) {
    const [from, to] = [migratePfnToPage(src[i] ?? 0), migratePfnToPage(dst[i] ?? 0)];
    for (const page of [from, to])
      if (page !== NO_PFN && map.test(page, PG_locked)) return `page ${page} of slot ${i} is still locked`;
    const moved = ((src[i] ?? 0) & MIGRATE_PFN_MIGRATE) !== 0 && to !== NO_PFN;
    const [stays, goes] = moved ? [to, from] : [from, to];
    if (stays !== NO_PFN && folioMapcount(system, stays) === 0)
      return `page ${stays} of slot ${i} is mapped nowhere`;
    if (goes !== NO_PFN && folioMapcount(system, goes) !== 0)
      return `page ${goes} of slot ${i} is still mapped`;
  }
  return undefined;
}

/** I45, after setup: the count of pages that can be migrated is the number of slots that say so. */
export function cpagesMatch(src: Int32Array, npages: number, cpages: number): Broken {
  let marked = 0;
  for (let i = 0; i < npages; i++) if (((src[i] ?? 0) & MIGRATE_PFN_MIGRATE) !== 0) marked++;
  return marked === cpages ? undefined : `${marked} slots can be migrated, ${cpages} counted`;
}
