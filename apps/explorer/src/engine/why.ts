import type { DriverSteps } from '@hmm/device';
import {
  EVENT_BATCH,
  EVENT_CPU_FAULT,
  EVENT_DEVICE_FAULT,
  EVENT_INVALIDATE_START,
  EVENT_MAPPED_REMOTE,
  EVENT_REPLAY,
  EVENT_RETRY,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
  type EventMeaning,
} from '@hmm/kernel/internal';
import { countOf, formatBytes, formatTime } from '@hmm/report';
import { infoOf, meaningOfKind } from './event-info.js';
import { eventText } from './event-text.js';
import type { PaneRun } from './run-pane.js';
import { type RunView, STATEMENT_KIND } from './run-view.js';
import { treeOf } from './prefetch-tree.js';
import type { WhyLink } from './why-view.js';

const FAULT: readonly EventMeaning[] = [EVENT_DEVICE_FAULT, EVENT_CPU_FAULT];
const BATCH: readonly EventMeaning[] = [EVENT_BATCH];
const REPLAY: readonly EventMeaning[] = [EVENT_REPLAY];
const MOVE: readonly EventMeaning[] = [EVENT_TO_DEVICE, EVENT_TO_HOST];
const MAPPED: readonly EventMeaning[] = [EVENT_MAPPED_REMOTE];
const RETRY: readonly EventMeaning[] = [EVENT_RETRY];
const CPU_FAULT: readonly EventMeaning[] = [EVENT_CPU_FAULT];
const NOTIFIED: readonly EventMeaning[] = [EVENT_INVALIDATE_START];

/** Finds events of a run by what they are. */
class Finder {
  readonly run: RunView;

  constructor(run: RunView) {
    this.run = run;
  }

  kind(at: number): string {
    return this.run.kinds[this.run.events.kind[at] ?? 0] ?? '';
  }

  /** Whether event `at` means any of `meanings`. */
  means(at: number, meanings: readonly EventMeaning[]): boolean {
    return meanings.includes(meaningOfKind(this.kind(at), this.run.events.value[at] ?? 0));
  }

  /** Whether event `at` is about any of the rows [row, row + pages); -1 fits everything. */
  touches(at: number, row: number, pages: number): boolean {
    const { events } = this.run;
    const own = events.row[at] ?? -1;
    if (row < 0 || own < 0) return true;
    return own < row + Math.max(1, pages) && row < own + Math.max(1, events.pages[at] ?? 1);
  }

  /** The last event before or at `at` that fits, or -1. */
  before(at: number, meanings: readonly EventMeaning[], row = -1, pages = 1): number {
    for (let i = at; i >= 0; i--) if (this.means(i, meanings) && this.touches(i, row, pages)) return i;
    return -1;
  }

  /** The first event from `at` on that fits, or -1. */
  after(at: number, meanings: readonly EventMeaning[], row = -1, pages = 1): number {
    const { length } = this.run.events;
    for (let i = Math.max(0, at); i < length; i++) {
      if (this.means(i, meanings) && this.touches(i, row, pages)) return i;
    }
    return -1;
  }

  /** Events in [from, to) that fit. */
  between(from: number, to: number, meanings: readonly EventMeaning[], row = -1, pages = 1): number[] {
    const found = [];
    for (let i = Math.max(0, from); i < to; i++) {
      if (this.means(i, meanings) && this.touches(i, row, pages)) found.push(i);
    }
    return found;
  }

  /** The statement under way at an event: the innermost that holds its time, the GPU's first. */
  statement(at: number): number {
    const { events, statements } = this.run;
    const time = events.time[at] ?? 0;
    let best = -1;
    for (let i = 0; i < events.length; i++) {
      if (this.kind(i) !== STATEMENT_KIND || (events.time[i] ?? 0) > time || (events.end[i] ?? 0) < time)
        continue;
      const side = statements[events.value[i] ?? 0]?.side;
      if (best < 0 || side === 'gpu' || statements[events.value[best] ?? 0]?.side !== 'gpu') best = i;
    }
    return best;
  }
}

/** The chain behind an event: access, fault, batch, decision, migration, replay, result. */
export function whyChain({ run, pane }: PaneRun, event: number): WhyLink[] {
  const find = new Finder(run);
  const { events } = run;
  if (event < 0 || event >= events.length) return [];
  const row = events.row[event] ?? -1;
  const pages = events.pages[event] ?? 1;
  const statement = find.kind(event) === STATEMENT_KIND ? event : find.statement(event);
  const begin = statement < 0 ? 0 : statement;
  const fault = nearestFault(find, event, begin, row, pages);
  const access = statement >= 0 ? [accessLink(run, statement)] : [];
  if (fault < 0) {
    const rule = infoOf(find.kind(event))?.says ?? '';
    return [...access, { title: 'event', text: eventText(run, event), rule, event }];
  }
  const served = faultLinks(find, pane, { fault, begin, pages });
  return [...access, ...served, ...(statement >= 0 ? [resultLink(run, statement)] : [])];
}

