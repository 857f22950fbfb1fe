import {
  AccessBatch,
  AGENT_CPU,
  END_PAGE,
  NO_TIME,
  TRACE_EVENT_NAMES,
  TraceReader,
  traceErrorText,
} from '@hmm/workload/readers';
import type { EventBatch } from '@hmm/workload/readers';
import { ON_CPU, ON_DEVICE } from '../tiles/residency-raster.js';
import { sortLanes } from './lanes.js';
import type { PaneResult, RegionView, RunView } from './run-view.js';

/** Rows of a trace that are shown; the rest is counted. */
const MAX_ROWS = 4_000_000;
/** A gap of more pages than that begins a new region: 2 MiB. */
const REGION_GAP = 512;

/** Rows of a trace in columns that grow. */
class TraceRows {
  length = 0;
  total = 0;
  time = new Float64Array(1024);
  duration = new Float64Array(1024);
  page = new Float64Array(1024);
  pages = new Float64Array(1024);
  kind = new Uint8Array(1024);
  agent = new Uint8Array(1024);

  add(time: number, duration: number, page: number, pages: number, kind: number, agent: number): void {
    this.total++;
    if (this.length === MAX_ROWS) return;
    if (this.length === this.time.length) this.grow();
    const at = this.length++;
    this.time[at] = time === NO_TIME ? at : time;
    this.duration[at] = Math.max(0, duration);
    this.page[at] = page;
    this.pages[at] = pages;
    this.kind[at] = kind;
    this.agent[at] = agent;
  }

  private grow(): void {
    const size = Math.min(MAX_ROWS, this.time.length * 2);
    const longer = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const column = new Float64Array(size);
      column.set(old);
      return column;
    };
    const wider = (old: Uint8Array): Uint8Array<ArrayBuffer> => {
      const column = new Uint8Array(size);
      column.set(old);
      return column;
    };
    this.time = longer(this.time);
    this.duration = longer(this.duration);
    this.page = longer(this.page);
    this.pages = longer(this.pages);
    this.kind = wider(this.kind);
    this.agent = wider(this.agent);
  }
}

const ACCESS_KINDS = ['access', 'access:read', 'access:write', 'access:atomic', 'access:prefetch'] as const;
const FIRST_EVENT = ACCESS_KINDS.length;

/**
 * A recorded trace as a pane: its accesses and observations on lanes, and per page who touched it last, or where the
 * recorded copies put it. The file is data only: nothing of it is run.
 */
export function traceView(name: string, bytes: Uint8Array): PaneResult {
  const rows = new TraceRows();
  const reader = new TraceReader(
    {
      accesses: (batch: AccessBatch) => {
        takeAccesses(rows, batch);
      },
      events: (batch: EventBatch) => {
        takeEvents(rows, batch);
      },
    },
    { file: name },
  );
  reader.push(bytes);
  const result = reader.end();
  if (!result.ok) return { ok: false, title: name, message: traceErrorText(result.error) };
  if (rows.length === 0)
    return { ok: false, title: name, message: 'There is no access and no event in this file.' };
  return { ok: true, run: viewOf(name, rows, result.summary.format) };
}

function takeAccesses(rows: TraceRows, batch: AccessBatch): void {
  for (let i = 0; i < batch.length; i++) {
    rows.add(batch.time[i] ?? 0, 0, batch.page[i] ?? 0, 1, batch.kind[i] ?? 0, batch.agent[i] ?? 0);
  }
}

function takeEvents(rows: TraceRows, batch: EventBatch): void {
  for (let i = 0; i < batch.length; i++) {
    const page = batch.page[i] ?? -1;
    const pages = Math.max(1, Math.ceil((batch.bytes[i] ?? 0) / 4096));
    rows.add(
      batch.time[i] ?? 0,
      batch.duration[i] ?? 0,
      page,
      pages,
      FIRST_EVENT + (batch.kind[i] ?? 0),
      batch.agent[i] ?? 0,
    );
  }
}

/** Which page is which row of the map. */
interface PageRows {
  readonly regions: readonly RegionView[];
  readonly rows: number;
  rowOf(page: number): number;
}

function pageRows(rows: TraceRows): PageRows {
  const sorted = rows.page
    .slice(0, rows.length)
    .filter((page) => page >= 0 && page < END_PAGE)
    .sort();
  const starts: number[] = [];
  const regions: RegionView[] = [];
  let first = -1;
  let last = -1;
  let row = 0;
  const close = (): void => {
    if (first < 0) return;
    const pages = last - first + 1;
    starts.push(first);
    regions.push({ name: `0x${(first * 4096).toString(16)}`, row, pages });
    row += pages;
  };
  for (const page of sorted) {
    if (first >= 0 && page - last <= REGION_GAP) last = page;
    else {
      close();
      first = page;
      last = page;
    }
  }
  close();
  const rowOf = (page: number): number => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] ?? 0) <= page) low = middle + 1;
      else high = middle;
    }
    const region = regions[low - 1];
    const at = page - (starts[low - 1] ?? 0);
    return region === undefined || at < 0 || at >= region.pages ? -1 : region.row + at;
  };
  return { regions, rows: Math.max(1, row), rowOf };
}

