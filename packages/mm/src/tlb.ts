import { type Task } from '@hmm/kernel';
import { ENTRY_TABLE } from '@hmm/kernel/internal';
import { cpuAccess, cpuFaultFast, cpuTranslate } from './access.js';
import type { MmStruct } from './mm-struct.js';
import { findPmd } from './page-walk.js';
import { PTE_DIRTY, PTE_PRESENT, PTE_PROTNONE, PTE_WRITE, PTE_YOUNG } from './pte.js';

/** Entries of the cache: it covers 8 GiB of address space at a time. */
const ENTRIES = 4096;
const NONE = -1;
/** Accesses looked up at a time; a batch begins with one and doubles, so that one that faults soon costs little. */
const CHUNK = 256;
/** A multiplication by this and a truncation give the number of a page's 2 MiB: a shift would lose bits above 2^32. */
const PER_TABLE = 1 / 512;

/**
 * A CPU's page-walk cache over one address space, for accesses by the million: it remembers page tables, so that an access
 * costs one read of its page-table entry, which is always current. It forgets all when a page table is freed.
 */
export class Tlb {
  readonly mm: MmStruct;
  /** Two lanes an entry: the number of the 2 MiB that it covers (-1 for none), and the lane of that page table's first entry. */
  private readonly entries = new Int32Array(2 * ENTRIES).fill(NONE);
  /** Lanes of the entries of one chunk of accesses; 0 where no page table is. */
  private readonly found = new Int32Array(CHUNK);
  private generation = -1;

  constructor(mm: MmStruct) {
    this.mm = mm;
  }

  /**
   * Reads or writes the pages `vpns[from … to)`, marking their entries used.
   * @returns the index of the first access that faults, `to` when none does.
   */
  touch(vpns: Float64Array, from: number, to: number, write: boolean): number {
    const { system } = this.mm;
    // With 5 levels the number of the 2 MiB does not fit an int32.
    if (system.kernel.sched.observer !== undefined || system.tables.levels === 5)
      return this.touchWalked(vpns, from, to, write);
    this.forgetFreed();
    const { lanes } = system.tables;
    const { entries } = this;
    const last = ENTRIES - 1;
    const perTable = PER_TABLE;
    const { found } = this;
    let chunk = 1;
    for (let first = from; first < to;) {
      // Two short loops: the second one has nothing but the reads that miss the cache, so that many of them overlap.
      const count = Math.min(chunk, to - first);
      for (let i = 0; i < count; i++) {
        const vpn = vpns[first + i] ?? 0;
        const tag = (vpn * perTable) | 0;
        const slot = 2 * (tag & last);
        const cached = entries[slot] === tag || this.fill(vpn, tag, slot);
        found[i] = cached ? (entries[slot + 1] ?? 0) + 2 * (vpn & 511) : 0;
      }
      const done = touchEntries(lanes, found, count, write);
      first += done;
      if (done === count) {
        chunk = Math.min(CHUNK, 2 * chunk);
        continue;
      }
      // A huge page, or a fault: one at a time.
      if (found[done] !== 0 || cpuTranslate(this.mm, vpns[first] ?? 0, write) < 0) return first;
      first++;
    }
    return to;
  }

  /**
   * Reads or writes `pages` consecutive pages from `start` on, walking the upper levels once for each page table.
   * @returns how many pages were touched before the first that faults.
   */
  touchRange(start: number, pages: number, write: boolean): number {
    const { mm } = this;
    const { tables } = mm.system;
    const end = start + pages;
    for (let at = start; at < end;) {
      const stop = Math.min(end, at - (at % 512) + 512);
      const entry = tables.findPte(mm.root, at);
      const done =
        entry >= 0 ? this.touchTable(entry, stop - at, write) : this.touchHuge(at, stop - at, write);
      at += done;
      if (at < stop) return at - start;
    }
    return pages;
  }

  /** The hot loop of {@link touchRange}: `count` entries of one table. */
  private touchTable(first: number, count: number, write: boolean): number {
    const { lanes } = this.mm.system.tables;
    const need = write ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
    const mask = need | PTE_PROTNONE;
    const used = write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
    const end = first + 2 * count;
    for (let entry = first; entry < end; entry += 2) {
      const pte = lanes[entry] ?? 0;
      if ((pte & mask) !== need) return (entry - first) / 2;
      if ((pte & used) !== used) lanes[entry] = pte | used;
    }
    return count;
  }

  private touchHuge(vpn: number, count: number, write: boolean): number {
    return cpuTranslate(this.mm, vpn, write) < 0 ? 0 : count;
  }

  private touchWalked(vpns: Float64Array, from: number, to: number, write: boolean): number {
    for (let i = from; i < to; i++) if (cpuTranslate(this.mm, vpns[i] ?? 0, write) < 0) return i;
    return to;
  }

  private forgetFreed(): void {
    const { generation } = this.mm.system.tables;
    if (generation === this.generation) return;
    this.generation = generation;
    this.entries.fill(NONE);
  }

  /** Looks the page table of `vpn` up; false where none is (or a huge page). */
  private fill(vpn: number, tag: number, slot: number): boolean {
    const { lanes } = this.mm.system.tables;
    const pmd = findPmd(this.mm, vpn);
    if (pmd < 0 || lanes[pmd] !== ENTRY_TABLE) return false;
    this.entries[slot] = tag;
    this.entries[slot + 1] = lanes[pmd + 1] ?? 0;
    return true;
  }
}

/** Marks the entries at the first `count` lanes of `found` used. @returns the index of the first that faults. */
function touchEntries(lanes: Int32Array, found: Int32Array, count: number, write: boolean): number {
  const need = write ? PTE_PRESENT | PTE_WRITE : PTE_PRESENT;
  const mask = need | PTE_PROTNONE;
  const used = write ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
  for (let i = 0; i < count; i++) {
    const entry = found[i] ?? 0;
    const pte = lanes[entry] ?? 0;
    if ((pte & mask) !== need) return i;
    if ((pte & used) !== used) lanes[entry] = pte | used;
  }
  return count;
}

/**
 * Reads or writes the pages `vpns[from … to)` as a CPU does: what is not mapped is faulted in.
 * @returns the index of the access that ended in a signal, `to` when none did.
 */
export function* cpuTouch(
  tlb: Tlb,
  vpns: Float64Array,
  from: number,
  to: number,
  write: boolean,
): Task<number> {
  const { mm } = tlb;
  for (let at = from; ;) {
    at = tlb.touch(vpns, at, to, write);
    if (at === to) return to;
    const vpn = vpns[at] ?? 0;
    if (cpuFaultFast(mm, vpn, write) === 0) continue;
    if ((yield* cpuAccess(mm, vpn, write)) < 0) return at;
  }
}