/** How a fault was served: the fault, its batch, what was decided, what moved, retries and the replay. */
function faultLinks(
  find: Finder,
  pane: PaneRun['pane'],
  { fault, begin, pages }: { readonly fault: number; readonly begin: number; readonly pages: number },
): WhyLink[] {
  const { run } = find;
  const { events } = run;
  const onCpu = find.means(fault, CPU_FAULT);
  const { steps } = pane.factory;
  const faultRow = events.row[fault] ?? -1;
  const replay = onCpu ? -1 : find.after(fault, REPLAY);
  const until = replay < 0 ? events.length : replay;
  const since = Math.max(begin, find.before(fault - 1, REPLAY) + 1);
  const cause = onCpu ? steps.cpuFault : steps.deviceFault;
  const links: WhyLink[] = [{ title: 'fault', text: eventText(run, fault), rule: cause, event: fault }];
  if (!onCpu) links.push(batchLink(find, steps, { since, fault, until }));
  links.push(decisionLink(find, pane, { fault, since, until, onCpu }));
  links.push(
    ...moveLinks(find, steps, {
      since,
      until: onCpu ? lastWithin(find, fault) : until,
      row: faultRow,
      pages,
    }),
  );
  for (const retry of find.between(since, until, RETRY)) {
    links.push({ title: 'retry', text: eventText(run, retry), rule: steps.retry, event: retry });
  }
  if (replay >= 0) {
    const waited = (events.time[replay] ?? 0) - (events.time[fault] ?? 0);
    const text = `${eventText(run, replay)}; the access had waited ${formatTime(waited)}`;
    links.push({ title: 'replay', text, rule: steps.replay, event: replay });
  }
  return links;
}

function nearestFault(find: Finder, event: number, begin: number, row: number, pages: number): number {
  if (find.means(event, FAULT)) return event;
  if (find.kind(event) === STATEMENT_KIND) {
    const found = find.after(event, FAULT);
    const { events } = find.run;
    return found >= 0 && (events.time[found] ?? 0) <= (events.end[event] ?? 0) ? found : -1;
  }
  const exact = find.before(event, FAULT, row, pages);
  if (exact >= begin) return exact;
  const any = find.before(event, FAULT);
  return any >= begin ? any : find.after(begin, FAULT, row, pages);
}

/** The index after the last event of the statement in which a CPU fault was served. */
function lastWithin(find: Finder, fault: number): number {
  const { events } = find.run;
  const statement = find.statement(fault);
  const end = statement < 0 ? (events.time[fault] ?? 0) : (events.end[statement] ?? 0);
  const next = find.after(fault + 1, CPU_FAULT);
  let at = fault + 1;
  while (at < events.length && (events.time[at] ?? 0) <= end && at !== next) at++;
  return at;
}

function accessLink(run: RunView, statement: number): WhyLink {
  const { statements, events } = run;
  const view = statements[events.value[statement] ?? 0];
  const which = run.gpus > 1 ? `GPU ${view?.gpu ?? 0}` : 'the GPU';
  const by = view?.side === 'gpu' ? `a kernel on ${which}` : `CPU thread ${view?.agent ?? ''}`;
  const text = `line ${view?.line ?? 0}: “${view?.text ?? ''}”, by ${by}, ${formatTime((view?.to ?? 0) - (view?.from ?? 0))}`;
  return { title: 'access', text, rule: '', event: statement };
}

function batchLink(
  find: Finder,
  steps: DriverSteps,
  { since, fault, until }: { readonly since: number; readonly fault: number; readonly until: number },
): WhyLink {
  const { run } = find;
  const faults = find.between(since, until, FAULT);
  const rows = new Set(faults.map((i) => run.events.row[i] ?? -1));
  const batch = find.before(until - 1, BATCH);
  const text = `${countOf(faults.length, 'fault record')} for ${countOf(rows.size, 'page')} until the replay`;
  return { title: 'batch', text, rule: steps.batch, event: batch >= since ? batch : fault };
}

function decisionLink(
  find: Finder,
  { factory, settings }: PaneRun['pane'],
  at: { readonly fault: number; readonly since: number; readonly until: number; readonly onCpu: boolean },
): WhyLink {
  const { run } = find;
  const moves = find.between(at.since, at.until, MOVE);
  const maps = find.between(at.since, at.until, MAPPED);
  const bytes = moves.reduce((sum, i) => sum + (run.events.pages[i] ?? 0) * 4096, 0);
  const what =
    moves.length > 0
      ? `${formatBytes(bytes)} moved`
      : maps.length > 0
        ? 'mapped where it is'
        : 'nothing moved';
  const { rules } = factory;
  const tree = at.onCpu ? undefined : treeOf(run, factory, settings, at);
  const link = {
    title: 'decision',
    text: what,
    rule: at.onCpu ? rules.cpuFault : rules.gpuFault,
    event: at.fault,
  };
  return tree === undefined ? link : { ...link, tree };
}

function moveLinks(
  find: Finder,
  steps: DriverSteps,
  at: { readonly since: number; readonly until: number; readonly row: number; readonly pages: number },
): WhyLink[] {
  const { run } = find;
  const links: WhyLink[] = [];
  for (const [meanings, title, rule] of [
    [NOTIFIED, 'notifier', 'mmu_notifier_invalidate_range_start: the sequence is odd until the end'],
    [MOVE, 'migration', steps.migration],
    [MAPPED, 'mapping', steps.mapping],
  ] as const) {
    const own = find.between(at.since, at.until, meanings, at.row, at.pages);
    const [first] = own;
    if (first === undefined) continue;
    const more = own.length > 1 ? `, and ${own.length - 1} more` : '';
    links.push({ title, text: `${eventText(run, first)}${more}`, rule, event: first });
  }
  return links;
}

function resultLink(run: RunView, statement: number): WhyLink {
  const view = run.statements[run.events.value[statement] ?? 0];
  const returned = view?.result === '' || view === undefined ? 'nothing was asked back' : view.result;
  return {
    title: 'result',
    text: `done at ${formatTime(view?.to ?? 0)}: ${returned}`,
    rule: '',
    event: statement,
  };
}
