import { HmmError } from './error.js';
import { Lockdep } from './lockdep.js';
import { ReadyQueue } from './ready-queue.js';
import {
  AGENT_BLOCKED,
  AGENT_DONE,
  AGENT_READY,
  Agent,
  NO_CHANNEL,
  SP_BLOCK,
  SP_DELAY,
  SP_PREEMPT,
  type SchedPoint,
  type Task,
} from './task.js';
import { WaitQueues } from './wait-queues.js';

/** Steps after which a task in {@link Sched.runSync} is taken to have no end: no test needs a thousandth of them. */
const MOST_SYNC_STEPS = 1_000_000;
/** Steps in {@link Sched.run} in which no virtual time passes, after which there is taken to be no end. */
const MOST_TIMELESS_STEPS = 50_000_000;

function endless(name: string): HmmError {
  const text = `${name} goes round without coming to its end`;
  return new HmmError('LIVELOCK', text, { agent: name });
}

/** Told of each access to shared state while exploring, so that independent steps can be recognised. */
export interface AccessObserver {
  /** `object` identifies a piece of shared state; two accesses conflict if one of them writes. */
  access(object: number, write: boolean): void;
  /** A count went up or down. Two that go the same way commute; all else conflicts with them. */
  count(object: number, down: boolean): void;
  /** A lock was taken by an agent that would have waited for it; `write` unless other readers may hold it too. */
  acquire(lock: number, write: boolean): void;
  /** A lock was dropped. */
  release(lock: number, write: boolean): void;
  /** What the running agent has accessed in this step so far it forgets: see {@link Sched.forget}. */
  forget?(): void;
}

/** A lock that can be freed from outside, when the run in which it was taken is given up. */
export interface AbandonedLock {
  /** Makes the lock free, whoever holds it, and tells nobody. */
  abandon(): void;
}

/** Told, while exploring, of agents that come to rest at a {@link Sched.restPoint} and go on from it. */
export interface RestObserver {
  /** `agent` has come to rest: what it does next depends on shared state and `words` alone. */
  beginRest(agent: number, words: readonly number[]): void;
  /** `agent` goes on. */
  endRest(agent: number): void;
  /** `agent` forgets: see {@link Sched.forget}. */
  forget(agent: number, since: number, words: readonly number[], frames: readonly number[]): void;
}

/**
 * Runs tasks. In virtual time (default) the ready agent with the least `wakeAt` goes first, ties by lowest id, so
 * the same input gives the same run. While `exploring`, free locks and `SP_PREEMPT` yield as well and a strategy
 * calls {@link Sched.step} for the agent of its choice.
 */
export class Sched {
  /**
   * All agents that there ever were, by id, so that their names can be looked up. Those that are done have let go of their code, and
   * nothing that runs often goes through this list.
   */
  readonly agents: Agent[] = [];
  /** The agent whose code is running. */
  current: Agent;
  /** Virtual time, ns. */
  now = 0;
  /** Steps made since the last {@link Sched.reset}; for {@link Sched.forget}. */
  steps = 0;
  /** Whether every scheduling point yields. */
  exploring = false;
  /** Gets the accesses to shared state while exploring. */
  observer: AccessObserver | undefined;
  /** Is told, while exploring, which agents are at rest. */
  rests: RestObserver | undefined;
  /** Lock-order checking; off by default. */
  readonly lockdep = new Lockdep();
  /** Locks held while exploring, innermost last: {@link Sched.reset} frees what an abandoned run still held. */
  readonly heldLocks: AbandonedLock[] = [];

  /** Virtual time up to which {@link Sched.delayFast} may go: where {@link Sched.run} stops; nowhere outside of it. */
  private until = -Infinity;
  /** In {@link Sched.runSync} nobody else runs. */
  private alone = false;
  /** The agents that are ready and have a task, in the order in which virtual time runs them. */
  private readonly ready = new ReadyQueue();
  /** The agents that are blocked, by channel. */
  private readonly waiting = new WaitQueues();
  /** Agents whose end {@link Sched.run} waits for: neither daemons nor done. */
  private clients = 0;

  constructor() {
    this.current = new Agent(0, 'boot', undefined);
    this.agents.push(this.current);
  }

  /** Adds an agent that runs `task` from the present virtual time on. */
  spawn(name: string, task: Task<unknown>): Agent {
    this.clients++;
    return this.add(new Agent(this.agents.length, name, task));
  }

  /** As {@link Sched.spawn}, for an agent that serves the others: {@link Sched.run} does not wait for its end. */
  spawnDaemon(name: string, task: Task<unknown>): Agent {
    return this.add(new Agent(this.agents.length, name, task, true));
  }

