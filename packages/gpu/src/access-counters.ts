import { declareState } from '@hmm/kernel/internal';
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
/** Counters that are found without a look-up. */
const KNOWN = 1024;

/**
 * Access counters: count the accesses of a GPU to memory across the link, per address space and granule of 2^order
 * pages, and notify when a counter reaches the threshold. A counter that has notified is silent until it is cleared.
 */
export class AccessCounters {
  /** What of it is state. */
  static readonly state = declareState({
    threshold: 'value',
    order: 'constant',
    notifications: 'constant',
    slots: 'constant',
    counts: 'value',
    parts: 'value',
    knownKeys: { saved: 'a cache of the map' },
    knownSlots: { saved: 'a cache of the map' },
  });

  /** Accesses that raise a notification; 0 switches the counters off. */
  threshold = 0;
  /** log2 of the pages of a granule; at most 26, so that a part's number stays a whole number of 32 bits. */
  readonly order: number;
  /** Notifications not yet fetched. */
  readonly notifications: AccessCounterNotification[] = [];
  private readonly slots = new Map<number, number>();
  private counts = new Int32Array(64);
  private parts = new Int32Array(64);
  /** Counters found before, by the low bits of the granule's number: the key of each, and its slot. */
  private readonly knownKeys = new Float64Array(KNOWN).fill(-1);
  private readonly knownSlots = new Int32Array(KNOWN);

  constructor(order = 9) {
    this.order = order;
  }

  /** Counts `accesses` accesses of `instance` to page `vpn`. */
  count(instance: number, vpn: number, accesses: number): void {
    if (this.threshold === 0) return;
    const slot = this.slot(instance, vpn);
    const before = this.counts[slot] ?? 0;
    const inGranule = vpn & ((1 << this.order) - 1);
    this.counts[slot] = before + accesses;
    this.parts[slot] = (this.parts[slot] ?? 0) | (1 << ((inGranule * PARTS) >> this.order));
    if (before >= this.threshold || before + accesses < this.threshold) return;
    const subGranules = this.parts[slot] ?? 0;
    this.notifications.push({ instance, vpn: vpn - inGranule, pages: 1 << this.order, subGranules });
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
    const granule = Math.floor(vpn / (1 << this.order));
    const key = granule * INSTANCES + (instance & (INSTANCES - 1));
    const at = granule & (KNOWN - 1);
    if (this.knownKeys[at] === key) return this.knownSlots[at] ?? 0;
    const slot = this.slots.get(key) ?? this.newSlot(key);
    this.knownKeys[at] = key;
    this.knownSlots[at] = slot;
    return slot;
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
