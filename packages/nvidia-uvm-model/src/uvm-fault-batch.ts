import { declareState } from '@hmm/kernel/internal';
import { type FaultBuffer, type GpuFaultEntry } from '@hmm/gpu';
import { UTLBS } from '@hmm/gpu/internal';

const ACCESS_SPAN = 8;
/** More than a fault buffer, and so a batch, has entries. */
const INDEX_SPAN = 2 ** 14;
/** Entries up to which an insertion sort beats the library's, whose call alone costs that much. */
const FEW = 64;

/**
 * One batch of replayable faults: the coalesced entries as columns, and the
 * order in which they are served.
 * @uvm uvm_forward_decl.h uvm_fault_service_batch_context_t
 */
export class UvmFaultBatch {
  /** What of it is state. */
  static readonly state = declareState({
    count: 'value',
    cached: 'value',
    coalesced: 'value',
    duplicates: 'value',
    throttled: 'value',
    fatal: 'value',
    invalidPrefetches: 'value',
    outOfMemory: 'value',
    services: 'value',
    vpn: 'constant',
    access: 'constant',
    type: 'constant',
    instance: 'constant',
    utlb: 'constant',
    accessMask: 'constant',
    merged: 'constant',
    cancel: 'constant',
    reason: 'constant',
    cancelling: 'constant',
    order: 'constant',
    keys: 'constant',
    mixed: 'value',
    lastOfUtlb: 'constant',
    entry: 'constant',
  });

  /** Entries after coalescing, and as read from the buffer. */
  count = 0;
  cached = 0;
  coalesced = 0;
  duplicates = 0;
  throttled = 0;
  fatal = 0;
  invalidPrefetches = 0;
  /** Memory was used up: the batch is cancelled as a whole, without a second look. */
  outOfMemory = false;
  /** Blocks served. */
  services = 0;
  readonly vpn: Float64Array;
  readonly access: Uint8Array;
  readonly type: Uint8Array;
  readonly instance: Int32Array;
  /** uTLB that the entry came through, and all kinds of access merged into it: a bit each. */
  readonly utlb: Int32Array;
  readonly accessMask: Uint8Array;
  /** Faults merged into the entry. */
  readonly merged: Int32Array;
  /** What the cancel step is to do: 0 nothing, else `GPU_CANCEL_*` plus one. */
  readonly cancel: Uint8Array;
  /** Why the entry is fatal, where it is to be cancelled. */
  readonly reason: Uint8Array;
  /** Fetched for the cancel step: its faults have been recorded before. */
  readonly cancelling: boolean;
  /** Entry indices in service order. */
  readonly order: Int32Array;
  private readonly keys: Float64Array;
  /** The entries are of more than one address space. */
  private mixed = false;
  private readonly lastOfUtlb = new Int32Array(UTLBS);
  private readonly entry: GpuFaultEntry = {
    instance: 0,
    vpn: 0,
    access: 0,
    type: 0,
    client: 0,
    gpc: 0,
    utlb: 0,
    timestamp: 0,
  };

  constructor(capacity: number, cancelling = false) {
    this.cancelling = cancelling;
    this.utlb = new Int32Array(capacity);
    this.accessMask = new Uint8Array(capacity);
    this.reason = new Uint8Array(capacity);
    this.vpn = new Float64Array(capacity);
    this.access = new Uint8Array(capacity);
    this.type = new Uint8Array(capacity);
    this.instance = new Int32Array(capacity);
    this.merged = new Int32Array(capacity);
    this.cancel = new Uint8Array(capacity);
    this.order = new Int32Array(capacity);
    this.keys = new Float64Array(capacity);
  }

  /**
   * Reads up to `max` entries from the buffer, as far as `put`, and frees them there. With `coalesce`, an
   * entry is merged into the last one of its uTLB for the same page, or into the last one of all if that is for the
   * same page and at least as intrusive.
   * @uvm uvm_gpu_replayable_faults.c fetch_fault_buffer_entries (without: reads of entries that are not
   * valid yet, faults of other GPU partitions)
   */
  fetch(buffer: FaultBuffer, max: number, coalesce: boolean, put = buffer.put): void {
    this.reset();
    const { entry } = this;
    let { get } = buffer;
    while (get !== put && this.cached < max) {
      buffer.read(get, entry);
      if (!coalesce || !this.merge()) this.append();
      this.cached++;
      get = buffer.next(get);
      if (coalesce && this.lastOfUtlb[entry.utlb] === this.count - 1)
        get = this.repeats(buffer, get, put, max);
    }
    buffer.get = get;
  }

