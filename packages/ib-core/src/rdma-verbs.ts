import { EBADF, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import {
  type Completion,
  IB_ACCESS_LOCAL_WRITE,
  IB_ACCESS_REMOTE_ATOMIC,
  IB_ACCESS_REMOTE_READ,
  IB_ACCESS_REMOTE_WRITE,
  IB_WC_SUCCESS,
  postReceive,
  postSend,
  QueuePair,
  type QueuePairAttributes,
  type Segment,
} from '@hmm/rdma-nic';
import type { RdmaDriver, RdmaMr } from './rdma-driver.js';
import { TP_COMPLETION } from './tracepoints.js';
import { IMPLICIT_LENGTH } from './verbs.js';

const PAGE_SIZE = 4096;
/** What a peer's buffer holds before a read. */
const UNREAD = 0xee;
/** Bytes of the peer's buffer that an atomic's old value comes to. */
const ATOMIC_BYTES = 8;
const BUFFER_ACCESS =
  IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE | IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_ATOMIC;

/** What a verb returned. */
export interface VerbResult {
  /** 0 or a negative errno; `-EBADF` where there is no such region. */
  readonly rc: number;
  /** Status of the work completion (`IB_WC_*`), where there is one. */
  readonly wc?: number;
  /** Status of the receiver's, -1 where the message never came. */
  readonly rwc?: number;
  /** Byte 0 of each 4,096 that were transferred, and with a shift the byte where the second page of each begins; an atomic's old value. */
  readonly values: readonly number[];
}

/** Pages of a numbered region, shifted by some bytes: `shift` bytes into page `page`, and one page less if there are several. */
export interface RegionPiece {
  /** Number of the region. */
  readonly mr: number;
  readonly page: number;
  readonly pages: number;
  readonly shift: number;
  /** `page` is one of the process, and counts from address 0. */
  readonly byAddress?: boolean;
}

/**
 * A process that uses verbs: regions by number, and one reliable connection between it and a peer, whose buffer is memory
 * of its own. After an error completion the connection is made anew, as a program has to.
 */
export class VerbsProcess<Mr extends RdmaMr> {
  /** What of it is state. */
  static readonly state = declareState({
    driver: 'constant',
    mm: 'constant',
    pd: 'constant',
    attributes: 'constant',
    regions: 'constant',
    registered: 'constant',
    peer: 'value',
    requester: 'value',
  });

  private readonly driver: RdmaDriver<Mr>;
  private readonly mm: MmStruct;
  private readonly pd: number;
  private readonly attributes: Partial<QueuePairAttributes>;
  private readonly regions = new Map<number, Mr>();
  /** All of them, oldest first: a number that is given again leaves its region registered. */
  private readonly registered: Mr[] = [];
  private peer: { readonly bytes: Uint8Array; readonly mr: Mr } | undefined;
  /** The queue pair of the peer, which posts reads, writes and atomics; connected to the process's own. */
  private requester: QueuePair;

  constructor(driver: RdmaDriver<Mr>, mm: MmStruct, pd: number, attributes: Partial<QueuePairAttributes>) {
    this.driver = driver;
    this.mm = mm;
    this.pd = pd;
    this.attributes = attributes;
    this.requester = this.connect();
  }

  /** The connected queue pair of the process. */
  get queuePair(): QueuePair {
    return this.requester.peer;
  }

  /** Makes the connection anew. */
  connect(): QueuePair {
    this.requester = new QueuePair(this.driver, this.pd, this.attributes);
    this.requester.connect(new QueuePair(this.driver, this.pd, this.attributes));
    return this.requester;
  }

  /** The region of a number. */
  region(mr: number): Mr | undefined {
    return this.regions.get(mr);
  }

  /** Registers `pages` pages from `vpn` on as region `mr`; 0 pages: the whole address space. */
  *register(mr: number, vpn: number, pages: number, access: number): Task<VerbResult> {
    const implicit = pages === 0;
    const va = implicit ? 0 : vpn * PAGE_SIZE;
    const length = implicit ? IMPLICIT_LENGTH : pages * PAGE_SIZE;
    const made = yield* this.driver.regUserMr(this.mm, this.pd, { va, length, access });
    if (typeof made === 'number') return { rc: made, values: [] };
    this.regions.set(mr, made);
    this.registered.push(made);
    return { rc: 0, values: [] };
  }

  /** Ends region `mr`. */
  *deregister(mr: number): Task<VerbResult> {
    const found = this.regions.get(mr);
    if (found === undefined) return { rc: -EBADF, values: [] };
    this.regions.delete(mr);
    this.registered.splice(this.registered.indexOf(found), 1);
    yield* this.driver.deregMr(found);
    return { rc: 0, values: [] };
  }

  /** Advice about a piece of a region. */
  *advise(piece: RegionPiece, advice: number): Task<VerbResult> {
    const found = this.segment(piece);
    if (found === undefined) return { rc: -EBADF, values: [] };
    return { rc: yield* this.driver.adviseMr(this.pd, advice, [found]), values: [] };
  }

  /** A peer reads a piece of a region. */
  *read(piece: RegionPiece): Task<VerbResult> {
    const remote = this.segment(piece);
    if (remote === undefined) return { rc: -EBADF, values: [] };
    const local = this.buffer(remote.length, UNREAD, false);
    const { status } = yield* postSend(this.requester, { opcode: 'RDMA_READ', local, remote });
    return this.completed(status, undefined, () => this.shown(remote.length, piece.shift));
  }

  /** A peer writes a piece of a region: 4,096-byte piece i of the message is filled with `value` + i. */
  *write(piece: RegionPiece, value: number): Task<VerbResult> {
    const remote = this.segment(piece);
    if (remote === undefined) return { rc: -EBADF, values: [] };
    const local = this.buffer(remote.length, value, true);
    const { status } = yield* postSend(this.requester, { opcode: 'RDMA_WRITE', local, remote });
    return this.completed(status, undefined, () => []);
  }

  /** A peer adds to the 8 bytes at the start of a page. */
  *fetchAdd(piece: RegionPiece, value: number): Task<VerbResult> {
    const found = this.segment({ ...piece, pages: 1, shift: 0 });
    if (found === undefined) return { rc: -EBADF, values: [] };
    const remote = { ...found, length: ATOMIC_BYTES };
    const local = this.buffer(ATOMIC_BYTES, 0, false);
    const { status } = yield* postSend(this.requester, {
      opcode: 'ATOMIC_FETCH_AND_ADD',
      local,
      remote,
      compareAdd: BigInt(value),
      swap: 0n,
    });
    return this.completed(status, undefined, () => [this.oldValue()]);
  }

  /** The process sends a piece of a region; the peer receives it. */
  *send(piece: RegionPiece): Task<VerbResult> {
    const local = this.segment(piece);
    if (local === undefined) return { rc: -EBADF, values: [] };
    postReceive(this.requester, this.buffer(local.length, UNREAD, false));
    const { status } = yield* postSend(this.queuePair, { opcode: 'SEND', local });
    const rwc = received(this.requester.received);
    return this.completed(status, rwc, () => this.shown(local.length, piece.shift));
  }

  /** The peer sends; the process receives in a piece of a region. */
  *receive(piece: RegionPiece, value: number): Task<VerbResult> {
    const target = this.segment(piece);
    if (target === undefined) return { rc: -EBADF, values: [] };
    const own = this.queuePair;
    postReceive(own, target);
    const local = this.buffer(target.length, value, true);
    const { status } = yield* postSend(this.requester, { opcode: 'SEND', local });
    return this.completed(status, received(own.received), () => []);
  }

  /** Ends all regions, the newest first. */
  *close(): Task {
    this.regions.clear();
    for (let mr = this.registered.pop(); mr !== undefined; mr = this.registered.pop())
      yield* this.driver.deregMr(mr);
    if (this.peer !== undefined) yield* this.driver.deregMr(this.peer.mr);
    this.peer = undefined;
  }

  private completed(wc: number, rwc: number | undefined, values: () => readonly number[]): VerbResult {
    const { kernel } = this.driver;
    if (kernel.trace.on) kernel.emit(TP_COMPLETION, 0, 0, wc);
    const result = { rc: 0, wc, ...(rwc === undefined ? {} : { rwc }) };
    if (wc === IB_WC_SUCCESS) return { ...result, values: values() };
    this.connect();
    return { ...result, values: [] };
  }

  private segment({ mr, page, pages, shift, byAddress = false }: RegionPiece): Segment | undefined {
    const found = this.regions.get(mr);
    if (found === undefined) return undefined;
    const whole = shift > 0 && pages > 1 ? pages - 1 : pages;
    return {
      key: found.key,
      addr: (byAddress ? found.iova - found.va : found.iova) + page * PAGE_SIZE + shift,
      length: whole * PAGE_SIZE,
    };
  }

  /** The peer's buffer, with `bytes` bytes of `value` in it; `counting`: each 4,096 bytes one more. */
  private buffer(bytes: number, value: number, counting: boolean): Segment {
    let { peer } = this;
    if (peer === undefined || peer.bytes.length < bytes) {
      const memory = new Uint8Array(Math.max(bytes, 16 * PAGE_SIZE));
      peer = this.peer = { bytes: memory, mr: this.driver.regBuffer(this.pd, BUFFER_ACCESS, memory) };
    }
    for (let at = 0; at < bytes; at += PAGE_SIZE)
      peer.bytes.fill(value + (counting ? at / PAGE_SIZE : 0), at, Math.min(bytes, at + PAGE_SIZE));
    return { key: peer.mr.key, addr: peer.mr.iova, length: bytes };
  }

  private shown(bytes: number, shift: number): number[] {
    const values: number[] = [];
    for (let at = 0; at < bytes; at += PAGE_SIZE) {
      values.push(this.peer?.bytes[at] ?? 0);
      if (shift > 0) values.push(this.peer?.bytes[at + PAGE_SIZE - shift] ?? 0);
    }
    return values;
  }

  private oldValue(): number {
    const bytes = this.peer?.bytes ?? new Uint8Array(ATOMIC_BYTES);
    return Number(new DataView(bytes.buffer).getBigUint64(0, true));
  }
}

function received(completions: Completion[]): number {
  return completions.shift()?.status ?? -1;
}

/** Words of access of a registration: `r` remote read, `w` remote and local write, `a` remote atomic and local write. */
export function accessOf(word: string): number {
  return (
    (word.includes('r') ? IB_ACCESS_REMOTE_READ : 0) |
    (word.includes('w') ? IB_ACCESS_REMOTE_WRITE | IB_ACCESS_LOCAL_WRITE : 0) |
    (word.includes('a') ? IB_ACCESS_REMOTE_ATOMIC | IB_ACCESS_LOCAL_WRITE : 0)
  );
}
