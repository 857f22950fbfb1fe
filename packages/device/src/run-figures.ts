import { bytesMoved, causesOf } from './counters-by-name.js';
import type { DeviceCounters, PairBytes } from './device-counters.js';

/** Where the time of a run went, ns; the parts of concurrent agents may overlap. */
export interface TimeParts {
  readonly running: number;
  readonly fault_wait: number;
  readonly copying: number;
  readonly invalidating: number;
}

/** Bytes moved for one cause. */
export interface CauseFigures {
  readonly to_device: number;
  readonly to_host: number;
}

/** What a finished run cost, under the names that reports and `--json` have: counts, bytes, ns. */
export interface RunFigures {
  /** What the program's statements returned. */
  readonly values: Readonly<Record<string, readonly number[]>>;
  readonly faults: number;
  readonly batches: number;
  readonly cpu_faults: number;
  readonly bytes_to_device: number;
  readonly bytes_to_host: number;
  readonly by_cause: Readonly<Record<string, CauseFigures>>;
  /** Where there are several GPUs: bytes by where they came from and where they went. */
  readonly by_pair?: readonly PairBytes[];
  readonly remote_accesses: number;
  readonly remote_maps: number;
  readonly invalidations: number;
  readonly retries: number;
  readonly replays: number;
  readonly throttled: number;
  readonly pinned: number;
  readonly evicted_pages: number;
  readonly time_ns: number;
  readonly time_by_part: TimeParts;
}

/** A finished run: what its statements returned, by name, and how long it took. */
export interface FinishedRun {
  readonly results: ReadonlyMap<string, readonly number[]>;
  readonly timeNs: number;
}

/** The figures of `run`, after which a client's counters are `counters`. */
export function runFigures(counters: DeviceCounters, run: FinishedRun): RunFigures {
  const c = counters;
  const t = c.timeNs;
  return {
    values: Object.fromEntries(run.results),
    faults: c.faults,
    batches: c.batches,
    cpu_faults: c.cpuFaults,
    bytes_to_device: bytesMoved(c, 'toDevice'),
    bytes_to_host: bytesMoved(c, 'toHost'),
    by_cause: Object.fromEntries(
      causesOf(c).map(([cause, up, down]) => [cause, { to_device: up, to_host: down }]),
    ),
    ...(c.byPair === undefined ? {} : { by_pair: c.byPair }),
    remote_accesses: c.remoteAccesses,
    remote_maps: c.remoteMaps,
    invalidations: c.invalidations,
    retries: c.retries,
    replays: c.replays,
    throttled: c.throttled,
    pinned: c.pinned,
    evicted_pages: c.evictedPages,
    time_ns: run.timeNs,
    time_by_part: {
      running: t.running,
      fault_wait: t.faultWait,
      copying: t.copying,
      invalidating: t.invalidating,
    },
  };
}
