import { HmmError, HPAGE_PMD_NR, Kernel, type Sched, type Task } from '@hmm/kernel';
import type { Forgotten } from '../engine/model.js';
import {
  declareState,
  HASH_SEED,
  hashWords,
  kernelOptions,
  ownState,
  type RestObserver,
} from '@hmm/kernel/internal';
import {
  CensusMemory,
  DEFAULT_MEMORY_CONFIG,
  MemorySystem,
  mmCreate,
  type MemoryConfig,
  type MmStruct,
} from '@hmm/mm';
import {
  isDeviceExclusivePte,
  isDevicePrivatePte,
  memorySettings,
  PAGE_POISON,
  PTE_PRESENT,
} from '@hmm/mm/internal';
import { MAIN_PROCESS } from '@hmm/workload';
import type { MirrorDevices, MirrorDevicesFactory } from './mirror-devices.js';
import { type Pin, regionOf } from '@hmm/operations/internal';
import { WorldProcess } from './world-process.js';

/** A machine that is just large enough for a litmus test, so that going back to an earlier state is cheap. */
export const SMALL_MEMORY: Partial<MemoryConfig> = {
  frames: 2048 + 4 * 64,
  systemFrames: 2048,
  maxTables: 96,
  swapSlots: 64,
  quarantine: true,
};

/** The same with 4 MiB of frame numbers for a driver's device memory. */
export const DRIVER_MEMORY: Partial<MemoryConfig> = { ...SMALL_MEMORY, frames: 2048 + 2 * HPAGE_PMD_NR };

/** The place of a page in words: `2[3]` is page 3 of region 2. */
export function pageName(vpn: number): string {
  const { region, offset } = regionOf(vpn) ?? { region: 0, offset: vpn };
  return `${region}[${offset}]`;
}

/** Agents whose places are kept. */
const MAX_AGENTS = 16;

/**
 * Where agents are that are between two accesses or operations, in the middle of nothing: what they do next depends on their
 * place and on the state of the world alone.
 */
export class Places implements RestObserver {
  /** What of it is state. */
  static readonly state = declareState({
    parked: { saved: 'that all rest is told where the state is hashed' },
    operations: 'constant',
    done: 'constant',
    values: 'constant',
    passed: { saved: 'says which agent to prefer, not what it does' },
    forgotten: { outside: 'told and read within one step' },
    sched: { outside: 'the world has it' },
  });

  /** The agents that are at such a place. */
  parked = 0;
  /** By agent: operations begun. */
  readonly operations: Int32Array = new Int32Array(MAX_AGENTS);
  /** By agent: a hash of where it is in the present operation. */
  readonly done: Int32Array = new Int32Array(MAX_AGENTS);
  /** By agent: a hash of the values that the present operation has so far. */
  readonly values: Int32Array = new Int32Array(MAX_AGENTS);
  /** By agent: places it has been at. */
  readonly passed: Int32Array = new Int32Array(MAX_AGENTS);
  /** What the agent that ran last has forgotten, if it has. */
  private forgotten: Forgotten | undefined;
  private readonly sched: Sched;

  constructor(sched: Sched) {
    this.sched = sched;
  }

  /** What was forgotten in the last step, undefined where nothing was. It is told once. */
  forgot(): Forgotten | undefined {
    const { forgotten } = this;
    this.forgotten = undefined;
    return forgotten?.step === this.sched.steps ? forgotten : undefined;
  }

  /** The agent begins an operation. */
  begin(agent: number): void {
    this.operations[agent] = (this.operations[agent] ?? 0) + 1;
  }

  /** The agent has the values `values` of the present operation. */
  note(agent: number, values: readonly number[]): void {
    this.values[agent] = hashWords(HASH_SEED, values, 0, values.length) ^ values.length;
  }

  /** @inheritdoc */
  beginRest(agent: number, words: readonly number[]): void {
    this.parked |= 1 << agent;
    this.done[agent] = hashWords(this.values[agent] ?? 0, words, 0, words.length) ^ words.length;
    this.passed[agent] = (this.passed[agent] ?? 0) + 1;
  }

  /** @inheritdoc */
  endRest(agent: number): void {
    this.parked &= ~(1 << agent);
  }

  /** @inheritdoc */
  forget(_agent: number, since: number, words: readonly number[], frames: readonly number[]): void {
    this.forgotten = { step: this.sched.steps, since, words, frames };
  }
}

/** A point between two accesses or operations, at which others may run; the agent has the values `values` so far. */
export function place(world: World, values: readonly number[] = NOTHING): Task {
  const { sched } = world.kernel;
  if (sched.exploring) world.places.note(sched.current.id, values);
  return sched.restPoint(NOTHING);
}

const NOTHING: readonly number[] = [];

