import { hasAgent, lowestAgent } from './agent-set.js';
import type { Clocks } from './clocks.js';
import { MAX_AGENTS } from './dpor-state.js';

/** Who can begin an execution in which what does not depend on an event comes before it. */
export class Initials {
  private readonly clocks: Clocks;
  private readonly agent: Int32Array;
  private readonly firstSeen = new Int32Array(MAX_AGENTS);
  /** The agents of the events that {@link after} looked at last. */
  private seen = 0;

  /** `agent` has the agent of each event. */
  constructor(clocks: Clocks, agent: Int32Array) {
    this.clocks = clocks;
    this.agent = agent;
  }

  /** The agents that can run first among the events up to `end` that don't depend on `earlier`, as a set. */
  after(earlier: number, end: number): number {
    const { clocks, firstSeen } = this;
    const first = this.agent[earlier] ?? 0;
    const sequence = clocks.sequence(earlier, first);
    let seen = 0;
    let initials = 0;
    for (let event = earlier + 1; event < end; event++) {
      const agent = this.agent[event] ?? 0;
      if (hasAgent(seen, agent) || clocks.seen(event, agent, first) >= sequence) continue;
      let free = true;
      for (let rest = seen; rest !== 0 && free; rest &= rest - 1) {
        const other = lowestAgent(rest);
        free = clocks.seen(event, agent, other) < (firstSeen[other] ?? 0);
      }
      seen |= 1 << agent;
      firstSeen[agent] = clocks.sequence(event, agent);
      if (free) initials |= 1 << agent;
    }
    this.seen = seen;
    return initials;
  }

  /** The set of `later`, with clock `row`, if its event behind those that {@link after} looked at could be the first, too. */
  ifFree(later: number, row: Int32Array): number {
    if (hasAgent(this.seen, later)) return 0;
    for (let rest = this.seen; rest !== 0; rest &= rest - 1) {
      const other = lowestAgent(rest);
      if ((row[other] ?? 0) >= (this.firstSeen[other] ?? 0)) return 0;
    }
    return 1 << later;
  }
}
