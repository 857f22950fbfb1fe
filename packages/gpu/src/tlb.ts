import { declareState, ENTRY_TABLE } from '@hmm/kernel/internal';
import { GPU_PTE_FAR } from './access.js';
import type { GpuPageTable } from './page-table.js';

/** 2 MiB pieces of address space that are known at a time: 2 GiB. */
const SLOTS = 1024;
/** Pages that a window holds, and how far the pages of a stream may lie beyond its base. */
const WINDOW = 2 ** 32;
const REACH = 2 ** 31;
/** A tag that no piece has: those are 23 bits and a sign. */
const NOTHING = 2 ** 30;
/** Picks the lane of a PTE in its table from twice the page number; a 2 MiB leaf has the one lane. */
const PTE_STEP = 1022;

/** Most accesses that one call of {@link GpuTlb.access} takes. */
export const TLB_BATCH = 16384;

/**
 * A cache in front of a {@link GpuPageTable} of where the leaves of 2 MiB are: it makes replaying accesses fast and
 * decides nothing. Leaves themselves are read where they stand, so their changes need no invalidation; the table drops
 * a piece when its leaves come or move (a first table is made, a 2 MiB leaf splits, or takes the place of small ones). Pieces are told apart by the low
 * 32 bits of the VPN; all belong to one window of 2^32 pages, and moving to another empties the cache.
 */
export class GpuTlb {
  /** What of it is state. */
  static readonly state = declareState({
    remote: { saved: 'the answer of the last call' },
    table: 'constant',
    lanes: { outside: 'the tables, which keep them themselves' },
    slots: { saved: 'a cache of the table' },
    window: { saved: 'a cache of the table' },
  });

  /** Accesses of the last batch that went to memory that is not the GPU's own. */
  remote = 0;
  private readonly table: GpuPageTable;
  private readonly lanes: Int32Array;
  /** Four columns a slot: the tag, the lane of the first leaf, {@link PTE_STEP} or 0, nothing. */
  private readonly slots = new Int32Array(4 * SLOTS);
  private window = -WINDOW;

  constructor(table: GpuPageTable) {
    this.table = table;
    this.lanes = table.pool.lanes;
    this.dropAll();
  }

  /**
   * Performs accesses `from` … `to - 1` of a sequence (`base + pages[i]`), stopping at the first whose leaf lacks a
   * bit of `needs`. Callers keep `to - from` at {@link TLB_BATCH} or less. `remote` is set to the number that went
   * across the link.
   * @returns the index of the access that faults, or `to`.
   */
  access(base: number, pages: Int32Array, from: number, to: number, needs: number): number {
    const { slots, lanes } = this;
    const low = base | 0;
    const far = GPU_PTE_FAR;
    let remote = 0;
    let i = from;
    this.enter(base, REACH);
    while (i < to) {
      // No call in this loop: with one, every array's bounds would be read again for every access.
      for (; i < to; i++) {
        const tag = (low + (pages[i] ?? 0)) | 0;
        const slot = (tag >>> 7) & 4092;
        if (slots[slot] !== tag >> 9) break;
        const flags = lanes[(slots[slot + 1] ?? 0) + ((tag << 1) & (slots[slot + 2] ?? 0))] ?? 0;
        if ((flags & (needs | far)) === needs) continue;
        if ((flags & needs) !== needs) break;
        remote++;
      }
      if (i === to || (this.walked(base + (pages[i] ?? 0), needs) & needs) !== needs) break;
    }
    this.remote = remote;
    return i;
  }

