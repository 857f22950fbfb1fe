import { tracepoint } from '@hmm/kernel';
import type { Machine } from '@hmm/machine';
import { gpusOfEvents } from './event-gpus.js';
import { laneOfGpu, laneOfKind, laneOfStatement, sortLanes } from './lanes.js';
import type { MachineGpus } from './machine-gpus.js';
import { type EventColumns, type RegionView, STATEMENT_KIND } from './run-view.js';
import type { Bars, Span } from './spans.js';
import type { StatementLog } from './statement-log.js';
import { timeOrder } from './time-order.js';
import { buildLanes, type Lane, NO_LANE } from '../tiles/lane-index.js';

/** The events of a run with the names that its numbers stand for. */
export interface NamedEvents {
  readonly events: EventColumns;
  readonly kinds: readonly string[];
  readonly lanes: readonly string[];
  readonly laneIndex: readonly Lane[];
  readonly agents: readonly string[];
}

/** What a run left behind, for its events. */
export interface RunRecord {
  readonly machine: Machine;
  readonly gpus: MachineGpus;
  readonly regions: readonly RegionView[];
  readonly log: StatementLog;
  readonly spans: readonly Span[];
  readonly bars: Bars;
}

/** Puts tracepoints, with their bars, statements and other spans into one time order. */
export function eventColumns({ machine, gpus, regions, log, spans, bars }: RunRecord): NamedEvents {
  const { trace, sched } = machine.kernel;
  const { statements } = log;
  const gpuOfEvent = gpusOfEvents(trace, log, gpus);
  const traced = trace.length;
  const length = traced + statements.length + spans.length;
  const kinds = new Names();
  const kindOfTracepoint = tracepointKinds(trace.kind, traced, kinds);
  const raw = newColumns(length);
  const laneNames: string[] = [];
  const laneOfTracepoint = kinds.list.map(laneOfKind);
  for (let i = 0; i < traced; i++) {
    const kind = kindOfTracepoint[trace.kind[i] ?? 0] ?? 0;
    put(raw, i, {
      time: bars.begin[i] ?? 0,
      end: bars.end[i] ?? 0,
      agent: trace.agent[i] ?? 0,
      kind,
      page: trace.page[i] ?? 0,
      pages: trace.pages[i] ?? 0,
      value: trace.value[i] ?? 0,
    });
    laneNames[i] = laneOfGpu(laneOfTracepoint[kind] ?? '', gpuOfEvent?.[i] ?? -1);
  }
  const statement = kinds.id(STATEMENT_KIND);
  for (const [i, { from, to, side, agent, gpu }] of statements.entries()) {
    put(raw, traced + i, { time: from, end: to, agent: 0, kind: statement, page: -1, pages: 0, value: i });
    laneNames[traced + i] = laneOfGpu(laneOfStatement(side, agent), gpus.count > 1 ? gpu : -1);
  }
  for (const [i, { from, to, agent, kind, lane, pages }] of spans.entries()) {
    const row = { time: from, end: to, agent, kind: kinds.id(kind), page: -1, pages, value: 0 };
    put(raw, traced + statements.length + i, row);
    laneNames[traced + statements.length + i] = lane;
  }
  const lanes = sortLanes(laneNames);
  const laneIds = new Map(lanes.map((name, id) => [name, id]));
  for (let i = 0; i < length; i++)
    raw.lane[i] = Math.min(laneIds.get(laneNames[i] ?? '') ?? NO_LANE, NO_LANE);
  rowsOf(raw, machine, regions);
  const events = inTimeOrder(raw);
  return {
    events,
    kinds: kinds.list,
    lanes,
    laneIndex: buildLanes(events, events.lane, length, lanes.length),
    agents: sched.agents.map(({ name }) => name),
  };
}

/** Names in the order of their first use. */
class Names {
  readonly list: string[] = [];
  private readonly ids = new Map<string, number>();

  id(name: string): number {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    this.ids.set(name, this.list.length);
    return this.list.push(name) - 1;
  }
}

function tracepointKinds(kind: Uint16Array, length: number, names: Names): number[] {
  const ids: number[] = [];
  for (let i = 0; i < length; i++) {
    const at = kind[i] ?? 0;
    ids[at] ??= names.id(tracepoint(at).name);
  }
  return ids;
}

type MutableColumns = { -readonly [K in keyof EventColumns]: EventColumns[K] };

function newColumns(length: number): MutableColumns {
  return {
    length,
    time: new Float64Array(length),
    end: new Float64Array(length),
    agent: new Uint32Array(length),
    kind: new Uint16Array(length),
    lane: new Uint8Array(length),
    row: new Int32Array(length).fill(-1),
    page: new Float64Array(length),
    pages: new Float64Array(length),
    value: new Float64Array(length),
  };
}

/** What an event is, without its lane and its row of the map. */
interface EventRow {
  readonly time: number;
  readonly end: number;
  readonly agent: number;
  readonly kind: number;
  readonly page: number;
  readonly pages: number;
  readonly value: number;
}

function put(into: MutableColumns, at: number, row: EventRow): void {
  into.time[at] = row.time;
  into.end[at] = Math.max(row.time, row.end);
  into.agent[at] = row.agent;
  into.kind[at] = row.kind;
  into.page[at] = row.page;
  into.pages[at] = row.pages;
  into.value[at] = row.value;
}

function rowsOf(into: MutableColumns, machine: Machine, regions: readonly RegionView[]): void {
  const placed = regions.map((view) => ({ view, vpn: machine.regions.get(view.name)?.vpn ?? 0 }));
  for (let i = 0; i < into.length; i++) {
    const page = into.page[i] ?? 0;
    for (const { view, vpn } of placed) {
      if (page >= vpn && page < vpn + view.pages) into.row[i] = view.row + (page - vpn);
    }
  }
}

function inTimeOrder(raw: MutableColumns): EventColumns {
  const order = timeOrder(raw.time, raw.length);
  if (order === undefined) return raw;
  const sorted = newColumns(raw.length);
  for (const [at, from] of order.entries()) {
    put(sorted, at, {
      time: raw.time[from] ?? 0,
      end: raw.end[from] ?? 0,
      agent: raw.agent[from] ?? 0,
      kind: raw.kind[from] ?? 0,
      page: raw.page[from] ?? 0,
      pages: raw.pages[from] ?? 0,
      value: raw.value[from] ?? 0,
    });
    sorted.lane[at] = raw.lane[from] ?? NO_LANE;
    sorted.row[at] = raw.row[from] ?? -1;
  }
  return sorted;
}
