import { type IbUmemOdp, type PinnedUmem, type RdmaMr } from '@hmm/ib-core';

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
}

const NO_ENTRIES = new Int32Array(0);

/** A region on demand, not a pinned one. */
export type OdpMr = Mlx5Mr & { readonly umem: IbUmemOdp };

/** Whether a region is on demand. */
export function isOdp(mr: Mlx5Mr): mr is OdpMr {
  return !('kind' in mr.umem);
}

/** Whether a region is the parent of an implicit one. */
export function isImplicit(mr: Mlx5Mr): boolean {
  return isOdp(mr) && mr.umem.isImplicitOdp;
}
