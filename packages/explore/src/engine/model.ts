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

/** By number of what a state may number otherwise than an equal one: its name, which is the same in all equal states; 0 for none. */
export type StateNames = Int32Array;

/** What an observed object holds. */
export interface Contents {
  /** What everybody learns who reads it. */
  word: number;
  /** What only those learn who say that they write: counts. Of an object that is counted, what those learn who count. */
  more: number;
  /** Frames that it names, 0 for none. */
  frame: number;
  other: number;
  /** A sequence number, of which matters only how far it has gone on since. */
  sequence: number | undefined;
}

/** What an agent has forgotten in a step: all since the step `since` began, but for some words and frames. */
export interface Forgotten {
  /** The number of steps made, this one included. */
  readonly step: number;
  /** As many steps as were made when that one was under way. */
  readonly since: number;
  readonly words: readonly number[];
  readonly frames: readonly number[];
}

/** What the agents have in mind that are in the middle of something. */
export interface Remembered {
  /** A hash of what `agent` has read since it was last at rest, but for which frames and sequence numbers those were; lower half. */
  lowOf(agent: number): number;
  /** Upper half. */
  highOf(agent: number): number;
  /** Calls `visit` with each frame that the agent knows (`object` 0), and each sequence number that it has read of an object. */
  forEach(agent: number, visit: (object: number, value: number) => void): void;
}

/** What a model says of its states. */
export interface States {
  /** Whether `agent` is in the middle of nothing: what it does next follows from the state alone. */
  resting(agent: number): boolean;
  /** What the agent of the last step has forgotten at its end; undefined where it has not. */
  forgot(): Forgotten | undefined;
  /** Reads what an object holds; false where the model cannot say. */
  contents(object: number, into: Contents): boolean;
  /** Reads what it held when executions begin. */
  initial(object: number, into: Contents): boolean;
  /** The frame that an object is about, 0 for none. */
  frameOf(object: number): number;
  /**
   * A hash of all state: what follows depends on it alone. Undefined where it cannot be told.
   * @param remembered of the agents that are not at rest. @param ready the agents that can run.
   */
  key(remembered: Remembered, ready: number): number | undefined;
  /** The names of the frames in the state that {@link key} was asked for last. */
  names(): StateNames;
  /** The name of an observed object in a state with the names `names`, the same in all equal states; -1 for what nothing has touched there. */
  nameOf(object: number, names: StateNames): number;
  /** The object with a name in the state that {@link key} was asked for last; -1 for none. */
  named(name: number): number;
  /** The agent of the set `candidates` that is the first to run if states are to be alike soon. `last` ran before. */
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
