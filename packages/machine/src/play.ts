import { errnoName, HPAGE_PMD_NR, HmmError, type Task } from '@hmm/kernel';
import {
  ACCESS_READ,
  type AccessSource,
  type AccessStream,
  type AdviceKind,
  type DeviceProcess,
  type Place,
  placeOfGpu,
} from '@hmm/device';
import { cpuTouchStream } from './cpu-access.js';
import type { Machine } from './machine.js';
import { gpuNumbered, mapMemory } from '@hmm/operations/internal';
import type { PlayPhase, PlayRegion, PlayScript } from './play-script.js';
import type { Process } from './process.js';

/** Accesses handed to an agent at a time. */
const PIECE = 16384;
/** Phases that are told apart in a result; what comes after is one more. */
const TOLD_PHASES = 1000;

/** Memory that a play's regions are: the driver's own, or the process's, which HMM mirrors. */
export type PlayMemory = 'managed' | 'malloc';

/** Something told or asked of the driver about a region: advice before the first phase, a move before each GPU phase. */
export type PlayHint =
  | { readonly region: string; readonly kind: 'advise'; readonly advice: AdviceKind; readonly place: Place }
  | { readonly region: string; readonly kind: 'prefetch' };

/** How a play is staged. */
export interface PlayOptions {
  readonly memory: PlayMemory;
  readonly hints?: readonly PlayHint[];
  /** The device; the machine's first without it. */
  readonly device?: string;
}

/** What a phase did. */
export interface PlayedPhase {
  readonly name: string;
  readonly agent: 'cpu' | 'gpu';
  /** Number of the GPU; the first when left out. */
  readonly gpu?: number;
  readonly accesses: number;
  /** Virtual time, from its start to its end. */
  readonly ns: number;
}

/** How a play ended. */
export interface PlayResult {
  /** Phases in order; what comes after the first thousand is added up in one. */
  readonly phases: readonly PlayedPhase[];
  readonly accesses: number;
  /** Why it could not go on to its end, one clause. */
  readonly problem: string | undefined;
  readonly timeNs: number;
}

/** Plays `script` in a process of its own, in virtual time. Accesses have no contents; faults and migrations are exact. */
export function playScript(machine: Machine, script: PlayScript, options: PlayOptions): PlayResult {
  return machine.run('play', play(machine, script, options));
}

function* play(machine: Machine, script: PlayScript, options: PlayOptions): Task<PlayResult> {
  const { sched } = machine.kernel;
  const stage = new PlaySetting(machine, options);
  const begun = sched.now;
  const told = new ToldPhases();
  let problem = yield* stage.setUp(script.regions);
  if (problem === undefined) {
    for (const phase of script.phases(stage.starts)) {
      const start = sched.now;
      const done = yield* stage.run(phase);
      told.add(phase, done.accesses, sched.now - start);
      problem = done.problem;
      if (problem !== undefined) break;
    }
  }
  return { phases: told.phases, accesses: told.accesses, problem, timeNs: sched.now - begun };
}

/** What phases did, the first thousand one by one. */
class ToldPhases {
  readonly phases: (PlayedPhase & { accesses: number; ns: number })[] = [];
  accesses = 0;

  add(phase: PlayPhase, accesses: number, ns: number): void {
    this.accesses += accesses;
    const last = this.phases[TOLD_PHASES];
    if (last !== undefined) {
      last.accesses += accesses;
      last.ns += ns;
    } else {
      const name = this.phases.length === TOLD_PHASES ? 'all further phases' : phase.name;
      const gpu = phase.gpu === undefined ? {} : { gpu: phase.gpu };
      this.phases.push({ name, agent: phase.agent, ...gpu, accesses, ns });
    }
  }
}

/** The pieces of a phase, in the arrays of the stream that it feeds. */
class PhaseSource implements AccessSource {
  private readonly phase: PlayPhase;
  private readonly pages: Int32Array;
  private readonly kinds: Uint8Array;

  constructor(phase: PlayPhase, pages: Int32Array, kinds: Uint8Array) {
    this.phase = phase;
    this.pages = pages;
    this.kinds = kinds;
  }

  fill(): number {
    return this.phase.fill(this.pages, this.kinds);
  }
}

/** The process, the memory and the device of a play. */
class PlaySetting {
  /** First page of each region, relative to {@link PlaySetting.base}. */
  starts = new Float64Array(0);
  private base = 0;
  private readonly machine: Machine;
  private readonly options: PlayOptions;
  private readonly process: Process;
  private readonly deviceName: string;
  private device: DeviceProcess | undefined;
  private readonly pages = new Int32Array(PIECE);
  private readonly kinds = new Uint8Array(PIECE);

  constructor(machine: Machine, options: PlayOptions) {
    this.machine = machine;
    this.options = options;
    this.process = machine.spawnProcess('play');
    this.deviceName = options.device ?? machine.deviceNames()[0] ?? '';
  }

