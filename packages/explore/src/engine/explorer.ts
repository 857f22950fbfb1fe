import { Execution, EXECUTION_PRUNED } from './execution.js';
import type { Model, Violation } from './model.js';
import { encodeSchedule, type Schedule } from './schedule.js';
import type { Strategy } from './strategy.js';

/** An execution length that no terminating test of a few agents comes near. */
export const DEFAULT_MAX_STEPS = 2000;

/** Bounds of an exploration, and what it does when something is broken. */
export interface ExploreOptions {
  /** An execution longer than that is a livelock. */
  readonly maxSteps?: number;
  /** Go on after a violation, to see every outcome; otherwise the first one ends the exploration. */
  readonly keepGoing?: boolean;
}

/** One outcome that was reached. */
export interface ReachedOutcome {
  /** As `Model.finish` said. */
  readonly text: string;
  /** Executions that ended so. */
  readonly count: number;
  /** A schedule that leads there. */
  readonly replay: string;
}

/** An outcome while the exploration goes on. Its schedule is written out when somebody asks: small tests reach many. */
class Reached implements ReachedOutcome {
  readonly text: string;
  count = 1;
  private readonly schedule: Schedule | string;

  constructor(text: string, schedule: Schedule | string) {
    this.text = text;
    this.schedule = schedule;
  }

  get replay(): string {
    return typeof this.schedule === 'string' ? this.schedule : encodeSchedule(this.schedule);
  }
}

/** One thing that was found broken. */
export interface FoundViolation extends Violation {
  /** A schedule that breaks it. */
  readonly replay: string;
}

/** What a saved {@link Explorer} holds. */
export interface ExplorerState {
  readonly executions: number;
  readonly schedules: number;
  readonly steps: number;
  readonly outcomes: readonly ReachedOutcome[];
  readonly violations: readonly FoundViolation[];
}

/**
 * Explores a model with a strategy: runs executions, collects their outcomes and what they break. The work can be done
 * in slices ({@link Explorer.run} again and again), so that callers can stop at a time limit or a key press and still
 * have what was found.
 */
export class Explorer {
  /** Outcomes by text, in the order in which they were reached. */
  readonly outcomes: ReadonlyMap<string, ReachedOutcome>;
  /** The first violation of each invariant. */
  readonly violations = new Map<string, FoundViolation>();
  /** Executions run, the ones given up included. */
  executions = 0;
  /** Executions that ran to their end. */
  schedules = 0;
  private readonly strategy: Strategy;
  private readonly execution: Execution;
  private readonly keepGoing: boolean;
  private readonly reached = new Map<string, Reached>();

  constructor(model: Model, strategy: Strategy, options: ExploreOptions = {}) {
    const { maxSteps = DEFAULT_MAX_STEPS, keepGoing = false } = options;
    this.strategy = strategy;
    this.keepGoing = keepGoing;
    this.outcomes = this.reached;
    this.execution = new Execution(model, strategy, maxSteps, keepGoing);
  }

  /** Steps run. */
  get steps(): number {
    return this.execution.totalSteps;
  }

  /** Whether there is nothing left to run: all is explored, or something is broken and that ends it. */
  get finished(): boolean {
    return this.strategy.exhausted || (this.violations.size > 0 && !this.keepGoing);
  }

  /** Runs up to `executions` further executions. @returns whether there is more to run. */
  run(executions: number): boolean {
    const { execution, strategy } = this;
    for (let i = 0; i < executions && !this.finished && strategy.begin(); i++) {
      const result = execution.run();
      this.executions++;
      if (result === EXECUTION_PRUNED) continue;
      this.schedules++;
      this.collect();
    }
    return !this.finished;
  }

  /** A copy of the results so far, as plain data, for {@link Explorer.resume}. */
  save(): ExplorerState {
    return {
      executions: this.executions,
      schedules: this.schedules,
      steps: this.steps,
      outcomes: [...this.outcomes.values()].map(({ text, count, replay }) => ({ text, count, replay })),
      violations: [...this.violations.values()],
    };
  }

  /** Goes on from saved results. */
  resume(state: ExplorerState): void {
    this.executions = state.executions;
    this.schedules = state.schedules;
    this.execution.totalSteps = state.steps;
    this.reached.clear();
    this.violations.clear();
    for (const { text, count, replay } of state.outcomes) {
      const outcome = new Reached(text, replay);
      outcome.count = count;
      this.reached.set(text, outcome);
    }
    for (const violation of state.violations) this.violations.set(violation.invariant, violation);
  }

  private collect(): void {
    const { outcome, violation } = this.execution;
    if (outcome !== undefined) {
      const known = this.reached.get(outcome.text);
      if (known !== undefined) known.count++;
      else this.reached.set(outcome.text, new Reached(outcome.text, this.schedule()));
    }
    if (violation !== undefined && !this.violations.has(violation.invariant)) {
      this.violations.set(violation.invariant, { ...violation, replay: encodeSchedule(this.execution) });
    }
  }

  private schedule(): Schedule {
    return { agents: this.execution.agents, decisions: [...this.execution.decisions] };
  }
}
