import { EAGAIN, EFAULT, PAGE_SIZE, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { TP_PAGE_FAULT, TP_RESUME } from '@hmm/ib-core';
import type { QueuePair, Transfer } from '@hmm/rdma-nic';
import type { Mlx5Device } from './mlx5-device.js';
import { isOdp, type Mlx5Mr, type OdpMr } from './mlx5-mr.js';
import { pagefaultMr } from './odp.js';

/** Read-ahead where an event does not know how long the access is. @kernel drivers/infiniband/hw/mlx5/odp.c MAX_PREFETCH_LEN */
export const MAX_PREFETCH_LEN = 4 * 1024 * 1024;

/**
 * Requester side: the send queue is read. Bit 0 of the type of a WQE event.
 * @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_mr_wqe_pfault_handler (without: the reading of work queue
 * entries, shared receive queues)
 */
export const MLX5_PAGE_FAULT_RESUME_REQUESTOR = 1;

/** A data segment of a work request, as the driver parses it. */
export interface WqeSegment {
  readonly key: number;
  readonly addr: number;
  /** Bytes; 0 means 2 GiB, and adds nothing to what the request asks for. */
  readonly length: number;
}

/** The event names a work request: all of what is left of it is to be brought. */
export interface WqeEvent {
  readonly subtype: 'wqe';
  /** 0 shared receive queue, 1 requester send or write, 2 responder receive, 3 requester read or atomic. */
  readonly type: 0 | 1 | 2 | 3;
  /** Bytes of the request that are done. */
  readonly bytesCommitted: number;
  readonly segments: readonly WqeSegment[];
}

/** The event names a remote key and an address: of the responder. */
export interface RdmaEvent {
  readonly subtype: 'rdma';
  readonly bytesCommitted: number;
  readonly rKey: number;
  readonly packetSize: number;
  /** Bytes of the access; 0 where it is not known. */
  readonly rdmaOpLen: number;
  readonly rdmaVa: number;
}

/** The event names a memory key: firmware has parsed all else. */
export interface MemoryEvent {
  readonly subtype: 'memory';
  readonly mkey: number;
  readonly va: number;
  /** Pages that the access needs, and pages before and after them that are worth having. */
  readonly demandPages: number;
  readonly before: number;
  readonly after: number;
  /** Whether it is the access's last event: a success is told to the adapter then. */
  readonly last: boolean;
}

/** A page fault of the adapter, as decoded from its event queue. */
export type Mlx5PageFault = WqeEvent | RdmaEvent | MemoryEvent;

/** What a handler did. */
export interface Served {
  /** 0 or the errno that the adapter is told as one bit; undefined where it is told nothing (not the last event). */
  readonly resume: number | undefined;
}

/**
 * The event queue of page faults and the works that serve them: up to so many at once, in no order; two events on one page are
 * both served. Each runs in the task whose request waits for it.
 * @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_eq_pf_process (without: the event queue's own entries and
 * arming, memory pools of faults)
 */
export class Mlx5FaultQueue {
  /** What of it is state. */
  static readonly state = declareState({
    device: 'constant',
    active: 'value',
    channel: 'constant',
  });

  private readonly device: Mlx5Device;
  private active = 0;
  private readonly channel: number;

  constructor(device: Mlx5Device) {
    this.device = device;
    this.channel = device.kernel.allocIds(1);
  }

  /** A packet met an absent page: the event that the scheme has for it, served. 0, or why the request fails. */
  raise(transfer: Transfer, mr: OdpMr): Task<number> {
    const { side, qp, start, offset, total, bytes, opcode } = transfer;
    const receive = side === 'responder' && opcode === 'SEND';
    if (side === 'responder' && !receive)
      return this.raiseRdma(qp, mr, start + offset, bytes.length, total - offset);
    if (this.device.options.scheme === 'memory') return this.raiseMemory(mr, start + offset, bytes.length);
    const type = receive ? 2 : opcode === 'SEND' || opcode === 'RDMA_WRITE' ? 1 : 3;
    const segments = [{ key: mr.key, addr: start, length: total }];
    return this.serve({ subtype: 'wqe', type, bytesCommitted: offset, segments }, start + offset);
  }

  /** A responder's packet of `packetSize` bytes, of an access that has `rdmaOpLen` left. */
  raiseRdma(_qp: QueuePair, mr: OdpMr, rdmaVa: number, packetSize: number, rdmaOpLen: number): Task<number> {
    if (this.device.options.scheme === 'memory') return this.raiseMemory(mr, rdmaVa, packetSize);
    return this.serve(
      { subtype: 'rdma', bytesCommitted: 0, rKey: mr.key, packetSize, rdmaOpLen, rdmaVa },
      rdmaVa,
    );
  }

  /** Any access, by the memory key that has no entry. */
  private raiseMemory(mr: OdpMr, va: number, bytes: number): Task<number> {
    const demandPages = Math.ceil((va + bytes) / PAGE_SIZE) - Math.floor(va / PAGE_SIZE);
    const mkey = this.device.faultingKey(mr, va);
    return this.serve({ subtype: 'memory', mkey, va, demandPages, before: 0, after: 0, last: true }, va);
  }

  /** From the interrupt to the resume command. */
  private *serve(event: Mlx5PageFault, addr: number): Task<number> {
    const { device } = this;
    const { kernel } = device;
    const { sched } = kernel;
    const vpn = Math.floor(addr / PAGE_SIZE);
    device.counted.events++;
    if (kernel.trace.on) kernel.emit(TP_PAGE_FAULT, vpn, 1, 0);
    while (this.active >= device.options.workers) yield sched.waitFor(this.channel);
    this.active++;
    const ns = device.timing.faultNs.value;
    if (!sched.delayFast(ns)) yield* sched.delay(ns);
    const { resume } = yield* mlx5IbPfault(device, event);
    this.active--;
    sched.wake(this.channel);
    if (resume === undefined || resume === 0) device.counted.resumed++;
    else device.counted.resumedWithError++;
    if (kernel.trace.on) kernel.emit(TP_RESUME, vpn, 1, resume ?? 0);
    return resume ?? 0;
  }
}

/** Serves one event. @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_pfault (all) */
export function mlx5IbPfault(device: Mlx5Device, event: Mlx5PageFault): Task<Served> {
  switch (event.subtype) {
    case 'wqe':
      return wqePfault(device, event);
    case 'rdma':
      return rdmaPfault(device, event);
    default:
      return memoryPfault(device, event);
  }
}

/**
 * @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_mr_wqe_pfault_handler, pagefault_data_segments (without:
 * the reading of work queue entries, shared receive queues)
 */
function* wqePfault(device: Mlx5Device, { segments, bytesCommitted }: WqeEvent): Task<Served> {
  let committed = bytesCommitted;
  let total = 0;
  let mapped = 0;
  if (segments.length === 0) return { resume: -EFAULT };
  for (const { key, addr, length } of segments) {
    const bytes = length === 0 ? 2 ** 31 : length;
    total += Math.max(0, length - committed);
    if (committed >= bytes) {
      committed -= bytes;
      continue;
    }
    const ret = yield* pagefaultSingleDataSegment(device, key, addr + committed, bytes - committed);
    if (ret === -EAGAIN) return { resume: 0 };
    if (ret < 0) return { resume: ret };
    mapped += bytes - committed;
    committed = 0;
  }
  return { resume: total > mapped ? -EFAULT : 0 };
}

/**
 * @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_mr_rdma_pfault_handler (without: packets whose size is not
 * known)
 */
function* rdmaPfault(device: Mlx5Device, event: RdmaEvent): Task<Served> {
  const { rKey, packetSize, bytesCommitted } = event;
  const va = event.rdmaVa + bytesCommitted;
  const opLen = event.rdmaOpLen - Math.min(event.rdmaOpLen, bytesCommitted);
  const bytes = opLen === 0 ? packetSize : opLen;
  const ret = yield* pagefaultSingleDataSegment(device, rKey, va, bytes);
  const resume = ret < 0 && ret !== -EAGAIN ? ret : 0;
  // Of an access whose length is not known, some more after the resume; whatever comes of that.
  if (opLen === 0 && resume === 0 && bytesCommitted > 0)
    yield* pagefaultSingleDataSegment(device, rKey, va, Math.min(MAX_PREFETCH_LEN, bytesCommitted));
  return { resume };
}

/**
 * @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_mr_memory_pfault_handler (without: data-direct regions)
 */
function* memoryPfault(device: Mlx5Device, event: MemoryEvent): Task<Served> {
  const named = device.odpMkeys.get(event.mkey);
  const mr = named?.parent ?? named;
  if (mr === undefined || !isOdp(mr)) return { resume: -EFAULT };
  const held = device.odp.childReference ? named : mr;
  device.useMr(mr, held);
  const from = event.va - (event.va % PAGE_SIZE);
  const demand = event.demandPages * PAGE_SIZE;
  const wide = demand + (event.before + event.after) * PAGE_SIZE;
  let pages = yield* pagefaultMr(device, mr, from - event.before * PAGE_SIZE, wide, 0, true);
  if (pages < 0) pages = yield* pagefaultMr(device, mr, from, demand, 0, true);
  if (pages >= 0) count(mr, pages);
  const late = device.putMr(mr, held);
  if (late !== undefined) yield* late;
  if (pages < 0) return { resume: pages };
  return { resume: event.last ? 0 : undefined };
}

function count(mr: Mlx5Mr, pages: number): void {
  mr.stats.faults += pages;
  mr.stats.faultsHandled++;
}

/**
 * A fault of a key: of a region on demand it is served, of another key it counts as served, since the adapter finds out
 * by itself. @returns pages, or a negative errno.
 * @kernel drivers/infiniband/hw/mlx5/odp.c pagefault_single_data_segment (without: memory windows, indirect
 * memory keys)
 */
function* pagefaultSingleDataSegment(
  device: Mlx5Device,
  key: number,
  ioVirt: number,
  bcnt: number,
): Task<number> {
  const mr = device.odpMkeys.get(key);
  if (mr === undefined) return 0;
  if (!isOdp(mr) || mr.parent !== undefined) return -EFAULT;
  device.useMr(mr);
  const pages = yield* pagefaultMr(device, mr, ioVirt, bcnt, 0, false);
  if (pages >= 0) count(mr, pages);
  const late = device.putMr(mr);
  if (late !== undefined) yield* late;
  const want = Math.ceil((ioVirt + bcnt) / PAGE_SIZE) - Math.floor(ioVirt / PAGE_SIZE);
  return pages >= 0 && pages < want ? -EFAULT : pages;
}
