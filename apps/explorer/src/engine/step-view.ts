import type { PaneRefusal, RegionView } from './run-view.js';

/** The five steps of the first example, as every driver goes through them in its own way. */
export type FiveStep = 0 | 1 | 2 | 3 | 4 | 5;

/** One step: what ran from one scheduling point of the model to the next. */
export interface StepRecord {
  /** Virtual time at its end, ns. */
  readonly time: number;
  /** Index into {@link StepTrack.agents}. */
  readonly agent: number;
  /** Line of the program's statement that was under way, 0 for none. */
  readonly line: number;
  /** Kernel and driver functions that touched shared state, in order. */
  readonly functions: readonly string[];
  /** Tracepoints that fired, in words. */
  readonly events: readonly string[];
  /** What changed: `key` and the new text; an empty text means that there is nothing any more. */
  readonly changes: readonly (readonly [key: string, text: string])[];
  /** Locks held after it: `agent: lock`. */
  readonly locks: readonly string[];
  /** Which of the five steps this belongs to; 0 for none. */
  readonly five: FiveStep;
  /** The sentence of the narration that begins here; '' for none. */
  readonly narration: string;
  /** An invariant that does not hold after it; '' for none. */
  readonly broken: string;
}

/** A run that can be walked through forwards and back. */
export interface StepTrack {
  readonly ok: true;
  readonly title: string;
  readonly client: string;
  readonly gpu: string;
  readonly agents: readonly string[];
  readonly regions: readonly RegionView[];
  /** Names of the state's parts, in the order in which they are shown; see {@link StepRecord.changes}. */
  readonly keys: readonly string[];
  readonly steps: readonly StepRecord[];
  /** Set when the run has more steps than are kept. */
  readonly truncated: boolean;
  /** What the statements returned. */
  readonly values: Readonly<Record<string, readonly number[]>>;
}

/** The answer to a request for steps. */
export type StepRun = StepTrack | PaneRefusal;

/** What each of the five steps is about, for headings. */
export const FIVE_STEPS: readonly string[] = [
  '',
  'The GPU faults: its page table knows nothing of that memory',
  'The driver gets the interrupt and asks HMM about the address',
  'The page is migrated, or mapped where it is',
  'The driver has the GPU replay the access',
  'The program goes on, with the right value',
];
