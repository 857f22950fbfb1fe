import { HmmError, type Task } from '@hmm/kernel';
import type { MemoryConfig } from '@hmm/mm';
import { mmuNotifierRegister } from '@hmm/mmu-notifier';
import { type BoundOperation, evaluate, type Expr, isProblem, runBound, type Value } from '@hmm/operations';
import { type Query, valuesReturned } from '@hmm/operations/internal';
import { MAIN_PROCESS } from '@hmm/workload';
import type { Outcome, Violation } from '../engine/model.js';
import { CLIENT_SETTING } from '../world/client-devices.js';
import { checkSettings } from '../world/known-settings.js';
import type { MirrorDevicesFactory } from '../world/mirror-devices.js';
import { WorldContext } from '../world/world-context.js';
import { assertInit, pagesNamed, WorldModel, type WorldThread } from '../world/world-model.js';
import type { WorldProcess } from '../world/world-process.js';
import { DRIVER_MEMORY, place, SMALL_MEMORY, World } from '../world/world.js';
import { kswapd, oomReaper } from './background.js';
import { pageMapped, pageValue, pageWhere } from './page-state.js';
import { checkPlainNotifiers, PlainNotifier } from './plain-notifier.js';
import type { Instruction, LitmusProgram } from './program.js';
import { RegisteredMemory } from './registered-memory.js';
import { countSetting, TEST_SETTINGS, yesSetting } from './test-settings.js';

/** What an execution of a litmus test has observed. */
interface Observed {
  /** By `thread:name`: an errno, or values. */
  readonly results: Map<string, number | readonly number[]>;
  /** Assertions that did not hold. */
  readonly failed: string[];
}

/** The name under which results at the start and at the end are kept. */
const ALONE = '';

/** The code of a litmus test on its world. */
class LitmusRun {
  readonly world: World;
  readonly program: LitmusProgram;
  private readonly notifiers: PlainNotifier[] = [];
  private registered: RegisteredMemory | undefined;
  readonly observed: Observed = { results: new Map(), failed: [] };

  constructor(program: LitmusProgram, devices: MirrorDevicesFactory, memory: Partial<MemoryConfig>) {
    this.program = program;
    checkSettings(program.settings, devices, TEST_SETTINGS);
    this.world = new World(devices, program.settings, memory);
    this.world.runSync(this.run(ALONE, this.world.processOr(MAIN_PROCESS), program.init, true));
    this.world.runSync(this.subscribe());
  }

  /** Subscribers besides the devices, as the settings want them; the plain ones that count are called first. */
  private *subscribe(): Task {
    const { settings, regions } = this.program;
    const { main } = this.world;
    const refusing = countSetting(settings, 'refusing_notifiers');
    const all = refusing + countSetting(settings, 'plain_notifiers');
    for (let i = 0; i < all; i++) {
      const notifier = new PlainNotifier(i < refusing);
      yield* mmuNotifierRegister(notifier, main);
      this.notifiers.push(notifier);
    }
    const [region] = regions.values();
    if (countSetting(settings, 'dma') === 0 || region === undefined) return;
    this.registered = new RegisteredMemory(main, region.vpn, region.pages, yesSetting(settings, 'dma_child'));
    yield* this.registered.register();
  }

  /** Plain objects with state besides the world's. */
  state(): readonly object[] {
    return this.registered === undefined ? [this.observed] : [this.observed, this.registered];
  }

  /** Agents besides the threads, as the settings want them. */
  background(): WorldThread[] {
    const { world, registered } = this;
    const { settings } = this.program;
    const agents: WorldThread[] = [...(world.devices.workers?.() ?? [])];
    if (yesSetting(settings, 'reaper')) agents.push(oomReaper(world));
    if (yesSetting(settings, 'kswapd')) agents.push(kswapd(world));
    const uses = countSetting(settings, 'dma');
    if (registered !== undefined) agents.push({ name: 'adapter', run: () => registered.use(uses) });
    return agents;
  }

  /** Runs instructions in the name of `thread` as part of `process`. */
  *run(thread: string, process: WorldProcess, body: readonly Instruction[], init = false): Task {
    for (const instruction of body) {
      yield* place(this.world);
      this.world.places.begin(this.world.kernel.sched.current.id);
      yield* this.step(thread, process, instruction, init);
      this.world.done++;
    }
  }

  private *step(thread: string, process: WorldProcess, instruction: Instruction, init: boolean): Task {
    switch (instruction.kind) {
      case 'operation':
        yield* this.operation(thread, process, instruction, init);
        break;
      case 'in': {
        const other = new WorldContext(this.world, process).processOf(instruction.process);
        if (other !== undefined) yield* this.run(thread, other, instruction.body, init);
        break;
      }
      case 'assert':
        if (!this.holds(instruction.condition, instruction.values)) this.observed.failed.push(thread);
    }
  }

