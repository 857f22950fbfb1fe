import { countOf, formatBytes, formatTime } from '@hmm/report';
import { eventText } from './event-text.js';
import { placeOf } from './page-name.js';
import type { PaneRun } from './run-pane.js';
import { type RunView, STATEMENT_KIND } from './run-view.js';
import { treeOf } from './prefetch-tree.js';
import type { WhyLink } from './why-view.js';

const FAULT = /^nouveau:svm_fault$|^uvm:GpuFault$|^uvm:CpuFault$/;
const BATCH = /^nouveau:svm_fault_batch$/;
const REPLAY = /^nouveau:svm_fault_replay$|^uvm:GpuFaultReplay$/;
const MOVE = /^nouveau:migrate_to|^uvm:Migration$/;
const MAPPED = /^nouveau:pfnmap$|^uvm:MapRemote$/;
const RETRY = /retry/;

/** Finds events of a run by what they are. */
class Finder {
  readonly run: RunView;

  constructor(run: RunView) {
    this.run = run;
  }

  kind(at: number): string {
    return this.run.kinds[this.run.events.kind[at] ?? 0] ?? '';
  }

  /** Whether event `at` is about any of the rows [row, row + pages); -1 fits everything. */
  touches(at: number, row: number, pages: number): boolean {
    const { events } = this.run;
    const own = events.row[at] ?? -1;
    if (row < 0 || own < 0) return true;
    return own < row + Math.max(1, pages) && row < own + Math.max(1, events.pages[at] ?? 1);
  }

  /** The last event before or at `at` that fits, or -1. */
  before(at: number, pattern: RegExp, row = -1, pages = 1): number {
    for (let i = at; i >= 0; i--) if (pattern.test(this.kind(i)) && this.touches(i, row, pages)) return i;
    return -1;
  }

  /** The first event from `at` on that fits, or -1. */
  after(at: number, pattern: RegExp, row = -1, pages = 1): number {
    const { length } = this.run.events;
    for (let i = Math.max(0, at); i < length; i++) {
      if (pattern.test(this.kind(i)) && this.touches(i, row, pages)) return i;
    }
    return -1;
  }

