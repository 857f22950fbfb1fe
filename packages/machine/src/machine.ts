import { HmmError, Kernel, type KernelOptions, type Task } from '@hmm/kernel';
import { type MemoryConfig, MemorySystem, mmCreate, type MmStruct } from '@hmm/mm';
import type { DeviceClient, DeviceCounters, DeviceProcess } from '@hmm/device';
import { countersOfCards } from '@hmm/device/internal';
import { type Region } from '@hmm/operations';
import { exitProcess, forkProcess } from '@hmm/operations/internal';
import { CARD } from './card-names.js';
import { CPU_COST, type CpuCost } from './cpu-access.js';
import { AddressLayout } from './region.js';
import { Process } from './process.js';

/** What a machine is built with; every field has a default. */
export interface MachineOptions {
  /** The release that is modelled. */
  readonly kernel?: KernelOptions;
  readonly memory?: Partial<MemoryConfig>;
  readonly cpu?: Partial<CpuCost>;
  /** Record events from the start. */
  readonly trace?: boolean;
}

/** The answer of {@link Machine.device}. */
export type DeviceResult =
  | { readonly ok: true; readonly process: DeviceProcess }
  | { readonly ok: false; readonly errno: number; readonly reason: string };

/**
 * Everything at once: a kernel, its memory, processes, devices with their drivers, one virtual clock. Which drivers
 * is the caller's choice; the machine knows none.
 */
export class Machine {
  readonly kernel: Kernel;
  readonly memory: MemorySystem;
  readonly cpu: CpuCost;
  readonly processes = new Map<string, Process>();
  readonly regions = new Map<string, Region>();
  readonly layout = new AddressLayout();
  private readonly clients = new Map<string, DeviceClient>();

  constructor(options: MachineOptions = {}) {
    this.kernel = new Kernel(options.kernel);
    this.memory = new MemorySystem(this.kernel, options.memory);
    this.cpu = { ...CPU_COST, ...options.cpu };
    this.kernel.trace.on = options.trace ?? false;
  }

  /**
   * Plugs in a device under `name` and starts its driver's workers.
   * @throws HmmError `DEVICE_EXISTS` when the name is taken.
   */
  addDevice(name: string, client: DeviceClient): void {
    if (this.clients.has(name))
      throw new HmmError('DEVICE_EXISTS', `there is a device ${name} already`, { name });
    this.clients.set(name, client);
    for (const worker of client.workers()) this.kernel.sched.spawnDaemon(worker.name, worker.task);
  }

  /** The driver of device `name`. @throws HmmError `NO_DEVICE`. */
  client(name: string): DeviceClient {
    const client = this.clients.get(name);
    if (client === undefined) throw new HmmError('NO_DEVICE', `there is no device ${name}`, { name });
    return client;
  }

  /** The drivers of the cards of device `name`, the first of them its own. @throws HmmError `NO_DEVICE`. */
  cards(name: string): DeviceClient[] {
    const cards = [this.client(name)];
    for (const [other, client] of this.clients) if (other.startsWith(name + CARD)) cards.push(client);
    return cards;
  }

  /** What the driver of device `name` has counted, on all cards. @throws HmmError `NO_DEVICE`. */
  counters(name: string): DeviceCounters {
    const [, ...further] = this.cards(name);
    return countersOfCards(
      this.client(name).counters(),
      further.map((card) => card.counters()),
    );
  }

  /** Names of the devices, in the order in which they were plugged in. */
  deviceNames(): string[] {
    return [...this.clients.keys()];
  }

  /** Starts a process with an empty address space. */
  spawnProcess(name: string): Process {
    return this.adopt(name, mmCreate(this.memory));
  }

  /** `fork`: a copy of `parent`; what the drivers must take from it is theirs to say. A negative errno on failure. */
  *fork(parent: Process, name: string): Task<Process | number> {
    const mm = yield* forkProcess(parent);
    return typeof mm === 'number' ? mm : this.adopt(name, mm);
  }

  /** The process exits: its devices are closed, as the kernel closes files, and its memory is torn down. */
  exit(process: Process): Task {
    return exitProcess(process);
  }

  /** The device `name` as `process` has it open, opened now if it is not. */
  *device(process: Process, name: string): Task<DeviceResult> {
    const open = process.devices.get(name);
    if (open !== undefined) return { ok: true, process: open };
    const client = this.client(name);
    const capability = client.capability();
    if (!capability.ok) return capability;
    const result = yield* client.openProcess(process.mm);
    if (result.ok) process.devices.set(name, result.process);
    return result;
  }

  /** Runs `task` as an agent `name` until everything has ended but the drivers' workers; returns what it returned. */
  run<T>(name: string, task: Task<T>): T {
    const { sched } = this.kernel;
    const done: { value?: T } = {};
    sched.spawn(name, store(task, done));
    sched.run();
    if (!('value' in done))
      throw new HmmError('NOT_DONE', `${name} did not come to its end`, { agent: name });
    return done.value;
  }

  /** A process with this address space. @throws HmmError `PROCESS_EXISTS` when one of the name has not ended yet. */
  adopt(name: string, mm: MmStruct): Process {
    if (this.processes.get(name)?.alive === true)
      throw new HmmError('PROCESS_EXISTS', `there is a process ${name} already`, { name });
    const process = new Process(name, mm);
    this.processes.set(name, process);
    return process;
  }
}

function* store<T>(task: Task<T>, into: { value?: T }): Task {
  into.value = yield* task;
}
