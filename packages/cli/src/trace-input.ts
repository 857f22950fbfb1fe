import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { PlayScript, TraceAgents, TraceInput } from '@hmm/machine';
import { traceScript } from '@hmm/machine';
import {
  type AccessBatch,
  AGENT_CPU,
  type DetectedFormat,
  faultsAsAccesses,
  type PageRange,
  parseKernelsList,
  pulledBatches,
  type TraceError,
  TraceReader,
  type TraceSink,
  type TraceSummary,
  TouchedRanges,
  traceErrorText,
} from '@hmm/workload/readers';
import { RecordedRun, type RecordedTotals } from '@hmm/workload/internal';
import { nsysTooLarge, readNsysFile } from '@hmm/workload/readers/nsys';
import { fileReason } from './input.js';

/** The format whose files are databases. */
const SQLITE_FORMAT = 'sqlite';

/** Agents that a batch can tell apart. */
const AGENTS = 256;

/** Bytes read from a trace at a time. */
const CHUNK = 65536;

/** What a reader says of a file, or of several together. */
export type TraceTotals = Pick<TraceSummary, 'format' | 'compression' | 'bytes' | 'records' | 'events'> & {
  readonly skipped: Readonly<Record<string, number>>;
};

/** What a trace file has in it. */
export interface TraceSurvey {
  readonly summary: TraceTotals;
  /** Ranges of pages that it touches, ascending. */
  readonly ranges: readonly PageRange[];
  /** How they keep their places in a play (`TouchedLayout`). */
  readonly order: number;
  /** What a recording of unified memory says, before any model; undefined of traces of accesses. */
  readonly recorded: Recording | undefined;
  /** Accesses (and faults, where only those were recorded) by CPUs and by GPUs. */
  readonly cpuAccesses: number;
  readonly gpuAccesses: number;
  /** Agents of the trace that are GPUs with accesses, by number. */
  readonly gpus: readonly number[];
  /** The accesses, from the beginning. */
  batches(): Iterable<AccessBatch>;
  /** A play of the trace, from its beginning. */
  script(agents: TraceAgents, lanes?: number): PlayScript;
}

/** A recording of unified memory. */
export interface Recording {
  readonly totals: RecordedTotals;
  /** Names of the GPUs, as the driver gives them. */
  readonly gpus: readonly string[];
}

/** A survey, or one line on what is wrong with the file. */
export type TraceSurveyResult =
  { readonly ok: true; readonly survey: TraceSurvey } | { readonly ok: false; readonly message: string };

/** How many accesses each agent of a trace has. */
class AgentCount {
  private readonly accesses = new Float64Array(AGENTS);

  add({ agent, length }: AccessBatch): void {
    for (let i = 0; i < length; i++) {
      const who = agent[i] ?? AGENT_CPU;
      this.accesses[who] = (this.accesses[who] ?? 0) + 1;
    }
  }

  counts(): Pick<TraceSurvey, 'cpuAccesses' | 'gpuAccesses' | 'gpus'> {
    const { accesses } = this;
    const { [AGENT_CPU]: cpuAccesses = 0 } = accesses;
    const gpuAccesses = accesses.reduce((sum, own) => sum + own, -cpuAccesses);
    const gpus = [...accesses.keys()].filter((agent) => agent !== AGENT_CPU && (accesses[agent] ?? 0) > 0);
    return { cpuAccesses, gpuAccesses, gpus };
  }
}

