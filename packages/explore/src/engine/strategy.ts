import type { AccessObserver } from '@hmm/kernel/internal';
import type { States } from './model.js';

/** Returned by {@link Strategy.pick}: what would follow was explored already. */
export const PRUNED = -1;

/**
 * Decides, at each scheduling point, who goes on. The engine asks and knows nothing of how a strategy decides; a
 * strategy knows nothing of what the agents do beyond what it is told here. Agents are numbers from 1 to 31, sets of
 * agents are bit masks.
 */
export interface Strategy {
  /** For results and replay. */
  readonly name: string;
  /**
   * First steps of the present execution that repeat those of an earlier one: nothing in them needs to be checked or
   * observed again. Set by {@link begin}.
   */
  readonly prefix: number;
  /** Where accesses to shared state go; undefined when the strategy has no use for them. */
  readonly accesses: AccessObserver | undefined;
  /** Whether all that the strategy wants to run has been run. */
  readonly exhausted: boolean;
  /** Gets the states of the model, where it tells of them, before the first execution. */
  watch?(states: States): void;
  /** Prepares the next execution; false when there is none. */
  begin(): boolean;
  /** The agent of step `step` of the {@link prefix}, where there is one. Of these steps the strategy is told nothing else. */
  repeated?(step: number): number;
  /** The agent of the set `ready` to run next, or {@link PRUNED}. `last` ran before (0 at the start). */
  pick(ready: number, last: number): number;
  /** The agent picked found `lock` taken: it now waits for it, and nothing else has changed. Another pick follows. */
  blocked(agent: number, lock: number): void;
  /**
   * The agent picked has run to its next scheduling point. `woken` is the set of agents that it made ready.
   */
  stepped(agent: number, woken: number): void;
  /** A decision inside the present step: one of 0 … `options` - 1. */
  choose(options: number): number;
  /** The execution is over. */
  end(): void;
}
