import type { Agent } from './task.js';

/**
 * The agents that can be run, as a binary heap: the one with the least `wakeAt` first, of equals the one with the lowest id.
 * An agent knows its place (`readySlot`), so that it can be moved and taken out wherever it is.
 */
export class ReadyQueue {
  private readonly heap: Agent[] = [];

  /** The agent to run next; it stays in the queue. */
  first(): Agent | undefined {
    return this.heap[0];
  }

  /** Adds an agent that is not in the queue. */
  add(agent: Agent): void {
    this.heap.push(agent);
    this.up(agent, this.heap.length - 1);
  }

  /** Takes an agent out that is in the queue. */
  remove(agent: Agent): void {
    const { heap } = this;
    const at = agent.readySlot;
    agent.readySlot = -1;
    const last = heap.pop();
    if (last === undefined || last === agent) return;
    this.restoreOrder(last, at);
  }

  /** Puts an agent of the queue where it belongs after its `wakeAt` has changed. */
  moved(agent: Agent): void {
    this.restoreOrder(agent, agent.readySlot);
  }

  /**
   * Sets the `wakeAt` of `agent` to `at`, which is not earlier, if it stays the first then.
   * @returns whether it did.
   */
  postpone(agent: Agent, at: number): boolean {
    if (agent.readySlot !== 0) return false;
    const { heap } = this;
    const [, left, right] = heap;
    if (left !== undefined && goesBefore(left, at, agent.id)) return false;
    if (right !== undefined && goesBefore(right, at, agent.id)) return false;
    agent.wakeAt = at;
    return true;
  }

  /** Empties the queue. */
  clear(): void {
    while (this.heap.length > 0) this.heap.pop();
  }

  /** Moves `agent` from slot `at` to where it belongs. */
  private restoreOrder(agent: Agent, at: number): void {
    this.down(agent, at);
    if (agent.readySlot === at) this.up(agent, at);
  }

  /** Moves `agent` from slot `at` towards the top. */
  private up(agent: Agent, at: number): void {
    const { heap } = this;
    let slot = at;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || goesBefore(parent, agent.wakeAt, agent.id)) break;
      heap[slot] = parent;
      parent.readySlot = slot;
      slot = above;
    }
    heap[slot] = agent;
    agent.readySlot = slot;
  }

  /** Moves `agent` from slot `at` away from the top. */
  private down(agent: Agent, at: number): void {
    const { heap } = this;
    const { length } = heap;
    let slot = at;
    for (;;) {
      let below = 2 * slot + 1;
      if (below >= length) break;
      let child = heap[below];
      const other = below + 1 < length ? heap[below + 1] : undefined;
      if (child !== undefined && other !== undefined && goesBefore(other, child.wakeAt, child.id)) {
        child = other;
        below++;
      }
      if (child === undefined || !goesBefore(child, agent.wakeAt, agent.id)) break;
      heap[slot] = child;
      child.readySlot = slot;
      slot = below;
    }
    heap[slot] = agent;
    agent.readySlot = slot;
  }
}

/** Whether `agent` runs before one with the id `id` that is ready at `wakeAt`. */
function goesBefore(agent: Agent, wakeAt: number, id: number): boolean {
  return agent.wakeAt < wakeAt || (agent.wakeAt === wakeAt && agent.id < id);
}
