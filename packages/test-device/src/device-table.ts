import { HmmError, type Kernel } from '@hmm/kernel';
import {
  declareState,
  ownState,
  NO_TABLE,
  entryPages,
  LEVEL_PTE,
  type PageTablePool,
} from '@hmm/kernel/internal';

/** An entry is here; a read needs no more. */
export const DPT_PRESENT = 1 << 0;
/** The device may write. */
export const DPT_XA_TAG_WRITE = 1 << 1;
/** The device has exclusive access. */
export const DPT_XA_TAG_ATOMIC = 1 << 2;

/** Entries that are told apart by who observes accesses. */
const OBSERVED_ENTRIES = 512;

/**
 * The table of one mirror (the driver's `pt` xarray): page frame and tag by virtual page. It holds no references: only
 * invalidation keeps it true.
 */
export class DeviceTable {
  /** What of it is state. */
  static readonly state = declareState(
    {
      pool: { outside: 'the test device saves it' },
      root: { saved: 'where the table lies in the pool says nothing' },
      kernel: 'constant',
      objects: 'constant',
      limit: 'constant',
    },
    ownState(DeviceTable, {
      fold: (table, hash) => {
        if (table.root === NO_TABLE) return;
        table.visitBelow(table.root, table.pool.levels, 0, 0, table.limit, (vpn, pfn, tag) => {
          hash.word(vpn | 0);
          hash.word(Math.floor(vpn / 2 ** 32));
          hash.frame(pfn);
          hash.word(tag);
        });
      },
    }),
  );

  private readonly pool: PageTablePool;
  private root: number;
  private readonly kernel: Kernel;
  /** First of the ids under which entries are observed, by the low bits of the page number. */
  private readonly objects: number;
  /** Behind the last page that the table can have. */
  private readonly limit: number;

  constructor(kernel: Kernel, pool: PageTablePool) {
    this.kernel = kernel;
    this.pool = pool;
    this.root = pool.alloc();
    this.limit = entryPages(pool.levels + 1);
    this.objects = kernel.allocIds(OBSERVED_ENTRIES);
  }

  /** Lane of the entry for `vpn`, -1 when there is none, as beyond what a process can map. */
  private lane(vpn: number): number {
    return vpn < this.limit ? this.pool.findPte(this.root, vpn) : -1;
  }

  /** Tag of the entry for `vpn` (`DPT_*`), 0 when there is none. */
  tag(vpn: number): number {
    this.access(vpn, false);
    return this.peek(vpn);
  }

  /** As {@link DeviceTable.tag} for somebody who only looks: no access of the device's. */
  peek(vpn: number): number {
    const lane = this.lane(vpn);
    return lane < 0 ? 0 : (this.pool.lanes[lane] ?? 0);
  }

  /** Frame of the entry for `vpn`; only means something if it has a tag. */
  pfn(vpn: number): number {
    const lane = this.lane(vpn);
    return lane < 0 ? 0 : (this.pool.lanes[lane + 1] ?? 0);
  }

  /** Stores an entry. @returns false when memory for the table is used up. */
  store(vpn: number, pfn: number, tag: number): boolean {
    this.access(vpn, true);
    const lane = this.pool.make(this.root, vpn, LEVEL_PTE);
    if (lane < 0) return false;
    this.pool.lanes[lane] = DPT_PRESENT | tag;
    this.pool.lanes[lane + 1] = pfn;
    return true;
  }

  /** Removes the entries of the pages [first, last], both included. */
  erase(first: number, last: number): void {
    this.assertAlive();
    const end = Math.min(last + 1, this.limit);
    this.accessAll(first, end, true);
    this.eraseBelow(this.root, this.pool.levels, 0, first, end);
  }

  /** Reports an access to the entries of [first, end). */
  private accessAll(first: number, end: number, write: boolean): void {
    if (this.kernel.sched.observer === undefined) return;
    const observed = Math.min(end, first + OBSERVED_ENTRIES);
    for (let vpn = first; vpn < observed; vpn++) this.access(vpn, write);
  }

