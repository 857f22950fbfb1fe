import { PRUNED, type Strategy } from '../engine/strategy.js';
import { continuing, hasAgent, lowestAgent } from './agent-set.js';
import { Decisions } from './decisions.js';

/** Plain depth-first search over every order of steps: what the reduced searches are checked against. */
export class Full implements Strategy {
  readonly name = 'full';
  readonly accesses = undefined;
  prefix = 0;
  exhausted = false;
  /** Nodes made. */
  states = 0;
  private readonly decisions = new Decisions();
  private readonly agent: number[] = [];
  private readonly left: number[] = [];
  private readonly decisionStart: number[] = [];
  private depth = 0;
  private nodes = 0;
  private started = false;

  /** @inheritdoc */
  begin(): boolean {
    if (this.started && !this.advance()) {
      this.exhausted = true;
      return false;
    }
    this.started = true;
    this.prefix = Math.max(0, this.nodes - 1);
    this.depth = this.prefix;
    this.decisions.begin();
    return true;
  }

  /** @inheritdoc */
  repeated(step: number): number {
    return this.agent[step] ?? 0;
  }

  /** @inheritdoc */
  pick(ready: number, last: number): number {
    const { depth } = this;
    if (depth < this.nodes) return this.agent[depth] ?? 0;
    const agent = continuing(ready, last);
    this.agent[depth] = agent;
    this.left[depth] = ready & ~(1 << agent);
    this.decisionStart[depth] = this.decisions.count;
    this.nodes = depth + 1;
    this.states++;
    return agent;
  }

  /** @inheritdoc */
  blocked(agent: number): void {
    const { depth } = this;
    if (this.agent[depth] === agent && !this.takeNext(depth)) this.agent[depth] = PRUNED;
  }

  /** @inheritdoc */
  stepped(): void {
    this.depth++;
  }

  /** @inheritdoc */
  choose(options: number): number {
    return this.decisions.choose(options);
  }

  /** @inheritdoc */
  end(): void {
    // What is left to run is found by begin().
  }

  private takeNext(node: number): boolean {
    const left = this.left[node] ?? 0;
    if (left === 0) return false;
    const agent = lowestAgent(left);
    this.agent[node] = agent;
    this.left[node] = left & ~(1 << agent);
    return hasAgent(left, agent);
  }

  private advance(): boolean {
    while (this.nodes > 0) {
      const node = this.nodes - 1;
      if (this.agent[node] !== PRUNED && this.decisions.advance(this.decisionStart[node] ?? 0)) return true;
      if (this.takeNext(node)) return true;
      this.nodes = node;
    }
    return false;
  }
}
