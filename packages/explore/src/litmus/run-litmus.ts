import { type SearchOptions, search } from '../engine/search.js';
import type { Story } from '../engine/story.js';
import type { MirrorDevicesFactory } from '../world/mirror-devices.js';
import { litmusModel } from './litmus-model.js';
import type { LitmusProgram } from './program.js';

/** `ok`: holds in every execution; `violated`: does not; `incomplete`: held as far as the search got. */
export type LitmusVerdict = 'ok' | 'violated' | 'incomplete';

/** What exploring one litmus test gave; the form of `hmm litmus --json`. */
export interface LitmusReport {
  readonly name: string;
  readonly verdict: LitmusVerdict;
  /** Executions that ran to their end. */
  readonly schedules: number;
  readonly states: number;
  readonly steps: number;
  readonly outcomes: readonly string[];
  readonly seconds: number;
  readonly counterexample: LitmusCounterexample | null;
}

/** How a test breaks. */
export interface LitmusCounterexample {
  readonly replay: string;
  readonly invariant: string;
  readonly detail: string;
  readonly steps: Story['steps'];
}

/** A report and, for people, the story in it. */
export interface LitmusResult {
  readonly report: LitmusReport;
  readonly story: Story | undefined;
}

/** Explores a litmus test. @throws HmmError `INIT` when its initial state cannot be set up. */
export function runLitmus(
  program: LitmusProgram,
  devices: MirrorDevicesFactory,
  options: SearchOptions = {},
): LitmusResult {
  const model = litmusModel(program, devices);
  const result = search(model, options);
  const { explorer, counterexample: story } = result;
  const outcomes = [...explorer.outcomes.keys()];
  const witnessed = program.quantifier !== 'exists' || outcomes.some((text) => text.endsWith('exists'));
  const broken = explorer.violations.size > 0 || (result.complete && !witnessed);
  const verdict = broken ? 'violated' : result.complete ? 'ok' : 'incomplete';
  const report: LitmusReport = {
    name: program.name,
    verdict,
    schedules: explorer.schedules,
    states: result.states,
    steps: explorer.steps,
    outcomes,
    seconds: result.seconds,
    counterexample: story === undefined ? null : counterexampleOf(story),
  };
  return { report, story };
}

function counterexampleOf(story: Story): LitmusCounterexample {
  return {
    replay: story.replay,
    invariant: story.violation?.invariant ?? 'none',
    detail: story.violation?.detail ?? '',
    steps: story.steps,
  };
}
