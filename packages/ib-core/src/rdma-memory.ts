import type { Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import {
  IB_ACCESS_LOCAL_WRITE,
  IB_ACCESS_ON_DEMAND,
  IB_ACCESS_REMOTE_ATOMIC,
  IB_ACCESS_REMOTE_READ,
  IB_ACCESS_REMOTE_WRITE,
} from '@hmm/rdma-nic';
import type { RdmaDriver, RdmaMr } from './rdma-driver.js';
import { IMPLICIT_LENGTH } from './verbs.js';

const PAGE_SIZE = 4096;
/** Pages of a region that is registered for whatever is accessed there. */
const WINDOW_PAGES = 2 ** 18;
/** The same where all interleavings are explored, and each begins with a new one. */
const SMALL_WINDOW_PAGES = 512;

/** All that a peer may do. */
const ALL =
  IB_ACCESS_ON_DEMAND |
  IB_ACCESS_LOCAL_WRITE |
  IB_ACCESS_REMOTE_WRITE |
  IB_ACCESS_REMOTE_READ |
  IB_ACCESS_REMOTE_ATOMIC;

/**
 * The regions behind accesses by plain addresses: a program that says nothing of regions has registered its memory as soon
 * as it had it, before anything was stored there. Where the driver has implicit regions one region is all of it; else there
 * is one for each GiB that is accessed, made at the first access as if it had been there before.
 */
export class WholeMemory<Mr extends RdmaMr> {
  /** What of it is state. */
  static readonly state = declareState({
    driver: 'constant',
    mm: 'constant',
    pd: 'constant',
    implicit: 'constant',
    regions: 'constant',
  });

  private readonly driver: RdmaDriver<Mr>;
  private readonly mm: MmStruct;
  private readonly pd: number;
  private readonly implicit: boolean;
  private readonly regions: Mr[] = [];

  constructor(driver: RdmaDriver<Mr>, mm: MmStruct, pd: number, implicit: boolean) {
    this.driver = driver;
    this.mm = mm;
    this.pd = pd;
    this.implicit = implicit;
  }

  /** The region that has page `vpn`, undefined where none was registered yet. */
  find(vpn: number): Mr | undefined {
    const addr = vpn * PAGE_SIZE;
    return this.regions.find((mr) => addr >= mr.iova && addr < mr.iova + mr.length);
  }

  /** The region that has page `vpn`, registered now if there is none; a negative errno where that fails. */
  *region(vpn: number): Task<Mr | number> {
    const known = this.find(vpn);
    if (known !== undefined) return known;
    const window = this.driver.exploration === undefined ? WINDOW_PAGES : SMALL_WINDOW_PAGES;
    const first = this.implicit ? 0 : vpn - (vpn % window);
    const mr = yield* this.driver.regUserMr(this.mm, this.pd, {
      va: first * PAGE_SIZE,
      length: this.implicit ? IMPLICIT_LENGTH : window * PAGE_SIZE,
      access: ALL,
      early: true,
    });
    if (typeof mr !== 'number') this.regions.push(mr);
    return mr;
  }

  /** Ends them all, the newest first. */
  *close(): Task {
    for (let mr = this.regions.pop(); mr !== undefined; mr = this.regions.pop())
      yield* this.driver.deregMr(mr);
  }
}
