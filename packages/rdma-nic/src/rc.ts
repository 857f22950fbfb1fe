import type { Task } from '@hmm/kernel';
import { IB_ACCESS_LOCAL_WRITE, IB_ACCESS_REMOTE_READ, IB_ACCESS_REMOTE_WRITE } from './access.js';
import { atomicRequest } from './rc-atomic.js';
import {
  type Completion,
  IB_WC_REM_ACCESS_ERR,
  IB_WC_REM_OP_ERR,
  IB_WC_RNR_RETRY_EXC_ERR,
  IB_WC_SUCCESS,
} from './completion.js';
import { TRANSFER_FAULTED, type Transfer } from './nic-memory.js';
import {
  ACK,
  AETH_BYTES,
  BTH_BYTES,
  failed,
  FLUSHED,
  MAX_UNACKED_PACKETS,
  type Packet,
  packetsOf,
  type Reply,
  responderError,
  RETH_BYTES,
  takePacket,
  transmit,
} from './packet.js';
import { IB_QPS_ERR, type QueuePair, RNR_RETRY_FOREVER } from './queue-pair.js';
import { rnrTimerNs } from './timing.js';
import type { RdmaRequest, Segment, SendMessage, SendRequest } from './work-request.js';

/**
 * Runs a work request of a reliable connection to its completion: requester, responder and completer, packet by packet, in the
 * calling task. Concurrent requests are tasks of their own, on queue pairs of their own. After an error the queue pair
 * is in error, and so is what is posted to it afterwards.
 * @returns the requester's completion; the receiver of a SEND finds its own in `received` of the peer.
 */
export function* postSend(qp: QueuePair, request: SendRequest): Task<Completion> {
  if (qp.state === IB_QPS_ERR) return FLUSHED;
  const { kernel, timing } = qp.port;
  const ns = timing.messageNs.value;
  if (!kernel.sched.delayFast(ns)) yield* kernel.sched.delay(ns);
  switch (request.opcode) {
    case 'SEND':
    case 'RDMA_WRITE':
      return yield* outbound(qp, request);
    case 'RDMA_READ':
      return yield* inbound(qp, request);
    default:
      return yield* withRetries(qp, () => atomicRequest(qp, request));
  }
}

/**
 * Posts a buffer for the next message from the peer.
 * @kernel include/rdma/ib_verbs.h ib_post_recv (without: shared receive queues)
 */
export function postReceive(qp: QueuePair, buffer: Segment): void {
  qp.receiveQueue.push(buffer);
}

/**
 * Repeats `attempt` while the responder is not ready, after the time that it asks for.
 * @param attempt runs the request from packet `from` on; a reply of `rnr` says where it stopped.
 */
function* withRetries(
  qp: QueuePair,
  attempt: (from: number) => Task<Completion | { readonly rnr: number }>,
): Task<Completion> {
  const { kernel } = qp.port;
  let left = qp.attributes.rnrRetry;
  let at = 0;
  for (;;) {
    const result = yield* attempt(at);
    if (!('rnr' in result)) return result;
    if (result.rnr > at) left = qp.attributes.rnrRetry;
    at = result.rnr;
    if (left === 0) return failed(qp, IB_WC_RNR_RETRY_EXC_ERR);
    if (left !== RNR_RETRY_FOREVER) left--;
    yield* kernel.sched.delay(rnrTimerNs(qp.peer.attributes.minRnrTimer));
  }
}

/** SEND and RDMA WRITE: the payload goes with the request. */
function* outbound(qp: QueuePair, request: SendMessage | RdmaRequest): Task<Completion> {
  const packets = packetsOf(request.local.length, qp.attributes.pathMtu);
  return yield* withRetries(qp, function* (from) {
    for (let at = from; at < packets; at += MAX_UNACKED_PACKETS) {
      const window: Packet[] = [];
      const errno = yield* gather(qp, request, at, Math.min(packets, at + MAX_UNACKED_PACKETS), window);
      const reply = yield* deliver(qp.peer, request, window);
      if (reply.kind === 'rnr') return { rnr: reply.index };
      if (reply.kind === 'nak') return failed(qp, reply.status);
      if (errno !== 0) return failed(qp, qp.port.statuses.gather(errno));
    }
    return { status: IB_WC_SUCCESS, bytes: request.local.length };
  });
}

/** Makes the packets [from, to) of a message, up to the first that cannot be. 0 or a negative errno. */
function* gather(
  qp: QueuePair,
  { opcode, local }: SendMessage | RdmaRequest,
  from: number,
  to: number,
  window: Packet[],
): Task<number> {
  for (let index = from; index < to; index++) {
    const header = opcode === 'RDMA_WRITE' && index === 0 ? BTH_BYTES + RETH_BYTES : BTH_BYTES;
    const packet = takePacket(qp, header, index, local.length);
    const errno = yield* move(qp, 'requester', opcode, local, 0, packet);
    if (errno !== 0) {
      qp.port.packets.give(packet.payload);
      return errno;
    }
    yield* transmit(qp, packet);
    window.push(packet);
  }
  return 0;
}

