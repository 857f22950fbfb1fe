import { declareState } from '@hmm/kernel/internal';
import type { LinkCost } from './cost.js';
import { linkTime } from './cost.js';
import type { PeerPath } from './topology.js';
import type { PhysicalMemory } from './memory.js';

/** Copies done in one direction. */
export interface CopyTotals {
  copies: number;
  bytes: number;
  ns: number;
}

/**
 * A copy engine: moves page contents between memories and says how long each transfer takes. Transfers of one
 * engine follow each other without a gap.
 */
export class CopyEngine {
  /** What of it is state. */
  static readonly state = declareState({
    toDevice: 'constant',
    toHost: 'constant',
    fromPeers: 'constant',
    link: { outside: 'what the card is' },
  });

  /** Host to device so far. */
  readonly toDevice: CopyTotals = { copies: 0, bytes: 0, ns: 0 };
  /** Device to host so far. */
  readonly toHost: CopyTotals = { copies: 0, bytes: 0, ns: 0 };
  /** From other GPUs so far. */
  readonly fromPeers: CopyTotals = { copies: 0, bytes: 0, ns: 0 };
  private readonly link: LinkCost;

  constructor(link: LinkCost) {
    this.link = link;
  }

  /** The time of a transfer of `bytes` bytes, ns, without doing it. */
  time(bytes: number, toDevice: boolean): number {
    return toDevice
      ? linkTime(this.link.toDeviceBase.value, this.link.toDeviceGBs.value, bytes)
      : linkTime(this.link.toHostBase.value, this.link.toHostGBs.value, bytes);
  }

  /** Books a transfer of `bytes` bytes; the contents are the caller's affair. Returns its time, ns. */
  book(bytes: number, toDevice: boolean): number {
    const ns = this.time(bytes, toDevice);
    const totals = toDevice ? this.toDevice : this.toHost;
    totals.copies++;
    totals.bytes += bytes;
    totals.ns += ns;
    return ns;
  }

  /** Books a transfer of `bytes` bytes from the GPU at the other end of `path`. Returns its time, ns. */
  bookPeer(bytes: number, path: PeerPath): number {
    const ns = path.copy(bytes);
    this.fromPeers.copies++;
    this.fromPeers.bytes += bytes;
    this.fromPeers.ns += ns;
    return ns;
  }

  /** Copies `pages` frames across the link and returns the time it takes, ns. */
  copy(
    to: PhysicalMemory,
    toPfn: number,
    from: PhysicalMemory,
    fromPfn: number,
    pages: number,
    toDevice: boolean,
  ): number {
    to.copyFrom(toPfn, from, fromPfn, pages);
    return this.book(pages * 4096, toDevice);
  }
}
