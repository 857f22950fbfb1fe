import { AGENT_CPU, TRACE_EVENT_NAMES, TraceReader, traceErrorText } from '@hmm/workload/readers';
import { formatBytes, formatCount } from '@hmm/report';
import { buildLanes, NO_LANE } from '../tiles/lane-index.js';
import { ON_CPU, type ResidencyChanges, stateOfGpu } from '../tiles/residency-raster.js';
import { ChangeLog } from './change-log.js';
import { sortLanes } from './lanes.js';
import type { EventColumns, PaneRefusal, RunView } from './run-view.js';
import { timeOrder } from './time-order.js';
import { pageRows, type PageRows } from './trace-pages.js';
import { ACCESS_KINDS, FIRST_EVENT, TraceRows } from './trace-rows.js';

/** Bytes of a file that are in memory at a time. */
const CHUNK_BYTES = 4 << 20;
const NO_COLUMN = new Float64Array(0);
const KINDS = [...ACCESS_KINDS, ...TRACE_EVENT_NAMES.map((event) => `recorded:${event}`)];

/** A recorded trace as a pane; its changes are kept apart, since the page needs the map's bitmaps only. */
export interface OpenedTrace {
  readonly ok: true;
  readonly run: RunView;
  readonly residency: ResidencyChanges;
}

/**
 * Reads a recorded trace, piece by piece: its accesses and observations on lanes, and per page who touched it last, or
 * where the recorded copies put it. The file is data only: nothing of it is run.
 */
export async function openTrace(name: string, file: Blob): Promise<OpenedTrace | PaneRefusal> {
  const rows = new TraceRows();
  const sink = {
    accesses: rows.accesses.bind(rows),
    events: rows.events.bind(rows),
  };
  const reader = new TraceReader(sink, { file: name });
  for (let at = 0; at < file.size; at += CHUNK_BYTES) {
    const chunk = await file.slice(at, at + CHUNK_BYTES).arrayBuffer();
    if (!reader.push(new Uint8Array(chunk))) break;
  }
  const result = reader.end();
  if (!result.ok) return { ok: false, title: name, message: traceErrorText(result.error) };
  if (rows.length === 0)
    return { ok: false, title: name, message: 'There is no access and no event in this file.' };
  return viewOf(name, rows, result.summary.format, file.size);
}

function viewOf(name: string, rows: TraceRows, format: string, size: number): OpenedTrace {
  const { lanes, laneOf } = lanesOf(rows);
  const places = pageRows(rows.page, rows.length);
  const events = columnsOf(rows, places, laneOf);
  const residency = changesOf(events, places.rows);
  let duration = 1;
  for (let i = 0; i < events.length; i++) duration = Math.max(duration, events.end[i] ?? 0);
  const shown = rows.length < rows.total ? [{ label: 'shown', value: formatCount(rows.length) }] : [];
  const run = {
    client: 'recorded',
    title: name,
    gpu: format,
    gpus: gpusOf(rows),
    changed: [],
    failures: [],
    values: {},
    report: undefined,
    duration,
    timed: rows.timed,
    regions: places.regions,
    rows: places.rows,
    agents: ['CPU', ...Array.from({ length: gpusOf(rows) }, (_, gpu) => `GPU ${gpu}`)],
    kinds: KINDS,
    lanes,
    events,
    laneIndex: buildLanes(events, events.lane, events.length, lanes.length),
    residency: new ChangeLog().changes(),
    statements: [],
    summary: `A recorded trace (${format}${rows.timed ? '' : ', without times: the axis counts its rows'}). The map shows where recorded copies put a page, or who touched it last.`,
    causes: [],
    figures: [
      { label: 'rows', value: formatCount(rows.total) },
      ...shown,
      { label: 'pages', value: formatCount(places.rows) },
      { label: 'file', value: formatBytes(size) },
    ],
    counters: [],
  };
  return { ok: true, run, residency };
}

const AGENTS = 256;

