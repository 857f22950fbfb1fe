import { open } from 'node:fs/promises';
import { constants, gunzipSync } from 'node:zlib';
import type { ClientFactory } from '@hmm/device';
import { HPAGE_PMD_ORDER } from '@hmm/kernel';
import type { PlayScript, TraceAgents } from '@hmm/machine';
import { workloadScript } from '@hmm/machine';
import { formatBytes } from '@hmm/report';
import { type ModelledWorkload, WORKLOAD_SUITES, workloadAccesses } from '@hmm/workload/patterns';
import { DETECT_BYTES, type DetectedFormat, detectFormat } from '@hmm/workload/readers';
import type { RunRequest } from './client-run.js';
import { fileReason } from './input.js';
import type { RunOptions } from './options.js';
import { readProgram } from './program-input.js';
import { type Recording, surveyTrace } from './trace-input.js';
import { KERNEL_SETTINGS } from '@hmm/kernel/internal';

/** Something without contents that can be played any number of times: a workload or a trace. */
export interface PlaySubject {
  readonly name: string;
  /** Accesses, roughly. */
  readonly accesses: number;
  /** Settings for the driver. */
  readonly settings: ReadonlyMap<string, string>;
  /** GPUs that it is of; one when left out. */
  readonly gpus?: number;
  /** What was recorded of unified memory, before any model. */
  readonly recorded?: Recording | undefined;
  /** Whether it is of a program that uses unified memory of CUDA. */
  readonly cuda: boolean;
  /** What the user should know: whose accesses they were taken for, what was skipped. */
  readonly notes: readonly string[];
  /** A fresh play. */
  script(): PlayScript;
}

/** What `hmm run` was given. */
export type Subject =
  | { readonly kind: 'program'; readonly request: RunRequest }
  | { readonly kind: 'play'; readonly play: PlaySubject };

/** A subject, or the lines to show. */
export type SubjectResult =
  | { readonly ok: true; readonly subject: Subject }
  | { readonly ok: false; readonly messages: readonly string[] };

/** What to do with a report of Nsight Systems, behind its name. */
export const REPORT_HINT = ': export it first: nsys export --type sqlite FILE.nsys-rep';

/** Formats that only CUDA's tools write. */
const CUDA_FORMATS: ReadonlySet<string> = new Set([
  'sqlite',
  'cupti-jsonl',
  'nvbit',
  'accelsim',
  'kernelslist',
]);

const NO_ADDRESSES =
  'there is no access in this recording that could be replayed: hmm import says what is in it; nsys profile records faults with --cuda-um-gpu-page-faults=true --cuda-um-cpu-page-faults=true';

/** How a trace's accesses are taken. */
export interface TraceOptions {
  readonly agents: TraceAgents | undefined;
  readonly lanes: number | undefined;
}

/** Published workloads by name; where two suites have one of the same name, `suite:name`. */
export function namedWorkloads(): ReadonlyMap<string, () => ModelledWorkload> {
  const found = new Map<string, () => ModelledWorkload>();
  for (const [suite, workloads] of WORKLOAD_SUITES) {
    for (const workload of workloads()) found.set(`${suite}:${workload.name.toLowerCase()}`, () => workload);
  }
  return found;
}

/** Finds out what `what` is: a published workload ({@link EXAMPLE_WORKLOAD}), a trace, or a program. */
export async function readSubject(
  what: string,
  options: RunOptions,
  traces: TraceOptions,
  factories: readonly ClientFactory[],
): Promise<SubjectResult> {
  if (WORKLOAD_SUITES.has(what.replace(/:.*/, '').toLowerCase()))
    return workloadSubject(what.toLowerCase(), options, factories);
  const format = await readFormat(what);
  if (typeof format === 'object') return { ok: false, messages: [format.message] };
  if (what.endsWith('.nsys-rep')) return { ok: false, messages: [what + REPORT_HINT] };
  if (format === 'unknown') {
    const read = await readProgram(what, options, factories);
    return read.ok ? { ok: true, subject: { kind: 'program', request: read.request } } : read;
  }
  return traceSubject(what, format, options, traces, factories);
}

