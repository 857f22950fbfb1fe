import type { AccessObserver } from '@hmm/kernel/internal';
import { PRUNED, type Strategy } from '../engine/strategy.js';
import { StateSet } from '../engine/state-set.js';
import { TraceHash } from '../engine/trace-hash.js';
import { continuing, hasAgent, lowestAgent } from './agent-set.js';
import { Decisions } from './decisions.js';

/**
 * Every execution with at most so many preemptions (turns taken from an agent that could have gone on), with fewer
 * before more: most bugs need one or two (Musuvathi and Qadeer, PLDI 2007). States that were seen with as many
 * preemptions left are not entered again.
 */
export class Bounded implements Strategy {
  readonly name = 'bounded';
  readonly prefix = 0;
  readonly accesses: AccessObserver | undefined;
  exhausted = false;
  /** Nodes made. */
  states = 0;
  /** Preemptions allowed at present. */
  bound: number;
  private readonly maxBound: number;
  private readonly hash = new TraceHash();
  private readonly seen = new StateSet();
  private readonly decisions = new Decisions();
  private readonly agent: number[] = [];
  private readonly left: number[] = [];
  private readonly spent: number[] = [];
  private readonly runner: number[] = [];
  private readonly decisionStart: number[] = [];
  private depth = 0;
  private nodes = 0;
  private started = false;
  private cut = false;

  /** Bounds `from` … `to` one after the other; `to` may be Infinity: until a bound cuts nothing off. */
  constructor(to: number, from = 0) {
    this.maxBound = to;
    this.bound = from;
    this.accesses = this.hash;
  }

  /** @inheritdoc */
  begin(): boolean {
    if (this.started && !this.advance()) {
      if (!this.cut || this.bound >= this.maxBound) {
        this.exhausted = true;
        return false;
      }
      this.bound++;
      this.cut = false;
      this.seen.clear();
      this.nodes = 0;
    }
    this.started = true;
    this.depth = 0;
    this.hash.reset();
    this.decisions.begin();
    return true;
  }

  /** @inheritdoc */
  pick(ready: number, last: number): number {
    const { depth } = this;
    if (depth >= this.nodes && !this.makeNode(depth, ready, last)) return PRUNED;
    const agent = this.agent[depth] ?? PRUNED;
    this.hash.current = agent;
    return agent;
  }

  /** @inheritdoc */
  blocked(agent: number): void {
    const { depth } = this;
    if (this.agent[depth] !== agent) return;
    // It could not have gone on: leaving it is no preemption.
    if (this.runner[depth] === agent) this.runner[depth] = 0;
    if (!this.takeNext(depth)) this.agent[depth] = PRUNED;
  }

  /** @inheritdoc */
  stepped(): void {
    this.hash.stepped();
    this.depth++;
  }

  /** @inheritdoc */
  choose(options: number): number {
    const value = this.decisions.choose(options);
    this.hash.decide(value);
    return value;
  }

  /** @inheritdoc */
  end(): void {
    // What is left to run is found by begin().
  }

  private makeNode(depth: number, ready: number, last: number): boolean {
    const runner = hasAgent(ready, last) ? last : 0;
    const spent = depth === 0 ? 0 : this.spentAfter(depth - 1);
    if (this.known(runner, this.bound - spent)) return false;
    const agent = continuing(ready, last);
    this.agent[depth] = agent;
    this.left[depth] = ready & ~(1 << agent);
    this.runner[depth] = runner;
    this.spent[depth] = spent;
    this.decisionStart[depth] = this.decisions.count;
    this.nodes = depth + 1;
    this.states++;
    return true;
  }

  /** Whether the present state, with `runner` able to go on, was entered with at least `credit` preemptions left. */
  private known(runner: number, credit: number): boolean {
    const low = this.hash.low() ^ Math.imul(runner, 0x9e3779b1 | 0);
    const high = this.hash.high();
    if (this.seen.get(low, high) >= credit) return true;
    this.seen.set(low, high, credit);
    return false;
  }

  private spentAfter(node: number): number {
    const runner = this.runner[node] ?? 0;
    return (this.spent[node] ?? 0) + (runner !== 0 && this.agent[node] !== runner ? 1 : 0);
  }

  private takeNext(node: number): boolean {
    const left = this.left[node] ?? 0;
    if (left === 0) return false;
    if ((this.runner[node] ?? 0) !== 0 && (this.spent[node] ?? 0) >= this.bound) {
      this.cut = true;
      return false;
    }
    const agent = lowestAgent(left);
    this.agent[node] = agent;
    this.left[node] = left & ~(1 << agent);
    return true;
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
