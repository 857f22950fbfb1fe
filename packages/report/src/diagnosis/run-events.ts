import { HPAGE_PMD_NR, type Trace, tracepoint } from '@hmm/kernel';
import {
  EVENT_CPU_FAULT,
  EVENT_DEVICE_FAULT,
  EVENT_MAPPED_REMOTE,
  EVENT_MEANINGS,
  EVENT_THRASHING,
  EVENT_THROTTLED,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
  type EventMeaning,
  meaningOf,
} from '@hmm/kernel/internal';

/** Whether events of a meaning are about the pages of a region, by meaning. */
const OF_PAGES = Array.from({ length: EVENT_MEANINGS }, (_, meaning) =>
  [
    EVENT_DEVICE_FAULT,
    EVENT_CPU_FAULT,
    EVENT_TO_DEVICE,
    EVENT_TO_HOST,
    EVENT_THRASHING,
    EVENT_THROTTLED,
    EVENT_MAPPED_REMOTE,
  ].includes(meaning),
);

/** A region of the run, in pages. */
export interface RunRegion {
  readonly name: string;
  /** First page, VPN. */
  readonly vpn: number;
  readonly pages: number;
}

/** What happened to one region: counts of events and of pages. */
export interface RegionTotals {
  readonly region: RunRegion;
  gpuFaults: number;
  cpuFaults: number;
  pagesToDevice: number;
  pagesToHost: number;
  /** Of the pages to the host, those that left because room was needed. */
  evictedPages: number;
  /** Pages on which the driver saw thrashing, throttled an access, or mapped what is elsewhere. */
  thrashing: number;
  throttled: number;
  mappedRemote: number;
}

/** 2 MiB of a region whose pages went both ways. */
export interface PingPong {
  readonly region: string;
  /** Page in the region at which it begins, and its pages. */
  readonly page: number;
  readonly pages: number;
  readonly pagesToDevice: number;
  readonly pagesToHost: number;
  readonly throttled: number;
}

/** Totals, and per 2 MiB the pages that went each way and the throttled accesses. */
interface Tracked {
  readonly totals: RegionTotals;
  readonly up: Int32Array;
  readonly down: Int32Array;
  readonly throttled: Int32Array;
}

/**
 * Adds up the events of a run by region, cause and 2 MiB, from columns that come in pieces: memory grows with the regions, not
 * with the events. Regions may be made known while events come in.
 */
export class RunEvents {
  /** Pages by cause: to the device, to the host. */
  readonly byCause = new Map<string, { toDevice: number; toHost: number }>();
  /** Events by meaning, of all regions and none. */
  readonly counts: Int32Array = new Int32Array(EVENT_MEANINGS);
  private readonly tracked: Tracked[] = [];
  private last: Tracked | undefined;

  /** Makes a region known. */
  addRegion(region: RunRegion): void {
    const blocks = Math.ceil(region.pages / HPAGE_PMD_NR) + 1;
    const column = (): Int32Array => new Int32Array(blocks);
    const zero = { gpuFaults: 0, cpuFaults: 0, pagesToDevice: 0, pagesToHost: 0, evictedPages: 0 };
    const totals = { region, ...zero, thrashing: 0, throttled: 0, mappedRemote: 0 };
    const place = this.placeOf(region.vpn);
    this.tracked.splice(place, 0, { totals, up: column(), down: column(), throttled: column() });
  }

  /** Takes the events in the columns. */
  take(trace: Trace): void {
    const { kind, value, page, pages } = trace;
    for (let i = 0; i < trace.length; i++) {
      const event = kind[i] ?? 0;
      const meaning = meaningOf(event, value[i] ?? 0);
      this.counts[meaning] = (this.counts[meaning] ?? 0) + 1;
      if (OF_PAGES[meaning] !== true) continue;
      const count = pages[i] ?? 0;
      const cause = tracepoint(event).cause?.(value[i] ?? 0) ?? 'fault';
      if (meaning === EVENT_TO_DEVICE || meaning === EVENT_TO_HOST) this.moved(meaning, cause, count);
      const at = this.find(page[i] ?? 0);
      if (at !== undefined) countEvent(at, meaning, page[i] ?? 0, count, cause === 'eviction');
    }
  }

