import { regionOf } from '@hmm/operations/internal';
import type { Trace } from '@hmm/kernel';
import {
  decodeRangeValue,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_MIGRATE,
  mmuNotifierEventName,
} from '@hmm/mmu-notifier';
import { TP_INVALIDATE_RANGE_START } from '@hmm/mmu-notifier/internal';
import { TP_PAGE_FREE } from '../tracepoints.js';

/** One thing that crossed nouveau's boundary, as a recording has it: its name, then what the name's meaning says. */
export type FakeEvent = readonly (string | number)[];

/** Circles shorter than this many times are listed in full. */
const MIN_CIRCLES = 3;

/** What {@link FakeEvents} has to know about the machine to name things as a recording does. */
export interface EventNames {
  /** The drm device as an owner of notifier ranges. */
  readonly owner: number;
  /** The process whose address space has this id. */
  process(mm: number): number;
  /** The page of device memory behind a frame. */
  vramPage(pfn: number): number;
}

/**
 * The events of one operation, in order: what the fake GPU notes, and between that what the kernel's trace has, the
 * invalidations announced and the device pages freed.
 */
export class FakeEvents {
  private readonly trace: Trace;
  private readonly noted: FakeEvent[] = [];
  /** Length of the trace when each was noted. */
  private readonly positions: number[] = [];

  constructor(trace: Trace) {
    this.trace = trace;
  }

  /** Notes an event of the fake's. */
  note(...event: FakeEvent): void {
    this.noted.push(event);
    this.positions.push(this.trace.length);
  }

  /** Notes an event that names a range of pages, unless it starts below the regions: process or client first, then the place. */
  noteRange(name: string, client: number, vpn: number, ...rest: FakeEvent): void {
    const where = regionOf(vpn);
    if (where !== undefined) this.note(name, client, where.region, where.offset, ...rest);
  }

  /** All events since the last call, circles shortened; the trace is empty afterwards. */
  take(names: EventNames): FakeEvent[] {
    const { trace, noted, positions } = this;
    const events: FakeEvent[] = [];
    let next = 0;
    for (let at = 0; at <= trace.length; at++) {
      for (; next < noted.length && (positions[next] ?? 0) <= at; next++) events.push(noted[next] ?? []);
      if (at < trace.length) this.pushTraced(events, at, names);
    }
    noted.length = 0;
    positions.length = 0;
    trace.clear();
    return shortenCircles(events);
  }

  private pushTraced(events: FakeEvent[], at: number, names: EventNames): void {
    const { kind, page, pages, value } = this.trace;
    const first = page[at] ?? 0;
    if (kind[at] === TP_PAGE_FREE) events.push(['free', names.vramPage(first)]);
    if (kind[at] !== TP_INVALIDATE_RANGE_START) return;
    const where = regionOf(first);
    if (where === undefined) return;
    const { event, mm, owner } = decodeRangeValue(value[at] ?? 0);
    const owned = (event === MMU_NOTIFY_MIGRATE || event === MMU_NOTIFY_EXCLUSIVE) && owner === names.owner;
    const name = mmuNotifierEventName(event) + (owned ? '*' : '');
    events.push(['inv', name, names.process(mm), where.region, where.offset, pages[at] ?? 0]);
  }
}

/**
 * Circles as a recording shows them. The recorder keeps three rounds of one that goes on, whatever begins it. In what it kept,
 * events that come three times in a row are listed once, followed by `["again",L]` with their number: only those that begin
 * with an own EXCLUSIVE, and of several that fit the shortest.
 */
function shortenCircles(events: FakeEvent[]): FakeEvent[] {
  if (!events.some(isExclusive)) return events;
  const kept = shorten(events, isExclusive, (circle) => [...circle, ...circle, ...circle]);
  return shorten(kept, isOwnExclusive, (circle) => [...circle, ['again', circle.length]]);
}

/** Writes a circle that begins with an event for which `begins` holds as `written` says. */
function shorten(
  events: readonly FakeEvent[],
  begins: (event: FakeEvent) => boolean,
  written: (circle: readonly FakeEvent[]) => readonly FakeEvent[],
): FakeEvent[] {
  const short: FakeEvent[] = [];
  for (let at = 0; at < events.length;) {
    const event = events[at] ?? [];
    const length = begins(event) ? circleAt(events, at) : 0;
    if (length === 0) {
      short.push(event);
      at++;
      continue;
    }
    short.push(...written(events.slice(at, at + length)));
    const first = at;
    while (sameRun(events, first, at, length)) at += length;
  }
  return short;
}

function isExclusive(event: FakeEvent): boolean {
  return event[0] === 'inv' && (event[1] === 'EXCLUSIVE' || event[1] === 'EXCLUSIVE*');
}

function isOwnExclusive(event: FakeEvent): boolean {
  return event[0] === 'inv' && event[1] === 'EXCLUSIVE*';
}

/** Number of events after which those from `at` on come again, and again; 0 if they do not. */
function circleAt(events: readonly FakeEvent[], at: number): number {
  for (let length = 1; at + MIN_CIRCLES * length <= events.length; length++) {
    if (!isSame(events[at], events[at + length])) continue;
    if (sameRun(events, at, at + length, length) && sameRun(events, at, at + 2 * length, length))
      return length;
  }
  return 0;
}

function sameRun(events: readonly FakeEvent[], a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (!isSame(events[a + i], events[b + i])) return false;
  return true;
}

function isSame(a: FakeEvent | undefined, b: FakeEvent | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((item, i) => item === b[i]);
}
