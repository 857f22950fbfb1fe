import { HmmError } from '@hmm/kernel';
import { type AccessObserver } from '@hmm/kernel/internal';
import type { Schedule } from '../engine/schedule.js';
import type { Strategy } from '../engine/strategy.js';
import { continuing, hasAgent } from './agent-set.js';

/** Runs one schedule, once; past its end the agent that ran last goes on. */
export class Replay implements Strategy {
  readonly name = 'replay';
  readonly prefix = 0;
  readonly accesses: AccessObserver | undefined;
  exhausted = false;
  private readonly schedule: Schedule;
  private step = 0;
  private decision = 0;

  /** @param accesses where accesses go, if somebody wants to see them. */
  constructor(schedule: Schedule, accesses?: AccessObserver) {
    this.schedule = schedule;
    this.accesses = accesses;
  }

  /** @inheritdoc */
  begin(): boolean {
    if (this.exhausted) return false;
    this.exhausted = true;
    return true;
  }

  /**
   * @inheritdoc
   * @throws HmmError `REPLAY_DIVERGED` when the schedule's agent can't run: it belongs to another test or version.
   */
  pick(ready: number, last: number): number {
    const agent = this.schedule.agents[this.step];
    if (agent === undefined) return continuing(ready, last);
    if (!hasAgent(ready, agent)) this.diverged(agent);
    return agent;
  }

  /** @inheritdoc */
  blocked(agent: number): void {
    if (this.step < this.schedule.agents.length) this.diverged(agent);
  }

  /** @inheritdoc */
  stepped(): void {
    this.step++;
  }

  /** @inheritdoc */
  choose(options: number): number {
    const value = this.schedule.decisions[this.decision++] ?? 0;
    if (value >= options) throw new HmmError('REPLAY_DIVERGED', `decision ${value} of ${options}`, { value });
    return value;
  }

  /** @inheritdoc */
  end(): void {
    // There is one execution.
  }

  private diverged(agent: number): never {
    throw new HmmError('REPLAY_DIVERGED', `step ${this.step + 1}: agent ${agent} cannot run`, { agent });
  }
}
