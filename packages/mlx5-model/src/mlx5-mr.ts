import { type Sched, SpinLock } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type IbUmemOdp, type PinnedUmem, type RdmaMr, type RegionTable } from '@hmm/ib-core';

/** Counters of a region, as `rdma stat` shows them. @kernel drivers/infiniband/hw/mlx5/mlx5_ib.h mlx5_ib_mr */
export interface OdpStats {
  /** Pages of the ranges that were served. */
  faults: number;
  /** Pieces that were served. */
  faultsHandled: number;
  /** Units in the blocks that callbacks took away. */
  invalidations: number;
  invalidationsHandled: number;
  /** Pages of the ranges that advice was about. */
  prefetch: number;
}

/**
 * A memory region and the key that names it: explicit, the parent of an implicit one, or its child.
 * @kernel drivers/infiniband/hw/mlx5/mlx5_ib.h mlx5_ib_mr
 */
export class Mlx5Mr implements RdmaMr {
  /** What of it is state. */
  static readonly state = declareState({
    key: 'constant',
    pd: 'constant',
    access: 'constant',
    va: 'constant',
    iova: 'constant',
    length: 'constant',
    umem: 'constant',
    mtt: 'constant',
    parent: 'constant',
    implicitChildren: 'constant',
    ksm: 'constant',
    stats: { saved: 'totals, which decide nothing' },
    live: 'value',
    usecount: 'value',
    serving: 'value',
    freed: 'value',
    childrenLock: 'constant',
    object: 'constant',
  });

  readonly key: number;
  readonly pd: number;
  readonly access: number;
  readonly va: number;
  readonly iova: number;
  readonly length: number;
  readonly umem: IbUmemOdp | PinnedUmem;
  /** Entries of the adapter's table: two lanes a unit, `ENTRY_*` and the frame. Empty for a parent and a pinned region. */
  readonly mtt: Int32Array;
  /** The parent of a child. */
  readonly parent: Mlx5Mr | undefined;
  /** Children of a parent, by index. @kernel drivers/infiniband/hw/mlx5/mlx5_ib.h mlx5_ib_mr */
  readonly implicitChildren = new Map<number, Mlx5Mr>();
  /** What a parent's slots name in the adapter: the child of an index; the null key where there is none. */
  readonly ksm = new Map<number, Mlx5Mr>();
  readonly stats: OdpStats = {
    faults: 0,
    faultsHandled: 0,
    invalidations: 0,
    invalidationsHandled: 0,
    prefetch: 0,
  };
  /** Whether the adapter answers to the key. */
  live = false;
  /** Users besides its owner: services, prefetches, works. */
  usecount = 0;
  /** Services and prefetches of it that run, whatever they hold. */
  serving = 0;
  /** Its deregistration is over. */
  freed = false;
  /** Guards the children of a parent: the spinlock of their array. */
  readonly childrenLock: SpinLock;
  /** Under which the children and the users are observed, and the channel of who waits for no user. */
  readonly object: number;

  constructor(fields: Mlx5MrFields) {
    this.key = fields.key;
    this.pd = fields.pd;
    this.access = fields.access;
    this.va = fields.va;
    this.iova = fields.iova;
    this.length = fields.length;
    this.umem = fields.umem;
    this.parent = fields.parent;
    this.object = fields.object;
    this.childrenLock = new SpinLock(fields.sched, 'mlx5_ib_mr.implicit_children');
    this.mtt = 'kind' in fields.umem ? NO_ENTRIES : new Int32Array(2 * fields.umem.pages);
  }
}

/** What an {@link Mlx5Mr} is made from. */
export interface Mlx5MrFields {
  readonly key: number;
  readonly pd: number;
  readonly access: number;
  readonly va: number;
  readonly iova: number;
  readonly length: number;
  readonly umem: IbUmemOdp | PinnedUmem;
  readonly parent: Mlx5Mr | undefined;
  readonly object: number;
  readonly sched: Sched;
}

const NO_ENTRIES = new Int32Array(0);

/** A region on demand, not a pinned one. */
export type OdpMr = Mlx5Mr & { readonly umem: IbUmemOdp };

/** What the adapter goes by for a region that is no parent. */
export function tableOf({ umem, mtt }: OdpMr): RegionTable {
  return { umem, entries: mtt, own: true };
}

/** Whether a region is on demand. */
export function isOdp(mr: Mlx5Mr): mr is OdpMr {
  return !('kind' in mr.umem);
}

/** Whether a region is the parent of an implicit one. */
export function isImplicit(mr: Mlx5Mr): boolean {
  return isOdp(mr) && mr.umem.isImplicitOdp;
}
