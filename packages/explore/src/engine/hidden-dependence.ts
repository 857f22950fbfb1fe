import { Prng, SP_DELAY } from '@hmm/kernel';
import { type AccessObserver } from '@hmm/kernel/internal';
import { hasAgent } from '../strategies/agent-set.js';
import { RandomWalk } from '../strategies/random.js';
import { Replay } from '../strategies/replay.js';
import { ACCESS_DOWN, ACCESS_TRY, ACCESS_UP, ACCESS_WRITE, conflicting } from './access-log.js';
import { Execution } from './execution.js';
import { FunctionNames } from './function-names.js';
import type { Model } from './model.js';
import { encodeSchedule, type Schedule } from './schedule.js';

/** Two steps that no access orders, and whose order matters all the same. */
export interface HiddenDependence {
  /** The schedule in which they come one after the other. */
  readonly replay: string;
  /** The first of the two, from 0. */
  readonly step: number;
  /** What differs when they change places, and the functions of both. */
  readonly detail: string;
}

/**
 * Looks for shared state that agents use without saying so, which would make the reduced search skip interleavings: runs
 * random executions, lets two neighbouring steps of different agents that touch nothing in common change places, and
 * compares how it ends.
 * @param pairs to try in each execution.
 * @returns the first that is found, undefined where there is none.
 */
export function findHiddenDependence(
  model: Model,
  seed: number,
  executions: number,
  pairs: number,
  maxSteps: number,
): HiddenDependence | undefined {
  const walk = new ObservedWalk(seed);
  const prng = new Prng(seed);
  for (let i = 0; i < executions; i++) {
    const steps = walk.record(model, maxSteps);
    const schedule = { agents: steps.map(({ agent }) => agent), decisions: walk.decisions };
    const swappable = steps.flatMap((step, at) => (independent(step, steps[at + 1]) ? [at] : []));
    if (swappable.length === 0) continue;
    const before = ending(model, schedule, maxSteps);
    for (let k = 0; k < pairs; k++) {
      const at = swappable[prng.below(swappable.length)] ?? 0;
      const after = ending(model, swapped(schedule, at), maxSteps);
      if (before === after) continue;
      const detail = `${told(model, schedule, at, maxSteps)}: ${before}, the other way round ${after}`;
      return { replay: encodeSchedule(schedule), step: at, detail };
    }
  }
  return undefined;
}

/** A step of an execution. */
interface ObservedStep {
  readonly agent: number;
  /** The agents that could have run instead. */
  readonly ready: number;
  /** By object that it touched, how: `ACCESS_*` bits. */
  readonly touched: ReadonlyMap<number, number>;
  /** Whether it may change places: it neither decided anything nor backed off. */
  readonly movable: boolean;
}

function independent(first: ObservedStep, second: ObservedStep | undefined): boolean {
  if (second === undefined || first.agent === second.agent || !hasAgent(first.ready, second.agent))
    return false;
  if (!first.movable || !second.movable) return false;
  for (const [object, mode] of first.touched) {
    const other = second.touched.get(object);
    if (other !== undefined && conflicting(mode, other)) return false;
  }
  return true;
}

function swapped({ agents, decisions }: Schedule, at: number): Schedule {
  const order = [...agents];
  [order[at], order[at + 1]] = [order[at + 1] ?? 0, order[at] ?? 0];
  return { agents: order, decisions };
}

/**
 * How a schedule ends, and what each agent did: how many objects each of its steps touched. Which ones is left out, since
 * names of frames that two agents allocate change places with the allocations.
 */
function ending(model: Model, schedule: Schedule, maxSteps: number): string {
  const counter = new Counter();
  const execution = new Execution(model, new Replay(schedule, counter), maxSteps);
  const did = new Map<string, string>();
  execution.listener = ({ name }, point) => {
    did.set(name, `${did.get(name) ?? ''}${counter.take()}.${point ?? 0} `);
  };
  execution.run();
  if (execution.violation !== undefined) return execution.violation.invariant;
  const end = execution.outcome?.text ?? 'given up';
  return `${end} ${[...did].sort().join()}`;
}

/** Counts accesses. */
class Counter implements AccessObserver {
  private accesses = 0;

  /** @inheritdoc */
  access(): void {
    this.accesses++;
  }

  /** @inheritdoc */
  count(): void {
    this.accesses++;
  }

  /** @inheritdoc */
  acquire(): void {
    this.accesses++;
  }

  /** @inheritdoc */
  release(): void {
    this.accesses++;
  }

  /** The number since the last call. */
  take(): number {
    const { accesses } = this;
    this.accesses = 0;
    return accesses;
  }
}

/** The functions of the steps `at` and `at + 1` of a schedule. */
function told(model: Model, schedule: Schedule, at: number, maxSteps: number): string {
  const names = new FunctionNames(false, [model.naming]);
  const execution = new Execution(model, new Replay(schedule, names), maxSteps);
  const steps: string[] = [];
  execution.listener = (agent) => steps.push(`${agent.name}: ${names.take().join(' ')}`);
  execution.run();
  return steps.slice(at, at + 2).join(' | ');
}

/** A random walk that keeps what each step touched. */
class ObservedWalk extends RandomWalk implements AccessObserver {
  override readonly accesses = this;
  decisions: number[] = [];
  private ready = 0;
  private touched = new Map<number, number>();

  /** Runs one execution. @returns its steps up to where it ended or was given up. */
  record(model: Model, maxSteps: number): ObservedStep[] {
    const steps: ObservedStep[] = [];
    const execution = new Execution(model, this, maxSteps);
    this.clear();
    let decided = 0;
    execution.listener = (agent, point) => {
      const { touched } = this;
      const movable = point !== SP_DELAY && execution.decisions.length === decided;
      steps.push({ agent: agent.id, ready: this.ready, touched, movable });
      decided = execution.decisions.length;
      this.clear();
    };
    execution.run();
    this.decisions = [...execution.decisions];
    return steps;
  }

  override pick(ready: number): number {
    this.ready = ready;
    return super.pick(ready);
  }

  /** @inheritdoc */
  access(object: number, write: boolean): void {
    this.touch(object, write ? ACCESS_WRITE | ACCESS_TRY : ACCESS_TRY);
  }

  /** @inheritdoc */
  count(object: number, down: boolean): void {
    this.touch(object, down ? ACCESS_DOWN : ACCESS_UP);
  }

  /** @inheritdoc */
  acquire(lock: number, write: boolean): void {
    this.access(lock, write);
  }

  /** @inheritdoc */
  release(lock: number, write: boolean): void {
    this.access(lock, write);
  }

  private touch(object: number, mode: number): void {
    this.touched.set(object, (this.touched.get(object) ?? 0) | mode);
  }

  private clear(): void {
    this.touched = new Map();
  }
}
