import { HmmError } from './error.js';
import { LockOrder } from './lock-order.js';
import { declareState } from './state.js';
import type { Agent } from './task.js';

/** The agent would have waited for the lock: whoever holds another lock meanwhile makes it wait as well. */
export const LOCK_WAIT = 0;
/** As {@link LOCK_WAIT}, and another lock of the same class may be held (`SINGLE_DEPTH_NESTING`). */
export const LOCK_NESTED = 1;
/** The agent took the lock only because it was free (`*_trylock`): nobody waits in this order. */
export const LOCK_TRY = 2;

/**
 * Lock-order checking in the manner of the kernel's lockdep: every lock belongs to a class, each acquisition that may wait while
 * another class is held records an edge, and an edge that closes a circle is an error, whether or not the run at hand would have
 * deadlocked. A lock that was taken by a try closes no circle itself, but what is taken under it may.
 * @kernel kernel/locking/lockdep.c (partly: order and recursion only, no irq states, no recursive reads)
 */
export class Lockdep {
  /** What of it is state. */
  static readonly state = declareState({
    enabled: 'value',
    listener: { outside: 'who listens is told what happens, and decides nothing' },
    names: 'constant',
    order: 'constant',
  });

  /** Checking costs time, so it is off unless a test or the explorer switches it on. */
  enabled = false;
  /** Told of every lock taken and dropped while checking is enabled: for timelines of who holds what. */
  listener: ((agent: Agent, cls: number, taken: boolean) => void) | undefined;
  private readonly names: string[] = [];
  private readonly order = new LockOrder();

  /** The id of the class `name`, registered at the first call. */
  classId(name: string): number {
    const known = this.names.indexOf(name);
    if (known >= 0) return known;
    this.names.push(name);
    this.order.setClasses(this.names.length);
    return this.names.length - 1;
  }

  /**
   * Records that `agent` takes a lock of class `cls`, `how` being one of `LOCK_*`.
   * @throws HmmError `LOCK_ORDER` when the order contradicts those seen before, or the agent may wait for a class it holds.
   */
  acquire(agent: Agent, cls: number, how: number): void {
    if (!this.enabled) return;
    if (how !== LOCK_TRY) {
      for (const outer of agent.held) {
        if (outer === cls) {
          if (how !== LOCK_NESTED) this.fail(agent, outer, cls);
        } else if (!this.order.has(outer, cls) && !this.order.add(outer, cls)) this.fail(agent, outer, cls);
      }
    }
    agent.held.push(cls);
    if (this.listener !== undefined) this.listener(agent, cls, true);
  }

  /** The name of class `cls`, or '' where there is none. */
  className(cls: number): string {
    return this.names[cls] ?? '';
  }

  /** Records that `agent` drops a lock of class `cls`. */
  release(agent: Agent, cls: number): void {
    if (!this.enabled) return;
    const at = agent.held.lastIndexOf(cls);
    if (at >= 0) agent.held.splice(at, 1);
    if (this.listener !== undefined) this.listener(agent, cls, false);
  }

  /** Forgets the recorded order, for a run that has nothing to do with the ones before. */
  forget(): void {
    this.order.clear();
  }

  /** The recorded order as pairs [outer, inner] of class names. */
  edges(): [string, string][] {
    const pairs: [string, string][] = [];
    for (const [outer, outerName] of this.names.entries()) {
      for (const [inner, innerName] of this.names.entries()) {
        if (this.order.has(outer, inner)) pairs.push([outerName, innerName]);
      }
    }
    return pairs;
  }

  private fail(agent: Agent, outer: number, inner: number): never {
    const outerName = this.names[outer] ?? String(outer);
    const innerName = this.names[inner] ?? String(inner);
    throw new HmmError('LOCK_ORDER', `${agent.name} takes ${innerName} while holding ${outerName}`, {
      agent: agent.name,
      outer: outerName,
      inner: innerName,
    });
  }
}
