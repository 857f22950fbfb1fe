import type { CaptureScenario } from './capture.js';

/** Durations of each step in several runs, by scenario, ns. */
export type StepTimes = ReadonlyMap<string, readonly (readonly number[])[]>;

/** One step's prediction. */
export interface StepError {
  readonly scenario: string;
  readonly step: number;
  readonly op: string;
  readonly predicted: number;
  readonly measured: number;
  /** |predicted - measured| / measured. */
  readonly error: number;
}

/** How good the predicted durations are; errors are relative. */
export interface TimeSummary {
  readonly steps: number;
  readonly median_abs_error: number;
  readonly p90_abs_error: number;
  readonly worst: {
    scenario: string;
    step: number;
    op: string;
    predicted_ns: number;
    measured_ns: number;
  } | null;
}

/** Durations, or where the text cannot be understood. */
export type TimesResult =
  | { readonly ok: true; readonly times: StepTimes }
  | { readonly ok: false; readonly line: number; readonly message: string };

function isTable(value: unknown): value is number[][] {
  return (
    Array.isArray(value) &&
    value.every((row) => Array.isArray(row) && row.every((n) => typeof n === 'number'))
  );
}

/** Reads a file of durations: JSON lines `{"scenario":…,"runs":n,"step_ns":[[…] per step]}`. */
export function parseTimes(text: string): TimesResult {
  const times = new Map<string, number[][]>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      return { ok: false, line: index + 1, message: error instanceof Error ? error.message : String(error) };
    }
    if (typeof value !== 'object' || value === null || !('scenario' in value) || !('step_ns' in value)) {
      return { ok: false, line: index + 1, message: 'expected "scenario" and "step_ns"' };
    }
    const { scenario, step_ns: table } = value;
    if (typeof scenario !== 'string' || !isTable(table)) {
      return { ok: false, line: index + 1, message: '"step_ns" has to be a list of lists of numbers' };
    }
    times.set(scenario, table);
  }
  return { ok: true, times };
}

/** The middle of a list; the mean of the two middle ones for an even count. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  const high = sorted[mid] ?? NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[mid - 1] ?? NaN) + high) / 2;
}

/** The value that a share `q` of a list does not exceed. NaN for none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? NaN;
}

/** Predicted against recorded durations of a scenario's steps. */
export function stepErrors(
  scenario: CaptureScenario,
  predicted: readonly number[],
  times: StepTimes | undefined,
): StepError[] {
  const known = times?.get(scenario.name);
  const steps = scenario.runs[0]?.steps ?? [];
  const out: StepError[] = [];
  for (const [step, one] of steps.entries()) {
    const own = scenario.runs.map((r) => r.steps[step]).filter((s) => s !== undefined);
    const measured = median(known?.[step] ?? own.map((s) => s.t1 - s.t0));
    const guess = predicted[step] ?? 0;
    if (measured > 0) {
      const error = Math.abs(guess - measured) / measured;
      out.push({ scenario: scenario.name, step, op: one.op, predicted: guess, measured, error });
    }
  }
  return out;
}

/** Sums step errors up. */
export function summariseTimes(errors: readonly StepError[]): TimeSummary {
  const values = errors.map((e) => e.error);
  const worst = errors.reduce<StepError | undefined>(
    (a, b) => (a === undefined || b.error > a.error ? b : a),
    undefined,
  );
  return {
    steps: errors.length,
    median_abs_error: errors.length === 0 ? 0 : median(values),
    p90_abs_error: errors.length === 0 ? 0 : quantile(values, 0.9),
    worst:
      worst === undefined
        ? null
        : {
            scenario: worst.scenario,
            step: worst.step,
            op: worst.op,
            predicted_ns: Math.round(worst.predicted),
            measured_ns: Math.round(worst.measured),
          },
  };
}