/** The responder takes the packets of a SEND or an RDMA WRITE, and gives their memory back. */
function* deliver(qp: QueuePair, request: SendMessage | RdmaRequest, window: readonly Packet[]): Task<Reply> {
  let reply = ACK;
  for (const packet of window) {
    if (reply === ACK) reply = yield* receive(qp, request, packet);
    qp.port.packets.give(packet.payload);
  }
  return reply;
}

function* receive(qp: QueuePair, request: SendMessage | RdmaRequest, packet: Packet): Task<Reply> {
  const { memory } = qp.port;
  const send = request.opcode === 'SEND';
  const target = send ? qp.receiveQueue[0] : request.remote;
  if (target === undefined) return { kind: 'rnr', index: packet.index };
  const access = send ? IB_ACCESS_LOCAL_WRITE : IB_ACCESS_REMOTE_WRITE;
  if (!send && packet.index === 0 && memory.check(qp, target.key, access, target.addr, target.length) !== 0)
    return responderError(qp, IB_WC_REM_ACCESS_ERR);
  const outcome = yield* move(qp, 'responder', request.opcode, target, access, packet);
  if (outcome === TRANSFER_FAULTED) return { kind: 'rnr', index: packet.index };
  const last = packet.offset + packet.payload.length >= request.local.length;
  if (!send) return outcome === 0 ? ACK : responderError(qp, IB_WC_REM_ACCESS_ERR);
  if (outcome === 0 && !last) return ACK;
  qp.receiveQueue.shift();
  const status = outcome === 0 ? IB_WC_SUCCESS : qp.port.statuses.receive;
  qp.received.push({ status, bytes: outcome === 0 ? request.local.length : 0 });
  return outcome === 0 ? ACK : responderError(qp, IB_WC_REM_OP_ERR);
}

/** RDMA READ: the responder sends what is asked for, and the requester scatters it. */
function* inbound(qp: QueuePair, request: RdmaRequest): Task<Completion> {
  const { local, remote } = request;
  const { peer } = qp;
  const packets = packetsOf(local.length, qp.attributes.pathMtu);
  if (peer.port.memory.check(peer, remote.key, IB_ACCESS_REMOTE_READ, remote.addr, remote.length) !== 0)
    return failed(qp, refuse(peer));
  return yield* withRetries(qp, function* (from) {
    const window: Packet[] = [];
    let outcome = 0;
    for (let index = from; index < packets && outcome === 0; index++) {
      const header = index === 0 || index === packets - 1 ? BTH_BYTES + AETH_BYTES : BTH_BYTES;
      const packet = takePacket(peer, header, index, local.length);
      outcome = yield* move(peer, 'responder', 'RDMA_READ', remote, IB_ACCESS_REMOTE_READ, packet);
      if (outcome === 0) {
        window.push(packet);
        yield* transmit(peer, packet);
      } else peer.port.packets.give(packet.payload);
    }
    const scattered = yield* scatter(qp, local, window);
    if (scattered !== 0) return failed(qp, qp.port.statuses.scatter);
    if (outcome === TRANSFER_FAULTED) return { rnr: from + window.length };
    if (outcome !== 0) return failed(qp, refuse(peer));
    return { status: IB_WC_SUCCESS, bytes: local.length };
  });
}

/** A responder that refuses: what the requester completes with. */
function refuse(peer: QueuePair): number {
  responderError(peer, IB_WC_REM_ACCESS_ERR);
  return IB_WC_REM_ACCESS_ERR;
}

/** The requester puts what it has read where it was wanted, and gives the packets back. 0 or a negative errno. */
function* scatter(qp: QueuePair, local: Segment, window: readonly Packet[]): Task<number> {
  let errno = 0;
  for (const packet of window) {
    if (errno === 0) errno = yield* move(qp, 'requester', 'RDMA_READ', local, IB_ACCESS_LOCAL_WRITE, packet);
    qp.port.packets.give(packet.payload);
  }
  return errno;
}

/** Copies a packet's bytes to memory where `access` is a right to write, else from it. 0 or a negative errno. */
function* move(
  qp: QueuePair,
  side: 'requester' | 'responder',
  opcode: string,
  { key, addr, length }: Segment,
  access: number,
  { offset, payload }: Packet,
): Task<number> {
  const transfer: Transfer = {
    qp,
    side,
    opcode,
    key,
    access,
    start: addr,
    total: length,
    offset,
    bytes: payload,
    toMemory: (access & (IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE)) !== 0,
  };
  return yield* qp.port.memory.transfer(transfer);
}