function workloadSubject(
  name: string,
  options: RunOptions,
  factories: readonly ClientFactory[],
): SubjectResult {
  const workloads = namedWorkloads();
  const make = workloads.get(name);
  if (make === undefined) {
    const known = [...workloads.keys()].join(', ');
    return { ok: false, messages: [`there is no workload ${name} (workloads: ${known})`] };
  }
  const settings = driverSettings(options, factories);
  if (typeof settings === 'string') return { ok: false, messages: [settings] };
  const workload = make();
  const play = {
    name,
    accesses: workloadAccesses(workload),
    settings,
    cuda: true,
    notes: [`${name}: ${workload.input}; left out: ${workload.leavesOut}`],
    script: () => workloadScript(workload, options.seed),
  };
  return { ok: true, subject: { kind: 'play', play } };
}

async function traceSubject(
  path: string,
  format: DetectedFormat,
  options: RunOptions,
  traces: TraceOptions,
  factories: readonly ClientFactory[],
): Promise<SubjectResult> {
  const settings = driverSettings(options, factories);
  if (typeof settings === 'string') return { ok: false, messages: [settings] };
  const read = await surveyTrace(path, format);
  if (!read.ok) return { ok: false, messages: [read.message] };
  const { survey } = read;
  const { summary, cpuAccesses, gpuAccesses } = survey;
  const agents = traces.agents ?? (gpuAccesses === 0 ? 'gpu' : 'recorded');
  const notes: string[] = [];
  if (traces.agents === undefined && gpuAccesses === 0)
    notes.push(
      `${path} has no GPU access: its accesses are taken for the GPU's (--agents cpu for the CPU's)`,
    );
  for (const [reason, count] of Object.entries(summary.skipped)) {
    if (reason !== 'comment' && reason !== 'instruction') notes.push(`${path}: ${count} skipped: ${reason}`);
  }
  if (survey.order < HPAGE_PMD_ORDER) {
    const piece = formatBytes(4096 * 2 ** survey.order);
    notes.push(
      `${path} is scattered over more than 32,768 blocks of 2 MiB: its pieces of ${piece} are put side by side, so what the driver does by 2 MiB (prefetching, eviction) is an approximation`,
    );
  }
  const accesses = cpuAccesses + gpuAccesses;
  const script = (): PlayScript => survey.script(agents, traces.lanes);
  const cuda = CUDA_FORMATS.has(format) || survey.recorded !== undefined;
  if (accesses === 0) return { ok: false, messages: [`${path}: ${NO_ADDRESSES}`] };
  const { recorded } = survey;
  const gpus = agents === 'recorded' ? Math.max(1, survey.gpus.length) : 1;
  const play = { name: path, accesses, settings, cuda, gpus, recorded, notes, script };
  return { ok: true, subject: { kind: 'play', play } };
}

function driverSettings(
  options: RunOptions,
  factories: readonly ClientFactory[],
): ReadonlyMap<string, string> | string {
  const known = new Set([
    ...factories.flatMap((factory) => Object.keys(factory.settings)),
    ...Object.keys(KERNEL_SETTINGS),
  ]);
  for (const key of options.set.keys()) {
    if (!known.has(key))
      return `there is nothing called ${key} to set (settings of the driver: ${[...known].join(', ')})`;
  }
  return options.set;
}

/** What the first bytes of a file say; a compressed file is looked into. */
export async function readFormat(path: string): Promise<DetectedFormat | { readonly message: string }> {
  let head: Uint8Array;
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(DETECT_BYTES), 0, DETECT_BYTES, 0);
      head = buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    return { message: `${path}: ${fileReason(error)}` };
  }
  const format = detectFormat(head, path);
  if (format !== 'gzip') return format;
  const inside = beginningOf(head.subarray(0, PACKED_BYTES));
  // What cannot be unpacked is left to the reader of traces, which can say why.
  return inside === undefined ? format : detectFormat(inside, path);
}

/** Bytes of a compressed file that are looked into: unpacked they are 16 MiB at most. */
const PACKED_BYTES = 16384;

/** The beginning of what was compressed; undefined where that cannot be unpacked. */
function beginningOf(head: Uint8Array): Uint8Array | undefined {
  try {
    const limits = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 2048 * PACKED_BYTES };
    return gunzipSync(head, limits).subarray(0, DETECT_BYTES);
  } catch {
    return undefined;
  }
}