  /**
   * As {@link GpuTlb.access} for accesses of different kinds: access `i` needs the bits `needs[kinds[i]]`. Its loop is that
   * one's with another test, on purpose: shared, it would look up the kind, or call, for every access of both.
   */
  accessKinds(
    base: number,
    pages: Int32Array,
    kinds: Uint8Array,
    needs: Int32Array,
    from: number,
    to: number,
  ): number {
    const { slots, lanes } = this;
    const low = base | 0;
    const far = GPU_PTE_FAR;
    let remote = 0;
    let i = from;
    this.enter(base, REACH);
    while (i < to) {
      // Written out again, and without a call in it, for the reason given in `access`.
      for (; i < to; i++) {
        const tag = (low + (pages[i] ?? 0)) | 0;
        const slot = (tag >>> 7) & 4092;
        if (slots[slot] !== tag >> 9) break;
        const flags = lanes[(slots[slot + 1] ?? 0) + ((tag << 1) & (slots[slot + 2] ?? 0))] ?? 0;
        const need = needs[kinds[i] ?? 0] ?? 0;
        if ((flags & (need | far)) === need) continue;
        if ((flags & need) !== need) break;
        remote++;
      }
      if (i === to) break;
      const need = needs[kinds[i] ?? 0] ?? 0;
      if ((this.walked(base + (pages[i] ?? 0), need) & need) !== need) break;
    }
    this.remote = remote;
    return i;
  }

  /** The flags of the leaf for `vpn`, 0 without one: one access outside a batch. */
  flags(vpn: number): number {
    this.enter(vpn, 1);
    const { slots, lanes } = this;
    const slot = (vpn >>> 7) & 4092;
    if (slots[slot] !== (vpn | 0) >> 9) return lanes[this.fill(vpn)] ?? 0;
    return lanes[(slots[slot + 1] ?? 0) + ((vpn << 1) & (slots[slot + 2] ?? 0))] ?? 0;
  }

  /**
   * The pages among the 32 from `vpn`, a multiple of 32, whose leaves have all bits of `needs`: bit `i` for page `vpn + i`. Only
   * the pages of the set `asked` are looked at.
   */
  having(vpn: number, asked: number, needs: number): number {
    this.enter(vpn, 32);
    const { slots, lanes } = this;
    const slot = (vpn >>> 7) & 4092;
    if (slots[slot] !== (vpn | 0) >> 9) this.fill(vpn);
    const step = slots[slot + 2] ?? 0;
    const first = (slots[slot + 1] ?? 0) + ((vpn << 1) & step);
    if (step === 0) return ((lanes[first] ?? 0) & needs) === needs ? asked : 0;
    let found = 0;
    for (let rest = asked; rest !== 0; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest);
      if (((lanes[first + (bit << 1)] ?? 0) & needs) === needs) found |= 1 << bit;
    }
    return found;
  }

  /** As {@link GpuTlb.flags} for an access that needs the bits `needs`: what lacks one is looked for by the walker, if there is one. */
  walked(vpn: number, needs: number): number {
    const flags = this.flags(vpn);
    const { walker } = this.table;
    if (walker === undefined || (flags & needs) === needs) return flags;
    walker.walk(vpn, needs);
    return this.flags(vpn);
  }

  /** Forgets where the leaves of the 2 MiB around `vpn` are. */
  drop(vpn: number): void {
    this.slots[(vpn >>> 7) & 4092] = NOTHING;
  }

  /** Forgets everything. */
  dropAll(): void {
    const { slots } = this;
    for (let slot = 0; slot < slots.length; slot += 4) slots[slot] = NOTHING;
  }

  /** Moves to a window that holds the `reach` pages from `vpn`. */
  private enter(vpn: number, reach: number): void {
    if (vpn >= this.window && vpn + reach <= this.window + WINDOW) return;
    this.window = vpn - (vpn % REACH);
    this.dropAll();
  }

  /** Lane of the leaf for `vpn`, kept for next time; lane 0, which is always empty, where no table or leaf covers it. */
  private fill(vpn: number): number {
    const { lanes, slots } = this;
    const pmd = this.table.pmd(vpn);
    const covered = pmd >= 0 && lanes[pmd] !== 0;
    const small = covered && lanes[pmd] === ENTRY_TABLE;
    const first = small ? (lanes[pmd + 1] ?? 0) : covered ? pmd : 0;
    const step = small ? PTE_STEP : 0;
    const tag = vpn | 0;
    const slot = (tag >>> 7) & 4092;
    slots[slot] = tag >> 9;
    slots[slot + 1] = first;
    slots[slot + 2] = step;
    return first + ((tag << 1) & step);
  }
}