  private *operation(
    thread: string,
    process: WorldProcess,
    { operation, into, rc }: Extract<Instruction, { kind: 'operation' }>,
    init: boolean,
  ): Task {
    const outcome = yield* runBound(new WorldContext(this.world, process), operation);
    if (init && rc === undefined) assertInit(this.program.name, operation.definition.kind, outcome);
    const { results } = this.observed;
    if (into !== undefined) results.set(`${thread}:${into}`, valuesReturned(operation, outcome));
    if (rc !== undefined) results.set(`${thread}:${rc}`, outcome.rc);
  }

  /** Runs the last operations, and evaluates the condition. */
  finish(): Outcome {
    const { program, world } = this;
    if (this.registered !== undefined) world.runSync(this.registered.work());
    const subscribed = checkPlainNotifiers(this.notifiers) ?? this.registered?.check();
    world.runSync(this.run(ALONE, world.processOr(MAIN_PROCESS), program.final));
    const text = this.text();
    const violation = subscribed ?? this.violation(text);
    return violation === undefined ? { text } : { text, violation };
  }

  private violation(text: string): Violation | undefined {
    const { quantifier, condition } = this.program;
    if (this.observed.failed.length > 0) return { invariant: 'assert', detail: text };
    if (condition === undefined) return undefined;
    const holds = this.holds(condition);
    if (quantifier === 'forall' && !holds) return { invariant: 'forall', detail: text };
    if (quantifier === 'never' && holds) return { invariant: 'never', detail: text };
    return undefined;
  }

  /** Whether a condition holds now, where parameters and loop variables have `values`. */
  private holds(condition: Expr, values = this.program.values): boolean {
    const value = evaluate(condition, {
      lookup: (name, agent, index) =>
        (agent === undefined ? values.get(name) : undefined) ?? this.lookup(name, agent, index),
      query: (query, name, index) => this.query(query, name, index),
    });
    if (isProblem(value)) {
      throw new HmmError('CONDITION', `line ${value.span.line}: ${value.message}`, { line: value.span.line });
    }
    return value !== 0;
  }

  private text(): string {
    const parts: string[] = [];
    for (const [name, value] of [...this.observed.results].sort(([a], [b]) => (a < b ? -1 : 1))) {
      parts.push(`${name.startsWith(':') ? name.slice(1) : name}=${String(value)}`);
    }
    if (this.program.quantifier === 'exists' && this.program.condition !== undefined) {
      parts.push(this.holds(this.program.condition) ? 'exists' : 'not');
    }
    return parts.join(' ');
  }

  private lookup(name: string, agent: string | undefined, index: number | undefined): Value | undefined {
    const region = this.program.regions.get(name);
    if (region !== undefined && agent === undefined) {
      return pageValue(this.world, region.vpn + (index ?? 0));
    }
    const { results } = this.observed;
    const value = results.get(`${agent ?? ALONE}:${name}`) ?? this.onlyResult(name, agent);
    if (index === undefined || typeof value === 'number') return value;
    return value?.[index];
  }

  /** The result called `name` of the one thread that has it. */
  private onlyResult(name: string, agent: string | undefined): number | readonly number[] | undefined {
    if (agent !== undefined) return undefined;
    const found = [...this.observed.results].filter(([key]) => key.endsWith(`:${name}`));
    return found.length === 1 ? found[0]?.[1] : undefined;
  }

  private query(query: Query, name: string, index: number | undefined): Value | undefined {
    const region = this.program.regions.get(name);
    if (region === undefined) return undefined;
    const vpn = region.vpn + (index ?? 0);
    return query === 'where' ? pageWhere(this.world, vpn) : pageMapped(this.world, vpn);
  }
}

/**
 * A litmus test as a model.
 * @param memory how much memory its machine has; without it a small one, with room for a driver's device memory where it has a driver.
 * @throws HmmError `INIT` when an operation of the initial state fails.
 */
export function litmusModel(
  program: LitmusProgram,
  devices: MirrorDevicesFactory,
  memory: Partial<MemoryConfig> = program.settings.has(CLIENT_SETTING) ? DRIVER_MEMORY : SMALL_MEMORY,
): WorldModel {
  const run = new LitmusRun(program, devices, memory);
  const operations = [program.init, ...program.threads.map(({ body }) => body), program.final].flatMap(
    operationsOf,
  );
  return new WorldModel(run.world, {
    name: program.name,
    pages: pagesNamed(operations),
    state: run.state(),
    failures: countSetting(program.settings, 'failures'),
    failureSite: program.settings.get('failure_site'),
    threads: [
      ...program.threads.map(({ name, process, body }) => ({
        name,
        run: () => run.run(name, run.world.processOr(process), body),
      })),
      ...run.background(),
    ],
    finish: () => run.finish(),
  });
}

function operationsOf(body: readonly Instruction[]): BoundOperation[] {
  return body.flatMap((instruction) => {
    if (instruction.kind === 'operation') return [instruction.operation];
    return instruction.kind === 'in' ? operationsOf(instruction.body) : [];
  });
}
