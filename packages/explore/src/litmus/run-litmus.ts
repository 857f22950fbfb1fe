import type { FoundViolation } from '../engine/explorer.js';
import { Search, type SearchOptions } from '../engine/search.js';
import type { Subtree } from '../engine/subtree.js';
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
  /** All that is broken, each with a schedule that breaks it. */
  readonly violations: readonly FoundViolation[];
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

/** The exploration of one litmus test, in slices. */
export class LitmusSearch {
  readonly search: Search;
  private readonly program: LitmusProgram;

  /** @param subtree the part to explore, of the whole without. @throws HmmError `INIT` when the initial state cannot be set up. */
  constructor(
    program: LitmusProgram,
    devices: MirrorDevicesFactory,
    options: SearchOptions = {},
    subtree?: Subtree,
  ) {
    this.program = program;
    this.search = new Search(litmusModel(program, devices), options, subtree);
  }

  /** What was found so far; what others have found in all parts together, where that is given. */
  result(findings = this.search.findings()): LitmusResult {
    const { name, quantifier } = this.program;
    const { explorer, states, seconds, complete, counterexample: story } = this.search.result(findings);
    const outcomes = [...explorer.outcomes.keys()];
    const witnessed = quantifier !== 'exists' || outcomes.some((text) => text.endsWith('exists'));
    const broken = explorer.violations.size > 0 || (complete && !witnessed);
    const report: LitmusReport = {
      name,
      verdict: broken ? 'violated' : complete ? 'ok' : 'incomplete',
      schedules: explorer.schedules,
      states,
      steps: explorer.steps,
      outcomes,
      seconds,
      counterexample: story === undefined ? null : counterexampleOf(story),
      violations: [...explorer.violations.values()],
    };
    return { report, story };
  }
}

/** Explores a litmus test. @throws HmmError `INIT` when its initial state cannot be set up. */
export function runLitmus(
  program: LitmusProgram,
  devices: MirrorDevicesFactory,
  options: SearchOptions = {},
): LitmusResult {
  const running = new LitmusSearch(program, devices, options);
  while (running.search.advance());
  return running.result();
}

function counterexampleOf(story: Story): LitmusCounterexample {
  return {
    replay: story.replay,
    invariant: story.violation?.invariant ?? 'none',
    detail: story.violation?.detail ?? '',
    steps: story.steps,
  };
}
