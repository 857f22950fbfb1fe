import { HPAGE_PMD_NR, HmmError } from '@hmm/kernel';
import {
  declareState,
  ownState,
  ENTRY_TABLE,
  LEVEL_PMD,
  LEVEL_PTE,
  NO_TABLE,
  PageTablePool,
  pteIndex,
} from '@hmm/kernel/internal';
import { GPU_PTE_BIG, GPU_PTE_VALID } from './access.js';
import { GpuTlb } from './tlb.js';

const BIG_PAGES = 16;
const LOG_LENGTH = 1024;
/** Entries of the cache of PMD entries: it covers 2 GiB of address space at a time. */
const PMD_CACHE = 1024;

/** Leaf sizes a mapping may use: 4 KiB only, up to 64 KiB, up to 2 MiB (log2 of pages). */
export const GPU_LEAF_4K = 0;
export const GPU_LEAF_64K = 4;
export const GPU_LEAF_2M = 9;

/**
 * Hardware that translates by another page table what this one does not map: ATS, through the CPU's. A translation that it finds
 * is mapped here, as in the cache of an ATS client, and whoever owns the other table takes it out again.
 */
export interface GpuWalker {
  /** Looks for page `vpn` with the rights `needs` (`GPU_PTE_*`), and maps it if they are there. */
  walk(vpn: number, needs: number): void;
}

/**
 * A GPU's page table: the same radix as the CPU's, with five levels (57 bits of address), and leaves of 4 KiB,
 * 64 KiB (sixteen PTEs marked {@link GPU_PTE_BIG}) and 2 MiB. A leaf's flag lane holds `GPU_PTE_*`, its payload
 * lane the frame.
 */
export class GpuPageTable {
  /** What of it is state. */
  static readonly state = declareState(
    {
      pool: 'constant',
      root: 'constant',
      tlb: 'constant',
      walker: 'value',
      invalidations: { saved: 'a total, which decides nothing' },
      log: { saved: 'what was invalidated last, for who looks at it' },
      pmdStarts: { saved: 'a cache of the table' },
      pmdLanes: { saved: 'a cache of the table' },
    },
    ownState(GpuPageTable, {
      fold: ({ pool: { end, lanes } }, hash) => {
        for (let i = 0; i < end; i++) {
          const word = lanes[i] ?? 0;
          if (word === 0) continue;
          hash.word(i);
          hash.word(word);
        }
      },
    }),
  );

  /** The tables. */
  readonly pool: PageTablePool;
  /** Link of the top-level table. */
  readonly root: number;
  /** The software TLB in front of this table. */
  readonly tlb: GpuTlb;
  /** Translates what is not mapped here; undefined without ATS. */
  walker: GpuWalker | undefined;
  /** TLB invalidations done, one per changed range. */
  invalidations = 0;
  /** The last {@link LOG_LENGTH} changed ranges: first page, page after the last. */
  private readonly log = new Float64Array(2 * LOG_LENGTH);
  /** First page of each 2 MiB whose PMD entry is known (-1 for none), and the entry's lane. */
  private readonly pmdStarts = new Float64Array(PMD_CACHE).fill(-1);
  private readonly pmdLanes = new Int32Array(PMD_CACHE);

  /** @param maxTables tables to make room for: one for each 2 MiB that is not mapped by one leaf. */
  constructor(maxTables = 65536) {
    this.pool = new PageTablePool(maxTables, 5);
    this.root = this.pool.alloc();
    this.tlb = new GpuTlb(this);
  }

  /** The flags of the leaf that maps `vpn`, 0 without one. */
  flags(vpn: number): number {
    const at = this.leaf(vpn);
    return at < 0 ? 0 : (this.pool.lanes[at] ?? 0);
  }

  /** The frame that `vpn` is mapped to; meaningless without a valid leaf. */
  frame(vpn: number): number {
    const { lanes } = this.pool;
    const pmd = this.pmd(vpn);
    if (pmd < 0) return 0;
    if (lanes[pmd] === ENTRY_TABLE) return lanes[(lanes[pmd + 1] ?? 0) + 2 * pteIndex(vpn) + 1] ?? 0;
    return (lanes[pmd + 1] ?? 0) + pteIndex(vpn);
  }

