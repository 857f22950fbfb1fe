import type { Task } from '@hmm/kernel';
import type { Vma } from './vma.js';

/** `dev_pagemap` types. @kernel include/linux/memremap.h memory_type */
export const MEMORY_DEVICE_PRIVATE = 1;
export const MEMORY_DEVICE_COHERENT = 2;

/** What faulted, for a device's `migrateToRam`. @kernel include/linux/mm.h vm_fault */
export interface VmFault {
  /** The VMA of the faulting address. */
  readonly vma: Vma;
  /** The faulting page's number. */
  readonly vpn: number;
  /** The device page found there; holds a reference of the fault's own while the call lasts. The head of a huge one. */
  readonly page: number;
  /** Whether a PMD maps it: all 512 pages around `vpn` are its folio's. The kernel's `vmf->pte == NULL`. */
  readonly huge: boolean;
  /** `FAULT_FLAG_*`. */
  readonly flags: number;
}

/**
 * What the owner of device memory provides. The interface lives here since the fault path and `folioPut` call it;
 * `@hmm/migrate` registers pagemaps, drivers implement it. @kernel include/linux/memremap.h dev_pagemap_ops
 */
export interface DevPagemapOps {
  /** A page's last reference is gone: it may be handed out again. */
  pageFree(pfn: number): void;
  /** In place of {@link pageFree}, for an owner that has large folios: the last reference of 2^`order` pages is gone. */
  folioFree?(folio: number, order: number): void;
  /**
   * The large folio at `head` is split into pages: called for each page behind the first, and once with `NO_PFN` for the
   * first, so that what the owner keeps of a folio becomes each page's.
   */
  folioSplit?(head: number, tail: number): void;
  /** The CPU touched a private page: bring it home. Returns `VM_FAULT_*` bits, 0 to repeat the access. */
  migrateToRam(vmf: VmFault): Task<number>;
}

/** A range of device frames in the pfn space. @kernel include/linux/memremap.h dev_pagemap */
export interface DevPagemap {
  /** `MEMORY_DEVICE_*`. */
  readonly type: number;
  /** First frame. */
  readonly start: number;
  /** Frames. */
  readonly nr: number;
  /** Number of its owner, not 0: `dev_private_owner`, `pgmap_owner`, the owner of a notifier range. */
  readonly owner: number;
  readonly ops: DevPagemapOps;
  /** Pages in use (references of the pagemap). */
  live: number;
}