/** A small machine with one process and mirror devices: what a litmus test runs on. */
export class World {
  /** What of it is state. */
  static readonly state = declareState(
    {
      kernel: 'constant',
      system: 'constant',
      devices: 'constant',
      main: 'constant',
      done: 'count',
      places: 'constant',
      processes: 'constant',
      pins: { saved: 'folded below, with the names of their frames' },
      processesObject: 'constant',
      openedObject: 'constant',
      census: { outside: 'counted anew for each check' },
    },
    ownState(World, {
      fold: ({ pins }, hash) => {
        for (const [mm, held] of pins) {
          if (held.length === 0) continue;
          hash.word(mm.id);
          hash.word(held.length);
          for (const { vpn, pfn } of held) {
            hash.word(vpn | 0);
            hash.frame(pfn);
          }
        }
      },
    }),
  );

  readonly kernel: Kernel;
  readonly system: MemorySystem;
  readonly devices: MirrorDevices;
  /** The process that every test begins with. */
  readonly main: MmStruct;
  /** Accesses and operations completed. */
  done = 0;
  /** Where the agents are. */
  readonly places: Places;
  /** The processes that were started, by name; also those that have ended. */
  readonly processes = new Map<string, WorldProcess>();
  /** Pins held, by the process that took them. */
  readonly pins = new Map<MmStruct, Pin[]>();
  /** Under which the processes, and which devices they have opened, are observed. */
  private readonly processesObject: number;
  private readonly openedObject: number;
  /** Where the counts of checks go. */
  readonly census = new CensusMemory();

  constructor(
    devices: MirrorDevicesFactory,
    settings: ReadonlyMap<string, string> = new Map(),
    memory: Partial<MemoryConfig> = SMALL_MEMORY,
  ) {
    const options = kernelOptions(settings);
    if (typeof options === 'string') throw new HmmError('SETTING', options);
    this.kernel = new Kernel(options);
    this.places = new Places(this.kernel.sched);
    this.kernel.sched.rests = this.places;
    const chosen = memorySettings(settings, { ...DEFAULT_MEMORY_CONFIG, ...memory });
    if (typeof chosen === 'string') throw new HmmError('SETTING', chosen);
    this.system = new MemorySystem(this.kernel, { ...memory, ...chosen });
    // Frame 0 is nobody's: what is read from it shows.
    this.system.data.fillPage(0, PAGE_POISON);
    this.devices = devices.create(this.system, settings);
    const unknown = this.kernel.unknownBehaviour();
    if (unknown !== undefined) throw new HmmError('SETTING', `no behaviour is called ${unknown}`);
    this.main = mmCreate(this.system);
    this.processesObject = this.kernel.allocIds(1);
    this.openedObject = this.kernel.allocIds(1);
    this.adopt(MAIN_PROCESS, this.main);
  }

  /** A process with this address space. */
  adopt(name: string, mm: MmStruct): WorldProcess {
    const process = new WorldProcess(this, name, mm);
    this.processes.set(name, process);
    return process;
  }

  /** The process of a name, or the one that every test begins with. */
  processOr(name: string): WorldProcess {
    return (
      this.processes.get(name) ?? this.processes.get(MAIN_PROCESS) ?? this.adopt(MAIN_PROCESS, this.main)
    );
  }

  /** The pins that a process holds. */
  pinsOf(mm: MmStruct): Pin[] {
    const held = this.pins.get(mm);
    if (held !== undefined) return held;
    const none: Pin[] = [];
    this.pins.set(mm, none);
    return none;
  }

  /** An access to which processes there are. */
  accessProcesses(write: boolean): void {
    this.kernel.sched.access(this.processesObject, write);
  }

  /** An access to which devices processes have opened. */
  accessOpened(write: boolean): void {
    this.kernel.sched.access(this.openedObject, write);
  }

  /** Runs a task to its end with nobody else in between. */
  runSync<T>(task: Task<T>): T {
    if (this.kernel.sched.exploring)
      throw new HmmError('EXPLORING', 'a synchronous run inside an exploration');
    return this.kernel.sched.runSync(bounded(task));
  }
}

/** More scheduling points than any operation has that runs alone. */
const MAX_POINTS = 100_000;

/** `task`, as long as it comes to an end. @throws HmmError `livelock` */
function* bounded<T>(task: Task<T>): Task<T> {
  for (let i = 0; i < MAX_POINTS; i++) {
    const next = task.next();
    if (next.done === true) return next.value;
    yield next.value;
  }
  throw new HmmError('livelock', 'an operation does not end though nobody else is at work');
}

/** The frame that holds the data of page `vpn` of `mm`, wherever it is; 0 when the page is not mapped. */
export function dataFrame(world: World, mm: MmStruct, vpn: number): number {
  const { tables, map } = world.system;
  const lane = tables.findPte(mm.root, vpn);
  const flags = lane < 0 ? 0 : (tables.lanes[lane] ?? 0);
  const pfn = tables.lanes[lane + 1] ?? 0;
  if ((flags & PTE_PRESENT) !== 0 || isDeviceExclusivePte(flags)) return pfn;
  if (!isDevicePrivatePte(flags)) return 0;
  // A private page's data is in the page of system memory that backs it, or, where none does, in the page itself.
  const backing = map.private[pfn] ?? 0;
  return backing === 0 ? pfn : backing;
}
