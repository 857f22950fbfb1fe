/**
 * What user space sees of the test device: `lib/test_hmm_uapi.h`.
 *
 * @packageDocumentation
 */

export const HMM_DMIRROR_READ = 0x00;
export const HMM_DMIRROR_WRITE = 0x01;
/** Migrate to device memory and read back through the device's table. */
export const HMM_DMIRROR_MIGRATE_TO_DEV = 0x02;
/** Migrate back to system memory. */
export const HMM_DMIRROR_MIGRATE_TO_SYS = 0x03;
/** One `HMM_DMIRROR_PROT_*` byte a page. */
export const HMM_DMIRROR_SNAPSHOT = 0x04;
/** Make the range exclusive to the device. */
export const HMM_DMIRROR_EXCLUSIVE = 0x05;
/** `-EPERM` if a page of the range is marked exclusive in the device's table. */
export const HMM_DMIRROR_CHECK_EXCLUSIVE = 0x06;
/** Drop all of the device's memory. */
export const HMM_DMIRROR_RELEASE = 0x07;
/** Sets the open file's flags to the command's `npages`: `HMM_DMIRROR_FLAG_*`. */
export const HMM_DMIRROR_FLAGS = 0x08;
/** As `HMM_DMIRROR_READ`, faulting without `mmap_lock`. */
export const HMM_DMIRROR_READ_UNLOCKED = 0x09;

/** The next allocation of a migration fails, once. */
export const HMM_DMIRROR_FLAG_FAIL_ALLOC = 1 << 0;

/** Argument of every ioctl: `struct hmm_dmirror_cmd`. Copied back to the caller only on success. */
export interface HmmDmirrorCmd {
  /** User address in bytes, page aligned. */
  readonly addr: number;
  /** The user's buffer: data (4,096 bytes a page), or one byte a page for a snapshot. */
  readonly ptr: Uint8Array;
  /** Pages. */
  readonly npages: number;
  /** Out: pages transferred. */
  cpages: number;
  /** Out: rounds of faults. */
  faults: number;
}

export const HMM_DMIRROR_PROT_ERROR = 0xff;
export const HMM_DMIRROR_PROT_NONE = 0x00;
export const HMM_DMIRROR_PROT_READ = 0x01;
export const HMM_DMIRROR_PROT_WRITE = 0x02;
/** Part of a PMD mapping. */
export const HMM_DMIRROR_PROT_PMD = 0x04;
/** Part of a PUD mapping. */
export const HMM_DMIRROR_PROT_PUD = 0x08;
/** The zero page. */
export const HMM_DMIRROR_PROT_ZERO = 0x10;
/** Device-private page of this device, of another one. */
export const HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL = 0x20;
export const HMM_DMIRROR_PROT_DEV_PRIVATE_REMOTE = 0x30;
/** Coherent device page of this device, of another one. */
export const HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL = 0x40;
export const HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE = 0x50;

/** Kinds of device memory. */
export const HMM_DMIRROR_MEMORY_DEVICE_PRIVATE = 1;
export const HMM_DMIRROR_MEMORY_DEVICE_COHERENT = 2;
