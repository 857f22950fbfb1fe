import { GPU_PTE_SYSMEM } from './access.js';
import type { GpuPageTable } from './page-table.js';

const ENTRIES = 4096;
const MASK = ENTRIES - 1;
const WINDOW = 2 ** 32;
/** Translations taken along when misses come in sequence. */
const RUN = 64;

/** Most accesses that one call of {@link GpuTlb.access} takes. */
export const TLB_BATCH = 16384;

/**
 * A direct-mapped software TLB of 4,096 entries in front of a {@link GpuPageTable}: it makes replaying accesses fast
 * and decides nothing, since every change of the table drops the translations concerned. It caches PTE flags by the
 * low 32 bits of the VPN; all entries belong to one window of 2^32 pages, and moving to another empties it.
 */
export class GpuTlb {
  /** Accesses of the last batch that went to system memory. */
  remote = 0;
  private readonly table: GpuPageTable;
  private readonly tags = new Int32Array(ENTRIES);
  private readonly values = new Int32Array(ENTRIES);
  private window = -WINDOW;
  /** Tag of the translation that was filled last. */
  private last = 0;

  constructor(table: GpuPageTable) {
    this.table = table;
    this.invalidateAll();
  }

  /**
   * Performs accesses `from` … `to - 1` of a sequence (`base + pages[i]`), stopping at the first whose leaf lacks a
   * bit of `needs`. Callers keep `to - from` at {@link TLB_BATCH} or less. `remote` is set to the number that went
   * across the link.
   * @returns the index of the access that faults, or `to`.
   */
  access(base: number, pages: Int32Array, from: number, to: number, needs: number): number {
    const { tags, values } = this;
    const low = base | 0;
    const sysmem = GPU_PTE_SYSMEM;
    let remote = 0;
    this.enter(base);
    for (let i = from; i < to; i++) {
      const page = pages[i] ?? 0;
      const tag = (low + page) | 0;
      const at = tag & 4095;
      const flags = tags[at] === tag ? (values[at] ?? 0) : this.fill(base + page, tag);
      if ((flags & needs) !== needs) {
        this.remote = remote;
        return i;
      }
      if ((flags & sysmem) !== 0) remote++;
    }
    this.remote = remote;
    return to;
  }

  /** As {@link GpuTlb.access} for accesses of different kinds: access `i` needs the bits `needs[kinds[i]]`. */
  accessKinds(
    base: number,
    pages: Int32Array,
    kinds: Uint8Array,
    needs: Int32Array,
    from: number,
    to: number,
  ): number {
    const { tags, values } = this;
    const low = base | 0;
    const sysmem = GPU_PTE_SYSMEM;
    let remote = 0;
    this.enter(base);
    for (let i = from; i < to; i++) {
      const page = pages[i] ?? 0;
      const tag = (low + page) | 0;
      const at = tag & 4095;
      const flags = tags[at] === tag ? (values[at] ?? 0) : this.fill(base + page, tag);
      const need = needs[kinds[i] ?? 0] ?? 0;
      if ((flags & need) !== need) {
        this.remote = remote;
        return i;
      }
      if ((flags & sysmem) !== 0) remote++;
    }
    this.remote = remote;
    return to;
  }

  /** The flags of the leaf for `vpn`, 0 without one: one access outside a batch. */
  flags(vpn: number): number {
    this.enter(vpn);
    const tag = vpn | 0;
    const at = tag & MASK;
    return this.tags[at] === tag ? (this.values[at] ?? 0) : this.fill(vpn, tag);
  }

  /** Forgets the translations of a range. */
  invalidate(vpn: number, pages: number): void {
    if (pages >= ENTRIES) {
      this.invalidateAll();
      return;
    }
    const { tags } = this;
    for (let i = 0; i < pages; i++) {
      const tag = ((vpn | 0) + i) | 0;
      const at = tag & MASK;
      if (tags[at] === tag) tags[at] = ~at;
    }
  }

  /** Forgets everything. A tag that cannot stand in its slot marks an empty entry. */
  invalidateAll(): void {
    const { tags } = this;
    for (let at = 0; at < ENTRIES; at++) tags[at] = ~at;
  }

  private enter(vpn: number): void {
    if (vpn >= this.window && vpn < this.window + WINDOW) return;
    this.window = vpn - (vpn % WINDOW);
    this.invalidateAll();
  }

  private fill(vpn: number, tag: number): number {
    if (vpn < this.window || vpn >= this.window + WINDOW) return this.table.flags(vpn);
    const at = tag & MASK;
    const run = tag === ((this.last + 1) | 0) ? RUN - (tag & (RUN - 1)) : 1;
    this.table.flagsRun(vpn, run, this.values, at);
    for (let i = 0; i < run; i++) this.tags[at + i] = (tag + i) | 0;
    this.last = (tag + run - 1) | 0;
    return this.values[at] ?? 0;
  }
}
