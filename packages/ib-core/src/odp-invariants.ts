import { ENTRY_TABLE, pteIndex } from '@hmm/kernel/internal';
import { HMM_PFN_DMA_MAPPED, HMM_PFN_LANES, HMM_PFN_VALID, HMM_PFN_WRITE } from '@hmm/mirror';
import type { MmStruct } from '@hmm/mm';
import { findPmd, PTE_PRESENT, PTE_PROTNONE, PTE_WRITE } from '@hmm/mm/internal';
import type { BrokenNow } from './rdma-driver.js';
import { type IbUmemOdp, slotOf } from './umem-odp.js';

/** A region and the entries that the adapter goes by. */
export interface RegionTable {
  readonly umem: IbUmemOdp;
  /** Two lanes a page: `ENTRY_*` bits and the frame. */
  readonly entries: Int32Array;
  /** Whether that is a table of the adapter's own, and not the region's list. */
  readonly own: boolean;
}

/** A rule about a region's table: what is broken of it, about the pages `pages` (VPN), or undefined. */
export type RegionRule = (table: RegionTable, pages: readonly number[]) => string | undefined;

/** The adapter may read, and may write: as `ENTRY_READ` and `ENTRY_WRITE`, which are the bits of a list's entry. */
const READ = HMM_PFN_VALID;
const WRITE = HMM_PFN_WRITE;
const PROGRAMMED = HMM_PFN_VALID | HMM_PFN_DMA_MAPPED;

/** OI1: what the adapter has is what the CPU maps; an entry that was programmed from a stale walk is not. */
export const OI1: RegionRule = (table, pages) =>
  eachEntry(table, pages, (flags, pfn, vpn) => {
    const cpu = cpuEntry(table.umem.owningMm, vpn);
    if ((cpu.flags & (PTE_PRESENT | PTE_PROTNONE)) === PTE_PRESENT && cpu.pfn === pfn) return undefined;
    const has = (cpu.flags & PTE_PRESENT) === 0 ? 'nothing' : `frame ${cpu.pfn}`;
    return `the adapter has frame ${pfn} for page ${vpn}, the CPU ${has}`;
  });

/** OI3: the adapter writes where the list's entry, the CPU's entry and the registration allow it. */
export const OI3: RegionRule = (table, pages) =>
  eachEntry(table, pages, (flags, _pfn, vpn) => {
    if ((flags & WRITE) === 0) return undefined;
    const { umem } = table;
    if (table.own && !umem.writable)
      return `the adapter may write page ${vpn} of a region that may not be written`;
    if (((umem.map.pfnList[slotOf(umem, vpn)] ?? 0) & WRITE) === 0)
      return `the adapter may write page ${vpn}, which the region's list has for reading`;
    if ((cpuEntry(umem.owningMm, vpn).flags & PTE_WRITE) !== 0) return undefined;
    return `the adapter may write page ${vpn}, which the CPU's entry forbids`;
  });

/** OI4: an entry of the adapter's own table is in the list as well, mapped for DMA, with the same frame. */
export const OI4: RegionRule = (table, pages) => {
  const { umem, own } = table;
  if (!own || taken(umem)) return undefined;
  return eachEntry(table, pages, (_flags, pfn, vpn) => {
    const slot = slotOf(umem, vpn);
    const { pfnList } = umem.map;
    if (((pfnList[slot] ?? 0) & PROGRAMMED) === PROGRAMMED && pfnList[slot + 1] === pfn) return undefined;
    return `the adapter has frame ${pfn} for page ${vpn}, which the region's list has not`;
  });
};

/** OI5: what is mapped for DMA is a page that the list has. */
export const OI5: RegionRule = ({ umem }, pages) => {
  if (taken(umem)) return undefined;
  for (const vpn of within(umem, pages)) {
    const flags = umem.map.pfnList[slotOf(umem, vpn)] ?? 0;
    if ((flags & PROGRAMMED) === HMM_PFN_DMA_MAPPED) return `page ${vpn} is mapped for DMA and in no list`;
  }
  return undefined;
};

/** Pages up to which a whole list is counted. */
const MAX_COUNTED = 4096;

