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

/** Parts of a granule that a notification tells apart. */
const PARTS = 32;
/** Instance ids that share the number of a granule. */
const INSTANCES = 4096;

/**
 * Access counters: count the accesses of a GPU to memory across the link, per address space and granule of 2^order
 * pages, and notify when a counter reaches the threshold. A counter that has notified is silent until it is cleared.
 */
export class AccessCounters {
  /** Accesses that raise a notification; 0 switches the counters off. */
  threshold = 0;
  /** log2 of the pages of a granule. */
  readonly order: number;
  /** Notifications not yet fetched. */
  readonly notifications: AccessCounterNotification[] = [];
  private readonly slots = new Map<number, number>();
  private counts = new Int32Array(64);
  private parts = new Int32Array(64);
  /** The counter used last: accesses come in runs. */
  private lastKey = -1;
  private lastSlot = 0;

  constructor(order = 9) {
    this.order = order;
  }

  /** Counts `accesses` accesses of `instance` to page `vpn`. */
  count(instance: number, vpn: number, accesses: number): void {
    if (this.threshold === 0) return;
    const slot = this.slot(instance, vpn);
    const before = this.counts[slot] ?? 0;
    const granule = alignDown(vpn, this.order);
    this.counts[slot] = before + accesses;
    this.parts[slot] = (this.parts[slot] ?? 0) | (1 << (((vpn - granule) * PARTS) >> this.order));
    if (before >= this.threshold || before + accesses < this.threshold) return;
    const subGranules = this.parts[slot] ?? 0;
    this.notifications.push({ instance, vpn: granule, pages: 2 ** this.order, subGranules });
  }

  /** Takes up to `max` notifications, oldest first: the driver's fetch. */
  fetch(max: number): AccessCounterNotification[] {
    return this.notifications.splice(0, max);
  }

  /** Sets the counter of the granule that holds `vpn` back to 0: it counts and notifies anew. */
  clear(instance: number, vpn: number): void {
    const slot = this.slot(instance, vpn);
    this.counts[slot] = 0;
    this.parts[slot] = 0;
  }

  private slot(instance: number, vpn: number): number {
    const key = Math.floor(vpn / 2 ** this.order) * INSTANCES + (instance % INSTANCES);
    if (key !== this.lastKey) {
      this.lastKey = key;
      this.lastSlot = this.slots.get(key) ?? this.newSlot(key);
    }
    return this.lastSlot;
  }

  private newSlot(key: number): number {
    const slot = this.slots.size;
    this.slots.set(key, slot);
    if (slot === this.counts.length) {
      this.counts = grown(this.counts);
      this.parts = grown(this.parts);
    }
    return slot;
  }
}

function grown(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}
