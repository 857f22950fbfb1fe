import { HmmError } from '@hmm/kernel';
import {
  type CaptureEvent,
  type CaptureScenario,
  eventKey,
  isDeterministic,
  parseCapture,
  replayedRun,
  scenariosOf,
} from './capture.js';
import { runScenario, type ScenarioOptions } from './scenario.js';
import { compareTotals, type TotalsComparison } from './totals.js';
import { type StepTimes, stepErrors, summariseTimes, type TimeSummary } from './times.js';

/** An event as the report shows it. */
export interface ReportedEvent {
  readonly e: string;
  readonly at: number;
  readonly v: number;
  readonly f: number;
}

/** Where two sequences first differ; `null` for a sequence that has ended. */
export interface FirstDifference {
  readonly index: number;
  readonly expected: ReportedEvent | null;
  readonly got: ReportedEvent | null;
}

/** One scenario's verdict. */
export interface ScenarioReport {
  readonly name: string;
  readonly deterministic: boolean;
  readonly exact: boolean;
  readonly first_difference: FirstDifference | null;
  /** Predicted time of all steps over the recorded one. */
  readonly time_ratio: number;
  /** Totals by kind and cause, for scenarios whose runs differ. */
  readonly totals?: TotalsComparison;
}

/** What `hmm validate --json` prints. */
export interface ValidationReport {
  readonly version: 1;
  readonly scenarios: number;
  readonly deterministic: number;
  readonly exact: number;
  readonly per_scenario: readonly ScenarioReport[];
  readonly time: TimeSummary;
}

/** How a capture is validated. */
export interface ValidateOptions extends ScenarioOptions {
  /** Step durations of more runs (see {@link parseTimes}); without them the capture's own steps count. */
  readonly times?: StepTimes;
  /** Only scenarios that this accepts. */
  readonly filter?: (name: string) => boolean;
  /** Told after each scenario, for progress. */
  readonly progress?: (name: string, done: number, of: number) => void;
}

function reported(event: CaptureEvent | undefined): ReportedEvent | null {
  return event === undefined ? null : { e: event.e, at: event.at, v: event.v, f: event.f };
}

function firstDifference(
  expected: readonly CaptureEvent[],
  got: readonly CaptureEvent[],
): FirstDifference | null {
  const length = Math.max(expected.length, got.length);
  for (let index = 0; index < length; index++) {
    const want = expected[index];
    const have = got[index];
    if (want === undefined || have === undefined || eventKey(want) !== eventKey(have)) {
      return { index, expected: reported(want), got: reported(have) };
    }
  }
  return null;
}

/**
 * Replays every scenario of a capture on the model and says how far they agree: the whole event sequence for
 * deterministic scenarios, totals for the others, durations for all.
 * @throws HmmError `CAPTURE` with line and column for a text that is no capture.
 */
export function validateCapture(text: string, options: ValidateOptions = {}): ValidationReport {
  const parsed = parseCapture(text);
  if (!parsed.ok) {
    const { line, column, message } = parsed;
    throw new HmmError('CAPTURE', `line ${line}, column ${column}: ${message}`, { line, column });
  }
  return validateScenarios(scenariosOf(parsed.runs), options);
}

/** As {@link validateCapture}, for scenarios already parsed. */
export function validateScenarios(
  all: readonly CaptureScenario[],
  options: ValidateOptions = {},
): ValidationReport {
  const chosen = all.filter((s) => options.filter?.(s.name) ?? true);
  const perScenario: ScenarioReport[] = [];
  const errors: ReturnType<typeof stepErrors> = [];
  for (const scenario of chosen) {
    const { report, steps } = validateScenario(scenario, options);
    perScenario.push(report);
    errors.push(...steps);
    options.progress?.(scenario.name, perScenario.length, chosen.length);
  }
  return {
    version: 1,
    scenarios: perScenario.length,
    deterministic: perScenario.filter((s) => s.deterministic).length,
    exact: perScenario.filter((s) => s.deterministic && s.exact).length,
    per_scenario: perScenario,
    time: summariseTimes(errors),
  };
}

function validateScenario(
  scenario: CaptureScenario,
  options: ValidateOptions,
): { report: ScenarioReport; steps: ReturnType<typeof stepErrors> } {
  const run = replayedRun(scenario);
  if (run === undefined) throw new HmmError('CAPTURE', `scenario ${scenario.name} has no run`);
  const result = runScenario(run, options);
  const steps = stepErrors(scenario, result.stepNs, options.times);
  const deterministic = isDeterministic(scenario);
  const difference = firstDifference(run.events, result.events);
  const report: ScenarioReport = {
    name: scenario.name,
    deterministic,
    exact: difference === null,
    first_difference: difference,
    time_ratio: sum(steps.map((s) => s.predicted)) / Math.max(1, sum(steps.map((s) => s.measured))),
  };
  if (deterministic) return { report, steps };
  return { report: { ...report, totals: compareTotals(scenario, result.events) }, steps };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