  /** Regions known. */
  get regionCount(): number {
    return this.tracked.length;
  }

  /** Totals by region, by address. */
  regions(): readonly RegionTotals[] {
    return this.tracked.map(({ totals }) => totals);
  }

  /** The 2 MiB pieces that went both ways most, worst first. */
  pingPongs(most = 10): PingPong[] {
    const found: PingPong[] = [];
    for (const { totals, up, down, throttled } of this.tracked) {
      const { name, vpn, pages } = totals.region;
      const skew = vpn % HPAGE_PMD_NR;
      for (let block = 0; block < up.length; block++) {
        const both = Math.min(up[block] ?? 0, down[block] ?? 0);
        if (both === 0) continue;
        const page = Math.max(0, block * HPAGE_PMD_NR - skew);
        const end = Math.min(pages, (block + 1) * HPAGE_PMD_NR - skew);
        const ways = { pagesToDevice: up[block] ?? 0, pagesToHost: down[block] ?? 0 };
        found.push({ region: name, page, pages: end - page, ...ways, throttled: throttled[block] ?? 0 });
      }
    }
    const twice = (p: PingPong): number => Math.min(p.pagesToDevice, p.pagesToHost);
    return found.sort((a, b) => twice(b) - twice(a) || a.page - b.page).slice(0, most);
  }

  private moved(meaning: EventMeaning, cause: string, pages: number): void {
    const sum = this.byCause.get(cause) ?? { toDevice: 0, toHost: 0 };
    if (meaning === EVENT_TO_DEVICE) sum.toDevice += pages;
    else sum.toHost += pages;
    this.byCause.set(cause, sum);
  }

  /** How many regions begin at `vpn` or before. */
  private placeOf(vpn: number): number {
    let low = 0;
    let high = this.tracked.length;
    if (low < high && (this.tracked[high - 1]?.totals.region.vpn ?? 0) <= vpn) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.tracked[middle]?.totals.region.vpn ?? 0) <= vpn) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private find(page: number): Tracked | undefined {
    const { last } = this;
    if (last !== undefined && holds(last, page)) return last;
    const found = this.tracked[this.placeOf(page) - 1];
    if (found === undefined || !holds(found, page)) return undefined;
    this.last = found;
    return found;
  }
}

function holds({ totals }: Tracked, page: number): boolean {
  return page >= totals.region.vpn && page < totals.region.vpn + totals.region.pages;
}

function countEvent(
  tracked: Tracked,
  meaning: EventMeaning,
  page: number,
  pages: number,
  evicted: boolean,
): void {
  const { totals, up, down, throttled } = tracked;
  const { vpn } = totals.region;
  const block = Math.floor(page / HPAGE_PMD_NR) - Math.floor(vpn / HPAGE_PMD_NR);
  if (meaning === EVENT_DEVICE_FAULT) totals.gpuFaults++;
  else if (meaning === EVENT_CPU_FAULT) totals.cpuFaults++;
  else if (meaning === EVENT_TO_DEVICE) {
    totals.pagesToDevice += pages;
    up[block] = (up[block] ?? 0) + pages;
  } else if (meaning === EVENT_TO_HOST) {
    totals.pagesToHost += pages;
    if (evicted) totals.evictedPages += pages;
    down[block] = (down[block] ?? 0) + pages;
  } else if (meaning === EVENT_THRASHING) totals.thrashing += pages;
  else if (meaning === EVENT_THROTTLED) {
    totals.throttled++;
    throttled[block] = (throttled[block] ?? 0) + 1;
  } else if (meaning === EVENT_MAPPED_REMOTE) totals.mappedRemote += pages;
}
