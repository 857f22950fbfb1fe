import { EINVAL, type Kernel, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import type { ClientExploration } from '@hmm/device/internal';
import { BrokenRules, DIRECT_DMA, type IbDevice, MmputQueue, pinnedCopy } from '@hmm/ib-core';
import type { MemorySystem } from '@hmm/mm';
import {
  type AtomicTransfer,
  IB_WC_LOC_PROT_ERR,
  IB_WC_LOC_QP_OP_ERR,
  IB_WC_WR_FLUSH_ERR,
  type NicMemory,
  type NicPort,
  type NicTiming,
  NO_TIMING,
  type QueuePair,
  type RefusalStatuses,
  RXE_TIMING,
  type Transfer,
} from '@hmm/rdma-nic';
import { type RxeOptions, RXE_INTENDED } from './options.js';
import { isOdp, mrCheckRange, type RxeMr } from './rxe-mr.js';
import { rxeOdpAtomicOp, rxeOdpMrCopy } from './rxe-odp.js';
import { SKB_OBJECT_BYTES, SkbMemory } from './skb.js';
import { SheafCache } from './slab.js';

/**
 * How 7.3 reports what memory refused. A requester that cannot gather puts its queue pair in error and leaves the request to
 * the completer, which flushes it: the recordings show WR_FLUSH_ERR, and never the status that the request was given.
 */
const STATUSES: RefusalStatuses = {
  gather: () => IB_WC_WR_FLUSH_ERR,
  scatter: IB_WC_LOC_PROT_ERR,
  receive: IB_WC_LOC_QP_OP_ERR,
};

/** A soft-RoCE device: its regions by key, and what its queue pairs ask of memory. @kernel drivers/infiniband/sw/rxe/rxe_verbs.h rxe_dev */
export class RxeDevice implements NicPort, NicMemory, IbDevice {
  /** What of it is state. */
  static readonly state = declareState({
    kernel: 'constant',
    system: 'constant',
    options: 'constant',
    kmalloc8k: 'constant',
    packets: 'constant',
    statuses: { outside: 'functions' },
    timing: 'constant',
    exits: 'constant',
    broken: 'constant',
    exploration: 'constant',
    dma: { outside: 'functions' },
    counts: { saved: 'totals, which decide nothing' },
    mrs: 'constant',
    nextKey: 'value',
  });

  readonly kernel: Kernel;
  readonly system: MemorySystem;
  readonly options: RxeOptions;
  /** The cache of 8 KiB objects, which packets share with the lists of large regions. */
  readonly kmalloc8k = new SheafCache(SKB_OBJECT_BYTES);
  readonly packets = new SkbMemory(this.kmalloc8k);
  readonly statuses = STATUSES;
  readonly timing: NicTiming;
  readonly dma = DIRECT_DMA;
  readonly exits: MmputQueue;
  readonly broken = new BrokenRules();
  readonly exploration: ClientExploration | undefined;
  readonly counts = { mapped: 0, retries: 0, invalidations: 0 };
  /** Regions by key. */
  readonly mrs = new Map<number, RxeMr>();
  private nextKey = 1;

  /** @param exploration given where all interleavings are explored, and time is nothing. */
  constructor(system: MemorySystem, options: RxeOptions = RXE_INTENDED, exploration?: ClientExploration) {
    this.exploration = exploration;
    this.timing = exploration === undefined ? RXE_TIMING : NO_TIMING;
    this.kernel = system.kernel;
    this.exits = new MmputQueue(system.kernel);
    this.system = system;
    this.options = options;
  }

  /** Queue pairs reach memory through the device itself. */
  get memory(): NicMemory {
    return this;
  }

  /** Hazards of the common layer. */
  get odp(): RxeOptions['odp'] {
    return this.options.odp;
  }

  /** A key that no region has: the index, and a variant in the low 8 bits. */
  takeKey(): number {
    return this.nextKey++ * 256;
  }

  /** @inheritdoc */
  check(qp: QueuePair, key: number, access: number, addr: number, length: number): number {
    const mr = this.lookupMr(qp, key, access);
    return mr === undefined ? -EINVAL : mrCheckRange(mr, addr, length);
  }

  /** @inheritdoc */
  *transfer({ qp, key, access, start, offset, bytes, toMemory }: Transfer): Task<number> {
    const mr = this.lookupMr(qp, key, access);
    if (mr === undefined) return -EINVAL;
    const iova = start + offset;
    const range = mrCheckRange(mr, iova, bytes.length);
    if (range !== 0) return range;
    if (isOdp(mr)) return yield* rxeOdpMrCopy(mr, iova, bytes, toMemory, this.options);
    if ('kind' in mr.umem) pinnedCopy(this.system, mr.umem, mr.va, iova - mr.iova, bytes, toMemory);
    return 0;
  }

  /** @inheritdoc */
  *atomic(transfer: AtomicTransfer): Task<bigint | number> {
    const mr = this.mrs.get(transfer.key);
    if (mr === undefined || !isOdp(mr)) return -EINVAL;
    return yield* rxeOdpAtomicOp(mr, transfer, this.options);
  }

  /**
   * The region of a key if the queue pair may use it so.
   * @kernel drivers/infiniband/sw/rxe/rxe_mr.c lookup_mr (without: protection domains, reference counts,
   * memory windows)
   */
  private lookupMr(qp: QueuePair, key: number, access: number): RxeMr | undefined {
    const mr = this.mrs.get(key);
    return mr?.pd === qp.pd && (mr.access & access) === access ? mr : undefined;
  }
}
