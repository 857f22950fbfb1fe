/**
 * Tasks and their scheduling points. A task is a generator: it runs synchronously from one scheduling point to
 * the next, so nothing else happens in between. Which task goes on after a point is the scheduler's choice:
 * virtual time ({@link Sched.run}) or a strategy that explores ({@link Sched.step}).
 *
 * @packageDocumentation
 */

/** What a task yields: one of the `SP_*` constants; operands are in the fields of the running {@link Agent}. */
export type SchedPoint = 1 | 2 | 3 | 4;

/** Another task may run here; this one stays runnable. Yielded only while exploring. */
export const SP_PREEMPT = 1;
/** About to take a lock that is free. Yielded only while exploring. */
export const SP_LOCK = 2;
/** Cannot go on until {@link Sched.wake} is called for `agent.channel`. */
export const SP_BLOCK = 3;
/** `agent.delay` nanoseconds of virtual time pass. */
export const SP_DELAY = 4;

/** A piece of modelled kernel, driver or program code that may stop at scheduling points and returns `T`. */
export type Task<T = void> = Generator<SchedPoint, T, void>;

/**
 * The result of a function that usually needs no scheduling point: the plain value when it could be had at once, else
 * a task that yields it. Callers test `typeof r === 'number'` (or `'boolean'`) before they `yield*`.
 */
export type MaybeTask<T extends number | boolean> = T | Task<T>;

/** May be stepped. */
export const AGENT_READY = 0;
/** Waits for its channel. */
export const AGENT_BLOCKED = 1;
/** Its task has returned. */
export const AGENT_DONE = 2;

/** No wait channel. */
export const NO_CHANNEL = -1;

/** A thread of execution: a CPU thread, a GPU kernel, a driver's fault worker, a copy engine. */
export class Agent {
  /** Index in {@link Sched.agents}; 0 is the boot agent that runs what nobody spawned. */
  readonly id: number;
  /** For people and for the trace. */
  readonly name: string;
  /** One of `AGENT_*`. */
  state: number = AGENT_READY;
  /** What it waits for while blocked. */
  channel: number = NO_CHANNEL;
  /** Blocked because a lock is taken: the step that found it so changed nothing. */
  lockWait = false;
  /** Whether it was last made ready because a lock became free. */
  lockWoken = false;
  /** Operand of {@link SP_DELAY}, ns. */
  delay = 0;
  /** Earliest virtual time of its next step, ns. */
  wakeAt = 0;
  /** The code it runs; undefined for the boot agent and once it is done. */
  task: Task<unknown> | undefined;
  /** What the task returned. */
  result: unknown = undefined;
  /** Serves others: a run ends without it, and it may wait for ever (a driver's fault worker). */
  readonly daemon: boolean;
  /** Where {@link ReadyQueue} has it, -1 when it is not there. */
  readySlot = -1;
  /** The agent behind it in its {@link WaitQueues} bucket. */
  nextWaiting: Agent | undefined;
  /** Locks held, innermost last: class ids, kept by lock-order checking. */
  readonly held: number[] = [];

  constructor(id: number, name: string, task: Task<unknown> | undefined, daemon = false) {
    this.id = id;
    this.name = name;
    this.task = task;
    this.daemon = daemon;
  }
}
