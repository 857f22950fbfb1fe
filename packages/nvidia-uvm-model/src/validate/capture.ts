/**
 * Captures of the real driver: JSON lines, one block a run (head, steps, events, end). The format is what
 * `tools/uvm-capture` writes.
 *
 * @packageDocumentation
 */

/** One step of a run, as it took place. Times are ns from the allocation. */
export interface CaptureStep {
  readonly t0: number;
  readonly t1: number;
  readonly op: string;
  readonly order: string;
  readonly count: number;
  /** The pages touched, in order, where the capture lists them. */
  readonly pages: Int32Array | undefined;
}

/** One event: kind, byte offset from the allocation, value, flags, between which processors, and when. */
export interface CaptureEvent {
  readonly e: string;
  readonly at: number;
  readonly v: number;
  readonly f: number;
  /** GPU numbers; -1 is the CPU where an event can name either, and a set of GPUs has a bit each. */
  readonly src: number;
  readonly dst: number;
  readonly t: number;
  readonly dt: number;
}

/** One run of a scenario. */
export interface CaptureRun {
  readonly run: number;
  readonly scenario: string;
  readonly bytes: number;
  /** The machine it was recorded on, where the head says. */
  readonly machine?: string | undefined;
  /** Steps as they were asked for, `cw:seq gr:rand:3 …`. */
  readonly asked: readonly string[];
  readonly steps: readonly CaptureStep[];
  readonly events: readonly CaptureEvent[];
  /** Events were too many to list: only a histogram was kept. */
  readonly summarised: boolean;
  /** Line of the head. */
  readonly line: number;
}

/** A capture, or where it cannot be understood. */
export type CaptureResult =
  | { readonly ok: true; readonly runs: readonly CaptureRun[] }
  | { readonly ok: false; readonly line: number; readonly column: number; readonly message: string };

interface OpenRun {
  run: number;
  scenario: string;
  bytes: number;
  machine: string | undefined;
  asked: string[];
  steps: CaptureStep[];
  events: CaptureEvent[];
  summarised: boolean;
  line: number;
}

type Fields = Readonly<Record<string, unknown>>;

class LineError extends Error {}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function numberOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number') throw new LineError(`"${name}" has to be a number`);
  return value;
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new LineError(`"${name}" has to be a string`);
  return value;
}

function pagesOfStep(fields: Fields): Int32Array | undefined {
  const value = fields['pages'];
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new LineError('"pages" has to be a list of page numbers');
  const pages = new Int32Array(value.length);
  for (const [i, page] of value.entries()) {
    if (typeof page !== 'number') throw new LineError('"pages" has to be a list of page numbers');
    pages[i] = page;
  }
  return pages;
}

function head(fields: Fields, line: number): OpenRun {
  const asked = textOf(fields, 'steps')
    .split(' ')
    .filter((s) => s !== '');
  return {
    run: numberOf(fields, 'run'),
    scenario: textOf(fields, 'scenario'),
    bytes: numberOf(fields, 'bytes'),
    machine: 'machine' in fields ? textOf(fields, 'machine') : undefined,
    asked,
    steps: [],
    events: [],
    summarised: false,
    line,
  };
}

function addLine(open: OpenRun, fields: Fields): void {
  if ('op' in fields) {
    open.steps.push({
      t0: numberOf(fields, 't0'),
      t1: numberOf(fields, 't1'),
      op: textOf(fields, 'op'),
      order: textOf(fields, 'order'),
      count: numberOf(fields, 'count'),
      pages: pagesOfStep(fields),
    });
  } else if ('e' in fields) {
    open.events.push({
      e: textOf(fields, 'e'),
      at: numberOf(fields, 'at'),
      v: numberOf(fields, 'v'),
      f: numberOf(fields, 'f'),
      ...processorsOf(fields),
      t: numberOf(fields, 't'),
      dt: numberOf(fields, 'dt'),
    });
  } else if ('hist' in fields) open.summarised = true;
  else throw new LineError('a line of a run has "op", "e", "hist" or "end"');
}

/** Between which processors an event took place; a capture that does not say is of one GPU. */
function processorsOf(fields: Fields): Pick<CaptureEvent, 'src' | 'dst'> {
  if ('src' in fields || 'dst' in fields)
    return { src: numberOf(fields, 'src'), dst: numberOf(fields, 'dst') };
  switch (fields['e']) {
    case 'thrash':
      return { src: 1, dst: 0 };
    case 'throttle':
      return { src: fields['f'] === 1 ? -1 : 0, dst: 0 };
    case 'remote_map':
      return { src: 0, dst: -1 };
    default:
      return { src: 0, dst: 0 };
  }
}

/** Column of the error in a JSON message, 1 where it names none. */
function columnOf(message: string): number {
  const found = /position (\d+)/.exec(message);
  return found === null ? 1 : Number(found[1]) + 1;
}

function parseLine(text: string): Fields {
  const value: unknown = JSON.parse(text);
  if (!isFields(value)) throw new LineError('expected a JSON object');
  return value;
}

/** Reads a capture. Lines and columns of an error count from 1. */
export function parseCapture(text: string): CaptureResult {
  const runs: CaptureRun[] = [];
  let open: OpenRun | undefined;
  let line = 0;
  for (const source of text.split('\n')) {
    line++;
    if (source.trim() === '') continue;
    try {
      const fields = parseLine(source);
      if ('scenario' in fields) {
        if (open !== undefined) throw new LineError(`the run of ${open.scenario} before has no "end" line`);
        open = head(fields, line);
      } else if (open === undefined) throw new LineError('expected the head of a run, with "scenario"');
      else if ('end' in fields) {
        runs.push(open);
        open = undefined;
      } else addLine(open, fields);
    } catch (error) {
      if (error instanceof LineError) return { ok: false, line, column: 1, message: error.message };
      const message = error instanceof Error ? error.message : String(error);
      return { ok: false, line, column: columnOf(message), message: `not JSON: ${message}` };
    }
  }
  if (open !== undefined) {
    return { ok: false, line, column: 1, message: `the capture ends within the run of ${open.scenario}` };
  }
  return { ok: true, runs };
}

/** Runs of one scenario, in the order of the capture. */
export interface CaptureScenario {
  readonly name: string;
  readonly runs: readonly CaptureRun[];
}

/** Groups runs by scenario, in order of first appearance. */
export function scenariosOf(runs: readonly CaptureRun[]): CaptureScenario[] {
  const byName = new Map<string, CaptureRun[]>();
  for (const run of runs) {
    const known = byName.get(run.scenario);
    if (known === undefined) byName.set(run.scenario, [run]);
    else known.push(run);
  }
  return [...byName].map(([name, group]) => ({ name, runs: group }));
}

/** The run of a scenario that is replayed: the first that lists its pages, else the first. */
export function replayedRun({ runs }: CaptureScenario): CaptureRun | undefined {
  return runs.find(({ steps }) => steps.some(({ pages }) => pages !== undefined)) ?? runs[0];
}

/** What two event sequences are compared by: kind, offset, value, flags, processors; never times. */
export function eventKey(event: CaptureEvent): string {
  const { e, at, v, f, src, dst } = event;
  return `${e} at=${at} v=${v} f=${f} src=${src} dst=${dst}`;
}

/** Whether a scenario was run twice at least and always gave the same events. */
export function isDeterministic(scenario: CaptureScenario): boolean {
  const [first, ...others] = scenario.runs;
  if (first === undefined || others.length === 0) return false;
  const expected = first.events.map(eventKey).join('\n');
  return others.every((run) => !run.summarised && run.events.map(eventKey).join('\n') === expected);
}