  /** Events in [from, to) that fit. */
  between(from: number, to: number, pattern: RegExp, row = -1, pages = 1): number[] {
    const found = [];
    for (let i = Math.max(0, from); i < to; i++) {
      if (pattern.test(this.kind(i)) && this.touches(i, row, pages)) found.push(i);
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
  const links: WhyLink[] = [];
  if (statement >= 0) links.push(accessLink(run, statement));
  if (fault < 0) {
    links.push({ title: 'event', text: eventText(run, event), rule: '', event });
    return links;
  }
  const onCpu = find.kind(fault) === 'uvm:CpuFault';
  const faultRow = events.row[fault] ?? -1;
  const replay = onCpu ? -1 : find.after(fault, REPLAY);
  const until = replay < 0 ? events.length : replay;
  const since = Math.max(begin, find.before(fault - 1, REPLAY) + 1);
  links.push({
    title: 'fault',
    text: eventText(run, fault),
    rule: faultRule(run.client, onCpu),
    event: fault,
  });
  if (!onCpu) links.push(batchLink(find, since, fault, until));
  links.push(decisionLink(find, pane, { fault, since, until, onCpu }));
  links.push(...moveLinks(find, since, onCpu ? lastWithin(find, fault) : until, faultRow, pages));
  for (const retry of find.between(since, until, RETRY)) {
    links.push({
      title: 'retry',
      text: eventText(run, retry),
      rule: 'mmu_interval_read_retry',
      event: retry,
    });
  }
  if (replay >= 0) {
    const waited = (events.time[replay] ?? 0) - (events.time[fault] ?? 0);
    const text = `${eventText(run, replay)}; the access had waited ${formatTime(waited)}`;
    links.push({
      title: 'replay',
      text,
      rule: run.client === 'nouveau' ? 'nouveau_svm_fault_replay' : 'push_replay_on_gpu',
      event: replay,
    });
  }
  if (statement >= 0) links.push(resultLink(run, statement));
  return links;
}

function nearestFault(find: Finder, event: number, begin: number, row: number, pages: number): number {
  if (FAULT.test(find.kind(event))) return event;
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
  const next = find.after(fault + 1, /^uvm:CpuFault$/);
  let at = fault + 1;
  while (at < events.length && (events.time[at] ?? 0) <= end && at !== next) at++;
  return at;
}

function accessLink(run: RunView, statement: number): WhyLink {
  const { statements, events } = run;
  const view = statements[events.value[statement] ?? 0];
  const by = view?.side === 'gpu' ? 'a kernel on the GPU' : `CPU thread ${view?.agent ?? ''}`;
  const text = `line ${view?.line ?? 0}: “${view?.text ?? ''}”, by ${by}, ${formatTime((view?.to ?? 0) - (view?.from ?? 0))}`;
  return { title: 'access', text, rule: '', event: statement };
}

function faultRule(client: string, onCpu: boolean): string {
  if (client === 'nouveau') return 'nouveau_svm_fault_cache reads the record';
  return onCpu ? 'uvm_vm_fault' : 'fetch_fault_buffer_entries reads the record';
}

function batchLink(find: Finder, since: number, fault: number, until: number): WhyLink {
  const { run } = find;
  const faults = find.between(since, until, FAULT);
  const rows = new Set(faults.map((i) => run.events.row[i] ?? -1));
  const batch = find.before(until - 1, BATCH);
  const text = `${countOf(faults.length, 'fault record')} for ${countOf(rows.size, 'page')} until the replay`;
  const rule =
    run.client === 'nouveau'
      ? 'nouveau_svm_fault: one work item'
      : 'uvm_parent_gpu_service_replayable_faults: a batch';
  return { title: 'batch', text, rule, event: batch >= since ? batch : fault };
}

function decisionLink(
  find: Finder,
  { factory: { rules }, settings }: PaneRun['pane'],
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
  const tree = run.client === 'nvidia' ? treeOf(run, at.fault, at.since, at.until, settings) : undefined;
  const link = {
    title: 'decision',
    text: what,
    rule: at.onCpu ? rules.cpuFault : rules.gpuFault,
    event: at.fault,
  };
  return tree === undefined ? link : { ...link, tree };
}

function moveLinks(find: Finder, since: number, until: number, row: number, pages: number): WhyLink[] {
  const { run } = find;
  const links: WhyLink[] = [];
  for (const [pattern, title] of [
    [/^mmu_notifier:invalidate_range_start$/, 'notifier'],
    [MOVE, 'migration'],
    [MAPPED, 'mapping'],
  ] as const) {
    const own = find.between(since, until, pattern, row, pages);
    const [first] = own;
    if (first === undefined) continue;
    const more = own.length > 1 ? `, and ${own.length - 1} more` : '';
    const place = placeOf(run.regions, run.events.row[first] ?? -1, run.events.pages[first] ?? 0);
    links.push({
      title,
      text: `${eventText(run, first)}${more}`,
      rule: RULE_OF[title](run.client, place),
      event: first,
    });
  }
  return links;
}

const RULE_OF: Readonly<
  Record<'notifier' | 'migration' | 'mapping', (client: string, place: string) => string>
> = {
  notifier: () => 'mmu_notifier_invalidate_range_start: the sequence is odd until the end',
  migration: (client) =>
    client === 'nouveau'
      ? 'nouveau_dmem_migrate_vma: migrate_vma_setup, copy, migrate_vma_pages, migrate_vma_finalize'
      : 'uvm_va_block_make_resident: populate, unmap, copy',
  mapping: (client) => (client === 'nouveau' ? 'nouveau_pfns_map' : 'uvm_va_block_map'),
};

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
