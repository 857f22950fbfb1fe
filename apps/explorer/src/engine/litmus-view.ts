import type { Story } from '@hmm/explore';
import type { ProblemView } from './protocol.js';

/** What exploring a litmus test gave. */
export type LitmusView =
  | {
      readonly ok: true;
      readonly name: string;
      readonly doc: string;
      /** `ok`: holds in every execution; `violated`: does not; `incomplete`: held as far as the time allowed. */
      readonly verdict: 'ok' | 'violated' | 'incomplete';
      /** Executions that ran to their end. */
      readonly schedules: number;
      readonly steps: number;
      readonly seconds: number;
      readonly outcomes: readonly OutcomeView[];
      /** The shortest execution found that breaks something. */
      readonly story: Story | undefined;
    }
  | { readonly ok: false; readonly problems: readonly ProblemView[] };

/** One final state that can be reached. */
export interface OutcomeView {
  readonly text: string;
  /** Executions that ended so. */
  readonly count: number;
  /** An execution that does. */
  readonly replay: string;
}

/** One execution, told step by step; or why the test or the replay string cannot be read. */
export type LitmusStory =
  | { readonly ok: true; readonly story: Story }
  | { readonly ok: false; readonly problems: readonly ProblemView[] };
