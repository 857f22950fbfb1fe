import { GPU_ACCESS_NEEDS, GPU_PTE_VALID } from './access.js';
import type { GpuInstance } from './gpu-instance.js';

/** A fault of a copy engine or a host engine: it cannot be replayed, its channel is switched out. */
export interface NonReplayableFault {
  readonly channel: GpuChannel;
  /** Faulting page. */
  readonly vpn: number;
  /** One of `GPU_ACCESS_*`. */
  readonly access: number;
}

/**
 * A channel of an engine other than the shaders. Where its access faults it is switched out, until the driver clears
 * the fault and it is scheduled again, or until it is killed.
 */
export class GpuChannel {
  readonly instance: GpuInstance;
  /** Switched out because of a fault. */
  faulted = false;
  /** Torn down after a fatal fault: nothing of it runs any more. */
  killed = false;

  constructor(instance: GpuInstance) {
    this.instance = instance;
  }

  /** An access faults: the channel is switched out. Returns the record for the driver. */
  fault(vpn: number, access: number): NonReplayableFault {
    this.faulted = true;
    return { channel: this, vpn, access };
  }

  /** Whether an access of kind `access` to page `vpn` goes through. */
  reaches(vpn: number, access: number): boolean {
    const needs = GPU_ACCESS_NEEDS[access] ?? GPU_PTE_VALID;
    return (this.instance.table.tlb.walked(vpn, needs) & needs) === needs;
  }
}