  /**
   * Sorts the entries by address space, address, and the most intrusive access first.
   * @uvm uvm_gpu_replayable_faults.c preprocess_fault_batch (without: translation of instance pointers that
   * fails, several VA spaces of one channel)
   */
  sort(): void {
    const { count, keys, order, vpn, access, instance } = this;
    if (count === 1) {
      order[0] = 0;
      return;
    }
    const near = vpn[0] ?? 0;
    for (let i = 0; i < count; i++)
      keys[i] = (((vpn[i] ?? 0) - near) * ACCESS_SPAN + (7 - (access[i] ?? 0))) * INDEX_SPAN + i;
    if (count <= FEW) insertionSort(keys, count);
    else keys.subarray(0, count).sort();
    for (let i = 0; i < count; i++) {
      const key = keys[i] ?? 0;
      order[i] = key - Math.floor(key / INDEX_SPAN) * INDEX_SPAN;
    }
    if (!this.mixed) return;
    const sorted = [...order.subarray(0, count)].sort((a, b) => (instance[a] ?? 0) - (instance[b] ?? 0));
    order.set(sorted);
  }

  private reset(): void {
    this.count = 0;
    this.cached = 0;
    this.coalesced = 0;
    this.duplicates = 0;
    this.throttled = 0;
    this.fatal = 0;
    this.invalidPrefetches = 0;
    this.outOfMemory = false;
    this.services = 0;
    this.mixed = false;
    this.lastOfUtlb.fill(-1);
  }

  private merge(): boolean {
    const { entry } = this;
    const same = this.lastOfUtlb[entry.utlb] ?? -1;
    if (same >= 0 && this.samePage(same)) {
      if (entry.access > (this.access[same] ?? 0)) this.access[same] = entry.access;
      this.take(same);
      return true;
    }
    const last = this.count - 1;
    if (last < 0 || !this.samePage(last) || entry.access > (this.access[last] ?? 0)) return false;
    this.lastOfUtlb[entry.utlb] = last;
    this.take(last);
    return true;
  }

  /**
   * The fast path of `merge`, for entries from `get` on that tell what the one before tells, which is part of the last: more warps
   * of its thread block. Returns where it stops.
   */
  private repeats(buffer: FaultBuffer, get: number, put: number, max: number): number {
    const { lastOfUtlb, vpn } = this;
    const last = this.count - 1;
    const outer = buffer.sameUntil(get, put, max - this.cached);
    let at = get;
    let found = 0;
    for (; at !== outer; at = buffer.next(at)) {
      const utlb = buffer.utlb(at);
      const same = lastOfUtlb[utlb] ?? -1;
      if (same >= 0 && same !== last && vpn[same] === vpn[last]) break;
      lastOfUtlb[utlb] = last;
      found++;
    }
    this.cached += found;
    this.coalesced += found;
    this.merged[last] = (this.merged[last] ?? 0) + found;
    return at;
  }

  private samePage(at: number): boolean {
    return this.vpn[at] === this.entry.vpn && this.instance[at] === this.entry.instance;
  }

  private take(at: number): void {
    this.accessMask[at] = (this.accessMask[at] ?? 0) | (1 << this.entry.access);
    this.merged[at] = (this.merged[at] ?? 0) + 1;
    this.coalesced++;
  }

  private append(): void {
    const { entry } = this;
    const at = this.count++;
    this.vpn[at] = entry.vpn;
    this.access[at] = entry.access;
    this.type[at] = entry.type;
    this.instance[at] = entry.instance;
    if (entry.instance !== this.instance[0]) this.mixed = true;
    this.utlb[at] = entry.utlb;
    this.accessMask[at] = 1 << entry.access;
    this.merged[at] = 1;
    this.cancel[at] = 0;
    this.lastOfUtlb[entry.utlb] = at;
  }
}

function insertionSort(keys: Float64Array, count: number): void {
  for (let i = 1; i < count; i++) {
    const key = keys[i] ?? 0;
    let at = i;
    for (; at > 0 && (keys[at - 1] ?? 0) > key; at--) keys[at] = keys[at - 1] ?? 0;
    keys[at] = key;
  }
}
