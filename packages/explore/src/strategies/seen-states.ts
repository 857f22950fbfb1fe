import type { StateNames, States } from '../engine/model.js';
import { ACCESS_ACQUIRE, ACCESS_DOWN, ACCESS_UP, ACCESS_WRITE } from '../engine/access-log.js';
import { MAX_AGENTS } from './dpor-state.js';
import { type SeenState, SharedStates } from './shared-states.js';

/** What the steps that follow a state touch: by object and agent, the union of the modes. */
export type Footprint = Map<number, number>;

/** A state on the stack, from which something is still to be explored. */
interface OpenState {
  readonly key: number;
  readonly node: number;
  readonly asleep: number;
  readonly footprint: Footprint;
  readonly names: StateNames;
}

/**
 * The states from which a search has explored all that can follow. An execution that comes to one of them again is given up: its
 * outcomes are known. What followed then is kept as a footprint, since steps of the new way that conflict with it must be run the
 * other way round as well (stateful dynamic partial-order reduction, Yang, Chen, Gopalakrishnan, Kirby, SPIN 2008).
 */
export class SeenStates {
  private seen: Map<number, SeenState> | SharedStates = new Map<number, SeenState>();
  private readonly open: OpenState[] = [];

  /** States known. */
  get size(): number {
    return this.seen.size;
  }

  /** Has the states known in `memory`, as other searches of the same model do: what one of them has explored the others need not. */
  share(memory: SharedArrayBuffer): void {
    const shared = new SharedStates(memory);
    if (this.seen instanceof Map) for (const [key, state] of this.seen) shared.set(key, state);
    this.seen = shared;
  }

  /**
   * The search comes to the state `key` of `states` at `node`, with the agents of the set `asleep` asleep.
   * @returns what follows, when all of it was explored before; else undefined, and the state is open until it is closed.
   */
  visit(states: States, key: number, node: number, asleep: number): Footprint | undefined {
    const before = this.seen.get(key);
    const footprint: Footprint = new Map();
    if (before !== undefined) {
      translate(before, states, footprint);
      if ((before.asleep & ~asleep) === 0) {
        const inner = this.open.at(-1);
        if (inner !== undefined) merge(inner.footprint, footprint);
        return footprint;
      }
    }
    this.open.push({ key, node, asleep, footprint, names: states.names() });
    return undefined;
  }

  /** A step that is taken back had touched `object`. */
  note(object: number, agent: number, mode: number): void {
    const inner = this.open.at(-1);
    if (inner === undefined) return;
    const cell = object * MAX_AGENTS + agent;
    inner.footprint.set(cell, (inner.footprint.get(cell) ?? 0) | modeBits(mode));
  }

  /**
   * The search goes back from `node`.
   * @param whole whether all was explored from there on, nothing given away.
   */
  close(states: States, node: number, whole: boolean): void {
    const inner = this.open.at(-1);
    if (inner?.node !== node) return;
    this.open.pop();
    if (!whole) return;
    const before = this.seen.get(inner.key);
    const asleep = before === undefined ? inner.asleep : before.asleep & inner.asleep;
    this.seen.set(inner.key, { asleep, touched: named(inner, states) });
    const outer = this.open.at(-1);
    if (outer !== undefined) merge(outer.footprint, inner.footprint);
  }

  /** Forgets everything. */
  clear(): void {
    this.seen = new Map();
    this.open.length = 0;
  }
}

/** Plain read 1, plain write 2, lock taken by a reader 4, by a writer 8, count up 16, down 32: the modes of bits in a footprint. */
const MODES = [0, ACCESS_WRITE, ACCESS_ACQUIRE, ACCESS_WRITE | ACCESS_ACQUIRE, ACCESS_UP, ACCESS_DOWN];

/** Calls `visit` with each object, agent and mode of a footprint; an object that was touched in several ways comes several times. */
export function forEachTouch(
  footprint: Footprint,
  visit: (object: number, agent: number, mode: number) => void,
): void {
  for (const [cell, bits] of footprint) {
    for (const [bit, mode] of MODES.entries()) {
      if (((bits >>> bit) & 1) !== 0) visit(Math.floor(cell / MAX_AGENTS), cell % MAX_AGENTS, mode);
    }
  }
}

/** Dropping a lock follows its taking: it adds nothing. */
function modeBits(mode: number): number {
  const write = (mode & ACCESS_WRITE) !== 0;
  if ((mode & ACCESS_ACQUIRE) !== 0) return write ? 8 : 4;
  const counts = mode & (ACCESS_UP | ACCESS_DOWN);
  if (counts !== 0) return counts | (write ? 2 : 0) | (mode === counts ? 0 : 1);
  return write ? 2 : 1;
}

/** The footprint of a state by the names that its objects have there; what the state does not know was made later. */
function named({ footprint, names }: OpenState, states: States): Int32Array {
  const touched = new Int32Array(2 * footprint.size);
  let length = 0;
  for (const [cell, bits] of footprint) {
    const name = states.nameOf(Math.floor(cell / MAX_AGENTS), names);
    if (name < 0) continue;
    touched[length++] = name * MAX_AGENTS + (cell % MAX_AGENTS);
    touched[length++] = bits;
  }
  return touched.slice(0, length);
}

/** Adds to `into` the footprint of a state that was seen, as it is from an equal one: what it names is numbered otherwise there. */
function translate({ touched }: SeenState, states: States, into: Footprint): void {
  for (let i = 0; i < touched.length; i += 2) {
    const cell = touched[i] ?? 0;
    const object = states.named(Math.floor(cell / MAX_AGENTS));
    if (object >= 0) into.set(object * MAX_AGENTS + (cell % MAX_AGENTS), touched[i + 1] ?? 0);
  }
}

function merge(into: Footprint, from: Footprint): void {
  for (const [cell, bits] of from) into.set(cell, (into.get(cell) ?? 0) | bits);
}
