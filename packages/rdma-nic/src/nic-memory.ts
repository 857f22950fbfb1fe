import type { Task } from '@hmm/kernel';
import type { QueuePair } from './queue-pair.js';

/** {@link NicMemory.transfer}: a page was absent. A fault is on its way to the driver and nothing was transferred. */
export const TRANSFER_FAULTED = 1;

/** One packet's bytes on their way between the wire and memory. */
export interface Transfer {
  readonly qp: QueuePair;
  /** Which end of the connection: the requester posted the work request, the responder is its peer. */
  readonly side: 'requester' | 'responder';
  /** The request that it belongs to. */
  readonly opcode: string;
  readonly key: number;
  /** Bits that the key must have. */
  readonly access: number;
  /** Byte address and length of the whole message's buffer. */
  readonly start: number;
  readonly total: number;
  /** Bytes of the message before this packet. */
  offset: number;
  /** The packet's payload; its length is what is transferred. */
  bytes: Uint8Array;
  /** From the packet to memory, or from memory to the packet. */
  readonly toMemory: boolean;
}

/** An atomic at the responder. */
export interface AtomicTransfer {
  readonly qp: QueuePair;
  readonly key: number;
  readonly addr: number;
  readonly opcode: 'ATOMIC_FETCH_AND_ADD' | 'ATOMIC_CMP_AND_SWP';
  readonly compareAdd: bigint;
  readonly swap: bigint;
}

/**
 * What is between an adapter's queue pairs and memory: keys, the table behind them, and who serves a page that is
 * absent. Hardware asks its own tables; soft-RoCE asks the driver.
 */
export interface NicMemory {
  /**
   * Whether `key` allows `access` to the bytes [addr, addr + length). Never faults.
   * @returns 0 or a negative errno.
   */
  check(qp: QueuePair, key: number, access: number, addr: number, length: number): number;
  /**
   * Moves one packet's bytes.
   * @returns 0, {@link TRANSFER_FAULTED} (a responder's peer is to try again), or a negative errno.
   */
  transfer(transfer: Transfer): Task<number>;
  /**
   * Does an atomic.
   * @returns the old value, or what {@link NicMemory.transfer} returns; `-EINVAL` for an address that is not a multiple of 8.
   */
  atomic(transfer: AtomicTransfer): Task<bigint | number>;
}

/** Where packets live while they are on their way. */
export interface PacketMemory {
  /** A payload of `length` bytes behind `header` bytes. What is in it is whatever was there before. */
  take(header: number, length: number): Uint8Array;
  /** The packet is complete: its checksum goes behind the payload. */
  seal(payload: Uint8Array): void;
  /** Gives a payload back. */
  give(payload: Uint8Array): void;
}

/** How an adapter reports what its memory refused, as completion statuses. */
export interface RefusalStatuses {
  /** The requester could not gather what it was to send. */
  gather(errno: number): number;
  /** The requester could not scatter what it read. */
  readonly scatter: number;
  /** The responder could not scatter a message: the receiver's own status. */
  readonly receive: number;
}
