import type { MmuNotifierRange } from '@hmm/mmu-notifier';
import { findPmd } from '../src/page-walk.js';
import { type MmStruct } from '../src/index.js';
import { PTE_HUGE, PTE_PRESENT, PTE_PROTNONE, PTE_WRITE } from '../src/pte.js';
import { BASE, type Machine } from './support.js';

/** What the CPU may do with a page: -1 nothing, else twice the frame, plus one where it may write. */
function rightOf(m: Machine, mm: MmStruct, page: number): number {
  const { tables } = m.system;
  let entry = tables.findPte(mm.root, BASE + page);
  let inside = 0;
  if (entry < 0) {
    entry = findPmd(mm, BASE + page);
    if (entry < 0 || ((tables.lanes[entry] ?? 0) & PTE_HUGE) === 0) return -1;
    inside = (BASE + page) & 511;
  }
  const flags = tables.lanes[entry] ?? 0;
  if ((flags & (PTE_PRESENT | PTE_PROTNONE)) !== PTE_PRESENT) return -1;
  return 2 * ((tables.lanes[entry + 1] ?? 0) + inside) + ((flags & PTE_WRITE) === 0 ? 0 : 1);
}

/** Whether who had `before` and has `after` now can do less, or does it somewhere else. */
function lost(before: number, after: number): boolean {
  if (before < 0 || before === after) return false;
  return after < 0 || after >> 1 !== before >> 1 || after < before;
}

interface Watched {
  readonly mm: MmStruct;
  readonly rights: number[];
  /** Invalidations that began and have not ended. */
  readonly running: Pick<MmuNotifierRange, 'start' | 'end' | 'event'>[];
}

/**
 * Watches address spaces and finds what a secondary TLB would keep by mistake: a page-table entry that loses a right while no
 * invalidation of a range with it is under way. It looks whenever an invalidation begins or ends, and when it is asked to.
 */
export class NotifierOracle {
  /** The first entry that lost a right unannounced. */
  wrong: string | undefined;
  private readonly m: Machine;
  private readonly pages: number;
  private readonly watched: Watched[] = [];

  /** @param pages pages from `BASE` on. */
  constructor(m: Machine, pages: number) {
    this.m = m;
    this.pages = pages;
  }

  /** Watches `mm` from now on. */
  watch(mm: MmStruct): void {
    const watched: Watched = { mm, rights: [], running: [] };
    this.keep(watched);
    this.watched.push(watched);
    this.m.subscribe(
      {
        invalidateRangeStart: (_sub, range) => {
          this.look();
          watched.running.push({ start: range.start, end: range.end, event: range.event });
          return 0;
        },
        invalidateRangeEnd: (_sub, { start, end, event }) => {
          this.look();
          const { running } = watched;
          const at = running.findIndex((r) => r.start === start && r.end === end && r.event === event);
          if (at < 0)
            this.wrong ??= `an invalidation of ${start - BASE} to ${end - BASE} ends that never began`;
          else running.splice(at, 1);
        },
      },
      mm,
    );
  }

  /** Watches `mm` no longer: its process is about to exit, which is told by `release`. */
  forget(mm: MmStruct): void {
    this.look();
    const at = this.watched.findIndex((watched) => watched.mm === mm);
    if (at >= 0) this.watched.splice(at, 1);
  }

  /** Compares all rights with those at the last look. @returns the first entry that lost one unannounced. */
  look(): string | undefined {
    for (const watched of this.watched) this.compare(watched);
    return this.wrong;
  }

  private compare({ mm, rights, running }: Watched): void {
    for (let page = 0; page < this.pages; page++) {
      const [before = -1, after] = [rights[page], rightOf(this.m, mm, page)];
      rights[page] = after;
      if (!lost(before, after)) continue;
      const vpn = BASE + page;
      if (running.some(({ start, end }) => vpn >= start && vpn < end)) continue;
      this.wrong ??= `page ${page} of mm ${mm.id} lost a right unannounced: ${before} before, ${after} after`;
    }
  }

  private keep({ mm, rights }: Watched): void {
    for (let page = 0; page < this.pages; page++) rights[page] = rightOf(this.m, mm, page);
  }
}
