import { declareState } from '@hmm/kernel/internal';

/** Bytes moved, by direction. */
interface Bytes {
  toDevice: number;
  toHost: number;
}

/** Totals of a driver since it was loaded; times in ns. The shape is that of a machine's device counters. */
export class NouveauCounters {
  /** What of it is state. */
  static readonly state = declareState({
    faults: 'count',
    batches: 'count',
    cpuFaults: 'count',
    remoteMaps: 'count',
    invalidations: 'count',
    retries: 'count',
    replays: 'count',
    cancels: 'count',
    user: 'constant',
    cpuFault: 'constant',
    close: 'constant',
    copyingNs: 'count',
    invalidatingNs: 'count',
  });

  /** Fault records read. */
  faults = 0;
  /** Work items that found faults. */
  batches = 0;
  /** CPU faults on device pages. */
  cpuFaults = 0;
  /** Host pages mapped on the GPU. */
  remoteMaps = 0;
  /** Callbacks of the notifier that clears the GPU's mappings, own migrations excluded. */
  invalidations = 0;
  /** Faults begun again since the address space had changed meanwhile. */
  retries = 0;
  /** Replay commands. */
  replays = 0;
  /** Cancel commands. */
  cancels = 0;
  /** Bytes that SVM_BIND moved (or cleared) to device memory, CPU faults and the unload moved back. */
  readonly user: Bytes = { toDevice: 0, toHost: 0 };
  readonly cpuFault: Bytes = { toDevice: 0, toHost: 0 };
  readonly close: Bytes = { toDevice: 0, toHost: 0 };
  copyingNs = 0;
  invalidatingNs = 0;
}
