import type { Diagnosis } from './diagnosis/diagnosis.js';

/** Where the time of a run went, ns; the parts of concurrent agents may overlap. */
export interface TimeParts {
  readonly running: number;
  readonly fault_wait: number;
  readonly copying: number;
  readonly invalidating: number;
}

/** Bytes moved for one cause. */
export interface CauseReport {
  readonly to_device: number;
  readonly to_host: number;
}

/**
 * What one client did with a program: the stable, versioned form of `--json`. Bytes, ns, counts.
 */
export interface ClientReport {
  readonly client: string;
  /** GPU that it ran on, which may not be the one asked for: see `changed`. */
  readonly gpu: string;
  /** What was changed so that it could run at all, one clause each. */
  readonly changed: readonly string[];
  /** Why it did not come to its end; null when it did. */
  readonly error: string | null;
  /** Why nothing more could run on the device afterwards (a killed channel, a lost context); null when it could. */
  readonly fatal: string | null;
  /** Assertions that did not hold, with what was seen. */
  readonly failed: readonly string[];
  /** What the program's statements returned. */
  readonly values: Readonly<Record<string, readonly number[]>>;
  readonly faults: number;
  readonly batches: number;
  readonly cpu_faults: number;
  readonly bytes_to_device: number;
  readonly bytes_to_host: number;
  readonly by_cause: Readonly<Record<string, CauseReport>>;
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

/** One thing that the clients do differently. */
export interface Difference {
  readonly what: string;
  readonly why: string;
}

/** Clients side by side on one program. */
export interface CompareReport {
  readonly version: 1;
  readonly program: string;
  readonly gpu: string;
  readonly clients: readonly ClientReport[];
  readonly differences: readonly Difference[];
}

/** One client on one program. */
export interface RunReport {
  readonly version: 1;
  readonly program: string;
  readonly run: ClientReport;
  /** Why it cost what it cost. */
  readonly diagnosis?: Diagnosis;
}
