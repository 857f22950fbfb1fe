import type { FunctionNaming } from '@hmm/device';
import { HmmError, type Sched, type Task } from '@hmm/kernel';
import { SavedState } from '@hmm/kernel/internal';
import { type BoundOperation, type Outcome as OperationOutcome } from '@hmm/operations';
import { rangesOf } from '@hmm/operations/internal';
import type { Choices, Model, Outcome, Violation } from '../engine/model.js';
import { FailureBudget } from './failure-budget.js';
import { worldView } from './view.js';
import { checkWorld, checkWorldAtEnd } from './world-invariants.js';
import { WorldStates } from './world-states.js';
import type { World } from './world.js';

/** One agent of a program on a world. */
export interface WorldThread {
  readonly name: string;
  /** It waits for work for ever: an execution ends without it. */
  readonly daemon?: boolean;
  /** Its code, made anew for each execution. */
  run(): Task;
}

/** A program on a world whose state is the initial one. */
export interface WorldProgram {
  readonly name: string;
  readonly threads: readonly WorldThread[];
  /** The pages that the program speaks of: those that invariants are evaluated for. */
  readonly pages: readonly number[];
  /** Objects with state of the program's own, set back for each execution. */
  readonly state: readonly object[];
  /** How many fallible steps may fail in an execution, and of which site (every one without). */
  readonly failures: number;
  readonly failureSite: string | undefined;
  /** Runs what comes last, alone, and says what was observed. */
  finish(): Outcome;
}

/** A program on the real memory management and the devices handed in. */
export class WorldModel implements Model {
  readonly name: string;
  readonly world: World;
  private readonly program: WorldProgram;
  /** The state that every execution begins with. */
  readonly initial: SavedState;
  private readonly failures: FailureBudget;
  /** @inheritdoc */
  readonly states?: WorldStates;

  constructor(world: World, program: WorldProgram) {
    this.name = program.name;
    this.world = world;
    this.program = program;
    const { kernel } = world;
    this.failures = new FailureBudget(kernel, program.failures, program.failureSite);
    kernel.sched.lockdep.enabled = true;
    if (world.devices.statesRecognised !== false)
      this.states = new WorldStates(world, program.state, this.failures);
    this.initial = new SavedState([world, ...program.state]);
  }

  /** @inheritdoc */
  get naming(): FunctionNaming | undefined {
    return this.world.devices.naming;
  }

  /** @inheritdoc */
  get sched(): Sched {
    return this.world.kernel.sched;
  }

  /** @inheritdoc */
  start(choices: Choices): void {
    const { sched } = this;
    sched.reset();
    this.initial.restore();
    // What a broken execution has left.
    this.world.places.forgot();
    this.failures.start(choices);
    for (const thread of this.program.threads) {
      if (thread.daemon === true) sched.spawnDaemon(thread.name, thread.run());
      else sched.spawn(thread.name, thread.run());
    }
  }

  /** @inheritdoc */
  checkStep(wrote: boolean): Violation | undefined {
    return checkWorld(this.world, this.program.pages, wrote);
  }

  /** @inheritdoc */
  finish(): Outcome {
    this.failures.stop();
    const broken = checkWorldAtEnd(this.world, this.program.pages);
    const outcome = this.program.finish();
    return broken === undefined ? outcome : { ...outcome, violation: broken };
  }

  /** @inheritdoc */
  progress(): number {
    return this.world.done;
  }

  /** @inheritdoc */
  view(): ReadonlyMap<string, string> {
    return worldView(this.world);
  }
}

/** Throws unless an operation that sets a test up succeeded. @throws HmmError `INIT` */
export function assertInit(test: string, operation: string, { rc, problem }: OperationOutcome): void {
  if (rc >= 0) return;
  const why = problem === undefined ? '' : ` (${problem})`;
  throw new HmmError('INIT', `${test}: ${operation} at the start returned ${rc}${why}`, { rc });
}

/** Each page that any of the operations names, in ascending order. */
export function pagesNamed(operations: readonly BoundOperation[]): number[] {
  const named = new Set<number>();
  for (const { vpn, pages } of operations.flatMap(rangesOf))
    for (let i = 0; i < pages; i++) named.add(vpn + i);
  return [...named].sort((a, b) => a - b);
}
