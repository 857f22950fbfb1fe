/** A piece of memory as a work request names it. @kernel include/rdma/ib_verbs.h ib_sge */
export interface Segment {
  /** Local or remote key of its memory region. */
  readonly key: number;
  /** Byte address; below 2^53. */
  readonly addr: number;
  /** Bytes. */
  readonly length: number;
}

/** A message to the peer's next receive buffer. */
export interface SendMessage {
  readonly opcode: 'SEND';
  readonly local: Segment;
}

/** Bytes from here to the peer's memory, or back, without its program taking part. */
export interface RdmaRequest {
  readonly opcode: 'RDMA_WRITE' | 'RDMA_READ';
  readonly local: Segment;
  /** As long as `local`. */
  readonly remote: Segment;
}

/** Eight bytes of the peer's memory are changed, and their old value comes to `local`. */
export interface AtomicRequest {
  readonly opcode: 'ATOMIC_FETCH_AND_ADD' | 'ATOMIC_CMP_AND_SWP';
  readonly local: Segment;
  readonly remote: Segment;
  /** What is added, or what to compare with. */
  readonly compareAdd: bigint;
  /** What is stored if the comparison holds. */
  readonly swap: bigint;
}

/** A request on a send queue. @kernel include/rdma/ib_verbs.h ib_send_wr */
export type SendRequest = SendMessage | RdmaRequest | AtomicRequest;
