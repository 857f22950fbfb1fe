import { HmmError } from '@hmm/kernel';
import { UVM_COSTS_FORMAT, UVM_COSTS_VERSION, type UvmCostFile } from '../timing/uvm-cost-file.js';
import { TRACED_FIGURES, type UvmFigures } from '../timing/uvm-figures.js';
import { type CaptureRun, type CaptureScenario, eventKey, isDeterministic } from './capture.js';
import { leastErrors, type LinearSteps } from './least-errors.js';
import { runScenario, type ScenarioResult } from './scenario.js';
import { median, type StepTimes, stepErrors, summariseTimes, type TimeSummary } from './times.js';

/** A name of {@link UvmFigures}. */
export type UvmFigureName = keyof UvmFigures;

const NAMES = Object.keys(TRACED_FIGURES) as UvmFigureName[];
/** Moments at which rules read the clock: they were set to the times between events, and durations say little of them. */
const MOMENTS: ReadonlySet<UvmFigureName> = new Set([
  'hintAt',
  'cpuMigrationAt',
  'gpuMigrationAt',
  'cpuSleptAt',
  'gpuResumeMigrationAt',
  'thrashingAt',
  'gpuPoll',
  'gpuPutRead',
]);

/** How figures are fitted. */
export interface CalibrateOptions {
  /** Step durations of more runs; without them the capture's own count. */
  readonly times?: readonly StepTimes[];
  /** The machine, where the capture does not say. */
  readonly machine?: string;
  /** The preset of the recorded GPU; the H100 when left out. */
  readonly gpu?: string;
  /** The figures that may change; all but the moments at which rules read the clock when left out. */
  readonly names?: readonly UvmFigureName[];
  /** Told after each replay of a scenario with every figure changed, for progress. */
  readonly progress?: (name: string, done: number, of: number) => void;
}

/** A step of a scenario, and how much of its duration a figure makes. */
export interface ConstrainingStep {
  readonly scenario: string;
  readonly step: number;
  readonly op: string;
  readonly share: number;
}

/** What was found out about one figure. */
export interface FittedFigure {
  readonly name: UvmFigureName;
  readonly unit: string;
  readonly shipped: number;
  /** The shipped value where no step constrains it. */
  readonly fitted: number;
  /** Steps that it makes {@link CONSTRAINS} of at least, the largest part first. */
  readonly steps: readonly ConstrainingStep[];
  /** Median relative error of the durations of these steps with all fitted figures; `null` for none. */
  readonly error: number | null;
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

/** A figure counts as constrained by a step of whose duration it makes this part, or more. */
export const CONSTRAINS = 0.01;
/** Times that the dependence of steps on figures is found out; it is nearly, not wholly, linear. */
const ROUNDS = 4;
/** A round less good than this ends the fit. */
const ENOUGH = 0.99;
/** A figure grows by this part of itself to see what depends on it, and by this amount where it is 0. */
const NUDGE = 0.01;
/** A round changes a figure by no more than these parts of its shipped value. */
const DOWN = 0.6;
const UP = 1.5;

/** How scenarios are replayed, with the durations of all files. */
interface Replaying extends CalibrateOptions {
  readonly known: StepTimes;
}

/** A scenario with what the fit compares it by. */
interface Replayed {
  readonly scenario: CaptureScenario;
  readonly run: CaptureRun;
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
  const replaying: Replaying = {
    ...options,
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
    before: summariseTimes(errorsOf(scenarios, TRACED_FIGURES, replaying)),
    after: summariseTimes(errorsOf(scenarios, found.figures, replaying)),
  });
  return {
    version: 1,
    machine: fitted[0]?.run.machine ?? options.machine ?? 'unknown machine',
    gpu: options.gpu ?? 'h100',
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
  const run = scenario.runs.find((r) => r.steps.some((s) => s.pages !== undefined)) ?? scenario.runs[0];
  if (run === undefined || !isDeterministic(scenario)) return [];
  const result = replay(run, TRACED_FIGURES, options);
  return keysOf(result) === run.events.map(eventKey).join('\n') ? [{ scenario, run }] : [];
}

function replay(run: CaptureRun, figures: UvmFigures, { gpu }: Replaying): ScenarioResult {
  return runScenario(run, { figures, ...(gpu === undefined ? {} : { gpu }) });
}

function keysOf({ events }: ScenarioResult): string {
  return events.map(eventKey).join('\n');
}

function errorsOf(
  scenarios: readonly Replayed[],
  figures: UvmFigures,
  options: Replaying,
): ReturnType<typeof stepErrors> {
  return scenarios.flatMap(({ scenario, run }) =>
    stepErrors(scenario, replay(run, figures, options).stepNs, options.known),
  );
}

function withValue(figures: UvmFigures, name: UvmFigureName, value: number): UvmFigures {
  return { ...figures, [name]: { ...figures[name], value } };
}

/** The fit in progress. */
class Fit {
  figures: UvmFigures = TRACED_FIGURES;
  private readonly scenarios: readonly Replayed[];
  private readonly options: Replaying;
  /** Figures that may change: those that act on some step, once that is known; and those that act on a run. */
  private names: readonly UvmFigureName[];
  private readonly acting = new Map<CaptureRun, ReadonlySet<UvmFigureName>>();

