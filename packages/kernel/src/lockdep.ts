import { HmmError } from './error.js';
import type { Agent } from './task.js';

const MAX_CLASSES = 64;

/**
 * Lock-order checking in the manner of the kernel's lockdep: every lock belongs to a class, each acquisition while
 * another class is held records an edge, and an edge that closes a cycle is an error, whether or not the run at hand
 * would have deadlocked.
 */
export class Lockdep {
  /** Checking costs time, so it is off unless a test or the explorer switches it on. */
  enabled = false;
  private readonly names: string[] = [];
  private readonly order = new Uint8Array(MAX_CLASSES * MAX_CLASSES);

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
      if (this.reaches(cls, outer)) this.fail(agent, outer, cls);
      this.order[outer * MAX_CLASSES + cls] = 1;
    }
    agent.held.push(cls);
  }

  /** Records that `agent` drops a lock of class `cls`. */
  release(agent: Agent, cls: number): void {
    if (!this.enabled) return;
    const at = agent.held.lastIndexOf(cls);
    if (at >= 0) agent.held.splice(at, 1);
  }

  /** The recorded order as pairs [outer, inner] of class names. */
  edges(): [string, string][] {
    const pairs: [string, string][] = [];
    for (const [outer, outerName] of this.names.entries()) {
      for (const [inner, innerName] of this.names.entries()) {
        if (this.order[outer * MAX_CLASSES + inner] === 1) pairs.push([outerName, innerName]);
      }
    }
    return pairs;
  }

  private reaches(from: number, to: number): boolean {
    const seen = new Set<number>([from]);
    const queue = [from];
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      for (let inner = 0; inner < this.names.length; inner++) {
        if (this.order[at * MAX_CLASSES + inner] !== 1 || seen.has(inner)) continue;
        if (inner === to) return true;
        seen.add(inner);
        queue.push(inner);
      }
    }
    return false;
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
