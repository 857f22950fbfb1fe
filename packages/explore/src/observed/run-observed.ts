import { type SearchOptions, search } from '../engine/search.js';
import type { Story } from '../engine/story.js';
import type { MirrorDevicesFactory } from '../world/mirror-devices.js';
import { ANY_VALUE } from '../world/recorded-operation.js';
import { recordedModel } from './recorded-model.js';
import type { RecordedOutcome, RecordedTest } from './recorded-test.js';

/** What exploring a recorded test gave; the form of `hmm litmus --observed --json`. */
export interface ObservedReport {
  readonly name: string;
  /** Outcomes that the real kernel showed. */
  readonly observed: number;
  /** Of these, the ones that the model allows. */
  readonly covered: number;
  /** The others. */
  readonly missing: readonly RecordedOutcome[];
  /** Outcomes that the model allows. */
  readonly allowed: number;
  /** Of these, the ones that the real kernel never showed. */
  readonly never_seen: number;
  /** Invariants that some execution breaks. */
  readonly violations: readonly string[];
  readonly schedules: number;
  readonly seconds: number;
  /** Whether every interleaving was looked at. */
  readonly exhaustive: boolean;
}

/** A report and, for people, the story of the first violation. */
export interface ObservedResult {
  readonly report: ObservedReport;
  readonly story: Story | undefined;
}

/** Explores a recorded test and compares what it allows with what was seen. Outcomes come from exploration alone. */
export function runObserved(
  test: RecordedTest,
  devices: MirrorDevicesFactory,
  options: SearchOptions = {},
  settings: ReadonlyMap<string, string> = new Map(),
): ObservedResult {
  const result = search(recordedModel(test, devices, settings), { ...options, keepGoing: true });
  const { explorer } = result;
  const allowed = [...explorer.outcomes.keys()].map((text) => new AllowedOutcome(text));
  const missing = test.outcomes.filter((outcome) => !allowed.some((each) => each.covers(outcome)));
  const report: ObservedReport = {
    name: test.name,
    observed: test.outcomes.length,
    covered: test.outcomes.length - missing.length,
    missing,
    allowed: allowed.length,
    never_seen: allowed.filter((each) => !test.outcomes.some((outcome) => each.covers(outcome))).length,
    violations: [...explorer.violations.keys()],
    schedules: explorer.schedules,
    seconds: result.seconds,
    exhaustive: result.complete,
  };
  return { report, story: result.counterexample };
}

/** An outcome of the model; where it read a freed page, any value is one that it allows. */
class AllowedOutcome {
  private readonly text: string;
  private readonly pattern: RegExp | undefined;

  constructor(text: string) {
    this.text = text;
    if (!text.includes(ANY_VALUE)) return;
    const parts = text.split(ANY_VALUE).map((part) => part.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&'));
    this.pattern = new RegExp(`^${parts.join('-?\\d+')}$`);
  }

  covers({ threads, final }: RecordedOutcome): boolean {
    const text = JSON.stringify({ threads, final });
    return text === this.text || this.pattern?.test(text) === true;
  }
}
