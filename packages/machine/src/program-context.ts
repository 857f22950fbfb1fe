import {
  counterValue,
  cpuResidency,
  type DeviceClient,
  type DeviceProcess,
  warningsOf,
  RES_CPU,
  RES_DEVICE,
  RES_DEVICE_MAPPED,
  RES_DEVICE_WRITE,
} from '@hmm/device';
import { errnoName, PAGE_SIZE, type Task } from '@hmm/kernel';
import { pagesOf } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import {
  type BindScope,
  type DeviceAnswer,
  evaluateNumber,
  type OperationContext,
  type PageRange,
  type Problem,
  type Region,
  type Value,
} from '@hmm/operations';
import { type MemoryKind, type Name, type Query, type Range, type Span } from '@hmm/operations/internal';
import type { Statement } from '@hmm/workload';
import type { Machine } from './machine.js';
import type { Process } from './process.js';

/** An assertion that did not hold. */
export interface FailedAssertion {
  readonly span: Span;
  /** The values that it speaks of, as text. */
  readonly seen: string;
}

/** Told of each statement of a program as it begins and ends: for step-by-step views and statement timings. */
export interface StatementObserver {
  /** `context` says in which process and thread, and what names mean there. */
  begin(statement: Statement, context: ProgramContext): void;
  /** `problem` is why it could not be done, if it could not. */
  end(statement: Statement, context: ProgramContext, problem: Problem | undefined): void;
}

/** What a run of a program has found out so far, shared by all its agents. */
export class ProgramState {
  readonly machine: Machine;
  /** Parameters: `let` at the top, or from outside. */
  readonly parameters: ReadonlyMap<string, number>;
  /** The devices that `gpu` statements without `on` mean: the first. */
  readonly defaultDevice: string;
  /** What statements returned, by `name` and by `agent:name`. */
  readonly results = new Map<string, readonly number[]>();
  readonly failures: FailedAssertion[] = [];
  /** Watches the statements; decides nothing. */
  readonly observer: StatementObserver | undefined;

  constructor(
    machine: Machine,
    parameters: ReadonlyMap<string, number>,
    defaultDevice: string,
    observer?: StatementObserver,
  ) {
    this.machine = machine;
    this.parameters = parameters;
    this.defaultDevice = defaultDevice;
    this.observer = observer;
  }
}

/** One agent's view of a running program: its process, its names, and the machine that operations run on. */
export class ProgramContext implements BindScope, OperationContext {
  readonly state: ProgramState;
  readonly process: Process;
  /** Name of the thread, '' outside of any. */
  readonly agent: string;
  /** Nobody comes in between two accesses: time passes for all of an operation's at its end. */
  readonly between = undefined;
  private readonly variables: Map<string, number>;

  constructor(state: ProgramState, process: Process, agent: string, variables: ReadonlyMap<string, number>) {
    this.state = state;
    this.process = process;
    this.agent = agent;
    this.variables = new Map(variables);
  }

  /** The same place in another process or thread. */
  within(process: Process, agent: string): ProgramContext {
    return new ProgramContext(this.state, process, agent, this.variables);
  }

  /** Defines a parameter or loop variable. */
  define(name: string, value: number): void {
    this.variables.set(name, value);
  }

  /** Keeps what a statement returned. */
  keep(name: string, values: readonly number[]): void {
    this.state.results.set(name, values);
    if (this.agent !== '') this.state.results.set(`${this.agent}:${name}`, values);
  }

  lookup(name: string, agent: string | undefined, index: number | undefined): Value | undefined {
    const variable = agent === undefined ? this.variables.get(name) : undefined;
    if (variable !== undefined) return variable;
    const own =
      agent === undefined && this.agent !== '' ? this.state.results.get(`${this.agent}:${name}`) : undefined;
    const values = own ?? this.state.results.get(agent === undefined ? name : `${agent}:${name}`);
    if (values === undefined) return undefined;
    if (index !== undefined) return values[index];
    return values.length === 1 ? values[0] : values;
  }

  query(query: Query, name: string, index: number | undefined): Value | undefined {
    if (query === 'count') {
      const { machine, defaultDevice } = this.state;
      return name === 'warnings'
        ? warningsOf(machine.client(defaultDevice).log).length
        : counterValue(machine.counters(defaultDevice), name);
    }
    const region = this.state.machine.regions.get(name);
    const page = index ?? 0;
    if (region === undefined || page < 0 || page >= region.pages) return undefined;
    const bits = this.residency(region.vpn + page);
    if (query === 'where') return WHERE[bits & (RES_CPU | RES_DEVICE)];
    if ((bits & RES_DEVICE_MAPPED) === 0) return 'none';
    return (bits & RES_DEVICE_WRITE) === 0 ? 'r' : 'rw';
  }

