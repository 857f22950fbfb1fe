import { errnoName } from '@hmm/kernel';
import {
  pagesTaken,
  type PlayMemory,
  type PlayScript,
  playScript,
  type TraceAgents,
  traceScript,
} from '@hmm/machine';
import { DEFAULT_MEMORY_CONFIG } from '@hmm/mm';
import { DEFAULT_DEVICE } from '@hmm/workload';
import {
  AGENT_CPU,
  faultsAsAccesses,
  pulledBatches,
  TouchedRanges,
  traceErrorText,
  TraceReader,
  type TraceSummary,
} from '@hmm/workload/readers';
import { chosenClient, type ClientChoice } from './clients.js';
import { type FinishedSimulation, simulationOf, type StoppedSimulation, watchedMachine } from './finished.js';
import { type Refusal, refusedBy } from './problem.js';

// Browsers and Node have it; the library of types that is in force here has not.
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/** How a trace is replayed. */
export interface ReplayOptions extends ClientChoice {
  /** Who issues the accesses: as `recorded`, or all by the `gpu` or the `cpu`. Default: as recorded where a GPU is among them, else the GPU. */
  readonly agents?: TraceAgents;
  /** Threads of the GPU that issue them in turn. Default: as recorded. */
  readonly lanes?: number;
  /** Kind of memory. Default: managed where the driver has it, else malloc'd. */
  readonly memory?: PlayMemory;
  /** Name of the file: for messages, and to tell formats apart that look alike. Default: `trace`. */
  readonly file?: string;
}

/** What became of a trace: a simulation, with what was read. */
export type Replay =
  | (FinishedSimulation & { readonly trace: TraceSummary })
  | (StoppedSimulation & { readonly trace: TraceSummary })
  | Refusal;

/** Bytes that the reader is handed at a time. */
const CHUNK = 65_536;

/**
 * Replays the accesses of a recorded trace (its format is found out: `@hmm/workload/readers` has the list; gzip and zstd are unpacked) under
 * one driver on one GPU. Databases of Nsight Systems are not read here: `@hmm/workload/readers/nsys` does.
 */
export function replay(trace: Uint8Array | string, options: ReplayOptions = {}): Replay {
  const { file = 'trace' } = options;
  const bytes = typeof trace === 'string' ? new TextEncoder().encode(trace) : trace;
  const read = survey(bytes, file);
  if (read.outcome === 'refused') return read;
  const chosen = chosenClient(options, new Map());
  if (chosen.outcome === 'refused') return chosen;
  const { ranges, order } = read.touched.layout();
  const agents = options.agents ?? (read.gpuAccesses === 0 ? 'gpu' : 'recorded');
  const next = pulledBatches(chunksOf(bytes), { file });
  const lanes = options.lanes === undefined ? {} : { lanes: options.lanes };
  const script = traceScript({ name: file, ranges, order, agents, next, ...lanes });
  const watched = watchedMachine(chosen, [DEFAULT_DEVICE], roomFor(script));
  if (watched.outcome === 'refused') return watched;
  const capability = watched.client.capability();
  const managed = capability.ok && capability.features.managedMemory;
  const memory = options.memory ?? (managed ? 'managed' : 'malloc');
  const played = capability.ok
    ? playScript(watched.machine, script, { memory })
    : { problem: `${capability.reason} (-${errnoName(capability.errno)})`, timeNs: 0 };
  const { timeNs, problem = null } = played;
  const end = { results: new Map<string, readonly number[]>(), timeNs, error: problem, failed: [] };
  return { ...simulationOf(watched, end), trace: read.summary };
}

interface Survey {
  readonly outcome: 'read';
  readonly summary: TraceSummary;
  readonly touched: TouchedRanges;
  readonly gpuAccesses: number;
}

/** Reads a trace once, to know what it touches. */
function survey(bytes: Uint8Array, file: string): Survey | Refusal {
  const touched = new TouchedRanges();
  let accesses = 0;
  let gpuAccesses = 0;
  const sink = faultsAsAccesses((batch) => {
    touched.add(batch);
    accesses += batch.length;
    for (let i = 0; i < batch.length; i++) if (batch.agent[i] !== AGENT_CPU) gpuAccesses++;
  });
  const reader = new TraceReader(sink, { file });
  const next = chunksOf(bytes);
  for (let chunk = next(); chunk !== undefined && reader.push(chunk); chunk = next());
  const result = reader.end();
  if (!result.ok) return refusedBy(traceErrorText(result.error));
  if (accesses === 0) return refusedBy(`${file}: there is no access in this trace`);
  return { outcome: 'read', summary: result.summary, touched, gpuAccesses };
}

function chunksOf(bytes: Uint8Array): () => Uint8Array | undefined {
  let at = 0;
  return () => {
    const chunk = bytes.subarray(at, at + CHUNK);
    at += CHUNK;
    return chunk.length === 0 ? undefined : chunk;
  };
}

/** Memory for all that a play touches, on both sides of the link. */
function roomFor(script: PlayScript): { systemFrames: number; frames: number; maxTables: number } {
  const pages = pagesTaken(script.regions);
  const { systemFrames, frames, maxTables } = DEFAULT_MEMORY_CONFIG;
  const system = Math.max(systemFrames, Math.ceil(pages * 1.1));
  const device = Math.max(frames - systemFrames, 2 * pages);
  return {
    systemFrames: system,
    frames: system + device,
    maxTables: Math.max(maxTables, Math.ceil((2 * pages) / 512) + 4096),
  };
}
