/** Head of one run of a scenario on the H100: what was allocated and what was done. */
export interface UvmHead {
  readonly run: number;
  readonly scenario: string;
  readonly bytes: number;
  readonly base_mod_2m: number;
  readonly dropped: number;
  /** The steps, separated by a space: `cw:seq gr:rand:7`. */
  readonly steps: string;
}

/** One step of a run: when (ns) and in which order pages were touched. */
export interface UvmStep {
  readonly t0: number;
  readonly t1: number;
  readonly op: string;
  readonly order: string;
  readonly count: number;
  readonly pages?: readonly number[];
}

/** One event of the driver: kind, byte offset, value, start and duration in ns, flags. */
export interface UvmEvent {
  readonly e: string;
  readonly at: number;
  readonly v: number;
  readonly t: number;
  readonly dt: number;
  readonly src: number;
  readonly dst: number;
  readonly f: number;
}

/** Totals in place of the events of a very long run. */
export interface UvmHistogram {
  readonly hist: unknown;
}

/** Last line of a run. */
export interface UvmEnd {
  readonly end: true;
}

/** A line of `h100-uvm/uvm-*.jsonl.gz`. */
export type UvmLine = UvmHead | UvmStep | UvmEvent | UvmHistogram | UvmEnd;

/** A line of `h100-uvm/times-*.jsonl.gz`: each step's duration (ns) in each run. */
export interface UvmTimes {
  readonly scenario: string;
  readonly runs: number;
  readonly step_ns: readonly (readonly number[])[];
}

/** A line of `h100-uvm/link.jsonl`: what is measured, and its figures. */
export interface LinkCost {
  readonly k: string;
}

/** Head of one script of the HMM test device. */
export interface ScriptHead {
  readonly script: string;
  readonly family: string;
  readonly ops: number;
  readonly judged?: boolean;
}

/** An invalidation that the kernel announced: event, process, region, first page, pages. */
export type RecordedInvalidation = readonly [string, number, number, number, number];

/** One operation of a script, and what the kernel did. */
export interface ScriptOperation {
  readonly p: number;
  readonly op: string;
  readonly rc?: number;
  readonly cpages?: number;
  readonly faults?: number;
  readonly v?: readonly (number | string)[];
  readonly sig?: readonly number[];
  readonly inv?: readonly RecordedInvalidation[];
}

/** A line of the public.jsonl.gz and more-1.jsonl.gz of a Linux. */
export type ScriptLine = ScriptHead | ScriptOperation;

/** A line of the races.jsonl of a Linux: a concurrent test and every outcome the kernel showed. */
export interface RaceTest {
  readonly test: string;
  readonly init: readonly string[];
  readonly threads: readonly (readonly string[])[];
  readonly final: readonly string[];
  readonly runs: number;
  readonly outcomes: readonly unknown[];
}

/** Whether `value` is a record with these keys of these types. */
function has(
  value: unknown,
  shape: Readonly<Record<string, 'number' | 'string' | 'array' | 'any'>>,
): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const entries = new Map<string, unknown>(Object.entries(value));
  return Object.entries(shape).every(([key, type]) => {
    const field = entries.get(key);
    if (type === 'any') return entries.has(key);
    return type === 'array' ? Array.isArray(field) : typeof field === type;
  });
}

/** Whether a line opens a run. */
export function isUvmHead(value: unknown): value is UvmHead {
  return has(value, {
    run: 'number',
    scenario: 'string',
    bytes: 'number',
    dropped: 'number',
    steps: 'string',
  });
}

/** Whether a line is a step. */
export function isUvmStep(value: unknown): value is UvmStep {
  return has(value, { t0: 'number', t1: 'number', op: 'string', order: 'string', count: 'number' });
}

/** Whether a line is an event. */
export function isUvmEvent(value: unknown): value is UvmEvent {
  return has(value, { e: 'string', at: 'number', v: 'number', t: 'number', dt: 'number', f: 'number' });
}

/** Whether a line belongs in a UVM capture. */
export function isUvmLine(value: unknown): value is UvmLine {
  return (
    isUvmEvent(value) ||
    isUvmStep(value) ||
    isUvmHead(value) ||
    has(value, { hist: 'any' }) ||
    has(value, { end: 'any' })
  );
}

/** Whether a line tells the durations of a scenario. */
export function isUvmTimes(value: unknown): value is UvmTimes {
  return has(value, { scenario: 'string', runs: 'number', step_ns: 'array' });
}

/** Whether a line tells a cost. */
export function isLinkCost(value: unknown): value is LinkCost {
  return has(value, { k: 'string' });
}

/** Whether a line opens a script. */
export function isScriptHead(value: unknown): value is ScriptHead {
  return has(value, { script: 'string', family: 'string', ops: 'number' });
}

/** Whether a line belongs in a corpus of the HMM test device. */
export function isScriptLine(value: unknown): value is ScriptLine {
  return has(value, { p: 'number', op: 'string' }) || isScriptHead(value);
}

/** Whether a line is a concurrent test. */
export function isRaceTest(value: unknown): value is RaceTest {
  return has(value, { test: 'string', init: 'array', threads: 'array', final: 'array', outcomes: 'array' });
}
