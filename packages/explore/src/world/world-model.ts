import { HmmError, SP_PREEMPT, type Task } from '@hmm/kernel';
import type { Model, Outcome, Violation } from '../engine/model.js';
import { Snapshot } from '../engine/snapshot.js';
import type { MirrorDevicesFactory } from './mirror-devices.js';
import type { Operation } from './operation.js';
import { formatResult } from './recorded-operation.js';
import { runOperation } from './run-operation.js';
import { worldView } from './view.js';
import { firstPage, World } from './world.js';
import { checkWorld, checkWorldAtEnd } from './world-invariants.js';

/** What a model over a world is made of. */
export interface WorldProgram {
  readonly name: string;
  /** Runs alone, once. */
  readonly init: readonly Operation[];
  /** Run at once. */
  readonly threads: readonly (readonly Operation[])[];
  /** Runs alone, at the end of each execution. */
  readonly final: readonly Operation[];
}

/** A program of recorded operations on the real memory management and the devices handed in. */
export class WorldModel implements Model {
  readonly name: string;
  readonly world: World;
  private readonly program: WorldProgram;
  private readonly initial: Snapshot;
  private readonly results: string[][];
  /** The pages that the program speaks of. */
  private readonly pages: readonly number[];

  /** @throws HmmError `INIT` when an operation of `init` fails. */
  constructor(
    program: WorldProgram,
    devices: MirrorDevicesFactory,
    settings: ReadonlyMap<string, string> = new Map(),
  ) {
    this.name = program.name;
    this.program = program;
    this.world = new World(devices, settings);
    const { world } = this;
    for (const operation of program.init) {
      const { rc } = world.runSync(runOperation(world, world.main, operation));
      if (rc !== 0) throw new HmmError('INIT', `${program.name}: ${operation.name} returned ${rc}`, { rc });
    }
    world.kernel.sched.lockdep.enabled = true;
    this.initial = new Snapshot([world, ...world.devices.roots], [world.kernel.sched, world.kernel.trace]);
    this.results = program.threads.map(() => []);
    this.pages = pagesOf([program.init, ...program.threads, program.final].flat());
  }

  /** @inheritdoc */
  get sched() {
    return this.world.kernel.sched;
  }

  /** @inheritdoc */
  start(): void {
    const { sched } = this;
    sched.reset();
    this.initial.restore();
    for (const [i, operations] of this.program.threads.entries()) {
      const results: string[] = [];
      this.results[i] = results;
      sched.spawn(`T${i}`, this.thread(operations, results));
    }
  }

  /** @inheritdoc */
  checkStep(): Violation | undefined {
    return checkWorld(this.world, this.pages);
  }

  /** @inheritdoc */
  finish(): Outcome {
    const { world } = this;
    const violation = checkWorldAtEnd(world, this.pages);
    const final = this.program.final.map((operation) =>
      formatResult(operation, world.runSync(runOperation(world, world.main, operation))),
    );
    const text = JSON.stringify({ threads: this.results, final });
    return violation === undefined ? { text } : { text, violation };
  }

  /** @inheritdoc */
  progress(): number {
    return this.world.done;
  }

  /** @inheritdoc */
  view(): ReadonlyMap<string, string> {
    return worldView(this.world);
  }

  private *thread(operations: readonly Operation[], results: string[]): Task {
    const { world, sched } = this;
    for (const operation of operations) {
      if (sched.exploring) yield SP_PREEMPT;
      results.push(formatResult(operation, yield* runOperation(world, world.main, operation)));
      world.done++;
    }
  }
}

/** The pages that any of the operations names. */
function pagesOf(operations: readonly Operation[]): number[] {
  const pages = new Set<number>();
  for (const operation of operations) {
    const ranges =
      'to' in operation ? [operation.range, operation.to] : 'range' in operation ? [operation.range] : [];
    for (const range of ranges) {
      for (let i = 0; i < range.pages; i++) pages.add(firstPage(range) + i);
    }
  }
  return [...pages].sort((a, b) => a - b);
}
