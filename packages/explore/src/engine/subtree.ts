import type { DporState } from '../strategies/dpor-state.js';
import { type ExplorerState, type FoundViolation, type ReachedOutcome } from './explorer.js';
import { encodeSchedule } from './schedule.js';

/**
 * A part of an exploration: all that follows its first choices, but for what other parts see to. Plain data, which JSON keeps: another
 * process explores it with `new Search(model, options, subtree)`, given the same model and options.
 */
export interface Subtree {
  /** The stack of the search that begins there. */
  readonly strategy: DporState;
}

/** What identifies a subtree among those of one exploration: the schedule of its first choices, as a replay string. */
export function subtreeName({ strategy }: Subtree): string {
  return encodeSchedule({ agents: strategy.agent, decisions: strategy.decisions.values });
}

/**
 * The results of several parts of one exploration as one: counts are added up, and of the schedules that show the same the first in
 * the order of their lengths and letters stays, all in the order of their texts, so that it does not matter in which order parts were explored.
 */
export function mergeExplorations(parts: readonly ExplorerState[]): ExplorerState {
  const outcomes = new Map<string, ReachedOutcome>();
  const violations = new Map<string, FoundViolation>();
  for (const part of parts) {
    for (const outcome of part.outcomes) {
      const known = outcomes.get(outcome.text);
      const count = outcome.count + (known?.count ?? 0);
      outcomes.set(outcome.text, { ...earlier(known, outcome), count });
    }
    for (const violation of part.violations)
      violations.set(violation.invariant, earlier(violations.get(violation.invariant), violation));
  }
  const sum = (count: (part: ExplorerState) => number): number =>
    parts.reduce((total, part) => total + count(part), 0);
  return {
    executions: sum(({ executions }) => executions),
    schedules: sum(({ schedules }) => schedules),
    steps: sum(({ steps }) => steps),
    outcomes: inOrder(outcomes),
    violations: inOrder(violations),
  };
}

const inOrder = <T>(found: ReadonlyMap<string, T>): T[] =>
  [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);

/** The one of two whose schedule comes first. */
function earlier<T extends { readonly replay: string }>(known: T | undefined, other: T): T {
  if (known === undefined) return other;
  const shorter = other.replay.length - known.replay.length;
  return shorter < 0 || (shorter === 0 && other.replay < known.replay) ? other : known;
}
