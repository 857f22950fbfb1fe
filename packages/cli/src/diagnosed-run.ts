import { findGpuPreset } from '@hmm/gpu';
import type { Kernel } from '@hmm/kernel';
import type { ClientFactory } from '@hmm/device';
import type { Machine, PlayHint, PlayMemory } from '@hmm/machine';
import { ResidencyHistory } from '@hmm/machine';
import { type Diagnosis, diagnose, type ResidencyGrid, RunEvents } from '@hmm/report';
import { type ClientRun, runOnClient } from './client-run.js';
import { hintedProgram } from './hinted-program.js';
import { playOnClient } from './play-run.js';
import type { Subject } from './subject.js';

/** How a subject is run. */
export interface DiagnosedRequest {
  readonly subject: Subject;
  readonly factory: ClientFactory;
  readonly gpu: string;
  readonly memory: PlayMemory | undefined;
  readonly seed: number;
  readonly hints: readonly PlayHint[];
  /** Keep every event in the machine's trace, for an export; else they are only added up. */
  readonly keepEvents: boolean;
  /** Told of the machine's kernel before anything runs. */
  readonly onMachine?: ((kernel: Kernel) => void) | undefined;
}

/** A run with the reasons for its cost. */
export type DiagnosedRun =
  | (Extract<ClientRun, { ok: true }> & {
      readonly diagnosis: Diagnosis;
      readonly history: ResidencyHistory;
    })
  | { readonly ok: false; readonly message: string };

/** Runs a program, a workload or a trace on a client and says why it cost what it cost. */
export function diagnosedRun(request: DiagnosedRequest): DiagnosedRun {
  const events = new RunEvents();
  const seen: { machine?: Machine; history?: ResidencyHistory } = {};
  const watch = (machine: Machine): void => {
    seen.machine = machine;
    request.onMachine?.(machine.kernel);
    seen.history = new ResidencyHistory(machine);
    if (request.keepEvents) return;
    machine.kernel.trace.drain = (trace) => {
      learnRegions(machine, events);
      events.take(trace);
    };
  };
  const run = runSubject(request, watch);
  if (!run.ok) return run;
  const { machine, history } = seen;
  if (machine === undefined || history === undefined) return { ok: false, message: 'nothing was run' };
  history.look();
  learnRegions(machine, events);
  events.take(machine.kernel.trace);
  const { residentNs } = run.client.counters();
  return { ...run, history, diagnosis: diagnose(run.report, events, residentNs, linkOf(run.client.gpu)) };
}

/** Runs a subject, with `watch` told of the machine before anything runs. */
export function runSubject(
  request: DiagnosedRequest,
  watch: ((machine: Machine) => void) | undefined,
): ClientRun {
  const { subject, factory, gpu, memory, seed, hints } = request;
  if (subject.kind === 'play')
    return playOnClient({ play: subject.play, memory, hints, seed, changed: [], watch }, factory, gpu);
  const hinted = hintedProgram(subject.request, hints);
  if (typeof hinted === 'string') return { ok: false, message: hinted };
  return runOnClient({ ...hinted, watch }, factory, gpu);
}

function learnRegions(machine: Machine, events: RunEvents): void {
  if (events.regionCount === machine.regions.size) return;
  const known = new Set(events.regions().map(({ region }) => region.name));
  for (const region of machine.regions.values()) if (!known.has(region.name)) events.addRegion(region);
}

function linkOf(gpu: string): { toDeviceGBs: number; toHostGBs: number } | undefined {
  const link = findGpuPreset(gpu)?.link;
  return link && { toDeviceGBs: link.toDeviceGBs.value, toHostGBs: link.toHostGBs.value };
}

/** The residency history as a map of `columns` columns and about `rows` rows; of more regions, some evenly. */
export function residencyGrid(history: ResidencyHistory, columns: number, rows: number): ResidencyGrid {
  const all = history.regions();
  const every = Math.ceil(all.length / rows);
  const regions = all.filter((_, i) => i % every === 0);
  const { times } = history;
  const pages = regions.reduce((sum, { region }) => sum + region.pages, 0);
  const shown = regions.map((r) => ({
    history: r,
    rows: Math.max(1, Math.min(r.rows, Math.round((rows * r.region.pages) / pages))),
  }));
  const placed = shown.flatMap(({ history: r, rows: n }) =>
    Array.from({ length: n }, (_, i) => ({ r, at: Math.floor((i * r.rows) / n) })),
  );
  const width = Math.min(columns, times.length);
  const end = times.at(-1) ?? 0;
  const lookAt = Array.from({ length: width }, (_, column) => {
    const time = ((column + 1) * end) / width;
    const after = times.findIndex((t) => t > time);
    return (after < 0 ? times.length : after) - 1;
  });
  const eighths = (row: number, column: number): number => {
    const place = placed[row];
    return place?.r.looks[Math.max(0, lookAt[column] ?? 0)]?.[place.at] ?? 0;
  };
  return {
    regions: shown.map(({ history: { region }, rows: n }) => ({ name: region.name, rows: n })),
    columns: width,
    device: (row, column) => (eighths(row, column) & 15) / 8,
    host: (row, column) => (eighths(row, column) >>> 4) / 8,
  };
}
