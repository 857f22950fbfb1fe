import { HmmError } from '@hmm/kernel';
import { declareState, ownState } from '@hmm/kernel/internal';

/** One fault record (32 bytes in hardware), as read back from the ring. */
export interface GpuFaultEntry {
  /** The address space: id of the {@link GpuInstance}. */
  instance: number;
  /** Faulting page. */
  vpn: number;
  /** One of `GPU_ACCESS_*`. */
  access: number;
  /** One of `GPU_FAULT_*`. */
  type: number;
  /** Unit that asked, within the GPC. */
  client: number;
  gpc: number;
  utlb: number;
  /** Virtual time of the fault, ns. */
  timestamp: number;
}

/** One number holds the kind of access (4 bits), that of the fault (8), and the uTLB. */
const UTLB_SHIFT = 12;
const KIND_BITS = 2 ** UTLB_SHIFT - 1;

/**
 * The replayable fault buffer: a ring that the hardware fills at PUT and the driver empties at GET. It is full when
 * PUT = GET - 1; then the hardware delivers no more, and stalled accesses fault again after a replay.
 */
export class FaultBuffer {
  /** What of it is state. */
  static readonly state = declareState(
    {
      size: 'constant',
      get: 'value',
      put: 'value',
      overflows: { saved: 'a total, which decides nothing' },
      seen: 'value',
      instances: { saved: 'the entries that wait are folded below' },
      vpns: { saved: 'the entries that wait are folded below' },
      info: { saved: 'the entries that wait are folded below' },
      times: { saved: 'time is nothing where states are compared' },
    },
    ownState(FaultBuffer, {
      fold: (buffer, hash) => {
        for (let at = buffer.get; at !== buffer.put; at = buffer.next(at)) {
          hash.word(buffer.instances[at] ?? 0);
          hash.word((buffer.vpns[at] ?? 0) | 0);
          hash.word(buffer.info[at] ?? 0);
        }
      },
    }),
  );

  /** Entries of the ring. */
  readonly size: number;
  /** Index of the next entry to read: the driver's register. */
  get = 0;
  /** Index of the next entry to write: the hardware's register. */
  put = 0;
  /** Faults that found the ring full. */
  overflows = 0;
  /** PUT as the driver has last seen it. */
  private seen = 0;
  private readonly instances: Int32Array;
  private readonly vpns: Float64Array;
  private readonly info: Int32Array;
  private readonly times: Float64Array;

  constructor(size: number) {
    if (size < 2) throw new HmmError('BUFFER_SIZE', 'a fault buffer needs two entries at least', { size });
    this.size = size;
    this.instances = new Int32Array(size);
    this.vpns = new Float64Array(size);
    this.info = new Int32Array(size);
    this.times = new Float64Array(size);
  }

  /** Entries waiting to be read. */
  get pending(): number {
    const used = this.put - this.get;
    return used < 0 ? used + this.size : used;
  }

  /** When the next entry to read arrives or has arrived, ns; meaningless in an empty buffer. */
  get nextArrival(): number {
    return this.times[this.get] ?? 0;
  }

  /** Driver side: PUT as it is at `time`; what comes later is on its way. */
  putBy(time: number): number {
    this.seen = this.lastBy(time);
    return this.seen;
  }

  /** Hardware side, at a replay: what has not arrived at `time`, and the driver has not seen, is raised anew instead. */
  retract(time: number): void {
    this.put = this.lastBy(time);
  }

  private lastBy(time: number): number {
    let put = this.put;
    while (put !== this.get && put !== this.seen) {
      const last = put === 0 ? this.size - 1 : put - 1;
      if ((this.times[last] ?? 0) <= time) break;
      put = last;
    }
    return put;
  }

  /** Hardware side: delivers a fault. Returns false when the ring is full. */
  push(
    instance: number,
    vpn: number,
    access: number,
    type: number,
    utlb: number,
    timestamp: number,
  ): boolean {
    return this.pushWarps(instance, vpn, access, type, utlb, 1, timestamp) === 1;
  }

  /**
   * Hardware side: delivers the same fault of `warps` warps, through `utlb` and the ones after it. Returns how many there was
   * room for.
   */
  // eslint-disable-next-line max-params -- the columns of one entry: an object each would be made per fault
  pushWarps(
    instance: number,
    vpn: number,
    access: number,
    type: number,
    utlb: number,
    warps: number,
    timestamp: number,
  ): number {
    const { size, instances, vpns, info, times } = this;
    const room = Math.min(warps, size - 1 - this.pending);
    let at = this.put;
    for (let warp = 0; warp < room; warp++) {
      instances[at] = instance;
      vpns[at] = vpn;
      info[at] = access | (type << 4) | ((utlb + warp) << UTLB_SHIFT);
      times[at] = timestamp;
      at = at + 1 === size ? 0 : at + 1;
    }
    this.put = at;
    this.overflows += warps - room;
    return room;
  }

  /** Driver side: reads the entry at ring position `at` into `entry`. */
  read(at: number, entry: GpuFaultEntry): void {
    const info = this.info[at] ?? 0;
    entry.instance = this.instances[at] ?? 0;
    entry.vpn = this.vpns[at] ?? 0;
    entry.access = info & 15;
    entry.type = (info >>> 4) & 255;
    entry.utlb = info >>> UTLB_SHIFT;
    entry.gpc = entry.utlb % 8;
    entry.client = entry.utlb >>> 3;
    entry.timestamp = this.times[at] ?? 0;
  }

  /**
   * Driver side: the ring position behind the entries from `at` on, `most` of them and none from `put` on, that tell of the same
   * page and kind of access as the one before: they differ in uTLB and time only.
   */
  sameUntil(at: number, put: number, most: number): number {
    const { size, info, vpns, instances } = this;
    const before = at === 0 ? size - 1 : at - 1;
    const vpn = vpns[before] ?? 0;
    const kind = (info[before] ?? 0) & KIND_BITS;
    const instance = instances[before] ?? 0;
    let outer = at;
    for (let left = most; left > 0 && outer !== put; left--) {
      if (vpns[outer] !== vpn || ((info[outer] ?? 0) & KIND_BITS) !== kind) break;
      if (instances[outer] !== instance) break;
      outer = outer + 1 === size ? 0 : outer + 1;
    }
    return outer;
  }

  /** Driver side: the uTLB of the entry at ring position `at`. */
  utlb(at: number): number {
    return (this.info[at] ?? 0) >>> UTLB_SHIFT;
  }

  /** Ring position after `at`. */
  next(at: number): number {
    return at + 1 === this.size ? 0 : at + 1;
  }

  /** Driver side: throws away everything up to `put` (a flush). */
  discardTo(put: number): void {
    this.get = put;
    this.seen = put;
  }
}
