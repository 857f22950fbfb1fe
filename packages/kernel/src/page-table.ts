import { HmmError } from './error.js';
import { HASH_SEED, hashWords } from './hash.js';
import { declareState, ownState } from './state.js';
import { pgdIndex, p4dIndex, pmdIndex, pteIndex, pudIndex } from './page.js';

/**
 * The radix page table of x86-64 and of the modelled GPUs. All tables of all address spaces lie in one pooled
 * `Int32Array`; a table is a slice of 512 entries, an entry is two neighbouring lanes:
 *
 * | lane | upper level | leaf |
 * | --- | --- | --- |
 * | 0, flags | {@link ENTRY_TABLE}, or 0 for none | the owner's flags, never 0 and never ENTRY_TABLE |
 * | 1, payload | *link*: index in the pool of the next table's first lane | pfn, swap offset … |
 *
 * A link is pre-shifted, so a step of a walk is `pool[link + 2 * index + 1]`, without multiplication. Table 0 is
 * never handed out: link 0 means "no table". Huge entries are leaves at the PMD or PUD level.
 *
 * @packageDocumentation
 */

/** Flag lane of an upper-level entry that links to a table. No leaf may use this bit. */
export const ENTRY_TABLE = 1 << 30;

/** Lanes per table. */
export const TABLE_LANES = 1024;

/** A link to no table. */
export const NO_TABLE = 0;

/** Levels of a table that maps pages (PTE), 2 MiB (PMD), 1 GiB (PUD), and the ones above. */
export const LEVEL_PTE = 1;
export const LEVEL_PMD = 2;
export const LEVEL_PUD = 3;
export const LEVEL_P4D = 4;
export const LEVEL_PGD = 5;

/** Index into a table of `level` for `vpn`. */
export function tableIndex(vpn: number, level: number): number {
  switch (level) {
    case LEVEL_PTE:
      return pteIndex(vpn);
    case LEVEL_PMD:
      return pmdIndex(vpn);
    case LEVEL_PUD:
      return pudIndex(vpn);
    case LEVEL_P4D:
      return p4dIndex(vpn);
    default:
      return pgdIndex(vpn);
  }
}

const ENTRY_PAGES = [0, 1, 2 ** 9, 2 ** 18, 2 ** 27, 2 ** 36, 2 ** 45];

/** Pages that one entry of a table of `level` covers; of `levels + 1`, all pages of a tree. */
export function entryPages(level: number): number {
  return ENTRY_PAGES[level] ?? 0;
}

/** What a saved {@link PageTablePool} holds. */
export interface PageTablePoolState {
  readonly lanes: Int32Array;
  readonly next: number;
  readonly free: number[];
  readonly used: number;
}

const OWN = 'saved as far as it is in use';

/** The pool of page tables; a root is the link of its top-level table. */
export class PageTablePool {
  /** What of it is state. */
  static readonly state = declareState(
    {
      lanes: { outside: OWN },
      levels: 'constant',
      used: { outside: OWN },
      generation: { outside: 'only has to differ after a table was given back' },
      nextLink: { outside: OWN },
      freeLinks: { outside: OWN },
    },
    ownState(PageTablePool, {
      save: (pool) => {
        const saved = pool.save();
        return {
          words: saved,
          restore: (): void => {
            pool.restore(saved);
          },
        };
      },
      fold: (pool, hash) => {
        hash.word(pool.hash(HASH_SEED));
      },
    }),
  );

  /** The entries: two lanes each. The array never grows: it has room for all tables from the start, and the platform takes memory only for what was touched. */
  readonly lanes: Int32Array;
  /** Levels of every tree in the pool: 4 or 5. */
  readonly levels: 4 | 5;
  /** Tables in use. */
  used = 0;
  /** Counts the tables given back: what remembers links forgets them when this has changed. */
  generation = 0;
  private nextLink = TABLE_LANES;
  private readonly freeLinks: number[] = [];

  /** @param maxTables tables in the pool, 4 KiB of address space each, charged when first written. */
  constructor(maxTables: number, levels: 4 | 5 = 4) {
    this.lanes = new Int32Array((maxTables + 1) * TABLE_LANES);
    this.levels = levels;
  }

  /** A zeroed table's link, or {@link NO_TABLE} when the pool is used up. */
  alloc(): number {
    const recycled = this.freeLinks.pop();
    if (recycled !== undefined) {
      this.used++;
      return recycled;
    }
    if (this.nextLink >= this.lanes.length) return NO_TABLE;
    const link = this.nextLink;
    this.nextLink += TABLE_LANES;
    this.used++;
    return link;
  }

