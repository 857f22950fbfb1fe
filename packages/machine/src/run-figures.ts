import { type DeviceClient, bytesMoved, causesOf } from '@hmm/device';
import type { Machine } from './machine.js';
import type { ProgramRun } from './program.js';

/** What a finished run cost, under the names of the reports' stable form: counts, bytes, ns. */
export interface RunFigures {
  /** What the program's statements returned. */
  readonly values: Readonly<Record<string, readonly number[]>>;
  readonly faults: number;
  readonly batches: number;
  readonly cpu_faults: number;
  readonly bytes_to_device: number;
  readonly bytes_to_host: number;
  readonly by_cause: Readonly<Record<string, { readonly to_device: number; readonly to_host: number }>>;
  readonly remote_accesses: number;
  readonly remote_maps: number;
  readonly invalidations: number;
  readonly retries: number;
  readonly replays: number;
  readonly throttled: number;
  readonly pinned: number;
  readonly evicted_pages: number;
  readonly time_ns: number;
  readonly time_by_part: {
    readonly running: number;
    readonly fault_wait: number;
    readonly copying: number;
    readonly invalidating: number;
  };
}

/** The figures of `run` on `client`. */
export function runFigures(client: DeviceClient, run: ProgramRun): RunFigures {
  const c = client.counters();
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

/** Why a device can run nothing more in a process that had it open; null while all can. */
export function fatalReason(machine: Machine): string | null {
  for (const process of machine.processes.values()) {
    for (const device of process.devices.values()) {
      const fatal = device.fatal();
      if (fatal !== undefined) return fatal;
    }
  }
  return null;
}