function viewOf(name: string, rows: TraceRows, format: string): RunView {
  const n = rows.length;
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  order.sort((a, b) => (rows.time[a] ?? 0) - (rows.time[b] ?? 0) || a - b);
  const origin = rows.time[order[0] ?? 0] ?? 0;
  const kinds = [...ACCESS_KINDS, ...TRACE_EVENT_NAMES.map((event) => `recorded:${event}`)];
  const laneOf = (kind: number, agent: number): string =>
    kind < FIRST_EVENT
      ? agent === AGENT_CPU
        ? 'CPU accesses'
        : `GPU ${agent - 1} accesses`
      : (TRACE_EVENT_NAMES[kind - FIRST_EVENT] ?? '');
  const used = new Set<string>();
  for (let i = 0; i < n; i++) used.add(laneOf(rows.kind[i] ?? 0, rows.agent[i] ?? 0));
  const lanes = sortLanes(used);
  const laneIds = new Map(lanes.map((lane, id) => [lane, id]));
  const places = pageRows(rows);
  const events = {
    length: n,
    time: new Float64Array(n),
    end: new Float64Array(n),
    agent: new Uint16Array(n),
    kind: new Uint16Array(n),
    lane: new Uint8Array(n),
    row: new Int32Array(n),
    page: new Float64Array(n),
    pages: new Float64Array(n),
    value: new Float64Array(n),
  };
  let duration = 1;
  for (const [at, from] of order.entries()) {
    const kind = rows.kind[from] ?? 0;
    const time = (rows.time[from] ?? 0) - origin;
    events.time[at] = time;
    events.end[at] = time + (rows.duration[from] ?? 0);
    events.agent[at] = rows.agent[from] ?? 0;
    events.kind[at] = kind;
    events.lane[at] = laneIds.get(laneOf(kind, rows.agent[from] ?? 0)) ?? 255;
    events.row[at] = places.rowOf(rows.page[from] ?? -1);
    events.page[at] = rows.page[from] ?? -1;
    events.pages[at] = rows.pages[from] ?? 0;
    duration = Math.max(duration, events.end[at] ?? 0);
  }
  const figures = [
    { label: 'rows', value: String(rows.total) },
    { label: 'shown', value: String(n) },
    { label: 'pages', value: String(places.rows) },
  ];
  return {
    client: 'recorded',
    title: name,
    gpu: format,
    changed: [],
    failures: [],
    values: {},
    report: undefined,
    duration,
    regions: places.regions,
    rows: places.rows,
    agents: ['CPU', 'GPU 0', 'GPU 1', 'GPU 2', 'GPU 3'],
    kinds,
    lanes,
    events,
    residency: changesOf(events, places.rows),
    statements: [],
    summary: `A recorded trace (${format}). The map shows where recorded copies put a page, or who touched it last.`,
    causes: [],
    figures,
    counters: [],
  };
}

const TO_DEVICE = FIRST_EVENT + TRACE_EVENT_NAMES.indexOf('htod');
const TO_HOST = FIRST_EVENT + TRACE_EVENT_NAMES.indexOf('dtoh');

function changesOf(events: RunView['events'], totalRows: number): RunView['residency'] {
  const known = new Uint8Array(totalRows);
  const changes: [time: number, row: number, rows: number, state: number][] = [];
  for (let i = 0; i < events.length; i++) {
    const row = events.row[i] ?? -1;
    const kind = events.kind[i] ?? 0;
    if (row < 0) continue;
    const access = kind < FIRST_EVENT ? (events.agent[i] === AGENT_CPU ? ON_CPU : ON_DEVICE) : 0;
    const state = kind === TO_DEVICE ? ON_DEVICE : kind === TO_HOST ? ON_CPU : access;
    const pages = kind < FIRST_EVENT ? 1 : Math.min(events.pages[i] ?? 1, totalRows - row);
    if (state === 0 || (pages === 1 && known[row] === state)) continue;
    known.fill(state, row, row + pages);
    changes.push([events.time[i] ?? 0, row, pages, state]);
  }
  return {
    length: changes.length,
    time: Float64Array.from(changes, (change) => change[0]),
    row: Uint32Array.from(changes, (change) => change[1]),
    rows: Uint32Array.from(changes, (change) => change[2]),
    state: Uint8Array.from(changes, (change) => change[3]),
  };
}
