import { Bounded } from '../strategies/bounded.js';
import { Dpor } from '../strategies/dpor.js';
import { Full } from '../strategies/full.js';
import { Pct } from '../strategies/pct.js';
import { RandomWalk } from '../strategies/random.js';
import { DEFAULT_MAX_STEPS, Explorer, type ExplorerState } from './explorer.js';
import type { Findings, SavedSearch } from './findings.js';
import { minimise } from './minimise.js';
import { type Model, withoutStates } from './model.js';
import { type Story, tell } from './story.js';
import type { Strategy } from './strategy.js';
import { mergeExplorations, type Subtree } from './subtree.js';

/** The strategies by name. */
export const STRATEGIES = ['dpor', 'full', 'bounded', 'pct', 'random'] as const;
/** Name of a strategy. */
export type StrategyName = (typeof STRATEGIES)[number];

/** How to search, and how long. */
export interface SearchOptions {
  /** `dpor` unless told otherwise. */
  readonly strategy?: StrategyName;
  /** Of the strategies that roll dice. */
  readonly seed?: number;
  /** Preemptions, for `bounded`; ordering constraints, for `pct`. */
  readonly bound?: number;
  /** An execution longer than that is a livelock. */
  readonly maxSteps?: number;
  /** Executions to run at most. */
  readonly maxExecutions?: number;
  /** Seconds to run at most, by {@link now}. */
  readonly maxSeconds?: number;
  /** Go on after a violation, to see every outcome. */
  readonly keepGoing?: boolean;
  /** A clock, seconds. */
  readonly now?: () => number;
  /** Whether an execution that comes to a state which was seen before is given up there; yes unless told otherwise. */
  readonly recogniseStates?: boolean;
  /** Executions to spend on making a counterexample short. */
  readonly minimiseExecutions?: number;
}

/** What a search has found. */
export interface SearchResult {
  /** Whether the strategy has run all that it wanted, or has found what ends it. */
  readonly complete: boolean;
  readonly explorer: Explorer;
  /** Prefixes of executions that were looked at, where the strategy counts them. */
  readonly states: number;
  readonly seconds: number;
  /** The shortest story found of the first violation. */
  readonly counterexample: Story | undefined;
}

const SLICE = 64;

/** Makes a strategy. */
export function makeStrategy(options: SearchOptions): Strategy & { readonly states?: number } {
  const { strategy = 'dpor', seed = 1, maxSteps = DEFAULT_MAX_STEPS } = options;
  switch (strategy) {
    case 'dpor':
      return new Dpor(maxSteps);
    case 'full':
      return new Full();
    case 'bounded':
      return new Bounded(options.bound ?? 2);
    case 'pct':
      return new Pct(seed, options.bound ?? 3);
    case 'random':
      return new RandomWalk(seed);
  }
}

/**
 * A search that is done in slices, so that whoever runs it can see to other things, stop it with what it has, or save it
 * and go on another day.
 */
export class Search {
  readonly explorer: Explorer;
  private readonly model: Model;
  private readonly options: SearchOptions;
  private readonly strategy: Strategy & { readonly states?: number };
  private readonly maxSteps: number;
  private readonly now: () => number;
  private seconds = 0;

  /** @param subtree the part of the whole to explore, as another search of the same model with the same options gave it away. */
  constructor(model: Model, options: SearchOptions = {}, subtree?: Subtree) {
    const { maxSteps = DEFAULT_MAX_STEPS, keepGoing = false, now = () => 0 } = options;
    this.model = options.recogniseStates === false ? withoutStates(model) : model;
    this.options = options;
    this.maxSteps = maxSteps;
    this.now = now;
    this.strategy = makeStrategy(options);
    this.explorer = new Explorer(this.model, this.strategy, { maxSteps, keepGoing });
    if (subtree !== undefined && this.strategy instanceof Dpor) this.strategy.resume(subtree.strategy);
  }

  /**
   * Gives a part of what is left away, which somebody else explores: the earlier the choice, the larger the part. Both
   * together find what this search would have found alone. Undefined where there is nothing to be given away (yet), and for
   * strategies other than `dpor`.
   */
  split(): Subtree | undefined {
    const strategy = this.strategy instanceof Dpor ? this.strategy.split() : undefined;
    return strategy === undefined ? undefined : { strategy };
  }

  /**
   * Knows the states from which all was explored together with other searches of the same model and options, on other threads.
   * @param memory zeros, or what they have put there.
   */
  shareStates(memory: SharedArrayBuffer): void {
    if (this.strategy instanceof Dpor) this.strategy.shareStates(memory);
  }

  /** Adds what another search has found in a part that was given away. */
  absorb(found: ExplorerState): void {
    this.explorer.resume(mergeExplorations([this.explorer.save(), found]));
  }

  /**
   * Runs some executions.
   * @param executions at most so many. @returns whether there is more to run within the limits.
   */
  advance(executions = SLICE): boolean {
    const { explorer } = this;
    const { maxExecutions = Infinity, maxSeconds = Infinity } = this.options;
    const begin = this.now();
    const more = explorer.run(Math.min(executions, maxExecutions - explorer.executions));
    this.seconds += this.now() - begin;
    return more && explorer.executions < maxExecutions && this.seconds < maxSeconds;
  }

  /** What was found so far, as plain data. */
  findings(): Findings {
    const { explorer, seconds } = this;
    const states = this.strategy.states ?? explorer.executions;
    return { found: explorer.save(), states, seconds, complete: explorer.finished };
  }

  /**
   * What was found so far; the counterexample is made short first.
   * @param findings what others have found, in all parts together, instead of this search.
   */
  result(findings = this.findings()): SearchResult {
    const { explorer, model, maxSteps } = this;
    const { found, complete, states, seconds } = findings;
    explorer.resume(mergeExplorations([found]));
    const begin = this.now();
    const counterexample = shortest(model, explorer, maxSteps, this.options.minimiseExecutions ?? 2000);
    return { complete, explorer, states, seconds: seconds + this.now() - begin, counterexample };
  }

  /** What was found, and what is left to be explored; undefined for strategies that cannot go on later. */
  save(): SavedSearch | undefined {
    const { strategy } = this;
    if (!(strategy instanceof Dpor)) return undefined;
    const state = strategy.save();
    const findings = this.findings();
    const left = findings.complete ? [] : [{ strategy: { ...state, states: 0 } }];
    return { ...findings, left };
  }
}

/** Explores `model` within the limits of `options`. */
export function search(model: Model, options: SearchOptions = {}): SearchResult {
  const running = new Search(model, options);
  while (running.advance());
  return running.result();
}

function shortest(model: Model, explorer: Explorer, maxSteps: number, budget: number): Story | undefined {
  const [found] = explorer.violations.values();
  if (found === undefined) return undefined;
  const short = minimise(model, found.invariant, maxSteps, budget);
  return tell(model, short?.replay ?? found.replay, maxSteps);
}
