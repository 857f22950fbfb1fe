import { ANY_VALUE } from '@hmm/operations';
import { Search, type SearchOptions } from '../engine/search.js';
import type { Subtree } from '../engine/subtree.js';
import type { Story } from '../engine/story.js';
import type { MirrorDevicesFactory } from '../world/mirror-devices.js';
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
  /** Of each of these, a schedule that does. */
  readonly replays: readonly string[];
  readonly schedules: number;
  readonly seconds: number;
  /** Whether every interleaving was looked at. */
  readonly exhaustive: boolean;
  /** The outcomes that were never seen, as the recordings write them. */
  readonly unseen: readonly string[];
}

/** A report and, for people, the story of the first violation. */
export interface ObservedResult {
  readonly report: ObservedReport;
  readonly story: Story | undefined;
}

/** The exploration of one recorded test, in slices. */
export class ObservedSearch {
  readonly search: Search;
  private readonly test: RecordedTest;

  /** @param subtree the part to explore, of the whole without. @throws HmmError `INIT` when the initial state cannot be set up. */
  constructor(
    test: RecordedTest,
    devices: MirrorDevicesFactory,
    options: SearchOptions = {},
    settings: ReadonlyMap<string, string> = new Map(),
    subtree?: Subtree,
  ) {
    this.test = test;
    const model = recordedModel(test, devices, settings);
    this.search = new Search(model, { ...options, keepGoing: true }, subtree);
  }

  /** What was found so far, or what others have found in all parts together, compared with what was seen. */
  result(findings = this.search.findings()): ObservedResult {
    const { name, outcomes } = this.test;
    const { explorer, seconds, complete, counterexample } = this.search.result(findings);
    const allowed = [...explorer.outcomes.keys()].map((text) => new AllowedOutcome(text));
    const missing = outcomes.filter((outcome) => !allowed.some((each) => each.covers(outcome)));
    const unseen = allowed.filter((each) => !outcomes.some((outcome) => each.covers(outcome)));
    const report: ObservedReport = {
      name,
      observed: outcomes.length,
      covered: outcomes.length - missing.length,
      missing,
      allowed: allowed.length,
      never_seen: unseen.length,
      violations: [...explorer.violations.keys()],
      replays: [...explorer.violations.values()].map(({ replay }) => replay),
      schedules: explorer.schedules,
      seconds,
      exhaustive: complete,
      unseen: unseen.map(({ text }) => text),
    };
    return { report, story: counterexample };
  }
}

/** Explores a recorded test and compares what it allows with what was seen. Outcomes come from exploration alone. */
export function runObserved(
  test: RecordedTest,
  devices: MirrorDevicesFactory,
  options: SearchOptions = {},
  settings: ReadonlyMap<string, string> = new Map(),
): ObservedResult {
  const running = new ObservedSearch(test, devices, options, settings);
  while (running.search.advance());
  return running.result();
}

/** An outcome of the model; where it read a freed page, any value is one that it allows. */
class AllowedOutcome {
  readonly text: string;
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
