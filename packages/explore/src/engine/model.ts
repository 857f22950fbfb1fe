import type { FunctionNaming } from '@hmm/device';
import type { Sched } from '@hmm/kernel';

/** A property that does not hold, in one execution. */
export interface Violation {
  /** Which one: an invariant's id (`I9`), `deadlock`, `livelock`, or the code of an `HmmError`. */
  readonly invariant: string;
  /** The values concerned, for people. */
  readonly detail: string;
}

/**
 * A concurrent program: what the engine explores. Between {@link start} and {@link finish} only the engine runs the
 * agents of {@link sched}; all state that the agents share must be set back by `start`.
 */
export interface Model {
  /** Name, for results. */
  readonly name: string;
  /** Whose agents are run. The engine sets `exploring` and `observer`. */
  readonly sched: Sched;
  /** Sets all state to what it is before the agents run, and spawns them. */
  start(choices: Choices): void;
  /**
   * Evaluated after every step; undefined where nothing is broken.
   * @param wrote whether the step wrote to shared state, or may have.
   */
  checkStep?(wrote: boolean): Violation | undefined;
  /** Evaluated once all agents are done: the last operations, then what holds at quiescence. */
  finish(): Outcome;
  /** Counts what agents have got done: while it stands still, an agent that backs off again and again gets nowhere. */
  progress?(): number;
  /** For searches that recognise a state which they have seen. */
  readonly states?: States;
  /** The names of the functions of the driver that takes part, for stories. */
  readonly naming?: FunctionNaming | undefined;
  /** What a story shows of the present state: page-table entries and the like, by name. */
  view?(): ReadonlyMap<string, string>;
}

/** `model` for a search that recognises no states: for code that may keep state where nobody looks for it. */
export function withoutStates(model: Model): Model {
  return {
    name: model.name,
    sched: model.sched,
    start: (choices): void => {
      model.start(choices);
    },
    checkStep: (wrote): Violation | undefined => model.checkStep?.(wrote),
    finish: (): Outcome => model.finish(),
    progress: (): number => model.progress?.() ?? 0,
    naming: model.naming,
    view: (): ReadonlyMap<string, string> => model.view?.() ?? new Map(),
  };
}

/** By number: its name, which is the same in all equal states. */
export type StateNames = ReadonlyMap<number, number>;

/** What a model says of its states. */
export interface States {
  /**
   * A hash of all state, where no agent is in the middle of anything: what follows depends on it alone. Undefined elsewhere,
   * and where it cannot be told.
   */
  key(): number | undefined;
  /** The names of what the state that {@link key} was asked for last may number otherwise than an equal one; for {@link now}. */
  names(): StateNames;
  /** The observed object that has, in that state, the place of `object` in the equal state of `then`; -1 where nothing has touched it yet. */
  now(object: number, then: StateNames): number;
  /** The agent of the set `candidates` that is the first to run if such points are to come soon. `last` ran before. */
  prefer(candidates: number, last: number): number;
}

/** How an execution ended, as seen from outside. */
export interface Outcome {
  /** What was observed, as text: equal texts are one outcome. */
  readonly text: string;
  /** What is broken at the end. */
  readonly violation?: Violation;
}

/** Decisions of a model other than who runs: which allocation fails, which answer a device gives. */
export interface Choices {
  /** One of 0 … `options` - 1. 0 is the ordinary one. */
  choose(options: number): number;
}