  /** Forgets all agents but the boot agent and the locks they hold, forgets the lock order, and sets the clock to 0. */
  reset(): void {
    for (const lock of this.heldLocks) lock.abandon();
    if (this.heldLocks.length > 0) this.heldLocks.length = 0;
    if (this.lockdep.enabled) this.lockdep.forget();
    while (this.agents.length > 1) this.agents.pop();
    const boot = this.agents[0];
    if (boot !== undefined) this.current = boot;
    this.ready.clear();
    this.waiting.clear();
    this.clients = 0;
    this.now = 0;
    this.steps = 0;
  }

  /** Reports an access to shared state. Costs one test while not exploring. */
  access(object: number, write: boolean): void {
    if (this.observer !== undefined) this.observer.access(object, write);
  }

  /** Reports that a count went up or down, where it matters only which way first. */
  counted(object: number, down: boolean): void {
    if (this.observer !== undefined) this.observer.count(object, down);
  }

  /** Reports that a lock was taken by waiting for it if need be (not by a try, which is a plain access). */
  acquired(lock: number, write: boolean): void {
    if (this.observer !== undefined) this.observer.acquire(lock, write);
  }

  /** Reports that a lock was dropped. */
  released(lock: number, write: boolean): void {
    if (this.observer !== undefined) this.observer.release(lock, write);
  }

  /** Notes, while exploring, that `lock` is held. */
  noteHeld(lock: AbandonedLock): void {
    if (this.exploring) this.heldLocks.push(lock);
  }

  /** Notes that `lock` is held no more. */
  noteFree(lock: AbandonedLock): void {
    const { heldLocks } = this;
    const held = heldLocks.length;
    if (held === 0) return;
    // Most locks are dropped in the opposite order of their taking.
    if (heldLocks[held - 1] === lock) {
      heldLocks.pop();
      return;
    }
    const at = heldLocks.lastIndexOf(lock);
    if (at >= 0) heldLocks.splice(at, 1);
  }

  /** Makes every agent that waits for `channel` ready, at the present time. Costs one test where no agent waits for anything. */
  wake(channel: number): void {
    if (this.waiting.length > 0) this.wakeWaiting(channel);
  }

  /** Waits until {@link Sched.wake} is called for `channel`. Callers re-test their condition in a loop. */
  *block(channel: number): Task {
    yield this.waitFor(channel);
  }

  /** {@link Sched.block} by hand, where a task of its own would cost too much: `yield sched.waitFor(channel)`. */
  waitFor(channel: number): typeof SP_BLOCK {
    this.current.channel = channel;
    return SP_BLOCK;
  }

  /**
   * A scheduling point, while exploring, at which the running agent is at rest: it is in the middle of nothing, holds no lock,
   * and what it does next depends on shared state and `words` alone. Where all agents are at rest, states can be told apart.
   */
  *restPoint(words: readonly number[]): Task {
    if (!this.exploring) return;
    this.beginRest(words);
    yield SP_PREEMPT;
    this.endRest();
  }

  /** The running agent is at rest, as at a {@link Sched.restPoint}, at the scheduling points up to {@link Sched.endRest}: while it waits for a lock. */
  beginRest(words: readonly number[]): void {
    if (this.exploring) this.rests?.beginRest(this.current.id, words);
  }

  /** The running agent goes on: it has the lock. */
  endRest(): void {
    if (this.exploring) this.rests?.endRest(this.current.id);
  }

  /**
   * The running agent forgets, while exploring, what it has read since the step `since` began: what it does next depends on shared
   * state, on what it knew then, and on `words` and the frames `frames` alone. For loops whose rounds leave little behind, `since` is
   * {@link Sched.steps} just after an earlier scheduling point; or one more than that, where what the present step reads is
   * to be kept as long as the function runs.
   */
  forget(since: number, words: readonly number[], frames: readonly number[]): void {
    if (!this.forgets) return;
    this.observer?.forget?.();
    this.rests?.forget(this.current.id, since, words, frames);
  }

  /** Whether {@link Sched.forget} has an effect: somebody looks on. Steps that are made again need not say what they forget. */
  get forgets(): boolean {
    return this.exploring && this.observer !== undefined && this.rests !== undefined;
  }

  /** Lets `ns` nanoseconds of virtual time pass for the running agent. */
  *delay(ns: number): Task {
    this.current.delay = ns;
    yield SP_DELAY;
  }

  /**
   * Lets `ns` nanoseconds pass on the spot where the running agent would be the next to run anyway, as it mostly is:
   * `if (!sched.delayFast(ns)) yield* sched.delay(ns)`.
   */
  delayFast(ns: number): boolean {
    const at = this.now + ns;
    if (this.exploring) return false;
    if (!this.alone) {
      if (at > this.until || (this.current.daemon && this.clients === 0)) return false;
      if (!this.ready.postpone(this.current, at)) return false;
    }
    this.now = at;
    return true;
  }

