import type { DeviceCounters, PairBytes, TransferCause } from './device-counters.js';

const CAUSES: readonly TransferCause[] = [
  'fault',
  'prefetch',
  'user',
  'eviction',
  'counter',
  'cpu-fault',
  'close',
];

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
  bytes_between_devices: (c) => (c.byPair ?? []).reduce((sum, pair) => sum + betweenDevices(pair), 0),
  ...bytesByCause(),
};

/** Bytes of each cause and direction: `fault_to_device`, `prefetch_to_device`, `cpu_fault_to_host` and so on. */
function bytesByCause(): Record<string, (c: DeviceCounters) => number> {
  const read: Record<string, (c: DeviceCounters) => number> = {};
  for (const cause of CAUSES) {
    const name = cause.replace('-', '_');
    read[`${name}_to_device`] = (c) => c.byCause[cause]?.toDevice ?? 0;
    read[`${name}_to_host`] = (c) => c.byCause[cause]?.toHost ?? 0;
  }
  return read;
}

function betweenDevices({ from, to, bytes }: PairBytes): number {
  return from === 'cpu' || to === 'cpu' ? 0 : bytes;
}

/** The names that `count(…)` knows. */
export const COUNTER_NAMES: readonly string[] = [...Object.keys(READ), 'warnings'];

/** In what a driver writes to the kernel log: a warning follows. */
const WARNING = ': warning: ';

/** The warnings in what a driver has written to the kernel log, without what stands before them. */
export function warningsOf(log: readonly string[]): readonly string[] {
  return log.filter((line) => line.includes(WARNING)).map((line) => line.split(WARNING)[1] ?? line);
}

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
