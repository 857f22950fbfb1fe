import type { DecisionsState } from './decisions.js';
import type { SleepingState } from './sleeping-steps.js';

/** Agents that a reduced search can have, the boot agent included. */
export const MAX_AGENTS = 8;

/** What a saved `Dpor` holds: one entry a node, and what its nodes share. */
export interface DporState {
  readonly states: number;
  readonly started: boolean;
  readonly exhausted: boolean;
  readonly agent: readonly number[];
  readonly enabled: readonly number[];
  readonly backtrack: readonly number[];
  readonly done: readonly number[];
  readonly dead: readonly number[];
  /** By node: the agents whose subtrees are explored elsewhere. */
  readonly given: readonly number[];
  readonly decisionStart: readonly number[];
  readonly decisions: DecisionsState;
  readonly sleeping: SleepingState;
  /** Nodes of the stack to which the exploration does not go back: what else is to be run there, others run. */
  readonly floor: number;
}

/**
 * The part of a search in which `agent` runs at `node`, the last one of `state`; the agents of the set `explored` were run there
 * besides those that `state` says.
 */
export function partOf(state: DporState, node: number, agent: number, explored: number): DporState {
  const put = (column: readonly number[], value: number): number[] => [...column.slice(0, node), value];
  const bit = 1 << agent;
  return {
    ...state,
    agent: put(state.agent, agent),
    backtrack: put(state.backtrack, bit),
    done: put(state.done, (state.done[node] ?? 0) | explored),
    given: put(state.given, (state.enabled[node] ?? 0) & ~bit),
    floor: node,
  };
}
