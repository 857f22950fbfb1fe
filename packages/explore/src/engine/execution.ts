import {
  AGENT_BLOCKED,
  AGENT_READY,
  HmmError,
  Prng,
  SP_BLOCK,
  SP_DELAY,
  type Agent,
  type SchedPoint,
} from '@hmm/kernel';
import { AccessLog } from './access-log.js';
import type { Choices, Model, Outcome, Violation } from './model.js';
import { PRUNED, type Strategy } from './strategy.js';

/** All agents are done. */
export const EXECUTION_COMPLETE = 0;
/** The strategy gave it up: what would follow was explored already. */
export const EXECUTION_PRUNED = 1;
/** It could not go on, or was stopped, because something is broken. */
export const EXECUTION_ABORTED = 2;

const RUNNING = -1;

/** Steps of a fair execution in which somebody has to get something done. */
const PROBE_STEPS = 1500;

/** Steps that an agent may make in one go there: who is never let run for a while can be kept from ever getting done. */
const PROBE_BURST = 48;

/**
 * Times that an agent may back off while others have work left and nobody gets anything done. An execution in which it
 * does so more often repeats itself: what follows was seen when the others were let go on.
 */
const MAX_BACK_OFFS = 1;

/** Times that an agent may back off when nobody else can change anything. */
const MAX_IDLE_BACK_OFFS = 64;

/** Told of each step of an execution that is not a repetition; for stories. */
export type StepListener = (agent: Agent, point: SchedPoint | undefined) => void;

/**
 * Runs executions of a model, each as a strategy says. The one place where agents are stepped while exploring.
 *
 * An agent that yields `SP_DELAY` backs off: it goes on after another agent has made a step, or when no other can. Who
 * backs off again and again while others could go on is not treated fairly: such executions are given up.
 */
export class Execution implements Choices {
  /** Decisions of the present execution. */
  readonly decisions: number[] = [];
  /** Steps of the present execution. */
  steps = 0;
  /** Steps of all executions. */
  totalSteps = 0;
  /** What was observed, after a complete execution. */
  outcome: Outcome | undefined;
  /** What was broken first. */
  violation: Violation | undefined;
  /** Called when the model has started and no agent has run. */
  onStart: (() => void) | undefined;
  /** Gets each step. */
  listener: StepListener | undefined;
  private readonly model: Model;
  private readonly strategy: Strategy;
  private readonly maxSteps: number;
  private readonly keepGoing: boolean;
  /** Where the strategy has accesses logged, if it does. */
  private readonly log: AccessLog | undefined;
  /** The agents that ran, in order; the first `ranCount` entries count. */
  private readonly ran: number[] = [];
  private ranCount = 0;
  private last = 0;
  private resting = 0;
  private readonly backOffs: number[] = [];
  private progress = 0;

  /**
   * @param maxSteps an execution longer than that is a livelock.
   * @param keepGoing whether an execution goes on after a step has broken something.
   */
  constructor(model: Model, strategy: Strategy, maxSteps: number, keepGoing = false) {
    this.model = model;
    this.strategy = strategy;
    this.maxSteps = maxSteps;
    this.keepGoing = keepGoing;
    if (strategy.accesses instanceof AccessLog) this.log = strategy.accesses;
    if (model.states !== undefined) strategy.watch?.(model.states);
  }

  /** A copy of the list of agents that ran in the present execution, one a step. */
  get agents(): number[] {
    return this.ran.slice(0, this.ranCount);
  }

  /** Runs one execution; the strategy's `begin` has been called. @returns one of `EXECUTION_*`. */
  run(): number {
    const { model, strategy } = this;
    const { sched } = model;
    this.reset();
    let result = EXECUTION_ABORTED;
    try {
      sched.exploring = true;
      sched.observer = undefined;
      model.start(this);
      if (this.onStart !== undefined) this.onStart();
      this.repeat();
      result = this.runAgents();
      sched.exploring = false;
      sched.observer = undefined;
      strategy.end();
      if (result === EXECUTION_COMPLETE) this.finish();
    } catch (error) {
      sched.exploring = false;
      sched.observer = undefined;
      this.violation ??= thrown(error);
      if (result === EXECUTION_ABORTED) strategy.end();
      else result = EXECUTION_ABORTED;
    }
    this.totalSteps += this.steps;
    return result;
  }

  /** @inheritdoc */
  choose(options: number): number {
    const value = this.strategy.choose(options);
    this.decisions.push(value);
    return value;
  }

  private reset(): void {
    this.steps = 0;
    this.ranCount = 0;
    if (this.decisions.length > 0) this.decisions.length = 0;
    this.outcome = undefined;
    this.violation = undefined;
    this.last = 0;
    this.resting = 0;
    if (this.backOffs.length > 0) this.backOffs.length = 0;
    this.progress = 0;
  }

  /**
   * Makes the first steps, those of an earlier execution. Nobody need be asked who runs, and nothing in them is observed or
   * checked again: about half of all steps of a search go this way.
   */
  private repeat(): void {
    const { model, strategy } = this;
    const { sched } = model;
    const { agents } = sched;
    const { prefix } = strategy;
    for (let i = 0; i < prefix; i++) {
      const pick = strategy.repeated?.(i) ?? 0;
      const agent = agents[pick];
      if (agent === undefined) throw new HmmError('NO_AGENT', `there is no agent ${pick}`, { pick });
      this.count(pick, sched.step(agent));
    }
  }

  /** Counts a step of `agent` that ended at `point`. */
  private count(agent: number, point: SchedPoint | undefined): void {
    this.steps++;
    this.last = agent;
    this.ran[this.ranCount++] = agent;
    this.resting = 0;
    if (point === SP_DELAY) this.backOff(agent);
  }

