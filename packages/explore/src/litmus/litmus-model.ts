import { HmmError, type Task } from '@hmm/kernel';
import { type MmStruct, dupMm, mmCreate } from '@hmm/mm';
import { mmuNotifierRegister } from '@hmm/mmu-notifier';
import {
  evaluate,
  isProblem,
  MAIN_PROCESS,
  type Expr,
  type Query,
  type Scope,
  type Value,
} from '@hmm/workload';
import type { Outcome, Violation } from '../engine/model.js';
import type { MirrorDevicesFactory } from '../world/mirror-devices.js';
import { type Operation, pagesOf } from '../world/operation.js';
import { endProcess, runOperation } from '../world/run-operation.js';
import { assertInit, WorldModel, type WorldThread } from '../world/world-model.js';
import { firstPage, place, World } from '../world/world.js';
import { countSetting, kswapd, oomReaper } from './background.js';
import { pageMapped, pageValue, pageWhere } from './page-state.js';
import { checkPlainNotifiers, PlainNotifier } from './plain-notifier.js';
import type { Instruction, LitmusProgram } from './program.js';
import { RegisteredMemory } from './registered-memory.js';

/** What an execution of a litmus test has observed and which processes it has. */
interface Observed {
  /** By `thread:name`: an errno, or values. */
  readonly results: Map<string, number | readonly number[]>;
  readonly processes: Map<string, MmStruct>;
  /** Those that have ended; what they had open still names them. */
  readonly ended: Set<MmStruct>;
  /** Assertions that did not hold. */
  readonly failed: string[];
}

/** The name under which results at the start and at the end are kept. */
const ALONE = '';

/** The code of a litmus test on its world. */
class LitmusRun implements Scope {
  readonly world: World;
  readonly program: LitmusProgram;
  private readonly notifiers: PlainNotifier[] = [];
  private registered: RegisteredMemory | undefined;
  /** Under which the processes are observed. */
  private readonly processes: number;
  readonly observed: Observed = { results: new Map(), processes: new Map(), ended: new Set(), failed: [] };

  constructor(program: LitmusProgram, devices: MirrorDevicesFactory) {
    this.program = program;
    this.world = new World(devices, program.settings);
    this.processes = this.world.kernel.allocIds(1);
    this.observed.processes.set(MAIN_PROCESS, this.world.main);
    this.world.runSync(this.run(ALONE, this.world.main, program.init, true));
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
    this.registered = new RegisteredMemory(
      main,
      firstPage({ ...region, offset: 0 }),
      region.pages,
      settings.get('dma_child') === 'yes',
    );
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
    const agents: WorldThread[] = [];
    if (settings.get('reaper') === 'yes') agents.push(oomReaper(world));
    if (settings.get('kswapd') === 'yes') agents.push(kswapd(world));
    const uses = countSetting(settings, 'dma');
    if (registered !== undefined) agents.push({ name: 'adapter', run: () => registered.use(uses) });
    return agents;
  }

  /** Runs instructions in the name of `thread` as part of process `mm`. */
  *run(thread: string, mm: MmStruct, body: readonly Instruction[], init = false): Task {
    for (const instruction of body) {
      yield* place(this.world);
      this.world.places.begin(this.world.kernel.sched.current.id);
      yield* this.step(thread, mm, instruction, init);
      this.world.done++;
    }
  }

  private *step(thread: string, mm: MmStruct, instruction: Instruction, init: boolean): Task {
    switch (instruction.kind) {
      case 'operation':
        yield* this.operation(thread, mm, instruction, init);
        break;
      case 'process':
        this.accessProcesses(true);
        this.observed.processes.set(instruction.process, mmCreate(this.world.system));
        break;
      case 'fork': {
        const child = yield* dupMm(mm);
        this.accessProcesses(true);
        if (typeof child !== 'number') this.observed.processes.set(instruction.child, child);
        break;
      }
      case 'exit': {
        this.accessProcesses(false);
        const child = this.observed.processes.get(instruction.child);
        if (child === undefined || this.observed.ended.has(child)) break;
        this.observed.ended.add(child);
        yield* endProcess(child);
        break;
      }
      case 'in': {
        this.accessProcesses(false);
        const process = this.observed.processes.get(instruction.process);
        if (process !== undefined) yield* this.run(thread, process, instruction.body, init);
        break;
      }
      case 'assert':
        if (!this.holds(instruction.condition)) this.observed.failed.push(thread);
    }
  }

  /** An access to which processes there are. */
  private accessProcesses(write: boolean): void {
    this.world.kernel.sched.access(this.processes, write);
  }

  private *operation(
    thread: string,
    mm: MmStruct,
    instruction: Extract<Instruction, { kind: 'operation' }>,
    init: boolean,
  ): Task {
    const { operation, into, rc } = instruction;
    const result = yield* runOperation(this.world, mm, operation);
    if (init && rc === undefined) assertInit(this.program.name, operation.name, result.rc);
    const { results } = this.observed;
    if (into !== undefined) results.set(`${thread}:${into}`, result.values);
    if (rc !== undefined) results.set(`${thread}:${rc}`, result.rc);
  }

  /** Runs the last operations, and evaluates the condition. */
  finish(): Outcome {
    const { program, world, observed } = this;
    if (this.registered !== undefined) world.runSync(this.registered.work());
    const subscribed = checkPlainNotifiers(this.notifiers) ?? this.registered?.check();
    const main = observed.processes.get(MAIN_PROCESS);
    if (main !== undefined) world.runSync(this.run(ALONE, main, program.final));
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

  /** Whether a condition holds now. */
  holds(condition: Expr): boolean {
    const value = evaluate(condition, this);
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

  /** @inheritdoc */
  lookup(name: string, agent: string | undefined, index: number | undefined): Value | undefined {
    const region = this.program.regions.get(name);
    if (region !== undefined && agent === undefined) {
      return pageValue(this.world, firstPage({ ...region, offset: index ?? 0 }));
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

  /** @inheritdoc */
  query(query: Query, name: string, index: number | undefined): Value | undefined {
    const region = this.program.regions.get(name);
    if (region === undefined) return undefined;
    const vpn = firstPage({ ...region, offset: index ?? 0 });
    return query === 'where' ? pageWhere(this.world, vpn) : pageMapped(this.world, vpn);
  }
}

/**
 * A litmus test as a model.
 * @throws HmmError `INIT` when an operation of the initial state fails.
 */
export function litmusModel(program: LitmusProgram, devices: MirrorDevicesFactory): WorldModel {
  const run = new LitmusRun(program, devices);
  const operations = [program.init, ...program.threads.map(({ body }) => body), program.final].flatMap(
    operationsOf,
  );
  return new WorldModel(run.world, {
    name: program.name,
    pages: pagesOf(operations).map(firstPage),
    state: run.state(),
    failures: Number(program.settings.get('failures') ?? 0),
    failureSite: program.settings.get('failure_site'),
    threads: [
      ...program.threads.map(({ name, process, body }) => ({
        name,
        run: () => run.run(name, run.observed.processes.get(process) ?? run.world.main, body),
      })),
      ...run.background(),
    ],
    finish: () => run.finish(),
  });
}

function operationsOf(body: readonly Instruction[]): Operation[] {
  return body.flatMap((instruction) => {
    if (instruction.kind === 'operation') return [instruction.operation];
    return instruction.kind === 'in' ? operationsOf(instruction.body) : [];
  });
}