  /** Gives a table back, cleared. */
  free(link: number): void {
    if (link === NO_TABLE) throw new HmmError('FREE_NO_TABLE', 'table 0 is never handed out');
    this.lanes.fill(0, link, link + TABLE_LANES);
    this.freeLinks.push(link);
    this.used--;
    this.generation = (this.generation + 1) | 0;
  }

  /**
   * The lane index of the entry for `vpn` in the table of `level` below `root`, or -1 where a table on the way is
   * missing or a huge leaf is in the way.
   */
  find(root: number, vpn: number, level: number): number {
    const lanes = this.lanes;
    let table = root;
    for (let at = this.levels as number; at > level; at--) {
      const entry = table + 2 * tableIndex(vpn, at);
      if (lanes[entry] !== ENTRY_TABLE) return -1;
      table = lanes[entry + 1] ?? 0;
    }
    return table + 2 * tableIndex(vpn, level);
  }

  /** {@link find} for the PTE level, with the walk written out: the hot one. */
  findPte(root: number, vpn: number): number {
    const lanes = this.lanes;
    let table = root;
    if (this.levels === 5) {
      const pgd = table + 2 * pgdIndex(vpn);
      if (lanes[pgd] !== ENTRY_TABLE) return -1;
      table = lanes[pgd + 1] ?? 0;
    }
    const p4d = table + 2 * p4dIndex(vpn);
    if (lanes[p4d] !== ENTRY_TABLE) return -1;
    const pud = (lanes[p4d + 1] ?? 0) + ((vpn >>> 17) & 1022);
    if (lanes[pud] !== ENTRY_TABLE) return -1;
    const pmd = (lanes[pud + 1] ?? 0) + ((vpn >>> 8) & 1022);
    if (lanes[pmd] !== ENTRY_TABLE) return -1;
    return (lanes[pmd + 1] ?? 0) + 2 * (vpn & 511);
  }

  /**
   * As {@link find}, making the missing tables on the way.
   * @returns the lane index, or -1 when the pool is used up or a huge leaf is in the way.
   */
  make(root: number, vpn: number, level: number): number {
    const lanes = this.lanes;
    let table = root;
    for (let at = this.levels as number; at > level; at--) {
      const entry = table + 2 * tableIndex(vpn, at);
      const flags = lanes[entry];
      if (flags === 0) {
        const fresh = this.alloc();
        if (fresh === NO_TABLE) return -1;
        lanes[entry] = ENTRY_TABLE;
        lanes[entry + 1] = fresh;
      } else if (flags !== ENTRY_TABLE) return -1;
      table = lanes[entry + 1] ?? 0;
    }
    return table + 2 * tableIndex(vpn, level);
  }

  /** Frees every table below `root`, and `root` itself. Leaves are not looked at. */
  freeTree(root: number, level: number = this.levels): void {
    if (level > LEVEL_PTE) {
      for (let entry = root; entry < root + TABLE_LANES; entry += 2) {
        if (this.lanes[entry] === ENTRY_TABLE) this.freeTree(this.lanes[entry + 1] ?? 0, level - 1);
      }
    }
    this.free(root);
  }

  /** Behind the last lane that was ever in use. */
  get end(): number {
    return this.nextLink;
  }

  /** Folds the tables that were ever in use, and the order of the free ones, into `hash`. */
  hash(hash: number): number {
    return hashWords(hashWords(hash, this.lanes, 0, this.nextLink), this.freeLinks, 0, this.freeLinks.length);
  }

  /** A copy of the state, for {@link restore}. */
  save(): PageTablePoolState {
    return {
      lanes: this.lanes.slice(0, this.nextLink),
      next: this.nextLink,
      free: [...this.freeLinks],
      used: this.used,
    };
  }

  /** Sets the state back to a saved one of the same pool. */
  restore(state: PageTablePoolState): void {
    this.generation = (this.generation + 1) | 0;
    if (this.nextLink > state.next) this.lanes.fill(0, state.next, this.nextLink);
    this.lanes.set(state.lanes);
    this.nextLink = state.next;
    while (this.freeLinks.length > 0) this.freeLinks.pop();
    for (const link of state.free) this.freeLinks.push(link);
    this.used = state.used;
  }
}
