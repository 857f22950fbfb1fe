import { type AccessLog, conflicting } from '../engine/access-log.js';

/** What a saved {@link SleepingSteps} holds. */
export interface SleepingState {
  readonly asleep: readonly number[];
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly opened: readonly number[];
  readonly recorded: readonly number[];
  readonly object: readonly number[];
  readonly mode: readonly number[];
}

/** `state` with what the step of `agent` at `node` touches besides. */
export function withStep(
  state: SleepingState,
  node: number,
  agent: number,
  step: { readonly object: readonly number[]; readonly mode: readonly number[] },
): SleepingState {
  const cell = node * (state.from.length / state.asleep.length) + agent;
  const put = (column: readonly number[], at: number, value: number): number[] =>
    column.map((old, i) => (i === at ? value : old));
  const begin = state.object.length;
  return {
    ...state,
    from: put(state.from, cell, begin),
    to: put(state.to, cell, begin + step.object.length),
    recorded: put(state.recorded, node, (state.recorded[node] ?? 0) | (1 << agent)),
    object: [...state.object, ...step.object],
    mode: [...state.mode, ...step.mode],
  };
}

/**
 * Which agents need not run at a node, since what would follow was explored already, and what their step there
 * touches: they stay asleep until a step that touches the same.
 *
 * The accesses of explored steps lie one after the other in an arena that grows and shrinks with the stack of nodes.
 */
export class SleepingSteps {
  private readonly width: number;
  private readonly asleep: Int32Array;
  private readonly from: Int32Array;
  private readonly to: Int32Array;
  private readonly opened: Int32Array;
  /** By node: the agents of whose steps something is recorded. */
  private readonly recorded: Int32Array;
  private object: Int32Array = new Int32Array(1024);
  private mode: Int32Array = new Int32Array(1024);
  private length = 0;

  constructor(width: number, maxNodes: number) {
    this.width = width;
    this.asleep = new Int32Array(maxNodes + 1);
    this.from = new Int32Array((maxNodes + 1) * width);
    this.to = new Int32Array((maxNodes + 1) * width);
    this.opened = new Int32Array(maxNodes + 1);
    this.recorded = new Int32Array(maxNodes + 1);
  }

  /** The set of agents asleep at `node`. */
  at(node: number): number {
    return this.asleep[node] ?? 0;
  }

  /** A node is made. */
  open(node: number): void {
    this.opened[node] = this.length;
    this.recorded[node] = this.at(node);
  }

  /** A node and what was recorded at it is dropped. */
  close(node: number): void {
    this.length = this.opened[node] ?? 0;
  }

  /** Keeps what the step of `agent` at `node` touched: the log's entries from `start` on. Several times: all of it. */
  record(node: number, agent: number, log: AccessLog, start: number): void {
    const cell = node * this.width + agent;
    const recorded = this.recorded[node] ?? 0;
    if (((recorded >>> agent) & 1) === 0) this.from[cell] = this.length;
    this.recorded[node] = recorded | (1 << agent);
    for (let i = start; i < log.length; i++) {
      if (this.length === this.object.length) this.grow();
      this.object[this.length] = log.object[i] ?? 0;
      this.mode[this.length] = log.mode[i] ?? 0;
      this.length++;
    }
    this.to[cell] = this.length;
  }

  /**
   * Computes who is asleep after the event of node `node`, made by `agent`: who was asleep or `explored` before it and
   * touches nothing that the event touched.
   */
  inherit(node: number, explored: number, agent: number, log: AccessLog): void {
    let next = 0;
    const before = (this.at(node) | explored) & ~(1 << agent);
    for (let rest = before; rest !== 0; rest &= rest - 1) {
      const other = 31 - Math.clz32(rest & -rest);
      const cell = node * this.width + other;
      if (this.touched(this.from[cell] ?? 0, this.to[cell] ?? 0, node, log)) continue;
      next |= 1 << other;
      this.from[cell + this.width] = this.from[cell] ?? 0;
      this.to[cell + this.width] = this.to[cell] ?? 0;
    }
    this.asleep[node + 1] = next;
  }

  /** A copy of the state of the first `nodes` nodes, for {@link restore}. */
  save(nodes: number): SleepingState {
    const column = (values: Int32Array, length: number): number[] => Array.from(values.subarray(0, length));
    return {
      asleep: column(this.asleep, nodes),
      from: column(this.from, nodes * this.width),
      to: column(this.to, nodes * this.width),
      opened: column(this.opened, nodes),
      recorded: column(this.recorded, nodes),
      object: column(this.object, this.length),
      mode: column(this.mode, this.length),
    };
  }

  /** Sets the state back to a saved one. */
  restore(state: SleepingState): void {
    while (this.object.length < state.object.length) this.grow();
    this.asleep.set(state.asleep);
    this.from.set(state.from);
    this.to.set(state.to);
    this.opened.set(state.opened);
    this.recorded.set(state.recorded);
    this.object.set(state.object);
    this.mode.set(state.mode);
    this.length = state.object.length;
  }

  private touched(from: number, to: number, event: number, log: AccessLog): boolean {
    for (let i = from; i < to; i++) {
      const entry = log.latest[this.object[i] ?? 0] ?? -1;
      if (entry < 0 || log.event[entry] !== event) continue;
      if (conflicting(log.mode[entry] ?? 0, this.mode[i] ?? 0)) return true;
    }
    return false;
  }

  private grow(): void {
    const wider = (column: Int32Array): Int32Array<ArrayBuffer> => {
      const copy = new Int32Array(2 * column.length);
      copy.set(column);
      return copy;
    };
    this.object = wider(this.object);
    this.mode = wider(this.mode);
  }
}