/** OI8: a region counts the units that it has programmed. */
export const OI8: RegionRule = ({ umem, own }) => {
  if (!own || taken(umem) || umem.pages > MAX_COUNTED) return undefined;
  const { pfnList } = umem.map;
  let mapped = 0;
  for (let slot = 0; slot < pfnList.length; slot += HMM_PFN_LANES)
    if (((pfnList[slot] ?? 0) & PROGRAMMED) === PROGRAMMED) mapped++;
  return mapped === umem.npages ? undefined : `${mapped} units are programmed, and ${umem.npages} counted`;
};

/** OI14: nobody holds a region's mutex while no call is under way. */
export const OI14: RegionRule = ({ umem }) =>
  taken(umem) ? `the mutex of the region at page ${umem.startVpn} is held by nobody's call` : undefined;

/** Those that hold in every state, by name. */
export const odpInvariants: Readonly<Record<string, RegionRule>> = { OI1, OI3, OI4, OI5, OI8 };
/** Those that hold while no call is under way, by name. */
export const odpInvariantsAtRest: Readonly<Record<string, RegionRule>> = { OI14 };

/**
 * OI2: after a callback the region has nothing of [from, to), pages from its start: neither an entry of the adapter, nor a DMA
 * mapping, nor a frame in its list.
 */
export function OI2({ umem, entries }: RegionTable, from: number, to: number): string | undefined {
  const { pfnList } = umem.map;
  for (let at = from; at < to; at++) {
    const slot = HMM_PFN_LANES * at;
    if (((pfnList[slot] ?? 0) & PROGRAMMED) !== 0 || ((entries[slot] ?? 0) & READ) !== 0)
      return `a callback left page ${umem.startVpn + at} in its region`;
  }
  return undefined;
}

/** What of the rules is broken now, of the first region in which it is. */
export function brokenOfTables(
  tables: Iterable<RegionTable>,
  pages: readonly number[],
  atRest: boolean,
): readonly BrokenNow[] {
  const rules = Object.entries(atRest ? { ...odpInvariants, ...odpInvariantsAtRest } : odpInvariants);
  const broken = new Map<string, BrokenNow>();
  for (const table of tables) {
    for (const [invariant, rule] of rules) {
      const detail = broken.has(invariant) ? undefined : rule(table, pages);
      if (detail !== undefined) broken.set(invariant, { invariant, detail });
    }
  }
  return [...broken.values()];
}

/** {@link OI2}, told to the device; at the end of a callback, with the mutex held. */
export function checkCallback(table: RegionTable, from: number, to: number): void {
  const { broken } = table.umem.device;
  if (broken === undefined) return;
  const detail = OI2(table, from, to);
  if (detail !== undefined) broken.tell('OI2', detail);
}

function eachEntry(
  { umem, entries }: RegionTable,
  pages: readonly number[],
  broken: (flags: number, pfn: number, vpn: number) => string | undefined,
): string | undefined {
  for (const vpn of within(umem, pages)) {
    const slot = slotOf(umem, vpn);
    const flags = entries[slot] ?? 0;
    const detail = (flags & READ) === 0 ? undefined : broken(flags, entries[slot + 1] ?? 0, vpn);
    if (detail !== undefined) return detail;
  }
  return undefined;
}

function taken({ umemMutex }: IbUmemOdp): boolean {
  return umemMutex.owner >= 0;
}

function within({ startVpn, pages: count }: IbUmemOdp, pages: readonly number[]): readonly number[] {
  return pages.filter((vpn) => vpn >= startVpn && vpn < startVpn + count);
}

/** What the CPU's page tables have for a page, of a huge one too; it looks and changes nothing. */
function cpuEntry(mm: MmStruct, vpn: number): { readonly flags: number; readonly pfn: number } {
  const { lanes } = mm.system.tables;
  const pmd = findPmd(mm, vpn);
  const flags = pmd < 0 ? 0 : (lanes[pmd] ?? 0);
  const payload = lanes[pmd + 1] ?? 0;
  if (flags !== ENTRY_TABLE) return { flags, pfn: payload + pteIndex(vpn) };
  const entry = payload + 2 * pteIndex(vpn);
  return { flags: lanes[entry] ?? 0, pfn: lanes[entry + 1] ?? 0 };
}
