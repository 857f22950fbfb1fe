import { type DeviceClient, type FinishedRun, runFigures } from '@hmm/device';
import { findGpuPreset } from '@hmm/gpu';
import { fatalReason, Machine, ResidencyHistory, splitSettings } from '@hmm/machine';
import type { MemoryConfig } from '@hmm/mm';
import { type ClientReport, type Diagnosis, diagnose, RunEvents } from '@hmm/report';
import type { ChosenClient } from './clients.js';
import { type Refusal, refusedBy } from './problem.js';

/** A run that came to its end. */
export interface FinishedSimulation {
  readonly outcome: 'finished';
  /** What it did and cost: what `hmm run --json` has as `run`. `report.values` are the results of reads, by name. */
  readonly report: ClientReport;
  /** Why it cost what it cost, by region and cause: what `hmm run --json` has as `diagnosis`. */
  readonly diagnosis: Diagnosis;
  /** Where the pages were, over time. */
  readonly history: ResidencyHistory;
  /** The machine as it was left, for whoever wants to look further. */
  readonly machine: Machine;
}

/** A run that could not go on; what it had done by then is there. */
export interface StoppedSimulation extends Omit<FinishedSimulation, 'outcome'> {
  readonly outcome: 'stopped';
  /** Why, as `report.error` has it. */
  readonly message: string;
}

/** A machine with a driver in it, watched from the beginning. */
export interface WatchedMachine {
  readonly outcome: 'ready';
  readonly chosen: ChosenClient;
  readonly machine: Machine;
  readonly client: DeviceClient;
  readonly events: RunEvents;
  readonly history: ResidencyHistory;
}

/** Builds the machine of a choice with devices of these names, or says why there is none. */
export function watchedMachine(
  chosen: ChosenClient,
  devices: readonly string[],
  memory: Partial<MemoryConfig> = {},
): WatchedMachine | Refusal {
  const { factory, gpu, seed } = chosen;
  const split = splitSettings(chosen.settings, factory);
  if (!split.ok) return refusedBy(split.message);
  const machine = new Machine({ kernel: split.kernel, memory, trace: true });
  const made = devices.map((name) => {
    const result = factory.create(
      { kernel: machine.kernel, memory: machine.memory, seed },
      gpu,
      split.driver,
    );
    if (result.ok) machine.addDevice(name, result.client);
    return result;
  });
  const refused = made.find((result) => !result.ok);
  if (refused !== undefined) return refusedBy(`${factory.name}: ${refused.message}`);
  const [first] = made;
  if (!first?.ok) return refusedBy(`${factory.name}: there is no device`);
  const events = new RunEvents();
  machine.kernel.trace.drain = (trace) => {
    learnRegions(machine, events);
    events.take(trace);
  };
  const history = new ResidencyHistory(machine);
  return { outcome: 'ready', chosen, machine, client: first.client, events, history };
}

/** What a run says of itself at its end. */
export interface RunEnd extends FinishedRun {
  readonly error: string | null;
  /** Assertions that did not hold. */
  readonly failed: readonly string[];
}

/** The result of a run on a watched machine. */
export function simulationOf(watched: WatchedMachine, end: RunEnd): FinishedSimulation | StoppedSimulation {
  const { chosen, machine, client, events, history } = watched;
  history.look();
  learnRegions(machine, events);
  events.take(machine.kernel.trace);
  const counters = client.counters();
  const report: ClientReport = {
    client: chosen.factory.name,
    gpu: client.gpu,
    release: machine.kernel.release,
    changed: [],
    error: end.error,
    failed: end.failed,
    ...runFigures(counters, end),
    fatal: fatalReason(machine),
  };
  const diagnosis = diagnose(report, events, counters.residentNs, linkOf(client.gpu));
  const found = { report, diagnosis, history, machine };
  return end.error === null
    ? { outcome: 'finished', ...found }
    : { outcome: 'stopped', message: end.error, ...found };
}

function learnRegions(machine: Machine, events: RunEvents): void {
  if (events.regionCount === machine.regions.size) return;
  const known = new Set(events.regions().map(({ region }) => region.name));
  for (const region of machine.regions.values()) if (!known.has(region.name)) events.addRegion(region);
}

function linkOf(gpu: string): { readonly toDeviceGBs: number; readonly toHostGBs: number } | undefined {
  const link = findGpuPreset(gpu)?.link;
  return link && { toDeviceGBs: link.toDeviceGBs.value, toHostGBs: link.toHostGBs.value };
}