  constructor(scenarios: readonly Replayed[], options: Replaying) {
    this.scenarios = scenarios;
    this.options = options;
    this.names = options.names ?? NAMES.filter((name) => !MOMENTS.has(name));
  }

  /** Changes the figures as long as the errors get less. */
  run(): void {
    let before = this.sum(this.figures);
    for (let round = 0; round < ROUNDS; round++) {
      const last = this.dependence();
      this.keepActing(last.steps);
      const better = this.tryChange(last.names, this.change(last), before);
      if (better === undefined) return;
      this.figures = better.figures;
      if (better.sum > ENOUGH * before) return;
      before = better.sum;
    }
  }

  /** What each figure came to, and by which steps. */
  report(): FittedFigure[] {
    const { steps, names } = this.dependence();
    const all = errorsOf(this.scenarios, this.figures, this.options);
    return NAMES.map((name) => {
      const at = names.indexOf(name);
      const { unit, value: shipped } = TRACED_FIGURES[name];
      const fitted = this.figures[name].value;
      const part = at < 0 ? 0 : fitted / (shipped || 1);
      const constraining = all
        .map((one, step) => ({ one, share: part * (steps.slopes[step * steps.columns + at] ?? 0) }))
        .filter(({ share }) => Math.abs(share) >= CONSTRAINS)
        .sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
      return {
        name,
        unit,
        shipped,
        fitted,
        steps: constraining.map(({ one: { scenario, step, op }, share }) => ({ scenario, step, op, share })),
        error: constraining.length === 0 ? null : median(constraining.map(({ one }) => one.error)),
      };
    });
  }

  /** Changes every figure a little, one after the other, and sees which durations change; a change that moves events says nothing. */
  private dependence(): { steps: LinearSteps; names: readonly UvmFigureName[] } {
    const { names } = this;
    const errors: number[] = [];
    const slopes: number[] = [];
    for (const [at, { scenario, run }] of this.scenarios.entries()) {
      const base = replay(run, this.figures, this.options);
      const known = stepErrors(scenario, base.stepNs, this.options.known);
      const acting = this.acting.get(run);
      const columns = names.map((name) => (acting?.has(name) === false ? [] : this.slope(run, base, name)));
      if (acting === undefined)
        this.acting.set(run, new Set(names.filter((_, at) => (columns[at] ?? []).some((ns) => ns !== 0))));
      for (const { step, predicted, measured } of known) {
        errors.push((predicted - measured) / measured);
        slopes.push(...columns.map((column) => (column[step] ?? 0) / measured));
      }
      this.options.progress?.(scenario.name, at + 1, this.scenarios.length);
    }
    const steps = {
      errors: Float64Array.from(errors),
      slopes: Float64Array.from(slopes),
      columns: names.length,
    };
    return { steps, names };
  }

  /** By how much each step of a run grows as a figure grows by its shipped value, ns. */
  private slope(run: CaptureRun, base: ScenarioResult, name: UvmFigureName): readonly number[] {
    const { value } = this.figures[name];
    const scale = TRACED_FIGURES[name].value || 1;
    const nudge = NUDGE * scale;
    const moved = replay(run, withValue(this.figures, name, value + nudge), this.options);
    if (keysOf(moved) !== keysOf(base)) return [];
    return moved.stepNs.map((ns, step) => ((ns - (base.stepNs[step] ?? 0)) / nudge) * scale);
  }

  /** From then on only figures are asked after of which some step is made. */
  private keepActing({ slopes, columns }: LinearSteps): void {
    const acts = new Set<number>();
    for (const [i, slope] of slopes.entries()) if (Math.abs(slope) >= CONSTRAINS) acts.add(i % columns);
    this.names = this.names.filter((_, at) => acts.has(at));
  }

  /** The change of each figure that this round asks for, in parts of its shipped value. */
  private change(last: { steps: LinearSteps; names: readonly UvmFigureName[] }): Float64Array {
    const { names } = last;
    const before = Float64Array.from(names, (name) => {
      const shipped = TRACED_FIGURES[name].value || 1;
      return (this.figures[name].value - TRACED_FIGURES[name].value) / shipped;
    });
    const acts = (name: UvmFigureName): boolean => this.names.includes(name);
    const low = Float64Array.from(names, (name) => {
      const have = this.figures[name].value / (TRACED_FIGURES[name].value || 1);
      return acts(name) ? -DOWN * have : 0;
    });
    const high = Float64Array.from(names, (name) => (acts(name) ? UP : 0));
    return leastErrors(last.steps, before, low, high);
  }

  /** The figures changed, by half as much again and again until the errors are less; undefined where they never are. */
  private tryChange(
    names: readonly UvmFigureName[],
    change: Float64Array,
    before: number,
  ): { figures: UvmFigures; sum: number } | undefined {
    for (let part = 1; part >= 1 / 8; part /= 2) {
      let { figures } = this;
      for (const [at, name] of names.entries()) {
        const by = part * (change[at] ?? 0) * (TRACED_FIGURES[name].value || 1);
        if (by !== 0) figures = withValue(figures, name, figures[name].value + by);
      }
      const sum = this.sum(figures);
      if (sum < before) return { figures, sum };
    }
    return undefined;
  }

  private sum(figures: UvmFigures): number {
    return errorsOf(this.scenarios, figures, this.options).reduce((sum, { error }) => sum + error, 0);
  }
}
