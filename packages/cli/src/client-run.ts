import { errnoName } from '@hmm/kernel';
import {
  bytesMoved,
  type ClientFactory,
  type DeviceClient,
  type DeviceCounters,
  runFigures,
  warningsOf,
} from '@hmm/device';
import { fatalReason, Machine, plugDevice, runProgram, splitSettings } from '@hmm/machine';
import type { ProgramRun } from '@hmm/machine';
import type { MemoryConfig } from '@hmm/mm';
import { type ClientReport, countOf, formatBytes, formatTime } from '@hmm/report';
import { DEFAULT_DEVICE, type ProgramFile } from '@hmm/workload';

/** A program ready to be run on any client. */
export interface RunRequest {
  readonly program: ProgramFile;
  /** Name of its file, for messages. */
  readonly file: string;
  readonly parameters: ReadonlyMap<string, number>;
  /** Settings for the driver. */
  readonly settings: ReadonlyMap<string, string>;
  readonly seed: number;
  /** How much memory the machine has, as far as no setting says; a machine's own default without. */
  readonly memory?: Partial<MemoryConfig>;
  /** Called when the machine is built and nothing has run yet: to listen to its events. */
  readonly watch?: ((machine: Machine) => void) | undefined;
}

/** A finished run, or why none could be set up. */
export type ClientRun =
  | {
      readonly ok: true;
      readonly report: ClientReport;
      readonly machine: Machine;
      readonly client: DeviceClient;
      readonly run: ProgramRun;
    }
  | { readonly ok: false; readonly message: string };

/** Runs a program under one driver on one GPU. */
export function runOnClient(
  request: RunRequest,
  factory: ClientFactory,
  gpu: string,
  changed: readonly string[] = [],
): ClientRun {
  const split = splitSettings(request.settings, factory);
  if (!split.ok) return { ok: false, message: split.message };
  const machine = new Machine({
    kernel: split.kernel,
    memory: { ...request.memory, ...split.memory },
    trace: true,
  });
  const names = deviceNames(request.program);
  for (const name of names) {
    const device = { name, factory, gpu, seed: request.seed, settings: split.driver };
    const plugged = plugDevice(machine, device);
    if (!plugged.ok) return { ok: false, message: `${factory.name}: ${plugged.message}` };
  }
  const [device = DEFAULT_DEVICE] = names;
  const client = machine.client(device);
  request.watch?.(machine);
  const capability = client.capability();
  const run = capability.ok
    ? runProgram(machine, request.program, request.parameters)
    : { results: new Map<string, readonly number[]>(), failures: [], problem: undefined, timeNs: 0 };
  const error = capability.ok
    ? problemText(request, run)
    : `${capability.reason} (-${errnoName(capability.errno)})`;
  const finished = { request, factory, client, run, counters: machine.counters(device) };
  const cards = machine.cards(device);
  const report = {
    ...reportOf(finished, error, changed),
    gpu: cards.length > 1 ? gpu : client.gpu,
    ...cardWarnings(cards),
    ...brokenOf(machine, cards),
    ...stepsOf(finished),
    release: machine.kernel.release,
    fatal: fatalReason(machine),
  };
  return { ok: true, report, machine, client, run };
}

/** A run, and what there is to say of it. */
interface FinishedOnClient {
  readonly request: RunRequest;
  readonly factory: ClientFactory;
  readonly client: DeviceClient;
  readonly run: ProgramRun;
  readonly counters: DeviceCounters;
}

/** Pages of a region that a driver's invariants are asked about. */
const PAGES_CHECKED = 4096;

/** What the driver broke of its own invariants, and what is broken now that no call is under way. */
function brokenOf(machine: Machine, cards: readonly DeviceClient[]): Pick<ClientReport, 'broken'> {
  if (cards.every((card) => card.brokenInvariants === undefined)) return {};
  const pages = [...machine.regions.values()].flatMap(({ vpn, pages: count }) =>
    Array.from({ length: Math.min(count, PAGES_CHECKED) }, (_, i) => vpn + i),
  );
  const broken = cards.flatMap((card) => card.brokenInvariants?.(pages, true) ?? []);
  return broken.length === 0 ? {} : { broken };
}

/** The five steps as this run took them. */
function stepsOf({ factory, client, run, counters }: FinishedOnClient): Pick<ClientReport, 'steps'> {
  const { faults, batches, replays, timeNs } = counters;
  if (faults === 0 || run.problem !== undefined) return {};
  const { deviceFault, batch, migration, mapping, replay } = factory.steps;
  const moved = bytesMoved(counters, 'toDevice');
  const capability = client.capability();
  const none = capability.ok && capability.features.memoryPages === 0;
  const nothing = none ? 'nothing moves, as it has no memory of its own' : 'nothing moves';
  const values = [...run.results].map(([name, shown]) => `${name} = ${shown.slice(0, 4).join(' ')}`);
  const replayed = replays === 0 ? '' : `${countOf(replays, 'replay')}, `;
  return {
    steps: [
      step(countOf(faults, 'fault'), deviceFault),
      step(countOf(batches, 'batch', 'batches'), batch),
      moved === 0 ? step(nothing, mapping) : step(`${formatBytes(moved)} moved`, migration),
      step(`${replayed}${formatTime(timeNs.faultWait)} waited`, replay),
      `${values.join(', ')} after ${formatTime(run.timeNs)}.`,
    ],
  };
}

/** What a step did, and the clause about the function behind it. */
function step(did: string, clause: string): string {
  return `${did}; ${clause}${clause.endsWith('.') ? '' : '.'}`;
}

/** What the cards' drivers warned of, each warning once. */
function cardWarnings(cards: readonly DeviceClient[]): { warnings?: readonly string[] } {
  const warnings = [...new Set(cards.flatMap(({ log }) => warningsOf(log)))];
  return warnings.length === 0 ? {} : { warnings };
}

/** Names of the program's devices: one of a name that nobody can write where it declares none. */
function deviceNames({ devices }: ProgramFile): string[] {
  return devices.length === 0 ? [DEFAULT_DEVICE] : devices.map(({ name }) => name.text);
}

function problemText(request: RunRequest, run: ProgramRun): string | null {
  if (run.problem === undefined) return null;
  const { span, message } = run.problem;
  return `${request.file}:${span.line}:${span.column}: ${message}`;
}

function reportOf(
  { request, factory, client, run, counters }: FinishedOnClient,
  error: string | null,
  changed: readonly string[],
): Omit<ClientReport, 'fatal' | 'release' | 'gpu'> {
  const capability = client.capability();
  const none = capability.ok && capability.features.memoryPages === 0;
  return {
    client: factory.name,
    ...(none ? { device_memory: false } : {}),
    changed,
    error,
    failed: run.failures.map(({ span, seen }) => `${request.file}:${span.line}:${span.column}: ${seen}`),
    ...runFigures(counters, run),
  };
}
