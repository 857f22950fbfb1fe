/** Where a number comes from. */
export type Source = 'measured' | 'vendor' | 'paper' | 'driver' | 'estimate';

/** A number of a preset, with its origin. */
export interface Figure {
  readonly value: number;
  /**
   * `measured` on the recorded machine, `vendor` from a data sheet, `paper` from a publication, `driver` read in
   * driver source, `estimate` ours, scaled or guessed.
   */
  readonly from: Source;
  /** What exactly was measured or scaled; empty where the field's name says it. */
  readonly note: string;
}

/** Makes a {@link Figure}. */
export function figure(value: number, from: Source, note = ''): Figure {
  return { value, from, note };
}

/** A link's cost: a transfer takes base + bytes / bandwidth. Bases in ns, bandwidths in GB/s (1e9 bytes). */
export interface LinkCost {
  /** What it is called: `PCIe 5 x16`. */
  readonly name: string;
  readonly toDeviceBase: Figure;
  readonly toDeviceGBs: Figure;
  readonly toHostBase: Figure;
  readonly toHostGBs: Figure;
}

/** ns for `bytes` bytes. */
export function linkTime(base: number, gbPerSecond: number, bytes: number): number {
  return base + bytes / gbPerSecond;
}

/** What a GPU's own work costs, ns per access unless said otherwise. */
export interface AccessCost {
  /** A dependent load of local memory, one per page. */
  readonly localRead: Figure;
  /** A fenced store to local memory. */
  readonly localWrite: Figure;
  readonly localAtomic: Figure;
  /** The same in host memory, across the link. */
  readonly remoteRead: Figure;
  readonly remoteWrite: Figure;
  readonly remoteAtomic: Figure;
  /** Bandwidth of local memory, GB/s. */
  readonly localGBs: Figure;
  /** Bandwidth of reads of host memory by the GPU, GB/s. */
  readonly remoteGBs: Figure;
}
