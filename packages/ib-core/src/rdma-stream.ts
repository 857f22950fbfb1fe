import {
  ACCESS_ATOMIC,
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  type AccessStream,
  type StreamResult,
} from '@hmm/device';
import { EACCES, EFAULT, EIO, EPERM, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type MemorySystem } from '@hmm/mm';
import { accessData, PG_dirty } from '@hmm/mm/internal';
import type { QueuePair } from '@hmm/rdma-nic';
import type { WholeMemory } from './rdma-memory.js';
import { ENTRY_READ, ENTRY_WRITE, type EntryWindow, type RdmaDriver, type RdmaMr } from './rdma-driver.js';

const PAGE_SIZE = 4096;
/** Messages of one stream that are under way at once where their order does not matter. */
const IN_FLIGHT = 64;

/** What a process counts. */
export interface StreamFigures {
  accesses: number;
  faults: number;
  runningNs: number;
  waitingNs: number;
}

/**
 * A peer's requests, one for each access of a stream: an RDMA read, write or atomic of `width` bytes. Those whose
 * pages the adapter has are done in a plain loop; the first that it has not is served, and tried again.
 */
export class RdmaStream<Mr extends RdmaMr> {
  /** What of it is state. */
  static readonly state = declareState({
    driver: 'constant',
    system: 'constant',
    memory: 'constant',
    figures: { saved: 'totals, which decide nothing' },
    isOpen: { outside: 'a function' },
  });

  private readonly driver: RdmaDriver<Mr>;
  private readonly system: MemorySystem;
  private readonly memory: WholeMemory<Mr>;
  private readonly figures: StreamFigures;
  private readonly isOpen: () => boolean;

  constructor(
    driver: RdmaDriver<Mr>,
    system: MemorySystem,
    memory: WholeMemory<Mr>,
    figures: StreamFigures,
    isOpen: () => boolean,
  ) {
    this.driver = driver;
    this.system = system;
    this.memory = memory;
    this.figures = figures;
    this.isOpen = isOpen;
  }

  /** Runs a stream to its end or its first failure. */
  *run(qp: QueuePair, stream: AccessStream): Task<StreamResult> {
    const { pages, source, shape } = stream;
    const batch = shape === 'serial' ? 1 : shape === 'warps' ? Math.max(1, stream.lanes ?? 1) : IN_FLIGHT;
    let done = 0;
    for (let length = pages.length; length > 0; length = source?.fill() ?? 0) {
      for (let i = 0; i < length;) {
        if (!this.isOpen()) return { errno: -EIO, done, reason: 'the device was closed' };
        const next = this.mapped(stream, i, Math.min(length, i + batch));
        if (next > i) yield* this.pass(next - i);
        done += next - i;
        if (next < length && next - i < batch) {
          const errno = yield* this.absent(qp, stream, next);
          if (errno !== 0 && !(stream.kinds?.[next] === ACCESS_PREFETCH && errno !== -EIO))
            return { errno, done, reason: this.reason(stream, next, errno) };
          if (errno !== 0) {
            i = next + 1;
            done++;
            continue;
          }
        }
        i = next;
      }
    }
    return { errno: 0, done, reason: '' };
  }

  /** Messages take their time. */
  private *pass(count: number): Task {
    const { sched } = this.system.kernel;
    const { timing } = this.driver;
    const ns = timing.messageNs.value + (count - 1) * timing.packetNs.value;
    this.figures.accesses += count;
    this.figures.runningNs += ns;
    if (!sched.delayFast(ns)) yield* sched.delay(ns);
  }

  /** Does the accesses [from, to) of the present piece up to the first whose page the adapter has not; returns that. The hot loop. */
  private mapped(stream: AccessStream, from: number, to: number): number {
    const { pages, base, kinds, access, values, width, offset } = stream;
    const read = ENTRY_READ;
    const both = ENTRY_READ | ENTRY_WRITE;
    const { map } = this.system;
    const marks = this.driver.marksWritten;
    const quick = values === undefined && this.system.kernel.sched.observer === undefined;
    let window: EntryWindow | undefined;
    for (let i = from; i < to; i++) {
      const vpn = base + (pages[i] ?? 0);
      if (window === undefined || vpn < window.first || vpn >= window.first + window.pages) {
        window = this.find(vpn);
        if (window === undefined) return i;
      }
      const kind = kinds?.[i] ?? access;
      const slot = 2 * (vpn - window.first);
      const want = kind === ACCESS_WRITE || kind === ACCESS_ATOMIC ? both : read;
      if (((window.entries[slot] ?? 0) & want) !== want) return i;
      if (quick && want === read) continue;
      const pfn = window.entries[slot + 1] ?? 0;
      accessData(this.system, pfn, want === both);
      if (want === both && marks) map.set(map.folio(pfn), PG_dirty);
      if (values !== undefined) values[i] = this.move(pfn, offset, width, kind, values[i] ?? 0);
    }
    return to;
  }

  /** Moves the bytes of one access; what its value is afterwards. */
  private move(pfn: number, offset: number, width: number, kind: number, value: number): number {
    const { data } = this.system;
    let before = 0;
    for (let i = width - 1; i >= 0; i--) before = before * 256 + data.readByte(pfn, offset + i);
    if (kind === ACCESS_READ || kind === ACCESS_PREFETCH) return before;
    let stored = kind === ACCESS_ATOMIC ? before + value : value;
    for (let i = 0; i < width; i++) {
      data.writeByte(pfn, offset + i, stored % 256);
      stored = Math.floor(stored / 256);
    }
    return kind === ACCESS_ATOMIC ? before : value;
  }

  private find(vpn: number): EntryWindow | undefined {
    const mr = this.memory.find(vpn);
    return mr === undefined ? undefined : this.driver.window(mr, vpn);
  }

  /** The adapter has not the page of access `i`: it is registered, or faulted in. */
  private *absent(qp: QueuePair, stream: AccessStream, i: number): Task<number> {
    const vpn = stream.base + (stream.pages[i] ?? 0);
    const { sched } = this.system.kernel;
    const known = this.memory.find(vpn);
    if (known === undefined) {
      const mr = yield* this.memory.region(vpn);
      return typeof mr === 'number' ? mr : 0;
    }
    const kind = stream.kinds?.[i] ?? stream.access;
    const write = kind === ACCESS_WRITE || kind === ACCESS_ATOMIC;
    const before = sched.now;
    this.figures.faults++;
    const errno = yield* this.driver.serveAbsent(
      qp,
      known,
      vpn * PAGE_SIZE + stream.offset,
      stream.width,
      write,
    );
    this.figures.waitingNs += sched.now - before;
    if (!this.isOpen()) return -EIO;
    return errno === -EPERM ? -EACCES : errno;
  }

  private reason(stream: AccessStream, i: number, errno: number): string {
    if (errno === -EIO) return 'the device was closed';
    const page = stream.base + (stream.pages[i] ?? 0);
    const why = errno === -EFAULT || errno === -EACCES ? 'REM_ACCESS_ERR' : 'REM_OP_ERR';
    return `the request for page ${page} completed with ${why}`;
  }
}
