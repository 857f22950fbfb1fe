import type { Task } from '@hmm/kernel';
import { type Completion, IB_WC_WR_FLUSH_ERR } from './completion.js';
import { IB_QPS_ERR, type QueuePair } from './queue-pair.js';

/** Headers of packets: base, and the extensions by kind. @kernel drivers/infiniband/sw/rxe/rxe_hdr.h */
export const BTH_BYTES = 12;
export const RETH_BYTES = 16;
export const AETH_BYTES = 4;

/** Packets that a requester sends before it waits for an acknowledgement. @kernel drivers/infiniband/sw/rxe/rxe_param.h RXE_MAX_UNACKED_PSNS */
export const MAX_UNACKED_PACKETS = 128;

/** A packet with payload, on its way. */
export interface Packet {
  /** Its place in the message. */
  readonly index: number;
  /** Bytes of the message before it. */
  readonly offset: number;
  readonly payload: Uint8Array;
}

/** A packet without payload takes this part of the time of a full one. */
const LEAST_PACKET = 0.05;

/** What the responder says to a packet. */
export type Reply =
  | { readonly kind: 'ack' }
  /** Not ready: the packet and what follows is to be sent again after a time. */
  | { readonly kind: 'rnr'; readonly index: number }
  /** Refused: the requester completes with `status`. */
  | { readonly kind: 'nak'; readonly status: number };

export const ACK: Reply = { kind: 'ack' };

/** Packets of a message of `length` bytes; a message without bytes is one packet. */
export function packetsOf(length: number, mtu: number): number {
  return Math.max(1, Math.ceil(length / mtu));
}

/** An empty packet for piece `index` of a message of `length` bytes, in memory of `qp`'s adapter. */
export function takePacket(qp: QueuePair, header: number, index: number, length: number): Packet {
  const { pathMtu } = qp.attributes;
  const offset = index * pathMtu;
  const payload = qp.port.packets.take(header, Math.min(pathMtu, Math.max(0, length - offset)));
  return { index, offset, payload };
}

/** A packet that is complete goes out: it takes its time. */
export function* transmit(qp: QueuePair, { payload }: Packet): Task {
  const { kernel, timing, packets } = qp.port;
  packets.seal(payload);
  const ns = timing.packetNs.value * Math.max(LEAST_PACKET, payload.length / 4096);
  if (!kernel.sched.delayFast(ns)) yield* kernel.sched.delay(ns);
}

/** The first error of a queue pair: it goes to the error state, and the request completes with `status`. */
export function failed(qp: QueuePair, status: number): Completion {
  qp.state = IB_QPS_ERR;
  return { status, bytes: 0 };
}

/** The responder's own failure: its queue pair errs too. */
export function responderError(qp: QueuePair, status: number): Reply {
  qp.state = IB_QPS_ERR;
  return { kind: 'nak', status };
}

/** What is posted to a queue pair in error. */
export const FLUSHED: Completion = { status: IB_WC_WR_FLUSH_ERR, bytes: 0 };
