import { HmmError } from '@hmm/kernel';
import { UVM_COSTS_FORMAT, UVM_COSTS_VERSION, type UvmCostFile } from '../timing/uvm-cost-file.js';
import { figuresOfGpu } from '../timing/uvm-h200-figures.js';
import { type CaptureScenario, eventKey, isDeterministic, replayedRun } from './capture.js';
import {
  errorsOf,
  Fit,
  type FittedFigure,
  keysOf,
  replay,
  type Replayed,
  type Replaying,
  type UvmFigureName,
} from './figure-fit.js';
import { gpuOfMachine } from './recorded-gpu.js';
import { type StepTimes, summariseTimes, type TimeSummary } from './times.js';

/** How figures are fitted. */
export interface CalibrateOptions {
  /** Step durations of more runs; without them the capture's own count. */
  readonly times?: readonly StepTimes[];
  /** The machine, where the capture does not say. */
  readonly machine?: string;
  /** The preset of the recorded GPU; that named by the machine when left out, else the H100. */
  readonly gpu?: string;
  /** The figures that may change; all but the moments at which rules read the clock when left out. */
  readonly names?: readonly UvmFigureName[];
  /** Told after each replay of a scenario with every figure changed, for progress. */
  readonly progress?: (name: string, done: number, of: number) => void;
}

/** Step times of a part of the scenarios with the shipped and with the fitted figures. */
export interface CalibratedPart {
  readonly scenarios: number;
  readonly before: TimeSummary;
  readonly after: TimeSummary;
}

/** Fitted figures, and what they are worth. */
export interface Calibration {
  readonly version: 1;
  readonly machine: string;
  readonly gpu: string;
  readonly figures: readonly FittedFigure[];
  readonly fitted: CalibratedPart;
  readonly held: CalibratedPart;
  /** Scenarios left out: their runs differ, or the model's events are others. */
  readonly left_out: number;
}

/**
 * Finds the figures with the least sum of relative errors of the durations of `fit`'s steps, and says what they do for those of `held`,
 * which take no part. Only scenarios count whose runs agree and whose events the model reproduces; a figure acts where a small change
 * of it changes a duration and no event.
 * @throws HmmError `CAPTURE` where no scenario of `fit` is left.
 */
export function calibrate(
  fit: readonly CaptureScenario[],
  held: readonly CaptureScenario[],
  options: CalibrateOptions = {},
): Calibration {
  const gpu =
    options.gpu ?? gpuOfMachine([...fit, ...held][0]?.runs[0]?.machine ?? options.machine) ?? 'h100';
  const replaying: Replaying = {
    ...options,
    gpu,
    shipped: figuresOfGpu(gpu),
    known: new Map((options.times ?? []).flatMap((times) => [...times])),
  };
  const fitted = fit.flatMap((scenario) => usable(scenario, replaying));
  const unseen = held.flatMap((scenario) => usable(scenario, replaying));
  if (fitted.length === 0)
    throw new HmmError(
      'CAPTURE',
      'nothing to fit: no scenario has two runs with the same events, which the model reproduces',
    );
  const found = new Fit(fitted, replaying);
  found.run();
  const part = (scenarios: readonly Replayed[]): CalibratedPart => ({
    scenarios: scenarios.length,
    before: summariseTimes(errorsOf(scenarios, replaying.shipped, replaying)),
    after: summariseTimes(errorsOf(scenarios, found.figures, replaying)),
  });
  return {
    version: 1,
    machine: fitted[0]?.run.machine ?? options.machine ?? 'unknown machine',
    gpu,
    figures: found.report(),
    fitted: part(fitted),
    held: part(unseen),
    left_out: fit.length + held.length - fitted.length - unseen.length,
  };
}

/** The cost file of a calibration. */
export function costFile({ machine, gpu, figures }: Calibration): UvmCostFile {
  const entries = figures.map(
    ({ name, fitted, unit, error, steps }) =>
      [name, { value: fitted, unit, error, steps: steps.length }] as const,
  );
  return {
    format: UVM_COSTS_FORMAT,
    version: UVM_COSTS_VERSION,
    machine,
    gpu,
    figures: Object.fromEntries(entries),
  };
}

function usable(scenario: CaptureScenario, options: Replaying): Replayed[] {
  const run = replayedRun(scenario);
  if (run === undefined || !isDeterministic(scenario)) return [];
  const result = replay(run, options.shipped, options);
  return keysOf(result) === run.events.map(eventKey).join('\n') ? [{ scenario, run }] : [];
}
