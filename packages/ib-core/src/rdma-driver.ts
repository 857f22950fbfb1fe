import type { Kernel, Task } from '@hmm/kernel';
import type { MmStruct } from '@hmm/mm';
import type { NicPort, QueuePair } from '@hmm/rdma-nic';
import type { BrokenRules } from './broken-rules.js';
import type { RegionTable } from './odp-invariants.js';
import type { IbDevice } from './umem-odp.js';
import type { AdviseSegment, RegisterRequest } from './verbs.js';

/** A memory region, as a program knows it. @kernel include/rdma/ib_verbs.h ib_mr */
export interface RdmaMr {
  /** Local and remote key: both drivers give one number to both. */
  readonly key: number;
  readonly access: number;
  /** Where it is in the process, the address that work requests use, and bytes. */
  readonly va: number;
  readonly iova: number;
  readonly length: number;
}

/** Pages whose entries an adapter finds in one table. */
export interface EntryWindow {
  /** Two lanes a page: {@link ENTRY_READ} and {@link ENTRY_WRITE}, and the frame. */
  readonly entries: Int32Array;
  /** The page of the first two lanes, and pages. */
  readonly first: number;
  readonly pages: number;
}

/** The adapter may read the page. */
export const ENTRY_READ = 1;
/** The adapter may write the page. */
export const ENTRY_WRITE = 2;

/** An invariant that is broken now, and how. */
export interface BrokenNow {
  readonly invariant: string;
  readonly detail: string;
}

/** An adapter with its driver: what the verbs of a process become. @kernel include/rdma/ib_verbs.h ib_device_ops */
export interface RdmaDriver<Mr extends RdmaMr = RdmaMr> extends NicPort, IbDevice {
  readonly kernel: Kernel;
  /** Whether a page is dirty as soon as the adapter has written it; else its region says so when it loses the page. */
  readonly marksWritten: boolean;
  /** Where what is broken is told. */
  readonly broken: BrokenRules;
  /** The tables that the adapter goes by, of all regions on demand. */
  tables(): Iterable<RegionTable>;
  /** What is broken now of the driver's own invariants; `atRest` also of those that hold while no call is under way. */
  brokenNow(atRest: boolean): readonly BrokenNow[];
  /** Registers memory of `mm`; the region or a negative errno. */
  regUserMr(mm: MmStruct, pd: number, request: RegisterRequest): Task<Mr | number>;
  /** Registers bytes that are not the modelled process's: a peer's memory. */
  regBuffer(pd: number, access: number, bytes: Uint8Array): Mr;
  /** Ends a region. */
  deregMr(mr: Mr): Task;
  /** Advice about pieces of regions, done before it returns: 0 or a negative errno. */
  adviseMr(pd: number, advice: number, segments: readonly AdviseSegment[]): Task<number>;
  /** Where the entries of page `vpn` of a region are; undefined where the region has none yet. */
  window(mr: Mr, vpn: number): EntryWindow | undefined;
  /**
   * A peer's request of `length` bytes at `addr` met an absent page: what happens until it is tried again.
   * @returns 0, or why the request fails: `-EFAULT`, `-EPERM` …
   */
  serveAbsent(qp: QueuePair, mr: Mr, addr: number, length: number, write: boolean): Task<number>;
}