/** Reads a trace once, in bounded memory, to know what it touches; a play reads it again. */
export async function surveyTrace(path: string, format: DetectedFormat): Promise<TraceSurveyResult> {
  const touched = new TouchedRanges();
  const count = new AgentCount();
  const sqlite = format === SQLITE_FORMAT;
  const take = (batch: AccessBatch): void => {
    touched.add(batch);
    count.add(batch);
  };
  const recording = new RecordedRun();
  const names: string[] = [];
  const sink = sqlite ? { events: recording.take.bind(recording) } : faultsAsAccesses(take);
  let files: readonly string[] = [path];
  let outcome: { error?: TraceError; summary: TraceTotals };
  try {
    if (format === 'kernelslist') files = await kernelFiles(path);
    if (files.length === 0) return { ok: false, message: `${path}: there is no kernel in this list` };
    const large = sqlite ? nsysTooLarge(statSync(path).size, path) : undefined;
    if (large !== undefined) return { ok: false, message: traceErrorText(large) };
    outcome = sqlite
      ? await readNsysFile(await readFile(path), sink, { file: path, onGpu: (name) => names.push(name) })
      : readAll(files, sink);
  } catch (error) {
    const named = error instanceof Error && 'path' in error && typeof error.path === 'string';
    return { ok: false, message: `${named ? String(error.path) : path}: ${fileReason(error)}` };
  }
  if (outcome.error !== undefined) return { ok: false, message: traceErrorText(outcome.error) };
  for (const batch of sqlite ? recording.replay() : []) take(batch);
  const counts = count.counts();
  if (counts.cpuAccesses + counts.gpuAccesses === 0 && recording.empty)
    return { ok: false, message: `${path}: there is no access in this trace` };
  const { ranges, order } = touched.layout();
  const open = (): Batches => (sqlite ? { next: batchesOf(recording) } : batchesOfFiles(files));
  const script = (agents: TraceAgents, lanes?: number): PlayScript =>
    traceScript({
      name: path,
      ranges,
      order,
      agents,
      gpus: counts.gpus,
      ...(lanes === undefined ? {} : { lanes }),
      ...open(),
    });
  const { summary } = outcome;
  return {
    ok: true,
    survey: {
      summary,
      ranges,
      order,
      recorded: sqlite ? { totals: recording.totals(), gpus: names } : undefined,
      ...counts,
      batches: () => untilEnd(open().next),
      script,
    },
  };
}

/** The kernel files that a `kernelslist.g` names, in launch order; they lie beside it. */
async function kernelFiles(path: string): Promise<string[]> {
  const { entries } = parseKernelsList(await readFile(path, 'utf8'));
  return entries.flatMap((entry) => (entry.kind === 'kernel' ? [join(dirname(path), entry.file)] : []));
}

/** Reads files one after another, up to the first error; the summaries are added up. */
function readAll(files: readonly string[], sink: TraceSink): { error?: TraceError; summary: TraceTotals } {
  const results: TraceTotals[] = [];
  for (const file of files) {
    const result = readWhole(file, sink);
    results.push(result.summary);
    if (!result.ok) return { error: result.error, summary: result.summary };
  }
  return { summary: results.reduce(together) };
}

function together(a: TraceTotals, b: TraceTotals): TraceTotals {
  const skipped: Record<string, number> = { ...a.skipped };
  for (const [reason, count] of Object.entries(b.skipped)) skipped[reason] = (skipped[reason] ?? 0) + count;
  return {
    ...a,
    bytes: a.bytes + b.bytes,
    records: a.records + b.records,
    events: a.events + b.events,
    skipped,
  };
}

function readWhole(path: string, sink: TraceSink): ReturnType<TraceReader['end']> {
  const reader = new TraceReader(sink, { file: path });
  const file = openSync(path, 'r');
  try {
    const chunk = new Uint8Array(CHUNK);
    for (;;) {
      const bytes = readSync(file, chunk);
      if (bytes === 0 || !reader.push(chunk.slice(0, bytes))) return reader.end();
    }
  } finally {
    closeSync(file);
  }
}

function* untilEnd(next: () => AccessBatch | undefined): Generator<AccessBatch> {
  for (let batch = next(); batch !== undefined; batch = next()) yield batch;
}

function batchesOf(recording: RecordedRun): () => AccessBatch | undefined {
  const batches = recording.replay();
  return () => {
    const next = batches.next();
    return next.done === true ? undefined : next.value;
  };
}

/** A trace from its beginning, and the part of it that is being read. */
type Batches = Pick<TraceInput, 'next' | 'part'>;

/** The batches of files, one after another; of several, each is a part. */
function batchesOfFiles(files: readonly string[]): Batches {
  let taken = 0;
  let next: (() => AccessBatch | undefined) | undefined;
  const inTurn = (): AccessBatch | undefined => {
    for (;;) {
      const batch = next?.();
      if (batch !== undefined) return batch;
      const file = files[taken];
      if (file === undefined) return undefined;
      taken++;
      next = batchesOfFile(file);
    }
  };
  if (files.length === 1) return { next: inTurn };
  return { next: inTurn, part: () => `kernel ${taken}: ${basename(files[taken - 1] ?? '')}` };
}

/** The batches of a file, read as they are asked for. */
function batchesOfFile(path: string): () => AccessBatch | undefined {
  const chunk = new Uint8Array(CHUNK);
  let file = -1;
  const nextBytes = (): Uint8Array | undefined => {
    if (file < 0) file = openSync(path, 'r');
    const bytes = readSync(file, chunk);
    if (bytes > 0) return chunk.slice(0, bytes);
    closeSync(file);
    return undefined;
  };
  return pulledBatches(nextBytes, { file: path });
}
