import { HmmError, type Kernel } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { Completion } from './completion.js';
import type { NicMemory, PacketMemory, RefusalStatuses } from './nic-memory.js';
import type { NicTiming } from './timing.js';
import type { Segment } from './work-request.js';

/** A queue pair that works. @kernel include/rdma/ib_verbs.h ib_qp_state */
export const IB_QPS_RTS = 3;
/** A queue pair after an error: what is posted is flushed. */
export const IB_QPS_ERR = 6;

/** {@link QueuePairAttributes.rnrRetry} that never gives up. */
export const RNR_RETRY_FOREVER = 7;

/** What a program sets. @kernel include/rdma/ib_verbs.h ib_qp_attr */
export interface QueuePairAttributes {
  /** Payload bytes of a packet. */
  readonly pathMtu: number;
  /** How often "not ready" is tried again; {@link RNR_RETRY_FOREVER} for ever. */
  readonly rnrRetry: number;
  /** What this end asks a peer to wait when it is not ready; a code, see `rnrTimerNs`. */
  readonly minRnrTimer: number;
}

/** As `rdma` programs mostly set them. */
export const QP_DEFAULTS: QueuePairAttributes = {
  pathMtu: 4096,
  rnrRetry: RNR_RETRY_FOREVER,
  minRnrTimer: 12,
};

/** An adapter, as its queue pairs see it. */
export interface NicPort {
  readonly kernel: Kernel;
  readonly memory: NicMemory;
  readonly packets: PacketMemory;
  readonly statuses: RefusalStatuses;
  readonly timing: NicTiming;
}

/** One end of a reliable connection. @kernel include/rdma/ib_verbs.h ib_qp */
export class QueuePair {
  /** What of it is state. */
  static readonly state = declareState({
    port: 'constant',
    number: 'constant',
    pd: 'constant',
    attributes: 'constant',
    state: 'value',
    other: 'value',
    receiveQueue: 'constant',
    received: 'constant',
  });

  readonly port: NicPort;
  /** Its number, and its wait channel. */
  readonly number: number;
  /** Protection domain: keys of another are refused. */
  readonly pd: number;
  readonly attributes: QueuePairAttributes;
  /** `IB_QPS_*`. */
  state = IB_QPS_RTS;
  /** The other end. */
  private other: QueuePair | undefined;
  /** Receive buffers, the next one first. */
  readonly receiveQueue: Segment[] = [];
  /** Completions of received messages, oldest first. */
  readonly received: Completion[] = [];

  constructor(port: NicPort, pd: number, attributes: Partial<QueuePairAttributes> = {}) {
    this.port = port;
    this.number = port.kernel.allocIds(1);
    this.pd = pd;
    this.attributes = { ...QP_DEFAULTS, ...attributes };
  }

  /** Connects two queue pairs to each other. */
  connect(other: QueuePair): void {
    this.other = other;
    other.other = this;
  }

  /** The connected queue pair. @throws HmmError `NOT_CONNECTED`. */
  get peer(): QueuePair {
    if (this.other === undefined)
      throw new HmmError('NOT_CONNECTED', 'the queue pair is not connected', { qp: this.number });
    return this.other;
  }

  /** Makes it work again, as a program does that resets it or makes it anew. */
  reset(): void {
    this.state = IB_QPS_RTS;
    this.receiveQueue.length = 0;
    this.received.length = 0;
  }
}
