import type { Agent } from './task.js';

/** Buckets at first: more than most machines have agents that wait. */
const FIRST_BUCKETS = 16;

/**
 * The agents that wait, by their wait channel: a hash table of lists that run through the agents (`nextWaiting`). It keeps no
 * order, since agents that are woken together run in the order of their ids.
 */
export class WaitQueues {
  /** Agents that wait. */
  length = 0;
  private buckets: (Agent | undefined)[] = emptyBuckets(FIRST_BUCKETS);

  /** Adds an agent that waits for `agent.channel`. */
  add(agent: Agent): void {
    if (this.length >= this.buckets.length) this.grow();
    this.length++;
    this.insert(agent);
  }

  /** Takes out an agent that waits for `channel`; undefined when none does. */
  take(channel: number): Agent | undefined {
    const { buckets } = this;
    const bucket = channel & (buckets.length - 1);
    let before: Agent | undefined;
    for (let agent = buckets[bucket]; agent !== undefined; agent = agent.nextWaiting) {
      if (agent.channel === channel) {
        if (before === undefined) buckets[bucket] = agent.nextWaiting;
        else before.nextWaiting = agent.nextWaiting;
        agent.nextWaiting = undefined;
        this.length--;
        return agent;
      }
      before = agent;
    }
    return undefined;
  }

  /** Forgets all. */
  clear(): void {
    if (this.length === 0) return;
    this.length = 0;
    this.buckets.fill(undefined);
  }

  private insert(agent: Agent): void {
    const bucket = agent.channel & (this.buckets.length - 1);
    agent.nextWaiting = this.buckets[bucket];
    this.buckets[bucket] = agent;
  }

  private grow(): void {
    const before = this.buckets;
    this.buckets = emptyBuckets(2 * before.length);
    for (const first of before) {
      for (let agent = first; agent !== undefined;) {
        const next: Agent | undefined = agent.nextWaiting;
        this.insert(agent);
        agent = next;
      }
    }
  }
}

function emptyBuckets(count: number): (Agent | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}
