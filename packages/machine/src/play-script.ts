/** A piece of memory that a play allocates. */
export interface PlayRegion {
  readonly name: string;
  readonly pages: number;
}

/** One step of a play: an agent runs through accesses; the next step begins when it is done. */
export interface PlayPhase {
  readonly name: string;
  readonly agent: 'cpu' | 'gpu';
  /** Number of the machine's GPU, from 0, that does a GPU phase; the first when left out. */
  readonly gpu?: number;
  /** Warps that share the accesses of a GPU phase, each taking the next when its last is done. */
  readonly lanes: number;
  /**
   * Writes the phase's next accesses, at most `pages.length` of them: pages relative to the play's base (region `r` begins at
   * `starts[r]`), kinds as `ACCESS_*`. Returns how many, 0 at the end.
   */
  fill(pages: Int32Array, kinds: Uint8Array): number;
}

/**
 * What memory a program has and what its CPU and its GPU do to it, without contents: a generated workload, or a trace of a
 * real program. Nothing in it knows which driver runs it.
 */
export interface PlayScript {
  readonly name: string;
  readonly regions: readonly PlayRegion[];
  /** GPUs that its phases are of; one when left out. */
  readonly gpus?: number;
  /**
   * The phases in order, made as they are reached. A phase is used up before the next is asked for.
   * @param starts first page of each region, relative to the play's base.
   */
  phases(starts: Float64Array): Iterable<PlayPhase>;
}
