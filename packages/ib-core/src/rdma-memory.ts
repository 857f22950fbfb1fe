import type { Task } from '@hmm/kernel';
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

/** All that a peer may do. */
const ALL =
  IB_ACCESS_ON_DEMAND |
  IB_ACCESS_LOCAL_WRITE |
  IB_ACCESS_REMOTE_WRITE |
  IB_ACCESS_REMOTE_READ |
  IB_ACCESS_REMOTE_ATOMIC;

/**
 * The regions behind accesses by plain addresses: a program that says nothing of regions has registered its whole address
 * space. Where the driver has implicit regions that is one; else one for each GiB that is accessed, registered at the
 * first access.
 */
export class WholeMemory<Mr extends RdmaMr> {
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
    const first = this.implicit ? 0 : vpn - (vpn % WINDOW_PAGES);
    const mr = yield* this.driver.regUserMr(this.mm, this.pd, {
      va: first * PAGE_SIZE,
      length: this.implicit ? IMPLICIT_LENGTH : WINDOW_PAGES * PAGE_SIZE,
      access: ALL,
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
