import type { UvmPageMask } from './uvm-page-mask.js';
import type { UvmProcessorId } from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';

/** What the thrashing detector advises for a fault. @uvm uvm_perf_thrashing.h uvm_perf_thrashing_hint_t */
export const UVM_PERF_THRASHING_HINT_TYPE_NONE = 0;
export const UVM_PERF_THRASHING_HINT_TYPE_PIN = 1;
export const UVM_PERF_THRASHING_HINT_TYPE_THROTTLE = 2;

/** A root chunk as a victim chooser sees it. */
export interface UvmChunkView {
  /** Root chunk number: frame / 512. */
  readonly root: number;
  /** Virtual time of the last allocation, ns. */
  readonly allocatedAt: number;
  /** Services that had it as their destination since. */
  readonly uses: number;
}

/**
 * The points where the driver decides, replaceable one by one. A function that is left out leaves the driver's own
 * rule in force. All of them are called with locks held and must not sleep.
 */
export interface UvmPerfPolicy {
  /** Name for reports. */
  readonly name: string;
  /**
   * Where a faulting page goes. `proposed` is the driver's choice; the result replaces it.
   */
  selectResidency?(
    block: UvmVaBlock,
    page: number,
    faulting: UvmProcessorId,
    proposed: UvmProcessorId,
  ): UvmProcessorId;
  /**
   * Which pages to take along. `faulted` are the pages that go to `destination` anyway; pages set in `prefetch`
   * (empty at the call) are moved with them. Return false to let the driver's density tree decide.
   */
  prefetch?(
    block: UvmVaBlock,
    destination: UvmProcessorId,
    faulted: UvmPageMask,
    prefetch: UvmPageMask,
  ): boolean;
  /** What to do with a fault on a page that may be thrashing: one of `UVM_PERF_THRASHING_HINT_TYPE_*`, or undefined. */
  thrashingHint?(block: UvmVaBlock, page: number, requester: UvmProcessorId): number | undefined;
  /**
   * Which root chunk to evict, out of `candidates` (in the driver's order, oldest first, at least one). Returns an
   * index into it.
   */
  selectVictim?(candidates: readonly UvmChunkView[]): number;
  /** A root chunk was the destination of a service. */
  chunkUsed?(chunk: UvmChunkView): void;
  /** A root chunk holds no resident data any more. */
  chunkUnused?(chunk: UvmChunkView): void;
}

/** The driver as it is. */
export const DRIVER_POLICY: UvmPerfPolicy = { name: 'driver' };