  /** Clears what of [first, end) is below `table`, whose first page is `base`. Missing tables cost one test each. */
  private eraseBelow(table: number, level: number, base: number, first: number, end: number): void {
    const { lanes } = this.pool;
    const span = entryPages(level);
    const from = first > base ? Math.floor((first - base) / span) : 0;
    const to = Math.min(512, Math.ceil((end - base) / span));
    for (let index = from; index < to; index++) {
      const entry = table + 2 * index;
      if (lanes[entry] === 0) continue;
      if (level > LEVEL_PTE)
        this.eraseBelow(lanes[entry + 1] ?? 0, level - 1, base + index * span, first, end);
      else {
        lanes[entry] = 0;
        lanes[entry + 1] = 0;
      }
    }
  }

  /** Calls `visit` for every entry, in ascending order; for checks, not for hot paths. */
  forEach(visit: (vpn: number, pfn: number, tag: number) => void): void {
    this.visitBelow(this.root, this.pool.levels, 0, 0, this.limit, visit);
  }

  /** Calls `visit` for every entry of [first, end), in ascending order. */
  forEachIn(first: number, end: number, visit: (vpn: number, pfn: number, tag: number) => void): void {
    this.assertAlive();
    const last = Math.min(end, this.limit);
    this.accessAll(first, last, false);
    this.visitBelow(this.root, this.pool.levels, 0, first, last, visit);
  }

  /**
   * Reads the entries that are observed as `object` into `into`, for an exploration that tells states apart: their pages and tags in its
   * `word`, up to two frames. False where it is no object of this table, or has more entries.
   */
  contents(object: number, into: { word: number; frame: number; other: number }): boolean {
    const low = object - this.objects;
    if (low < 0 || low >= OBSERVED_ENTRIES) return false;
    let entries = 0;
    if (this.root === NO_TABLE) return true;
    this.visitBelow(this.root, this.pool.levels, 0, 0, this.limit, (vpn, pfn, tag) => {
      if ((vpn & (OBSERVED_ENTRIES - 1)) !== low) return;
      entries++;
      into.word = Math.imul(into.word ^ tag ^ Math.floor(vpn / OBSERVED_ENTRIES), 0x01000193);
      if (entries === 1) into.frame = pfn;
      else into.other = pfn;
    });
    return entries <= 2;
  }

  private access(vpn: number, write: boolean): void {
    this.assertAlive();
    this.kernel.sched.access(this.objects + (vpn & (OBSERVED_ENTRIES - 1)), write);
  }

  /** @throws HmmError `USE_AFTER_FREE` when the table was freed. */
  private assertAlive(): void {
    if (this.root === NO_TABLE) throw new HmmError('USE_AFTER_FREE', 'the table of a closed mirror is used');
  }

  private visitBelow(
    table: number,
    level: number,
    base: number,
    first: number,
    end: number,
    visit: (vpn: number, pfn: number, tag: number) => void,
  ): void {
    const { lanes } = this.pool;
    const span = entryPages(level);
    const to = Math.min(512, Math.ceil((end - base) / span));
    for (let index = first > base ? Math.floor((first - base) / span) : 0; index < to; index++) {
      const flags = lanes[table + 2 * index] ?? 0;
      if (flags === 0) continue;
      const payload = lanes[table + 2 * index + 1] ?? 0;
      const vpn = base + index * span;
      if (level === LEVEL_PTE) visit(vpn, payload, flags);
      else this.visitBelow(payload, level - 1, vpn, first, end, visit);
    }
  }

  /** Gives the table's memory back. */
  free(): void {
    for (let entry = 0; entry < OBSERVED_ENTRIES; entry++) this.access(entry, true);
    this.pool.freeTree(this.root);
    this.root = NO_TABLE;
  }
}
