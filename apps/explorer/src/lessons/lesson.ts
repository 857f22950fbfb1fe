import type { LitmusView } from '../engine/litmus-view.js';
import type { RunView } from '../engine/run-view.js';
import { ON_BOTH, ON_CPU, ON_DEVICE } from '../tiles/residency-raster.js';

/** A question, a run that decides it, and what the run says. */
export interface Lesson {
  readonly title: string;
  readonly question: string;
  readonly options: readonly string[];
  /** What is learnt, shown when the run has been seen. */
  readonly explanation: string;
  readonly run: LessonRun;
}

/** What is run, and how the right option is read off it; -1 where the run does not decide. */
export type LessonRun =
  | {
      readonly kind: 'program';
      readonly program: string;
      /** Drivers of the panes. */
      readonly clients: readonly string[];
      readonly settings?: readonly string[];
      answer(runs: readonly RunView[]): number;
    }
  | {
      readonly kind: 'litmus';
      readonly test: string;
      answer(view: Extract<LitmusView, { ok: true }>): number;
    };

/** Rows of the map that end in each place. */
export interface Places {
  readonly cpu: number;
  readonly device: number;
  readonly both: number;
  readonly nowhere: number;
}

/** Where the pages are at the end of a run. */
export function placesAtEnd(run: RunView): Places {
  const last = new Uint8Array(run.rows);
  const { length, row, rows, state } = run.residency;
  for (let i = 0; i < length; i++) {
    const first = row[i] ?? 0;
    last.fill(state[i] ?? 0, first, first + (rows[i] ?? 0));
  }
  const count = (wanted: number): number => last.reduce((sum, at) => sum + (at === wanted ? 1 : 0), 0);
  return { cpu: count(ON_CPU), device: count(ON_DEVICE), both: count(ON_BOTH), nowhere: count(0) };
}

/** The option that a number is, -1 for none of them. */
export function optionOf(value: number, options: readonly number[]): number {
  return options.indexOf(value);
}
