/**
 * Permissions of a memory region: what its local key and its remote key allow.
 * @kernel include/rdma/ib_verbs.h ib_access_flags
 */

/** The adapter may write on behalf of local work requests: receive buffers, what a read brings. */
export const IB_ACCESS_LOCAL_WRITE = 1;
/** A peer may write. */
export const IB_ACCESS_REMOTE_WRITE = 2;
/** A peer may read. */
export const IB_ACCESS_REMOTE_READ = 4;
/** A peer may do atomics. */
export const IB_ACCESS_REMOTE_ATOMIC = 8;
/** Memory windows may be bound to it. */
export const IB_ACCESS_MW_BIND = 16;
/** Addresses of work requests start at 0. */
export const IB_ACCESS_ZERO_BASED = 32;
/** Pages are mapped when they are touched, and are not pinned. */
export const IB_ACCESS_ON_DEMAND = 64;
/** The program promises huge pages in all of the region. */
export const IB_ACCESS_HUGETLB = 128;
/** A peer may ask that writes become visible. */
export const IB_ACCESS_FLUSH_GLOBAL = 256;
/** A peer may ask that writes become persistent. */
export const IB_ACCESS_FLUSH_PERSISTENT = 512;
/** Bits that a driver may ignore. */
export const IB_ACCESS_OPTIONAL = 0x3ff00000;

/**
 * With any of these the pages of a region are to be writable.
 * @kernel include/rdma/ib_verbs.h ib_access_writable (all)
 */
export const IB_ACCESS_WRITABLE =
  IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_ATOMIC | IB_ACCESS_MW_BIND;
/** All bits that are not optional. */
export const IB_ACCESS_SUPPORTED = 1023;
