import { Execution } from './execution.js';
import type { Model, Violation } from './model.js';
import { encodeSchedule } from './schedule.js';
import { Bounded } from '../strategies/bounded.js';

/** A violation with the schedule that shows it. */
export interface Minimised extends Violation {
  /** The schedule. */
  readonly replay: string;
  /** Preemptions in it. */
  readonly preemptions: number;
  /** Steps in it. */
  readonly steps: number;
}

/** Steps of an execution of a small test, rather more than fewer: long ones, as of a livelock, count several times. */
const STEPS = 100;

/**
 * Looks for the shortest way to break `invariant`: fewest preemptions, then fewest steps.
 * @param budget executions to spend; what is best by then is returned.
 * @returns undefined when it was not broken within the budget.
 */
export function minimise(
  model: Model,
  invariant: string,
  maxSteps: number,
  budget: number,
): Minimised | undefined {
  const strategy = new Bounded(Infinity);
  const execution = new Execution(model, strategy, maxSteps);
  let best: Minimised | undefined;
  const steps = budget * STEPS;
  for (let i = 0; i < budget && execution.totalSteps < steps && strategy.begin(); i++) {
    if (best !== undefined && strategy.bound > best.preemptions) break;
    execution.run();
    const { violation, steps: length } = execution;
    if (violation?.invariant !== invariant || (best !== undefined && best.steps <= length)) continue;
    best = { ...violation, replay: encodeSchedule(execution), preemptions: strategy.bound, steps: length };
  }
  return best;
}
