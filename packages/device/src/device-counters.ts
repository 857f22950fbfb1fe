import type { Place } from './device-features.js';

/**
 * Why bytes crossed the link: `fault` the faulting pages themselves, `prefetch` pages that the driver took along,
 * `user` an explicit request, `eviction` room was needed, `counter` access counters, `cpu-fault` the CPU touched it,
 * `close` the device was closed.
 */
export type TransferCause = 'fault' | 'prefetch' | 'user' | 'eviction' | 'counter' | 'cpu-fault' | 'close';

/** Bytes moved for one cause. */
export interface CauseBytes {
  toDevice: number;
  toHost: number;
  /** From one device to another, where there are several. */
  betweenDevices?: number;
}

/** Bytes that went from one place to another. */
export interface PairBytes {
  readonly from: Place;
  readonly to: Place;
  readonly bytes: number;
}

/** Where the virtual time of the device's work went, ns; the parts of concurrent agents may overlap. */
export interface TimeByPart {
  /** Kernels (and the CPU) running. */
  running: number;
  /** Stalled on a fault that is being served, less the two parts below. */
  faultWait: number;
  /** Copying data for a fault or a request. */
  copying: number;
  /** Invalidating page tables and TLBs. */
  invalidating: number;
}

/** Totals of a client: counts, bytes and ns, all from 0 when the client was made. */
export interface DeviceCounters {
  /** Fault records that the driver read from the device. */
  readonly faults: number;
  /** Batches (work items, service rounds) in which it handled them. */
  readonly batches: number;
  /** CPU faults that the driver served. */
  readonly cpuFaults: number;
  /** Bytes to device memory and to host memory, by cause. */
  readonly byCause: Readonly<Partial<Record<TransferCause, Readonly<CauseBytes>>>>;
  /** The same bytes by where they came from and where they went, where there are several devices; what moved nothing is left out. */
  readonly byPair?: readonly PairBytes[];
  /** Device accesses (pages touched) served from memory across the link. */
  readonly remoteAccesses: number;
  /** Pages that the driver mapped on the device while their data stayed in host memory. */
  readonly remoteMaps: number;
  /** Notifier callbacks that hit the client. */
  readonly invalidations: number;
  /** Times a service began again since the address space had changed meanwhile. */
  readonly retries: number;
  /** Replay commands. */
  readonly replays: number;
  /** Thrashing verdicts: pages throttled, pages pinned. */
  readonly throttled: number;
  readonly pinned: number;
  /** Pages evicted from device memory. */
  readonly evictedPages: number;
  readonly timeNs: Readonly<TimeByPart>;
  /** ns that the same kernels run with all their pages in device memory; left out by a device that has none. */
  readonly residentNs?: number;
}

/** Counters that may be counted up. */
export type CountingCounters = { -readonly [K in keyof DeviceCounters]: DeviceCounters[K] } & {
  readonly timeNs: TimeByPart;
  readonly byCause: Partial<Record<TransferCause, CauseBytes>>;
};

/** Counters at 0, for a client to count up. */
export function noCounters(): CountingCounters {
  return {
    faults: 0,
    batches: 0,
    cpuFaults: 0,
    byCause: {},
    remoteAccesses: 0,
    remoteMaps: 0,
    invalidations: 0,
    retries: 0,
    replays: 0,
    throttled: 0,
    pinned: 0,
    evictedPages: 0,
    timeNs: { running: 0, faultWait: 0, copying: 0, invalidating: 0 },
  };
}
