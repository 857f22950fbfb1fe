import { nextBatch, type AccessPattern, type PatternBatch } from './pattern.js';

/** A piece of memory that a workload allocates. */
export interface WorkloadRegion {
  readonly name: string;
  readonly pages: number;
}

/** One step of a workload: an agent runs through a pattern; the next phase starts when it is done. */
export interface WorkloadPhase {
  readonly name: string;
  readonly agent: 'cpu' | 'gpu';
  /** CPU threads or warps that share the accesses, each taking the next when its last is done. */
  readonly lanes: number;
  readonly pattern: AccessPattern;
}

/**
 * A program for a machine: regions to allocate, phases to run in order. Nothing in it knows which driver or device runs
 * it.
 */
export interface Workload {
  readonly name: string;
  readonly regions: readonly WorkloadRegion[];
  readonly phases: readonly WorkloadPhase[];
}

/** A workload made after a published program. */
export interface ModelledWorkload extends Workload {
  /** The collection that the original is in. */
  readonly suite: string;
  /** The original's working set in bytes, as published with it (UVMSmart) or as its sources allocate (UVMBench). */
  readonly workingSetBytes: number;
  /** The original's input. */
  readonly input: string;
  /** What of the original's memory behaviour is kept. */
  readonly keeps: string;
  /** What is not. */
  readonly leavesOut: string;
}

/** What no page-level model of a program has. */
const NEVER_KEPT =
  'compute time, caches and coalescing inside a page, the order of warps that the hardware chooses';

/** How the programs of one suite are described: name, workload, working set, input, what is kept and what is not. */
export type Modelled = (
  name: string,
  workload: Workload,
  workingSetBytes: number,
  input: string,
  keeps: string,
  leavesOut?: string,
) => ModelledWorkload;

/** Describes programs of `suite`; what no model of this kind keeps is added to `leavesOut`. */
export function modelledIn(suite: string): Modelled {
  return (name, workload, workingSetBytes, input, keeps, leavesOut) => ({
    ...workload,
    name,
    suite,
    workingSetBytes,
    input,
    keeps,
    leavesOut: leavesOut === undefined ? NEVER_KEPT : `${leavesOut}; ${NEVER_KEPT}`,
  });
}

/** Pages of all regions together. */
export function workloadPages(workload: Workload): number {
  return workload.regions.reduce((sum, { pages }) => sum + pages, 0);
}

/** Accesses of all phases together. */
export function workloadAccesses(workload: Workload): number {
  return workload.phases.reduce((sum, { pattern }) => sum + pattern.accesses, 0);
}

/** The seed of phase `index`: every phase draws its own numbers. */
export function phaseSeed(seed: number, index: number): number {
  return (seed + Math.imul(index, 0x5bd1e995)) | 0;
}

/** Runs through a workload: calls `take` with every batch of every phase, in order. */
export function forEachBatch(
  workload: Workload,
  seed: number,
  batch: PatternBatch,
  take: (phase: WorkloadPhase, batch: PatternBatch) => void,
): void {
  workload.phases.forEach((phase, index) => {
    const own = phaseSeed(seed, index);
    for (let at = 0; at < phase.pattern.accesses;) {
      at = nextBatch(phase.pattern, batch, at, own);
      take(phase, batch);
    }
  });
}
