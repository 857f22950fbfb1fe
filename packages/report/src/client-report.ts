import type { BrokenInvariant, RunFigures } from '@hmm/device';
import type { ExplicitComparison } from './explicit.js';
import type { Diagnosis } from './diagnosis/diagnosis.js';

/**
 * What one client did with a program: the stable, versioned form of `--json`. Bytes, ns, counts.
 */
export interface ClientReport extends RunFigures {
  readonly client: string;
  /** GPU that it ran on, which may not be the one asked for: see `changed`. */
  readonly gpu: string;
  /** Linux that was modelled. */
  readonly release: string;
  /** False for a device without memory of its own, to which nothing ever migrates; left out for others. */
  readonly device_memory?: false;
  /** What was changed so that it could run at all, one clause each. */
  readonly changed: readonly string[];
  /** What the driver warned of, one sentence each; left out where it did not. */
  readonly warnings?: readonly string[];
  /** Why it did not come to its end; null when it did. */
  readonly error: string | null;
  /** Why nothing more could run on the device afterwards (a killed channel, a lost context); null when it could. */
  readonly fatal: string | null;
  /** Assertions that did not hold, with what was seen. */
  readonly failed: readonly string[];
  /** What the driver was seen to break of its own invariants; left out where nothing was, or nobody looks. */
  readonly broken?: readonly BrokenInvariant[];
  /** The five steps from a device's fault to the value, what each did in this run; left out without a fault. */
  readonly steps?: readonly string[];
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
  /** The program with explicit memory and copies at launches, where it was asked for, and how each client compares with it. */
  readonly explicit?: {
    /** Its run; null where the program has no such form, or no client could run it. */
    readonly run: ClientReport | null;
    /** Why there is none; empty where there is. */
    readonly why: string;
    readonly comparisons: readonly ExplicitComparison[];
  };
}

/** One client on one program. */
export interface RunReport {
  readonly version: 1;
  readonly program: string;
  readonly run: ClientReport;
  /** Why it cost what it cost. */
  readonly diagnosis?: Diagnosis;
}
