/**
 * Hazards of Linux 7.3 that were seen while reading it, each off unless asked for. Before 6.16 the frames that a walk
 * finds and the frames that the device uses were two lists; since then they are one.
 */
export interface OdpSwitches {
  /**
   * The walk stores what it finds in the region's own list, without the mutex (OO1 … OO4), as 7.3 does. Off: in a list
   * of its own, whose entries are copied under the mutex once they are known to be valid.
   */
  readonly sharedList: boolean;
  /** An entry that is programmed again counts again (OO6), so that a leaf may never be seen empty. */
  readonly overCount: boolean;
  /** The buffer of an update of several chunks is not cleared between them (OO13). */
  readonly staleChunks: boolean;
  /** A callback that finds nothing programmed leaves the list as it is (OO1). */
  readonly keepUnprogrammed: boolean;
}

/** Without hazards. */
export const ODP_INTENDED: OdpSwitches = {
  sharedList: false,
  overCount: false,
  staleChunks: false,
  keepUnprogrammed: false,
};

/** As Linux 7.3 is. */
export const ODP_AS_7_3: OdpSwitches = {
  sharedList: true,
  overCount: true,
  staleChunks: true,
  keepUnprogrammed: true,
};
