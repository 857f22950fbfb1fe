import { Prng } from '@hmm/kernel';
import type { Strategy } from '../engine/strategy.js';
import { hasAgent, lowestAgent } from './agent-set.js';

const AGENTS = 32;

/**
 * Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): the agent with the
 * highest random priority runs, and at `depth - 1` random steps the running one drops below all others. Finds a bug
 * that needs `depth` ordering constraints with a probability of at least 1 / (agents · steps^(depth - 1)) in each
 * execution. Endless.
 */
export class Pct implements Strategy {
  readonly name = 'pct';
  readonly prefix = 0;
  readonly accesses = undefined;
  readonly exhausted = false;
  private readonly prng: Prng;
  private readonly changes: Int32Array;
  private readonly priority = new Float64Array(AGENTS);
  private steps = 0;
  private longest: number;
  private lowest = 0;

  /** @param expectedSteps a guess at the length of an execution, corrected by what is seen. */
  constructor(seed: number, depth: number, expectedSteps = 50) {
    this.prng = new Prng(seed);
    this.changes = new Int32Array(Math.max(0, depth - 1));
    this.longest = expectedSteps;
  }

  /** @inheritdoc */
  begin(): boolean {
    this.longest = Math.max(this.longest, this.steps);
    this.steps = 0;
    this.lowest = 0;
    for (let i = 0; i < AGENTS; i++) this.priority[i] = 1 + this.prng.next();
    for (let i = 0; i < this.changes.length; i++) this.changes[i] = this.prng.below(this.longest);
    return true;
  }

  /** @inheritdoc */
  pick(ready: number): number {
    let best = lowestAgent(ready);
    for (let agent = best + 1; agent < AGENTS; agent++) {
      if (hasAgent(ready, agent) && (this.priority[agent] ?? 0) > (this.priority[best] ?? 0)) best = agent;
    }
    return best;
  }

  /** @inheritdoc */
  blocked(): void {
    // It is not ready any more.
  }

  /** @inheritdoc */
  stepped(agent: number): void {
    if (this.changes.includes(this.steps)) this.priority[agent] = --this.lowest;
    this.steps++;
  }

  /** @inheritdoc */
  choose(options: number): number {
    return this.prng.below(options);
  }

  /** @inheritdoc */
  end(): void {
    // begin() looks at the length.
  }
}
