import { declareState } from '@hmm/kernel/internal';
import type { UvmClock } from '../uvm-clock.js';

/**
 * Time that stands still, where interleavings are explored: it is always 0, each service call is a new interrupt, and faults have
 * arrived as soon as they are raised.
 */
export class UvmStandingClock implements UvmClock {
  /** What of it is state: nothing. */
  static readonly state = declareState({});

  time(): number {
    return 0;
  }

  gpuService(): void {
    // All moments of a service are one.
  }

  cpuService(): void {
    // All moments of a service are one.
  }

  hostChunkZeroed(): void {
    // All moments of a service are one.
  }

  tableWritten(): number {
    return 0;
  }

  pollsUntil(): number {
    return -Infinity;
  }

  readsPut(): number {
    return Infinity;
  }
}