  /**
   * Runs one agent up to its next scheduling point.
   * @returns the point, or undefined when the task has returned.
   * @throws HmmError `NO_TASK` when the agent is done or the boot agent, `NOT_READY` when it is blocked.
   */
  step(agent: Agent): SchedPoint | undefined {
    if (agent.task === undefined) throw new HmmError('NO_TASK', `agent ${agent.name} has no task`);
    if (agent.state !== AGENT_READY) throw new HmmError('NOT_READY', `agent ${agent.name} is blocked`);
    const previous = this.current;
    this.current = agent;
    this.steps++;
    try {
      const next = agent.task.next();
      if (next.done === true) {
        this.retire(agent, next.value);
        return undefined;
      }
      if (next.value === SP_BLOCK) {
        // Who finds a lock taken has done nothing, and comes back to where it was.
        if (agent.lockWait) this.steps--;
        agent.state = AGENT_BLOCKED;
        this.ready.remove(agent);
        this.waiting.add(agent);
      } else if (next.value === SP_DELAY) {
        agent.wakeAt = this.now + agent.delay;
        this.ready.moved(agent);
      }
      return next.value;
    } finally {
      this.current = previous;
    }
  }

  /**
   * Runs all agents in virtual time until every one but the daemons is done (or `until` is reached, ns).
   * @throws HmmError `DEADLOCK` when the agents left over all wait for each other, `LIVELOCK` when they go on and on and no time passes.
   */
  run(until = Infinity): void {
    const before = this.until;
    this.until = until;
    try {
      this.runUntil(until);
    } finally {
      this.until = before;
    }
  }

  /** The agent that virtual time runs next: least `wakeAt`, then lowest id; undefined when none is ready. */
  next(): Agent | undefined {
    return this.ready.first();
  }

  /**
   * Runs `task` to its end in the running agent's name, with nobody else in between; delays advance the clock.
   * @throws HmmError `WOULD_BLOCK` when the task waits for something that only another agent could do; `LIVELOCK` when it
   * has not come to its end after a million steps.
   */
  runSync<T>(task: Task<T>): T {
    const before = this.alone;
    this.alone = true;
    try {
      for (let steps = 0; ; steps++) {
        if (steps === MOST_SYNC_STEPS) throw endless(this.current.name);
        const next = task.next();
        if (next.done === true) return next.value;
        if (next.value === SP_BLOCK) {
          throw new HmmError(
            'WOULD_BLOCK',
            `${this.current.name} waits for another agent in a synchronous run`,
          );
        }
        if (next.value === SP_DELAY) this.now += this.current.delay;
      }
    } finally {
      this.alone = before;
    }
  }

  private add(agent: Agent): Agent {
    agent.wakeAt = this.now;
    this.agents.push(agent);
    this.ready.add(agent);
    return agent;
  }

  /** `agent` has come to its end: its code can be forgotten. */
  private retire(agent: Agent, result: unknown): void {
    agent.state = AGENT_DONE;
    agent.result = result;
    agent.task = undefined;
    this.ready.remove(agent);
    if (!agent.daemon) this.clients--;
  }

  private wakeWaiting(channel: number): void {
    let agent = this.waiting.take(channel);
    while (agent !== undefined) {
      agent.state = AGENT_READY;
      agent.channel = NO_CHANNEL;
      agent.lockWoken = agent.lockWait;
      agent.lockWait = false;
      if (agent.wakeAt < this.now) agent.wakeAt = this.now;
      this.ready.add(agent);
      agent = this.waiting.take(channel);
    }
  }

  private runUntil(until: number): void {
    let timeless = 0;
    for (let last = this.now; ; timeless++) {
      if (this.now !== last) {
        last = this.now;
        timeless = 0;
      }
      if (timeless === MOST_TIMELESS_STEPS) throw endless(this.current.name);
      const agent = this.ready.first();
      if (agent === undefined) break;
      if (agent.wakeAt > until) return;
      if (agent.daemon && this.clients === 0) return;
      if (agent.wakeAt > this.now) this.now = agent.wakeAt;
      this.step(agent);
    }
    if (this.clients > 0) throw this.deadlock();
  }

  private deadlock(): HmmError {
    const stuck = this.agents.filter(({ state, daemon }) => state === AGENT_BLOCKED && !daemon);
    const names = stuck.map(({ name }) => name).join(', ');
    return new HmmError('DEADLOCK', `no agent can go on; waiting: ${names}`, { agents: names });
  }
}