  /** Opens the device, maps the regions, gives the advice; one clause on what could not be done. */
  *setUp(regions: readonly PlayRegion[]): Task<string | undefined> {
    const opened = yield* this.machine.device(this.process, this.deviceName);
    if (!opened.ok) return `${opened.reason} (-${errnoName(opened.errno)})`;
    this.device = opened.process;
    this.starts = new Float64Array(regions.length);
    for (const [at, region] of regions.entries()) {
      const problem = yield* this.allocate(region, at);
      if (problem !== undefined) return problem;
    }
    for (const hint of this.options.hints ?? []) {
      const region = this.machine.regions.get(hint.region);
      if (region === undefined) return `there is no region ${hint.region}`;
      if (hint.kind !== 'advise') continue;
      const rc = yield* this.device.advise(region.vpn, region.pages, hint.advice, hint.place);
      if (rc < 0) return `advice ${hint.advice} on ${hint.region} failed: -${errnoName(rc)}`;
    }
    return undefined;
  }

  /** Runs one phase to its end. */
  *run(phase: PlayPhase): Task<{ accesses: number; problem: string | undefined }> {
    const first = phase.fill(this.pages, this.kinds);
    if (first === 0) return { accesses: 0, problem: undefined };
    const stream: AccessStream = {
      access: ACCESS_READ,
      shape: 'warps',
      base: this.base,
      pages: this.pages.subarray(0, first),
      kinds: this.kinds,
      offset: 0,
      width: 1,
      values: undefined,
      lanes: phase.lanes,
      source: new PhaseSource(phase, this.pages, this.kinds),
    };
    return phase.agent === 'gpu' ? yield* this.onGpu(stream, phase.gpu ?? 0) : yield* this.onCpu(stream);
  }

  private *allocate(region: PlayRegion, at: number): Task<string | undefined> {
    const { machine } = this;
    const { name, pages } = region;
    const vpn = machine.layout.take(pages);
    if (at === 0) this.base = vpn;
    this.starts[at] = vpn - this.base;
    if (vpn + pages - this.base >= 2 ** 31)
      return `the regions take more than 8 TiB of addresses, up to ${name}`;
    const rc = yield* this.map(vpn, pages);
    if (rc < 0) return `${this.options.memory} memory for ${name} failed: -${errnoName(rc)}`;
    const managedBy = this.options.memory === 'managed' ? this.deviceName : undefined;
    machine.regions.set(name, {
      name,
      vpn,
      pages,
      bytes: pages * 4096,
      managedBy,
      process: this.process.name,
    });
    return undefined;
  }

  private *map(vpn: number, pages: number): Task<number> {
    if (this.options.memory === 'malloc')
      return yield* mapMemory(this.process.mm, vpn, pages, 'rw', 'malloc');
    const managed = this.device?.managed;
    if (managed === undefined)
      throw new HmmError('NO_MANAGED', 'this driver has no managed memory', { device: this.deviceName });
    return yield* managed.alloc(vpn, pages * 4096);
  }

  /** The device of GPU `number` of the machine, opened if it is not yet, and the GPU's number on it. */
  private *gpuOf(
    number: number,
  ): Task<{ readonly device: DeviceProcess; readonly gpu: number } | { readonly problem: string }> {
    const at = gpuNumbered(this.machine, this.deviceName, number);
    if (at === undefined) return { problem: `the machine has no GPU ${number}` };
    const opened = yield* this.machine.device(this.process, at.device);
    if (!opened.ok) return { problem: `${opened.reason} (-${errnoName(opened.errno)})` };
    return { device: opened.process, gpu: at.gpu };
  }

  private *onGpu(
    stream: AccessStream,
    number: number,
  ): Task<{ accesses: number; problem: string | undefined }> {
    const on = yield* this.gpuOf(number);
    if ('problem' in on) return { accesses: 0, problem: on.problem };
    const { device, gpu } = on;
    for (const hint of this.options.hints ?? []) {
      const region = this.machine.regions.get(hint.region);
      if (hint.kind === 'prefetch' && region !== undefined)
        yield* device.prefetch(region.vpn, region.pages, placeOfGpu(gpu));
    }
    const { errno, done, reason } = yield* device.launch({ ...stream, gpu });
    const which = number === 0 ? 'the GPU' : `GPU ${number}`;
    const problem =
      errno === 0 ? undefined : `${which} failed after ${done} accesses: ${reason} (-${errnoName(errno)})`;
    return { accesses: done, problem };
  }

  private *onCpu(stream: AccessStream): Task<{ accesses: number; problem: string | undefined }> {
    if (this.options.memory === 'managed') {
      const managed = this.device?.managed;
      if (managed === undefined) return { accesses: 0, problem: 'the device is not open' };
      const { errno, done, reason } = yield* managed.cpuAccess(stream);
      const problem = errno === 0 ? undefined : `the CPU failed after ${done} accesses: ${reason}`;
      return { accesses: done, problem };
    }
    const { signal, done } = yield* cpuTouchStream(this.process, stream, this.machine.cpu);
    const problem =
      signal === 0 ? undefined : `the CPU got signal ${signal} after ${done} accesses: memory is used up`;
    return { accesses: done, problem };
  }
}

/** Pages that regions of these sizes take with their alignment: for sizing a machine. */
export function pagesTaken(regions: readonly PlayRegion[]): number {
  return regions.reduce(
    (sum, { pages }) => sum + Math.ceil(pages / HPAGE_PMD_NR) * HPAGE_PMD_NR + HPAGE_PMD_NR,
    0,
  );
}
