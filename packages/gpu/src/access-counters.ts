import { alignDown } from '@hmm/kernel';

/** A notification of the access counters: this granule has been accessed across the link often enough. */
export interface AccessCounterNotification {
  readonly instance: number;
  /** First page of the granule. */
  readonly vpn: number;
  /** Pages of the granule. */
  readonly pages: number;
  /** One bit for each of 32 parts of the granule that was accessed. */
  readonly subGranules: number;
}

/**
 * Access counters: count the accesses of a GPU to memory across the link, per granule of 2^order pages, and notify
 * when a counter reaches the threshold. A counter that has notified is silent until it is cleared.
 */
export class AccessCounters {
  /** Accesses that raise a notification; 0 switches the counters off. */
  threshold = 0;
  /** log2 of the pages of a granule. */
  readonly order: number;
  /** Notifications not yet fetched. */
  readonly notifications: AccessCounterNotification[] = [];
  private readonly counts = new Map<number, { count: number; parts: number }>();

  constructor(order = 9) {
    this.order = order;
  }

  /** Counts `accesses` accesses of `instance` to page `vpn`. Called per batch and granule, not per access. */
  count(instance: number, vpn: number, accesses: number): void {
    if (this.threshold === 0) return;
    const granule = alignDown(vpn, this.order);
    const counter = this.counts.get(granule) ?? { count: 0, parts: 0 };
    const before = counter.count;
    counter.count += accesses;
    counter.parts |= 1 << Math.floor(((vpn - granule) * 32) / 2 ** this.order);
    this.counts.set(granule, counter);
    if (before < this.threshold && counter.count >= this.threshold) {
      this.notifications.push({ instance, vpn: granule, pages: 2 ** this.order, subGranules: counter.parts });
    }
  }

  /** Sets the counter of the granule that holds `vpn` back to 0. */
  clear(vpn: number): void {
    this.counts.delete(alignDown(vpn, this.order));
  }
}