  /** log2 of the pages of the leaf that maps `vpn`: 0, 4 or 9; -1 without one. */
  leafOrder(vpn: number): number {
    const { lanes } = this.pool;
    const pmd = this.pmd(vpn);
    if (pmd < 0 || lanes[pmd] === 0) return -1;
    if (lanes[pmd] !== ENTRY_TABLE) return GPU_LEAF_2M;
    const flags = this.flags(vpn);
    if ((flags & GPU_PTE_VALID) === 0) return -1;
    return (flags & GPU_PTE_BIG) === 0 ? GPU_LEAF_4K : GPU_LEAF_64K;
  }

  /** Whether a last-level table or a huge leaf covers `vpn` (else a fault there is an invalid PDE). */
  hasTable(vpn: number): boolean {
    const pmd = this.pmd(vpn);
    return pmd >= 0 && this.pool.lanes[pmd] !== 0;
  }

  /**
   * Maps `pages` pages from `vpn` to consecutive frames from `pfn`, with the largest leaves up to `largest` that
   * alignment allows. Replaces what was mapped there.
   */
  map(vpn: number, pages: number, pfn: number, flags: number, largest: number = GPU_LEAF_2M): void {
    let at = vpn;
    let frame = pfn;
    let left = pages;
    while (left > 0) {
      const count = Math.min(left, HPAGE_PMD_NR - pteIndex(at));
      if (count === HPAGE_PMD_NR && largest >= GPU_LEAF_2M && frame % HPAGE_PMD_NR === 0)
        this.mapHuge(at, frame, flags);
      else this.mapSmall(at, count, frame, flags, largest);
      at += count;
      frame += count;
      left -= count;
    }
    this.flush(vpn, pages);
  }

  /** Removes every mapping of `pages` pages from `vpn`. */
  unmap(vpn: number, pages: number): void {
    this.edit(vpn, pages, 0);
  }

  /** Keeps only the flags of `keep` in every leaf of `pages` pages from `vpn`. */
  protect(vpn: number, pages: number, keep: number): void {
    this.edit(vpn, pages, keep | GPU_PTE_VALID);
  }

  /** Frees all tables. The page table must not be used afterwards. */
  destroy(): void {
    this.pmdStarts.fill(-1);
    this.pool.freeTree(this.root);
    this.tlb.dropAll();
  }

  /** Whether {@link GpuPageTable.change} still knows every change from number `at` on. */
  knowsSince(at: number): boolean {
    return at >= 0 && this.invalidations - at <= LOG_LENGTH;
  }

  /** The range of change number `at` (see `invalidations`), into `out`: first page, page after the last. */
  change(at: number, out: Float64Array): void {
    out[0] = this.log[2 * (at % LOG_LENGTH)] ?? 0;
    out[1] = this.log[2 * (at % LOG_LENGTH) + 1] ?? 0;
  }

  private leaf(vpn: number): number {
    const { lanes } = this.pool;
    const pmd = this.pmd(vpn);
    if (pmd < 0) return -1;
    const flags = lanes[pmd];
    if (flags !== ENTRY_TABLE) return flags === 0 ? -1 : pmd;
    return (lanes[pmd + 1] ?? 0) + 2 * (vpn & 511);
  }

  /** Lane of the PMD entry for `vpn`, -1 without its table. Such tables live as long as the page table: lanes stay true. */
  pmd(vpn: number): number {
    const start = vpn - (vpn & 511);
    const slot = (vpn >>> 9) & (PMD_CACHE - 1);
    if (this.pmdStarts[slot] === start) return this.pmdLanes[slot] ?? 0;
    const pmd = this.pool.find(this.root, vpn, LEVEL_PMD);
    if (pmd >= 0) {
      this.pmdStarts[slot] = start;
      this.pmdLanes[slot] = pmd;
    }
    return pmd;
  }

  private mapHuge(vpn: number, pfn: number, flags: number): void {
    const { lanes } = this.pool;
    const pmd = this.makeEntry(vpn, LEVEL_PMD);
    if (lanes[pmd] === ENTRY_TABLE) this.pool.free(lanes[pmd + 1] ?? 0);
    this.tlb.drop(vpn);
    lanes[pmd] = flags;
    lanes[pmd + 1] = pfn;
  }

