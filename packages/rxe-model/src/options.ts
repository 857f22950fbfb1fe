import { ODP_AS_7_3, ODP_INTENDED, type OdpSwitches } from '@hmm/ib-core';

/** Defects of rxe in Linux 7.3, each a switch, and those of the layer below. */
export interface RxeOptions {
  /**
   * A copy that crosses a page boundary goes on in the next page of memory but not in the packet, and starts each piece at
   * the page's beginning (OO7): stale memory of the kernel goes out. Off: the copy that is meant.
   */
  readonly copyIgnoresOffset: boolean;
  /** Pages that the adapter has written are not marked dirty (OO8). */
  readonly neverDirty: boolean;
  /** The address of a work request is taken for the address of the memory, whatever the region was registered with (OO9). */
  readonly iovaIsVa: boolean;
  /** Advice for a region that is not on demand is served as if it were (OO10): memory-unsafe, which ends the run with `UNSAFE`. */
  readonly adviseAnyRegion: boolean;
  /** The common layer's. */
  readonly odp: OdpSwitches;
}

/** rxe as it is meant. */
export const RXE_INTENDED: RxeOptions = {
  copyIgnoresOffset: false,
  neverDirty: false,
  iovaIsVa: false,
  adviseAnyRegion: false,
  odp: ODP_INTENDED,
};

/** rxe as Linux 7.3 has it. */
export const RXE_7_3: RxeOptions = {
  copyIgnoresOffset: true,
  neverDirty: true,
  iovaIsVa: true,
  adviseAnyRegion: true,
  odp: ODP_AS_7_3,
};