  /** @inheritdoc */
  range(range: Range): PageRange | Problem {
    const region = this.state.machine.regions.get(range.region.text);
    if (region === undefined)
      return { span: range.span, message: `${range.region.text} is not allocated yet` };
    if (range.from === undefined) return { region, vpn: region.vpn, pages: region.pages };
    const from = evaluateNumber(range.from, this);
    if (typeof from === 'object') return from;
    const to = range.to === undefined ? from + 1 : evaluateNumber(range.to, this);
    if (typeof to === 'object') return to;
    if (from === to)
      return {
        span: range.span,
        message: `the range ${region.name}[${from}..${to}] is empty: calls of 0 bytes fail (cudaErrorInvalidValue)`,
      };
    if (from < 0 || to > region.pages || from > to || !Number.isInteger(from) || !Number.isInteger(to)) {
      const message = `pages ${from}..${to} are not a part of ${region.name}, which has ${region.pages}`;
      return { span: range.span, message };
    }
    return { region, vpn: region.vpn + from, pages: to - from };
  }

  /** @inheritdoc */
  allocate(name: Name, bytes: number, memory: MemoryKind, place?: Name): PageRange | Problem {
    const managedBy = memory === 'managed' || memory === 'vram' ? this.defaultDevice : undefined;
    const at = place === undefined ? undefined : this.state.machine.regions.get(place.text);
    if (place !== undefined && at === undefined)
      return { span: place.span, message: `${place.text} is not allocated yet` };
    return this.newRegion(name.text, bytes, managedBy, this.process.name, at?.vpn);
  }

  /** @inheritdoc */
  rename(from: Name, name: Name): PageRange | Problem {
    const { regions } = this.state.machine;
    const region = regions.get(from.text);
    if (region === undefined) return { span: from.span, message: `${from.text} is not allocated yet` };
    regions.delete(from.text);
    const renamed = { ...region, name: name.text };
    regions.set(name.text, renamed);
    return { region: renamed, vpn: region.vpn, pages: region.pages };
  }

  /** @inheritdoc */
  target(range: Range, from: PageRange): PageRange | Problem {
    const name = range.region.text;
    if (!this.state.machine.regions.has(name)) {
      const { managedBy, process = this.process.name } = from.region ?? {};
      this.newRegion(name, from.pages * PAGE_SIZE, managedBy, process);
    }
    return this.range(range);
  }

  /** @inheritdoc */
  deviceNamed(name: Name | undefined): string {
    return name?.text ?? this.defaultDevice;
  }

  /** @inheritdoc */
  get defaultDevice(): string {
    return this.state.defaultDevice;
  }

  /** @inheritdoc */
  *device(name: string): Task<DeviceAnswer> {
    const { machine } = this.state;
    const answer = yield* machine.device(this.process, name);
    if (answer.ok) return answer;
    const { errno, reason } = answer;
    const client = machine.client(name);
    return {
      ok: false,
      errno,
      reason: `${client.name} on ${client.gpu} cannot: ${reason} (-${errnoName(errno)})`,
    };
  }

  /** @inheritdoc */
  opened(name: string): DeviceProcess | undefined {
    return this.process.devices.get(name);
  }

  /** @inheritdoc */
  client(device: string): DeviceClient {
    return this.state.machine.client(device);
  }

  /** @inheritdoc */
  deviceNames(): readonly string[] {
    return this.state.machine.deviceNames();
  }

  /** @inheritdoc */
  cpuTime(accesses: number): Task {
    const { kernel, cpu } = this.state.machine;
    return kernel.sched.delay(accesses * cpu.accessNs);
  }

  /** @inheritdoc */
  sleep(ns: number): Task {
    return this.state.machine.kernel.sched.delay(ns);
  }

  /** @inheritdoc */
  adopt(name: string, mm: MmStruct): void {
    this.state.machine.adopt(name, mm);
  }

  /** @inheritdoc */
  processOf(name: string): Process | undefined {
    return this.state.machine.processes.get(name);
  }

  private newRegion(
    name: string,
    bytes: number,
    managedBy: string | undefined,
    process: string,
    at?: number,
  ): PageRange {
    const { machine } = this.state;
    const pages = pagesOf(bytes);
    const vpn = at ?? machine.layout.take(pages);
    const region: Region = { name, vpn, pages, bytes, managedBy, process };
    machine.regions.set(name, region);
    return { region, vpn, pages };
  }

  private residency(vpn: number): number {
    const bits = new Uint8Array(1);
    const device = this.process.devices.get(this.state.defaultDevice);
    if (device !== undefined) device.residency(vpn, 1, bits);
    else bits[0] = cpuResidency(this.process.mm, vpn);
    return bits[0] ?? 0;
  }
}

const WHERE = ['none', 'cpu', 'gpu', 'both'];
