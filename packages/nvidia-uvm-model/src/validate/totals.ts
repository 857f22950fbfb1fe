import type { CaptureEvent, CaptureRun, CaptureScenario } from './capture.js';

/** One total, recorded and modelled. */
export interface TotalsRow {
  /** Kind and cause: `htod:2 bytes`. */
  readonly what: string;
  /** The total of each recorded run. */
  readonly recorded: readonly number[];
  readonly modelled: number;
  /** Within the spread of the runs or 10 %, whichever is wider. */
  readonly within: boolean;
}

/** Totals by kind and cause. */
export interface TotalsComparison {
  readonly within: boolean;
  readonly rows: readonly TotalsRow[];
}

/** Counts by kind and flags, and bytes of transfers. */
export function totalsOf(events: readonly CaptureEvent[]): Map<string, number> {
  const totals = new Map<string, number>();
  const add = (what: string, amount: number): void => {
    totals.set(what, (totals.get(what) ?? 0) + amount);
  };
  for (const event of events) {
    const kind = `${event.e}:${event.f}`;
    add(kind, 1);
    if (event.e === 'htod' || event.e === 'dtoh') add(`${kind} bytes`, event.v);
  }
  return totals;
}

/** The recording library keeps no more transfers of a run than this: a run that has so many was cut. */
const RING_LIMIT = 8191;
/** Cause of a transfer: the faulting pages themselves. */
const COHERENCE = 2;

/** Pages that came because the GPU faulted, and no fault of the GPU: the recording lost these. */
function lostFaults({ events }: CaptureRun): boolean {
  return events.some((e) => e.e === 'htod' && e.f === COHERENCE) && !events.some((e) => e.e === 'gpu_fault');
}

function isComplete(run: CaptureRun): boolean {
  if (run.summarised || run.events.length === 0 || lostFaults(run)) return false;
  return run.events.filter((e) => e.e === 'htod' || e.e === 'dtoh').length < RING_LIMIT;
}

/** Compares the totals of a modelled run with those of the recorded runs that list all their events. */
export function compareTotals(scenario: CaptureScenario, events: readonly CaptureEvent[]): TotalsComparison {
  const recorded = scenario.runs.filter(isComplete).map((r) => totalsOf(r.events));
  const modelled = totalsOf(events);
  const names = new Set<string>([...modelled.keys(), ...recorded.flatMap((t) => [...t.keys()])]);
  const rows = [...names].sort().map((what) => {
    const values = recorded.map((t) => t.get(what) ?? 0);
    const got = modelled.get(what) ?? 0;
    return { what, recorded: values, modelled: got, within: withinSpread(values, got) };
  });
  return { within: rows.every((r) => r.within), rows };
}

function withinSpread(values: readonly number[], got: number): boolean {
  if (values.length === 0) return true;
  const low = Math.min(...values);
  const high = Math.max(...values);
  return got >= Math.min(low, low * 0.9) && got <= Math.max(high, high * 1.1);
}
