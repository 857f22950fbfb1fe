/** Agents of the smallest programs, the boot agent included; there is room for so many until there are more. */
const NARROW = 3;
/** The widest that clocks become: {@link NARROW}, doubled until all agents of an exploration fit. */
export const MAX_WIDTH = 12;

/**
 * Vector clocks of an execution that is explored depth-first. Entry `b` of an agent's clock is the number of events
 * of agent `b` that happened before (or are) its latest event. The clocks of all agents before each event are kept,
 * so that going back to an event is free.
 */
export class Clocks {
  /** Agents that there is room for, numbered from 0. */
  width = NARROW;
  private readonly maxEvents: number;
  private square = NARROW * NARROW;
  /** By event, from 1: the clocks that changed with the event before it, an agent a row. */
  private cells: Int32Array;
  /** By event and agent: the event whose row in {@link cells} is the clock of the agent then. */
  private latest: Int32Array;

  /** @param maxEvents the longest execution. */
  constructor(maxEvents: number) {
    this.maxEvents = maxEvents;
    this.cells = new Int32Array((maxEvents + 1) * this.square);
    this.latest = new Int32Array((maxEvents + 1) * this.width);
  }

  /** Makes room for twice as many agents. */
  widen(): void {
    const { cells, latest, width, square, maxEvents } = this;
    this.width = 2 * width;
    this.square = this.width * this.width;
    this.cells = new Int32Array((maxEvents + 1) * this.square);
    this.latest = new Int32Array((maxEvents + 1) * this.width);
    for (let at = 0; at < cells.length; at++) {
      const agent = Math.floor((at % square) / width);
      this.cells[Math.floor(at / square) * this.square + agent * this.width + (at % width)] = cells[at] ?? 0;
    }
    for (let at = 0; at < latest.length; at++)
      this.latest[Math.floor(at / width) * this.width + (at % width)] = latest[at] ?? 0;
  }

  /** Copies the clock that `agent` has before `event` into `row`. */
  load(event: number, agent: number, row: Int32Array): void {
    const from = this.before(event, agent);
    for (let b = 0; b < this.width; b++) row[b] = this.cells[from + b] ?? 0;
  }

  /** Copies a clock. */
  copy(from: Int32Array, to: Int32Array): void {
    for (let b = 0; b < this.width; b++) to[b] = from[b] ?? 0;
  }

  /**
   * Sets the clocks after `event`: those before it, but for `agent` (who made it), whose clock is `row` plus the event
   * itself, and the agents of the set `woken`, for whom the event happened before.
   */
  commit(event: number, agent: number, row: Int32Array, woken: number): void {
    const { cells, latest, square, width } = this;
    const after = event + 1;
    for (let b = event * width; b < after * width; b++) latest[b + width] = latest[b] ?? 0;
    row[agent] = (row[agent] ?? 0) + 1;
    latest[after * width + agent] = after;
    const to = after * square + agent * width;
    for (let b = 0; b < width; b++) cells[to + b] = row[b] ?? 0;
    for (let rest = woken; rest !== 0; rest &= rest - 1) this.wake(event, 31 - Math.clz32(rest & -rest), row);
  }

  /** Adds to `row` what happened before `event` of `agent`, and the event itself. */
  join(event: number, agent: number, row: Int32Array): void {
    const from = (event + 1) * this.square + agent * this.width;
    for (let b = 0; b < this.width; b++) row[b] = Math.max(row[b] ?? 0, this.cells[from + b] ?? 0);
  }

  /** Which one of its agent's events `event` is, from 1. */
  sequence(event: number, agent: number): number {
    return this.cells[(event + 1) * this.square + agent * this.width + agent] ?? 0;
  }

  /** How many of `other`'s events happened before `event` of `agent`. */
  seen(event: number, agent: number, other: number): number {
    return this.cells[(event + 1) * this.square + agent * this.width + other] ?? 0;
  }

  /** Where the clock begins that `agent` has before `event`. */
  private before(event: number, agent: number): number {
    return (this.latest[event * this.width + agent] ?? 0) * this.square + agent * this.width;
  }

  private wake(event: number, other: number, row: Int32Array): void {
    const { cells, latest, square, width } = this;
    const from = this.before(event, other);
    const to = (event + 1) * square + other * width;
    for (let b = 0; b < width; b++) cells[to + b] = Math.max(cells[from + b] ?? 0, row[b] ?? 0);
    latest[(event + 1) * width + other] = event + 1;
  }
}
