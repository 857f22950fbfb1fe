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
  /** A region of huge pages is taken out of by units where its list has 4 KiB pages (OO5): right for one huge page alone. */
  readonly unitIndex: boolean;
  /** A walk that is overtaken before its frames are taken over begins a second of its own (OO11): that can go on for ever. */
  readonly endlessRetry: boolean;
  /** A child is entered among the keys, which may sleep, under the spinlock of its parent's children (OO12). */
  readonly sleepUnderLock: boolean;
  /** A fault that names a child holds that and not the parent, whose deregistration does not wait for it (OO14). */
  readonly childReference: boolean;
  /** Who drops the last use wakes the waiter afterwards, when that may have freed the region already (OO15). */
  readonly lateWake: boolean;
  /** The parent of an implicit region holds no reference to its address space (OO16). */
  readonly unreferencedOwner: boolean;
}

/** Without hazards. */
export const ODP_INTENDED: OdpSwitches = {
  sharedList: false,
  overCount: false,
  staleChunks: false,
  keepUnprogrammed: false,
  unitIndex: false,
  endlessRetry: false,
  sleepUnderLock: false,
  childReference: false,
  lateWake: false,
  unreferencedOwner: false,
};

/** As Linux 7.3 is. */
export const ODP_AS_7_3: OdpSwitches = {
  sharedList: true,
  overCount: true,
  staleChunks: true,
  keepUnprogrammed: true,
  unitIndex: true,
  endlessRetry: true,
  sleepUnderLock: true,
  childReference: true,
  lateWake: true,
  unreferencedOwner: true,
};
