import { HmmError } from './error.js';
import type { Agent } from './task.js';

const MAX_CLASSES = 32;

/**
 * Lock-order checking in the manner of the kernel's lockdep: every lock belongs to a class, each acquisition while
 * another class is held records an edge, and an edge that closes a cycle is an error, whether or not the run at hand
 * would have deadlocked.
 */
export class Lockdep {
  /** Checking costs time, so it is off unless a test or the explorer switches it on. */
  enabled = false;
  /** Told of every lock taken and dropped while checking is enabled: for timelines of who holds what. */
  listener: ((agent: Agent, cls: number, taken: boolean) => void) | undefined;
  private readonly names: string[] = [];
  /** By class: the classes taken while it was held, a bit each. */
  private readonly inner = new Int32Array(MAX_CLASSES);
  /** By class: what can be reached from it over any number of such steps. */
  private readonly below = new Int32Array(MAX_CLASSES);

  /** The id of the class `name`, registered at the first call. */
  classId(name: string): number {
    const known = this.names.indexOf(name);
    if (known >= 0) return known;
    if (this.names.length === MAX_CLASSES) throw new HmmError('LOCK_CLASSES', 'too many lock classes');
    this.names.push(name);
    return this.names.length - 1;
  }

  /**
   * Records that `agent` takes a lock of class `cls`. Nesting two locks of one class is allowed only with `nested`
   * (the kernel's `SINGLE_DEPTH_NESTING`).
   * @throws HmmError `LOCK_ORDER` when the order contradicts one seen before.
   */
  acquire(agent: Agent, cls: number, nested = false): void {
    if (!this.enabled) return;
    for (const outer of agent.held) {
      if (outer === cls) {
        if (!nested) this.fail(agent, outer, cls);
        continue;
      }
      if (((this.inner[outer] ?? 0) & (1 << cls)) === 0) this.addEdge(agent, outer, cls);
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
    this.inner.fill(0);
    this.below.fill(0);
  }

  /** The recorded order as pairs [outer, inner] of class names. */
  edges(): [string, string][] {
    const pairs: [string, string][] = [];
    for (const [outer, outerName] of this.names.entries()) {
      for (const [inner, innerName] of this.names.entries()) {
        if (((this.inner[outer] ?? 0) & (1 << inner)) !== 0) pairs.push([outerName, innerName]);
      }
    }
    return pairs;
  }

  private addEdge(agent: Agent, outer: number, cls: number): void {
    const reached = (this.below[cls] ?? 0) | (1 << cls);
    if ((reached & (1 << outer)) !== 0) this.fail(agent, outer, cls);
    this.inner[outer] = (this.inner[outer] ?? 0) | (1 << cls);
    for (let above = 0; above < this.names.length; above++) {
      const below = this.below[above] ?? 0;
      if (above === outer || (below & (1 << outer)) !== 0) this.below[above] = below | reached;
    }
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
