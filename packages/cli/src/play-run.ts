import { errnoName } from '@hmm/kernel';
import { findGpuPreset, findGpuTopology } from '@hmm/gpu';
import { type ClientFactory, type DeviceClient, runFigures } from '@hmm/device';
import {
  fatalReason,
  Machine,
  pagesTaken,
  type PlayHint,
  type PlayMemory,
  type PlayScript,
  playScript,
  plugDevice,
  splitSettings,
} from '@hmm/machine';
import { DEFAULT_MEMORY_CONFIG, type MemoryConfig } from '@hmm/mm';
import { DEFAULT_DEVICE } from '@hmm/workload';
import type { ClientRun } from './client-run.js';
import type { PlaySubject } from './subject.js';

/** Frames of system memory at most: 1 TiB. What needs more is told that memory is used up. */
const MOST_SYSTEM_FRAMES = 2 ** 28;
/** Page tables at most, of 4 KiB each. */
const MOST_TABLES = 2 ** 20;

/** How a play is run on a client. */
export interface PlayRequest {
  readonly play: PlaySubject;
  /** undefined: managed where the driver has it, else malloc. */
  readonly memory: PlayMemory | undefined;
  readonly hints: readonly PlayHint[];
  readonly seed: number;
  readonly changed: readonly string[];
  /** Called when the machine is built and nothing has run yet: to listen to its events. */
  readonly watch: ((machine: Machine) => void) | undefined;
}

/** Runs a play under one driver on one GPU. */
export function playOnClient(request: PlayRequest, factory: ClientFactory, gpu: string): ClientRun {
  const script = request.play.script();
  const split = splitSettings(request.play.settings, factory);
  if (!split.ok) return { ok: false, message: split.message };
  const machine = new Machine({
    kernel: split.kernel,
    memory: { ...memoryFor(script, gpu), ...split.memory },
    trace: request.watch !== undefined,
  });
  const { kernel } = machine;
  const settings = new Map([...split.driver].filter(([key]) => key in factory.settings));
  const device = { name: DEFAULT_DEVICE, factory, gpu, seed: request.seed, settings };
  const plugged = plugDevice(machine, device);
  if (!plugged.ok) return { ok: false, message: `${factory.name}: ${plugged.message}` };
  const { cards, client } = plugged;
  const few = tooFewGpus(script, cards, gpu);
  if (few !== undefined) return { ok: false, message: few };
  request.watch?.(machine);
  const capability = client.capability();
  const kind = request.memory ?? (capability.ok && capability.features.managedMemory ? 'managed' : 'malloc');
  const unable = capability.ok
    ? kind === 'managed' && !capability.features.managedMemory
      ? `${factory.name} has no managed memory: use --memory malloc`
      : kind === 'malloc' && !capability.features.systemMemory
        ? `there ${factory.name} reaches managed memory only: use --memory managed`
        : undefined
    : `${capability.reason} (-${errnoName(capability.errno)})`;
  const played =
    unable === undefined
      ? playScript(machine, script, { memory: kind, hints: request.hints })
      : { phases: [], accesses: 0, problem: unable, timeNs: 0 };
  const run = {
    results: new Map<string, readonly number[]>(),
    failures: [],
    problem: undefined,
    timeNs: played.timeNs,
  };
  const report = {
    client: factory.name,
    gpu: cards.length > 1 ? gpu : client.gpu,
    release: kernel.release,
    changed: request.changed,
    error: played.problem ?? null,
    failed: [],
    ...runFigures(machine.counters(DEFAULT_DEVICE), run),
    fatal: fatalReason(machine),
  };
  return { ok: true, report, machine, client, run };
}

/** Why a machine cannot play what more GPUs did than it has; undefined where it can. */
function tooFewGpus(
  { gpus = 1, name }: PlayScript,
  cards: readonly DeviceClient[],
  gpu: string,
): string | undefined {
  const has = cards.reduce((sum, card) => {
    const capability = card.capability();
    return sum + (capability.ok ? (capability.features.gpus ?? 1) : 1);
  }, 0);
  if (gpus <= has) return undefined;
  return `${name} is of ${gpus} GPUs, and ${gpu} has ${has}: choose a machine with more (--gpu 2xh200-nvlink, 'hmm gpus' lists them), or one GPU for all with --agents gpu`;
}

/**
 * Room for the play: system memory for all of it, and numbers for as much device memory as it could use. More would change
 * nothing but the time to set it up.
 */
function memoryFor(script: PlayScript, gpu: string): Partial<MemoryConfig> {
  const pages = pagesTaken(script.regions);
  const topology = findGpuTopology(gpu);
  const preset = findGpuPreset(topology?.preset ?? gpu);
  const devicePages = ((topology?.gpus ?? 1) * (preset?.memory.value ?? 0)) / 4096;
  const { systemFrames, frames, maxTables } = DEFAULT_MEMORY_CONFIG;
  const system = Math.max(systemFrames, Math.min(MOST_SYSTEM_FRAMES, Math.ceil(pages * 1.1)));
  const device = Math.max(frames - systemFrames, Math.min(devicePages, 2 * pages));
  return {
    systemFrames: system,
    frames: system + device,
    maxTables: Math.max(maxTables, Math.min(MOST_TABLES, Math.ceil((2 * pages) / 512) + 4096)),
  };
}
