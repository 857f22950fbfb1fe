import { TRACED_FIGURES, type UvmFigures } from '../timing/uvm-figures.js';
import { type CaptureRun, type CaptureScenario, eventKey } from './capture.js';
import { leastErrors, type LinearSteps } from './least-errors.js';
import { runScenario, type ScenarioResult } from './scenario.js';
import { median, type StepTimes, stepErrors } from './times.js';

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
  'gpuTableLead',
  'gpuTableWrite',
]);

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
export interface Replaying {
  readonly gpu: string;
  /** The figures to begin with, which steps that say nothing leave as they are. */
  readonly shipped: UvmFigures;
  readonly names?: readonly UvmFigureName[];
  readonly progress?: (name: string, done: number, of: number) => void;
  readonly known: StepTimes;
}

/** A scenario with what the fit compares it by. */
export interface Replayed {
  readonly scenario: CaptureScenario;
  readonly run: CaptureRun;
}

/** Replays a run with figures. */
export function replay(run: CaptureRun, figures: UvmFigures, { gpu }: Replaying): ScenarioResult {
  return runScenario(run, { figures, gpu });
}

/** What was done, to be compared as a text. */
export function keysOf({ events }: ScenarioResult): string {
  return events.map(eventKey).join('\n');
}

/** Errors of the durations of all steps, by scenario and step. */
export function errorsOf(
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

/** Figures being fitted to the durations of scenarios. */
export class Fit {
  figures: UvmFigures;
  private readonly shipped: UvmFigures;
  private readonly scenarios: readonly Replayed[];
  private readonly options: Replaying;
  /** Figures that may change: those that act on some step, once that is known; and those that act on a run. */
  private names: readonly UvmFigureName[];
  private readonly acting = new Map<CaptureRun, ReadonlySet<UvmFigureName>>();

  constructor(scenarios: readonly Replayed[], options: Replaying) {
    this.scenarios = scenarios;
    this.options = options;
    this.shipped = options.shipped;
    this.figures = options.shipped;
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
      const { unit, value: shipped } = this.shipped[name];
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
    const scale = this.shipped[name].value || 1;
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
      const shipped = this.shipped[name].value || 1;
      return (this.figures[name].value - this.shipped[name].value) / shipped;
    });
    const acts = (name: UvmFigureName): boolean => this.names.includes(name);
    const low = Float64Array.from(names, (name) => {
      const have = this.figures[name].value / (this.shipped[name].value || 1);
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
        const by = part * (change[at] ?? 0) * (this.shipped[name].value || 1);
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