/** GPUs that a trace knows of. */
function gpusOf({ agent, length }: TraceRows): number {
  let last = 0;
  for (let i = 0; i < length; i++) last = Math.max(last, agent[i] ?? 0);
  return Math.max(1, last);
}

/** The lanes that are used, and the lane of a row by `kind * AGENTS + agent`. */
function lanesOf(rows: TraceRows): { readonly lanes: string[]; readonly laneOf: Uint8Array } {
  const names: string[] = [];
  for (let i = 0; i < rows.length; i++) {
    const kind = rows.kind[i] ?? 0;
    const agent = rows.agent[i] ?? 0;
    names[kind * AGENTS + agent] ??=
      kind >= FIRST_EVENT
        ? (TRACE_EVENT_NAMES[kind - FIRST_EVENT] ?? '')
        : agent === AGENT_CPU
          ? 'CPU accesses'
          : `GPU ${agent - 1} accesses`;
  }
  const lanes = sortLanes(Object.values(names));
  const laneOf = new Uint8Array(KINDS.length * AGENTS).fill(NO_LANE);
  for (const [key, lane] of Object.entries(names))
    laneOf[Number(key)] = Math.min(lanes.indexOf(lane), NO_LANE);
  return { lanes, laneOf };
}

/** The rows in time order, from the first one's time on. */
function columnsOf(rows: TraceRows, places: PageRows, laneOf: Uint8Array): EventColumns {
  const n = rows.length;
  const order = timeOrder(rows.time, n);
  const origin = rows.time[order?.[0] ?? 0] ?? 0;
  const events = {
    length: n,
    time: new Float64Array(n),
    end: new Float64Array(n),
    agent: new Uint32Array(n),
    kind: new Uint16Array(n),
    lane: new Uint8Array(n),
    row: new Int32Array(n),
    page: NO_COLUMN,
    pages: new Uint32Array(n),
    value: NO_COLUMN,
  };
  for (let at = 0; at < n; at++) {
    const from = order === undefined ? at : (order[at] ?? 0);
    const kind = rows.kind[from] ?? 0;
    const agent = rows.agent[from] ?? 0;
    const time = (rows.time[from] ?? 0) - origin;
    events.time[at] = time;
    events.end[at] = time + (rows.duration[from] ?? 0);
    events.agent[at] = agent;
    events.kind[at] = kind;
    events.lane[at] = laneOf[kind * AGENTS + agent] ?? NO_LANE;
    events.row[at] = places.rowOf(rows.page[from] ?? -1);
    events.pages[at] = rows.pages[from] ?? 0;
  }
  return events;
}

const TO_GPU = [
  FIRST_EVENT + TRACE_EVENT_NAMES.indexOf('htod'),
  FIRST_EVENT + TRACE_EVENT_NAMES.indexOf('dtod'),
];
const TO_HOST = FIRST_EVENT + TRACE_EVENT_NAMES.indexOf('dtoh');

function changesOf(events: EventColumns, totalRows: number): ResidencyChanges {
  const known = new Uint8Array(totalRows);
  const log = new ChangeLog();
  for (let i = 0; i < events.length; i++) {
    const row = events.row[i] ?? -1;
    const kind = events.kind[i] ?? 0;
    if (row < 0) continue;
    const agent = events.agent[i] ?? AGENT_CPU;
    const place = agent === AGENT_CPU ? ON_CPU : stateOfGpu(agent - 1);
    const state =
      kind < FIRST_EVENT
        ? place
        : kind === TO_HOST
          ? ON_CPU
          : TO_GPU.includes(kind)
            ? stateOfGpu(Math.max(0, agent - 1))
            : 0;
    const pages = kind < FIRST_EVENT ? 1 : Math.min(events.pages[i] ?? 1, totalRows - row);
    if (state === 0 || (pages === 1 && known[row] === state)) continue;
    known.fill(state, row, row + pages);
    log.note(events.time[i] ?? 0, row, pages, state);
  }
  return log.changes();
}
