import type { DeviceCounters, TransferCause } from './device-counters.js';

/** Bytes in one direction, over all causes. */
export function bytesMoved(counters: DeviceCounters, direction: 'toDevice' | 'toHost'): number {
  let sum = 0;
  for (const cause of Object.values(counters.byCause)) sum += cause[direction];
  return sum;
}

const READ: Readonly<Record<string, (c: DeviceCounters) => number>> = {
  faults: (c) => c.faults,
  batches: (c) => c.batches,
  cpu_faults: (c) => c.cpuFaults,
  bytes_to_device: (c) => bytesMoved(c, 'toDevice'),
  bytes_to_host: (c) => bytesMoved(c, 'toHost'),
  remote_accesses: (c) => c.remoteAccesses,
  remote_maps: (c) => c.remoteMaps,
  invalidations: (c) => c.invalidations,
  retries: (c) => c.retries,
  replays: (c) => c.replays,
  throttled: (c) => c.throttled,
  pinned: (c) => c.pinned,
  evicted_pages: (c) => c.evictedPages,
};

/** The names that `count(…)` knows. */
export const COUNTER_NAMES: readonly string[] = Object.keys(READ);

/** The counter called `name`, or undefined. */
export function counterValue(counters: DeviceCounters, name: string): number | undefined {
  return READ[name]?.(counters);
}

/** Bytes by cause, without those that moved nothing. */
export function causesOf(counters: DeviceCounters): [TransferCause, number, number][] {
  const rows: [TransferCause, number, number][] = [];
  for (const cause of CAUSES) {
    const bytes = counters.byCause[cause];
    if (bytes !== undefined && bytes.toDevice + bytes.toHost > 0)
      rows.push([cause, bytes.toDevice, bytes.toHost]);
  }
  return rows;
}

const CAUSES: readonly TransferCause[] = [
  'fault',
  'prefetch',
  'user',
  'eviction',
  'counter',
  'cpu-fault',
  'close',
];