  private backOff(agent: number): void {
    this.resting = 1 << agent;
    const progress = this.model.progress?.() ?? 0;
    if (progress !== this.progress) {
      this.progress = progress;
      this.backOffs.length = 0;
    }
    this.backOffs[agent] = (this.backOffs[agent] ?? 0) + 1;
  }

  private finish(): void {
    this.outcome = this.model.finish();
    this.violation ??= this.outcome.violation;
  }

  private runAgents(): number {
    const { model, strategy } = this;
    const { agents } = model.sched;
    for (;;) {
      let ready = 0;
      let blocked = 0;
      let busy = false;
      for (let i = 1; i < agents.length; i++) {
        const agent = agents[i];
        if (agent === undefined) continue;
        if (agent.state === AGENT_READY) ready |= 1 << i;
        else if (agent.state === AGENT_BLOCKED) blocked |= 1 << i;
        else continue;
        // A daemon ends nothing by waiting for work; what it has begun it does.
        if (!agent.daemon || agent.state === AGENT_READY || agent.lockWait) busy = true;
      }
      if (!busy) return EXECUTION_COMPLETE;
      if (ready === 0) return this.deadlock(blocked);
      const awake = ready & ~this.resting;
      const pick = strategy.pick(awake === 0 ? ready : awake, this.last);
      if (pick === PRUNED) return EXECUTION_PRUNED;
      const agent = agents[pick];
      if (agent === undefined) throw new HmmError('NO_AGENT', `there is no agent ${pick}`, { pick });
      const result = this.step(agent, pick, blocked);
      if (result !== RUNNING) return result;
      if (this.unfair(pick)) return others(agents, pick) ? this.probe() : this.livelock();
    }
  }

  private step(agent: Agent, pick: number, blocked: number): number {
    const { model, strategy } = this;
    const { sched } = model;
    if (sched.observer === undefined) sched.observer = strategy.accesses;
    if (this.log !== undefined) this.log.wrote = false;
    const point = sched.step(agent);
    if (point === SP_BLOCK && agent.lockWait) {
      strategy.blocked(pick, agent.channel);
      return RUNNING;
    }
    this.count(pick, point);
    strategy.stepped(pick, blocked === 0 ? 0 : this.woken(blocked));
    if (this.listener !== undefined) this.listener(agent, point);
    if (model.checkStep !== undefined) {
      sched.observer = undefined;
      this.violation ??= model.checkStep(this.log?.wrote ?? true);
      if (this.violation !== undefined && !this.keepGoing) return EXECUTION_ABORTED;
    }
    return this.steps >= this.maxSteps ? this.livelock() : RUNNING;
  }

  /**
   * Goes on with a fair, random choice of agents, to see whether somebody gets something done then. If nobody does, it is
   * a livelock; else the execution is only one that treats an agent unfairly, and is given up.
   */
  private probe(): number {
    const { model } = this;
    const { sched } = model;
    const prng = new Prng(this.steps);
    const before = model.progress?.() ?? 0;
    sched.observer = undefined;
    let agent: Agent | undefined;
    let burst = 0;
    for (let i = 0; i < PROBE_STEPS; i++) {
      if (agent?.state !== AGENT_READY || burst-- === 0) {
        const ready = sched.agents.filter(({ id, state }) => id > 0 && state === AGENT_READY);
        agent = ready[prng.below(ready.length)];
        burst = prng.below(PROBE_BURST);
      }
      if (agent === undefined) return EXECUTION_PRUNED;
      this.ran[this.ranCount++] = agent.id;
      const point = sched.step(agent);
      if (point === undefined || (model.progress?.() ?? 0) !== before) return EXECUTION_PRUNED;
      if (point === SP_DELAY) burst = 0;
    }
    return this.livelock();
  }

  /** Whether `agent` has backed off more often than makes sense. */
  private unfair(agent: number): boolean {
    const times = this.backOffs[agent] ?? 0;
    if (times <= MAX_BACK_OFFS || this.resting === 0) return false;
    return others(this.model.sched.agents, agent) || times > MAX_IDLE_BACK_OFFS;
  }

  /** The agents of the set `blocked` that the latest step made ready, other than by dropping a lock. */
  private woken(blocked: number): number {
    const { agents } = this.model.sched;
    let woken = 0;
    for (let i = 1; i < agents.length; i++) {
      const agent = agents[i];
      if (((blocked >>> i) & 1) !== 0 && agent?.state === AGENT_READY && !agent.lockWoken) woken |= 1 << i;
    }
    return woken;
  }

  private deadlock(blocked: number): number {
    const names = this.names(blocked);
    this.violation ??= { invariant: 'deadlock', detail: `no agent can go on; waiting: ${names}` };
    return EXECUTION_ABORTED;
  }

  private livelock(): number {
    const detail = `still busy after ${this.steps} steps: ${this.names(-1)}`;
    this.violation ??= { invariant: 'livelock', detail };
    return EXECUTION_ABORTED;
  }

  private names(set: number): string {
    const busy = this.model.sched.agents.filter(
      (agent) =>
        agent.id > 0 && !agent.daemon && agent.state <= AGENT_BLOCKED && ((set >>> agent.id) & 1) !== 0,
    );
    return busy.map((agent) => agent.name).join(', ');
  }
}

/** Whether another agent than `agent` is still at work. */
function others(agents: readonly Agent[], agent: number): boolean {
  return agents.some(
    (other) => other.id > 0 && other.id !== agent && !other.daemon && other.state <= AGENT_BLOCKED,
  );
}

/** What an exception says is broken. Anything but an `HmmError` is a defect of the model and goes on up. */
function thrown(error: unknown): Violation {
  if (!(error instanceof HmmError)) throw error;
  return { invariant: error.code, detail: error.message };
}
