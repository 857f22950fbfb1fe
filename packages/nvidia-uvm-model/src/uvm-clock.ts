import type { UvmProcessorId } from './uvm-types.js';

/** The moments of one service at which rules read the time, ns. */
export interface UvmMoments {
  /** The service began. */
  startTime: number;
  /** The thrashing detector is asked for its hint. */
  hintTime: number;
  /** The detector hears of migrations and revocations; the copies begin. */
  migrationTime: number;
}

/**
 * Time, where it feeds a rule of the driver: thrashing windows, and interrupt or polling. All of the driver that reads a clock reads it
 * here; what its work costs is told to {@link UvmWork} and decides nothing.
 */
export interface UvmClock {
  /** Now, ns: what pins, lapses and the tools' records go by. The kernel's is ktime_get. */
  time(): number;
  /**
   * Sets the moments of a service of faults of GPU `gpu` in VA space `space` that has just begun, for a batch that was fetched with `entries` faults. The
   * first page to serve may be one that `thrashes`.
   */
  gpuService(
    space: number,
    gpu: UvmProcessorId,
    entries: number,
    thrashes: boolean,
    moments: UvmMoments,
  ): void;
  /** The same for a CPU fault, whose page may be one that `thrashes`, and whose CPU may have `slept` because of that. */
  cpuService(thrashes: boolean, slept: boolean, moments: UvmMoments): void;
  /** A 2 MiB host chunk had to be zeroed before anything can be copied to it: the migration comes later. */
  hostChunkZeroed(moments: UvmMoments): void;
  /** When the GPU has written page tables for remote mapping `run`, counted from 0, of a service that takes `ns` more; ns. */
  tableWritten(ns: number, run: number): number;
  /** Until when the driver polls after a replay at `lastReplay`, ns; what faults later interrupts it. */
  pollsUntil(lastReplay: number): number;
  /** When a driver that was interrupted by the fault that arrives at `arrival` reads PUT, ns. */
  readsPut(arrival: number): number;
}
