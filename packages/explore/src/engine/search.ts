import { Bounded } from '../strategies/bounded.js';
import { Dpor } from '../strategies/dpor.js';
import { Full } from '../strategies/full.js';
import { Pct } from '../strategies/pct.js';
import { RandomWalk } from '../strategies/random.js';
import { DEFAULT_MAX_STEPS, Explorer } from './explorer.js';
import { minimise } from './minimise.js';
import type { Model } from './model.js';
import { type Story, tell } from './story.js';
import type { Strategy } from './strategy.js';

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
  /** Asked between slices of work; true ends the search with what it has. */
  readonly interrupted?: () => boolean;
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

/** Explores `model` within the limits of `options`. */
export function search(model: Model, options: SearchOptions = {}): SearchResult {
  const { maxSteps = DEFAULT_MAX_STEPS, maxExecutions = Infinity, maxSeconds = Infinity } = options;
  const now = options.now ?? (() => 0);
  const begin = now();
  const strategy = makeStrategy(options);
  const explorer = new Explorer(model, strategy, { maxSteps, keepGoing: options.keepGoing ?? false });
  for (;;) {
    const more = explorer.run(Math.min(SLICE, maxExecutions - explorer.executions));
    if (!more || explorer.executions >= maxExecutions || now() - begin >= maxSeconds) break;
    if (options.interrupted?.() === true) break;
  }
  const counterexample = shortest(model, explorer, maxSteps, options.minimiseExecutions ?? 2000);
  const states = strategy.states ?? explorer.executions;
  return { complete: explorer.finished, explorer, states, seconds: now() - begin, counterexample };
}

function shortest(model: Model, explorer: Explorer, maxSteps: number, budget: number): Story | undefined {
  const [found] = explorer.violations.values();
  if (found === undefined) return undefined;
  const short = minimise(model, found.invariant, maxSteps, budget);
  return tell(model, short?.replay ?? found.replay, maxSteps);
}
