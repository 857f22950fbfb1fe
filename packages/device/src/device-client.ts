import type { Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { BrokenInvariant } from './broken-invariant.js';
import type { DeviceCounters } from './device-counters.js';
import type { Capability } from './device-features.js';
import type { DeviceProcess } from './device-process.js';

/** An agent of the driver, started with the machine: a fault worker, an interrupt bottom half. */
export interface ClientWorker {
  readonly name: string;
  /** May block for ever when there is nothing to do; the machine spawns it as a daemon. */
  readonly task: Task<unknown>;
}

/**
 * A driver and its device, as a machine uses them. One instance drives one device; everything it does runs on the {@link "@hmm/kernel".Kernel} that it was made
 * with, so its times are the machine's virtual times and its events are in the machine's trace.
 *
 * A call that may wait (for a lock, a copy, the device) is a {@link Task}. Ranges are whole pages. A failure that
 * the real driver would return is a negative errno, never an exception.
 */
export interface DeviceClient {
  /** Short name for `--client` and reports, in small letters. */
  readonly name: string;
  /** The GPU preset, or the device's own name where it is no GPU. */
  readonly gpu: string;
  /** Whether it works at all on this GPU, with this firmware and these settings. Asked before anything else. */
  capability(): Capability;
  /** The agents that serve its faults. A driver that serves faults in the faulting task has none. */
  workers(): readonly ClientWorker[];
  /** Makes `mm` known to the device (opens the device file in that process, registers the notifier). */
  openProcess(mm: MmStruct): Task<OpenResult>;
  /**
   * Leaves only `pages` of device memory for use, evicting if more is in use; the real counterpart is another
   * tenant taking the rest. Returns 0, or `-EBUSY` when that much cannot be evicted, `-EOPNOTSUPP` when this driver
   * never gives memory back.
   */
  limitMemory(pages: number): Task<number>;
  /** Totals since the client was made, as they are now: a copy that does not change. */
  counters(): DeviceCounters;
  /** What it would have written to the kernel log, oldest first. */
  readonly log: readonly string[];
  /**
   * What it was seen to break of its own invariants since it was made, and what of them is broken now, about the pages
   * `pages` (VPN) of all processes. Left out where it looks for nothing.
   * @param atRest no call is under way, so that also those are asked for that hold only then.
   */
  brokenInvariants?(pages: readonly number[], atRest: boolean): readonly BrokenInvariant[];
}

/** The answer of {@link DeviceClient.openProcess}. A driver may name its own class of process. */
export type OpenResult<P extends DeviceProcess = DeviceProcess> =
  | { readonly ok: true; readonly process: P }
  | { readonly ok: false; readonly errno: number; readonly reason: string };
