import {
  ACCESS_ACQUIRE,
  ACCESS_WRITE,
  type AccessLog,
  conflicting,
  isDropping,
} from '../engine/access-log.js';
import { type Clocks, MAX_WIDTH } from './clocks.js';

/** A list of events that is cleared and filled again without allocation. */
class EventList {
  readonly items: number[] = [];
  count = 0;

  add(event: number): void {
    for (let i = 0; i < this.count; i++) if (this.items[i] === event) return;
    this.items[this.count++] = event;
  }

  at(index: number): number {
    return this.items[index] ?? 0;
  }

  /** Latest event first. */
  sort(): void {
    const { items } = this;
    for (let i = 1; i < this.count; i++) {
      const event = this.at(i);
      let j = i - 1;
      for (; j >= 0 && this.at(j) < event; j--) items[j + 1] = this.at(j);
      items[j + 1] = event;
    }
  }
}

/**
 * Finds, for an event of an execution, the earlier events that it races with: those that touch the same object, one of
 * them writing, and that nothing orders but their turn. For a lock the race is with the *taking* of the lock by the
 * one who dropped it, since between the two the lock can't be had.
 */
export class Races {
  /** The events that the latest one races with over plain objects, latest first. */
  readonly plain = new EventList();
  /** The takings of a lock that the latest one races with. */
  readonly locks = new EventList();
  /** The clock of the latest event, before the event itself is counted. */
  readonly row: Int32Array;
  /** As {@link row}, with what the event would not have to wait for if it took the lock first. */
  readonly lockRow: Int32Array;
  /** What {@link findLater} has found. */
  readonly found = new EventList();
  private readonly conflicts = new EventList();
  private readonly takings = new EventList();
  private readonly droppings = new EventList();
  private readonly base: Int32Array;
  private readonly log: AccessLog;
  private readonly clocks: Clocks;
  private readonly agents: Int32Array;

  /** `agents` has the agent of each event. */
  constructor(log: AccessLog, clocks: Clocks, agents: Int32Array) {
    this.log = log;
    this.clocks = clocks;
    this.agents = agents;
    this.row = new Int32Array(MAX_WIDTH);
    this.base = new Int32Array(MAX_WIDTH);
    this.lockRow = new Int32Array(MAX_WIDTH);
  }

  /** Finds the races of `event`, the latest, whose accesses are the log's entries from `from` on. */
  find(event: number, from: number): void {
    const agent = this.agentOf(event);
    this.begin(event, agent);
    const { length, mode, previous } = this.log;
    for (let i = from; i < length; i++) {
      const before = previous[i] ?? -1;
      if (before >= 0) this.conflictsOf(mode[i] ?? 0, before, agent);
    }
    this.resolve();
  }

  /** Finds the races of `agent` that waits for `lock` before `event`, as if it could take it. */
  findWaiting(event: number, agent: number, lock: number): void {
    this.begin(event, agent);
    this.conflictsOf(ACCESS_WRITE | ACCESS_ACQUIRE, this.log.latest[lock] ?? -1, agent);
    this.resolve();
  }

  /**
   * Finds the events before `event` that an access of `agent` at some later time races with, as far as nothing orders them
   * yet.
   */
  findLater(event: number, object: number, agent: number, mode: number): this {
    this.begin(event, agent);
    this.found.count = 0;
    this.conflictsOf(mode, this.log.latest[object] ?? -1, agent);
    for (const list of [this.conflicts, this.takings]) {
      for (let i = 0; i < list.count; i++) {
        const earlier = list.at(i);
        const other = this.agentOf(earlier);
        if ((this.row[other] ?? 0) < this.clocks.sequence(earlier, other)) this.found.add(earlier);
      }
    }
    return this;
  }

  /** Computes {@link lockRow} for the race with the taking of a lock at `taking`. */
  rowWithout(taking: number): Int32Array {
    const { lockRow, droppings, clocks } = this;
    clocks.copy(this.base, lockRow);
    const taker = this.agentOf(taking);
    for (let i = 0; i < droppings.count; i++) {
      const event = droppings.at(i);
      const agent = this.agentOf(event);
      if (clocks.seen(event, agent, taker) < clocks.sequence(taking, taker))
        clocks.join(event, agent, lockRow);
    }
    return lockRow;
  }

  private begin(event: number, agent: number): void {
    this.clocks.load(event, agent, this.row);
    this.conflicts.count = 0;
    this.takings.count = 0;
    this.droppings.count = 0;
    this.plain.count = 0;
    this.locks.count = 0;
  }

  /** Collects what an access of `mode` conflicts with among the entries of its object from `entry` back. */
  private conflictsOf(mode: number, entry: number, agent: number): void {
    const { mode: modes, event: events, previous } = this.log;
    for (let at = entry; at >= 0; at = previous[at] ?? -1) {
      const other = modes[at] ?? 0;
      if (!conflicting(mode, other)) continue;
      const event = events[at] ?? 0;
      if (this.agentOf(event) !== agent) this.addConflict(mode, at, event);
      if ((other & ACCESS_WRITE) !== 0) return;
    }
  }

  private addConflict(mode: number, entry: number, event: number): void {
    const dropped = isDropping(this.log.mode[entry] ?? 0);
    if ((mode & ACCESS_ACQUIRE) === 0 || !dropped) {
      if ((mode & ACCESS_ACQUIRE) === 0) this.conflicts.add(event);
      else this.takings.add(event);
      return;
    }
    this.droppings.add(event);
    const taking = this.takingBefore(entry, this.agentOf(event));
    if (taking >= 0) this.takings.add(taking);
  }

  /** The event in which `agent` took the lock that it dropped in `entry`. */
  private takingBefore(entry: number, agent: number): number {
    const { log } = this;
    for (let at = log.previous[entry] ?? -1; at >= 0; at = log.previous[at] ?? -1) {
      const event = log.event[at] ?? 0;
      if (this.agentOf(event) === agent && !isDropping(log.mode[at] ?? 0)) return event;
    }
    return -1;
  }

  /** Keeps the conflicts that nothing else orders, and completes the clock. */
  private resolve(): void {
    const { row, clocks, conflicts, takings, droppings, base } = this;
    conflicts.sort();
    for (let i = 0; i < conflicts.count; i++) this.addRace(conflicts.at(i), row, this.plain, true);
    if (takings.count === 0 && droppings.count === 0) return;
    clocks.copy(row, base);
    for (let i = 0; i < takings.count; i++) this.addRace(takings.at(i), base, this.locks, false);
    for (let i = 0; i < takings.count; i++) clocks.join(takings.at(i), this.agentOf(takings.at(i)), row);
    for (let i = 0; i < droppings.count; i++)
      clocks.join(droppings.at(i), this.agentOf(droppings.at(i)), row);
  }

  private addRace(event: number, row: Int32Array, races: EventList, join: boolean): void {
    const agent = this.agentOf(event);
    if ((row[agent] ?? 0) >= this.clocks.sequence(event, agent)) return;
    races.add(event);
    if (join) this.clocks.join(event, agent, row);
  }

  private agentOf(event: number): number {
    return this.agents[event] ?? 0;
  }
}
