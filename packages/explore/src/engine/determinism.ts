import { RandomWalk } from '../strategies/random.js';
import { Replay } from '../strategies/replay.js';
import { Execution } from './execution.js';
import type { Model } from './model.js';
import { encodeSchedule } from './schedule.js';
import type { Strategy } from './strategy.js';
import { TraceHash } from './trace-hash.js';

/** An execution that did not come out the same the second time. */
export interface Divergence {
  /** Its schedule. */
  readonly replay: string;
  /** What differed. */
  readonly detail: string;
}

/**
 * Looks for nondeterminism that the engine does not control (time, iteration order, state that `Model.start` forgets
 * to set back): runs random executions, each twice, and compares what they accessed, their length and their outcome.
 * @returns the first difference, undefined when there was none.
 */
export function findNondeterminism(
  model: Model,
  seed: number,
  executions: number,
  maxSteps: number,
): Divergence | undefined {
  const walk = new HashedWalk(seed);
  const first = new Execution(model, walk, maxSteps);
  for (let i = 0; i < executions; i++) {
    walk.begin();
    first.run();
    const replay = encodeSchedule(first);
    const before = summary(first, walk.accesses);
    walk.accesses.reset();
    const again = new Execution(model, new HashedReplay(first, walk.accesses), maxSteps);
    again.run();
    const after = summary(again, walk.accesses);
    if (before !== after) return { replay, detail: `first ${before}, then ${after}` };
  }
  return undefined;
}

function summary(execution: Execution, hash: TraceHash): string {
  const state = `${(hash.low() >>> 0).toString(16)}${(hash.high() >>> 0).toString(16)}`;
  const end = execution.outcome?.text ?? execution.violation?.invariant ?? 'nothing';
  return `${execution.steps} steps, state ${state}, outcome ${end}`;
}

class HashedWalk extends RandomWalk {
  override readonly accesses = new TraceHash();

  override begin(): boolean {
    this.accesses.reset();
    return super.begin();
  }

  override pick(ready: number): number {
    return (this.accesses.current = super.pick(ready));
  }
}

class HashedReplay extends Replay implements Strategy {
  private readonly hash: TraceHash;

  constructor(execution: Execution, hash: TraceHash) {
    super({ agents: [...execution.agents], decisions: [...execution.decisions] }, hash);
    this.hash = hash;
  }

  override pick(ready: number, last: number): number {
    return (this.hash.current = super.pick(ready, last));
  }
}
