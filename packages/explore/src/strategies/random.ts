import { Prng } from '@hmm/kernel';
import { hweight32, type AccessObserver } from '@hmm/kernel/internal';
import type { Strategy } from '../engine/strategy.js';

/** Picks the next agent, and decides, at random; endless. The same seed gives the same executions. */
export class RandomWalk implements Strategy {
  readonly name = 'random';
  readonly prefix = 0;
  readonly accesses: AccessObserver | undefined = undefined;
  readonly exhausted = false;
  private readonly prng: Prng;

  constructor(seed: number) {
    this.prng = new Prng(seed);
  }

  /** @inheritdoc */
  begin(): boolean {
    return true;
  }

  /** @inheritdoc */
  pick(ready: number): number {
    let skip = this.prng.below(hweight32(ready));
    let rest = ready;
    for (; skip > 0; skip--) rest &= rest - 1;
    return 31 - Math.clz32(rest & -rest);
  }

  /** @inheritdoc */
  blocked(): void {
    // The next pick is as good.
  }

  /** @inheritdoc */
  stepped(): void {
    // Nothing is remembered.
  }

  /** @inheritdoc */
  choose(options: number): number {
    return this.prng.below(options);
  }

  /** @inheritdoc */
  end(): void {
    // Nothing is remembered.
  }
}
