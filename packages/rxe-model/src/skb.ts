import { declareState } from '@hmm/kernel/internal';
import type { PacketMemory } from '@hmm/rdma-nic';
import type { SheafCache } from './slab.js';

/** Bytes of a buffer for a packet with a page of payload. */
export const SKB_OBJECT_BYTES = 8192;
/** Payload from which on a packet needs such a buffer: headers and `skb_shared_info` are added, and what is over 4 KiB rounds up. */
const LARGE_PAYLOAD = 3584;
/** The checksum behind the payload. @kernel drivers/infiniband/sw/rxe/rxe_hdr.h RXE_ICRC_SIZE */
const ICRC_BYTES = 4;

/**
 * Memory of packets. A large one is a buffer of 8 KiB with what was in it; small ones come from other caches, whose contents
 * never show. What headers and checksum are is not modelled: zeroes stand where they would.
 * @kernel drivers/infiniband/sw/rxe/rxe_net.c rxe_init_packet (without: addresses, routing and headers below
 * the transport), net/core/skbuff.c alloc_skb
 */
export class SkbMemory implements PacketMemory {
  /** What of it is state. */
  static readonly state = declareState({
    cache: 'constant',
  });

  private readonly cache: SheafCache;

  constructor(cache: SheafCache) {
    this.cache = cache;
  }

  /** @inheritdoc */
  take(header: number, length: number): Uint8Array {
    if (length < LARGE_PAYLOAD) return new Uint8Array(length);
    const object = this.cache.alloc();
    object.fill(0, 0, header);
    return object.subarray(header, header + length);
  }

  /** @inheritdoc */
  seal(payload: Uint8Array): void {
    if (payload.buffer.byteLength !== SKB_OBJECT_BYTES) return;
    new Uint8Array(payload.buffer, payload.byteOffset + payload.length, ICRC_BYTES).fill(0);
  }

  /** @inheritdoc */
  give(payload: Uint8Array): void {
    if (payload.buffer.byteLength === SKB_OBJECT_BYTES) this.cache.release(new Uint8Array(payload.buffer));
  }
}