  private mapSmall(vpn: number, pages: number, pfn: number, flags: number, largest: number): void {
    const { lanes } = this.pool;
    const start = pteIndex(vpn);
    const end = start + pages;
    const congruent = largest >= GPU_LEAF_64K && pfn % BIG_PAGES === start % BIG_PAGES;
    const bigFrom = congruent ? (start + BIG_PAGES - 1) & ~(BIG_PAGES - 1) : end;
    const bigTo = end & ~(BIG_PAGES - 1);
    const big = flags | GPU_PTE_BIG;
    let lane = this.smallTable(vpn) + 2 * start;
    for (let at = start; at < end; at++) {
      lanes[lane] = at >= bigFrom && at < bigTo ? big : flags;
      lanes[lane + 1] = pfn + at - start;
      lane += 2;
    }
  }

  private edit(vpn: number, pages: number, keep: number): void {
    const { lanes } = this.pool;
    const end = vpn + pages;
    for (let at = vpn; at < end;) {
      const count = Math.min(end - at, HPAGE_PMD_NR - pteIndex(at));
      const pmd = this.pmd(at);
      if (pmd >= 0 && lanes[pmd] !== 0) {
        if (lanes[pmd] !== ENTRY_TABLE && count === HPAGE_PMD_NR) lanes[pmd] = (lanes[pmd] ?? 0) & keep;
        else this.editSmall(at, count, keep);
      }
      at += count;
    }
    this.flush(vpn, pages);
  }

  private editSmall(vpn: number, pages: number, keep: number): void {
    const { lanes } = this.pool;
    const table = this.smallTable(vpn);
    const start = pteIndex(vpn);
    const end = start + pages;
    // A 64 KiB leaf that is changed in part becomes sixteen of 4 KiB.
    if (start % BIG_PAGES !== 0) this.clearBig(table, start & ~(BIG_PAGES - 1));
    if (end % BIG_PAGES !== 0) this.clearBig(table, end & ~(BIG_PAGES - 1));
    const last = table + 2 * end;
    for (let at = table + 2 * start; at < last; at += 2) lanes[at] = (lanes[at] ?? 0) & keep;
  }

  private clearBig(table: number, index: number): void {
    const { lanes } = this.pool;
    const first = table + 2 * index;
    for (let at = first; at < first + 2 * BIG_PAGES; at += 2) lanes[at] = (lanes[at] ?? 0) & ~GPU_PTE_BIG;
  }

  /** The last-level table around `vpn`, made if need be. Only where it was missing, or a huge leaf splits, do leaves move. */
  private smallTable(vpn: number): number {
    const { lanes } = this.pool;
    const pmd = this.pmd(vpn);
    if (pmd >= 0 && lanes[pmd] === ENTRY_TABLE) return lanes[pmd + 1] ?? 0;
    this.splitHuge(vpn);
    this.tlb.drop(vpn);
    return this.makeEntry(vpn, LEVEL_PTE) - 2 * pteIndex(vpn);
  }

  private splitHuge(vpn: number): void {
    const { lanes } = this.pool;
    const pmd = this.pmd(vpn);
    if (pmd < 0 || lanes[pmd] === 0 || lanes[pmd] === ENTRY_TABLE) return;
    const flags = lanes[pmd] ?? 0;
    const pfn = lanes[pmd + 1] ?? 0;
    const table = this.allocTable();
    for (let i = 0; i < HPAGE_PMD_NR; i++) {
      lanes[table + 2 * i] = flags | GPU_PTE_BIG;
      lanes[table + 2 * i + 1] = pfn + i;
    }
    lanes[pmd] = ENTRY_TABLE;
    lanes[pmd + 1] = table;
    this.tlb.drop(vpn);
  }

  private makeEntry(vpn: number, level: number): number {
    const entry = this.pool.make(this.root, vpn, level);
    if (entry < 0)
      throw new HmmError('GPU_TABLES', 'the pool of GPU page tables is used up', { used: this.pool.used });
    return entry;
  }

  private allocTable(): number {
    const link = this.pool.alloc();
    if (link === NO_TABLE) {
      throw new HmmError('GPU_TABLES', 'the pool of GPU page tables is used up', { used: this.pool.used });
    }
    return link;
  }

  private flush(vpn: number, pages: number): void {
    const at = 2 * (this.invalidations++ % LOG_LENGTH);
    this.log[at] = vpn;
    this.log[at + 1] = vpn + pages;
  }
}
