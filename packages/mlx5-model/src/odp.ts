import { EFAULT, EIO, PAGE_SIZE, type MaybeTask, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import {
  calledBack,
  calledBackTask,
  checkCallback,
  ibUmemOdpAllocChild,
  ibUmemOdpMapDmaAndLock,
  ibUmemOdpRelease,
  ibUmemOdpUnmapDmaPages,
  ODP_READ,
  ODP_WRITE,
} from '@hmm/ib-core';
import { HMM_PFN_VALID } from '@hmm/mirror';
import {
  type MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
  type MmuNotifierRange,
  mmuIntervalSetSeq,
  mmuNotifierRangeBlockable,
} from '@hmm/mmu-notifier';
import type { Mlx5Device } from './mlx5-device.js';
import { checkQueuedOnce } from './mlx5-invariants.js';
import { isOdp, Mlx5Mr, type OdpMr, tableOf } from './mlx5-mr.js';
import {
  GROUP_UNITS,
  MLX5_IB_UPD_XLT_DOWNGRADE,
  MLX5_IB_UPD_XLT_ENABLE,
  MLX5_IB_UPD_XLT_ZAP,
  mlx5rUmrUpdateXlt,
} from './umr.js';

/** Nothing is faulted in: what is present is taken over. @kernel drivers/infiniband/hw/mlx5/odp.c MLX5_PF_FLAGS_SNAPSHOT */
export const MLX5_PF_FLAGS_SNAPSHOT = 1;
/** For reading, whatever the region may. @kernel drivers/infiniband/hw/mlx5/odp.c MLX5_PF_FLAGS_DOWNGRADE */
export const MLX5_PF_FLAGS_DOWNGRADE = 2;
/** The key goes live. @kernel drivers/infiniband/hw/mlx5/odp.c MLX5_PF_FLAGS_ENABLE */
export const MLX5_PF_FLAGS_ENABLE = 4;

/** An allocation that has to wait for memory: any time will do. */
const ALLOCATION_NS = 10_000;

/** What a region is told when its pages change. */
export class Mlx5MnOps implements MmuIntervalNotifierOps {
  /** What of it is state. */
  static readonly state = declareState({
    mr: 'value',
    device: 'constant',
  });

  /** The region; undefined before it is made and after it is revoked. */
  mr: OdpMr | undefined = undefined;
  private readonly device: Mlx5Device;

  constructor(device: Mlx5Device) {
    this.device = device;
  }

  /** @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_invalidate_range (without: data-direct regions) */
  invalidate(sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): MaybeTask<boolean> {
    if (!mmuNotifierRangeBlockable(range)) return false;
    const { mr } = this;
    calledBack(this.device);
    if (mr === undefined) {
      mmuIntervalSetSeq(sub, curSeq);
      return true;
    }
    return calledBackTask(this.device, this.zap(mr, sub, range, curSeq));
  }

  private *zap(mr: OdpMr, sub: MmuIntervalNotifier, range: MmuNotifierRange, curSeq: number): Task<boolean> {
    const { umem } = mr;
    const { device } = this;
    if (!umem.umemMutex.tryFast()) yield* umem.umemMutex.lock();
    mmuIntervalSetSeq(sub, curSeq);
    device.counts.invalidations++;
    const from = Math.max(umem.startVpn, range.start) - umem.startVpn;
    const to = Math.min(umem.startVpn + umem.pages, range.end) - umem.startVpn;
    const va = umem.start + from * PAGE_SIZE;
    if (umem.npages > 0 && umem.private !== undefined) {
      mr.stats.invalidations += yield* zapBlocks(device, mr, from, to);
      mr.stats.invalidationsHandled++;
      ibUmemOdpUnmapDmaPages(umem, va, umem.start + to * PAGE_SIZE);
      if (umem.npages === 0 && mr.parent !== undefined) destroyUnusedImplicitChildMr(device, mr, mr.parent);
    } else if (!device.odp.keepUnprogrammed) {
      ibUmemOdpUnmapDmaPages(umem, va, umem.start + to * PAGE_SIZE);
    }
    checkCallback(tableOf(mr), from, to);
    umem.umemMutex.unlock();
    return true;
  }
}

/**
 * Zaps the units [from, to) in blocks: a block begins with a valid unit, and a group that begins with one that is not ends
 * it. @returns units of the blocks, as the counter has them: one too many for a block that a hole ends.
 */
function* zapBlocks(device: Mlx5Device, mr: OdpMr, from: number, to: number): Task<number> {
  const { pfnList } = mr.umem.map;
  let block = -1;
  let units = 0;
  for (let idx = from; idx < to; idx++) {
    const valid = ((pfnList[2 * idx] ?? 0) & HMM_PFN_VALID) !== 0;
    if (valid && block < 0) block = idx;
    if (valid || block < 0 || idx % GROUP_UNITS !== 0) continue;
    yield* mlx5rUmrUpdateXlt(device, mr, block, idx - block, MLX5_IB_UPD_XLT_ZAP);
    units += idx - block + 1;
    block = -1;
  }
  if (block < 0) return units;
  yield* mlx5rUmrUpdateXlt(device, mr, block, to - block, MLX5_IB_UPD_XLT_ZAP);
  return units + to - block;
}

/**
 * Brings the pages of [va, va + bcnt) to the adapter. The kind of access plays no part: a region that may be written has its
 * pages faulted for writing.
 * @returns 4 KiB pages of the rounded range, or a negative errno.
 * @kernel drivers/infiniband/hw/mlx5/odp.c pagefault_real_mr (without: page sizes other than the region's
 * own)
 */
export function* pagefaultRealMr(
  device: Mlx5Device,
  mr: OdpMr,
  va: number,
  bcnt: number,
  flags: number,
): Task<number> {
  const { umem } = mr;
  const write = umem.writable && (flags & MLX5_PF_FLAGS_DOWNGRADE) === 0;
  const fault = (flags & MLX5_PF_FLAGS_SNAPSHOT) === 0;
  const units = yield* ibUmemOdpMapDmaAndLock(umem, va, bcnt, write ? ODP_READ | ODP_WRITE : ODP_READ, fault);
  if (units < 0) return units;
  const first = Math.floor(va / PAGE_SIZE);
  const xlt =
    ((flags & MLX5_PF_FLAGS_DOWNGRADE) !== 0 ? MLX5_IB_UPD_XLT_DOWNGRADE : 0) |
    ((flags & MLX5_PF_FLAGS_ENABLE) !== 0 ? MLX5_IB_UPD_XLT_ENABLE : 0);
  const pages = Math.ceil((va + bcnt) / PAGE_SIZE) - first;
  const ret = yield* mlx5rUmrUpdateXlt(device, mr, first - umem.startVpn, pages, xlt);
  umem.umemMutex.unlock();
  return ret < 0 ? ret : pages;
}

/**
 * A fault, or advice, of [ioVirt, ioVirt + bcnt) of a region. @param permissive what lies outside is cut off.
 * @returns pages, or a negative errno.
 * @kernel drivers/infiniband/hw/mlx5/odp.c pagefault_mr (without: dma-buf regions)
 */
export function* pagefaultMr(
  device: Mlx5Device,
  mr: OdpMr,
  ioVirt: number,
  bcnt: number,
  flags: number,
  permissive: boolean,
): Task<number> {
  if (ioVirt < mr.iova && !permissive) return -EFAULT;
  const offset = Math.max(0, ioVirt - mr.iova);
  if (mr.umem.isImplicitOdp) return yield* pagefaultImplicitMr(device, mr, ioVirt, bcnt, flags);
  const va = mr.umem.address + offset;
  const { end } = mr.umem;
  if (va >= end || (va + bcnt > end && !permissive)) return -EFAULT;
  return yield* pagefaultRealMr(device, mr, va, Math.min(bcnt, end - va), flags);
}

/** @kernel drivers/infiniband/hw/mlx5/odp.c pagefault_implicit_mr (all) */
function* pagefaultImplicitMr(
  device: Mlx5Device,
  imr: OdpMr,
  va: number,
  bcnt: number,
  flags: number,
): Task<number> {
  const leaf = device.options.leafPages * PAGE_SIZE;
  if (va + bcnt > device.addressEnd) return -EFAULT;
  let pages = 0;
  let ret = 0;
  let made: number[] | undefined;
  for (let at = va; at < va + bcnt && ret >= 0;) {
    const idx = Math.floor(at / leaf);
    const stop = Math.min(va + bcnt, (idx + 1) * leaf);
    let child = imr.implicitChildren.get(idx);
    device.kernel.sched.access(imr.object, false);
    if (child === undefined) {
      const got = yield* implicitGetChildMr(device, imr, idx);
      if (typeof got === 'number') {
        ret = got;
        break;
      }
      child = got;
      made = [...(made ?? []), idx];
    }
    device.useMr(child);
    ret = isOdp(child) ? yield* pagefaultRealMr(device, child, at, stop - at, flags) : -EFAULT;
    const late = device.putMr(child);
    if (late !== undefined) yield* late;
    pages += Math.max(0, ret);
    at = stop;
  }
  if (made !== undefined) yield* updateKsm(device, imr, made);
  return ret < 0 ? ret : pages;
}

/**
 * The slots of `indexes` name what the array has now.
 * @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_odp_populate_xlt, populate_klm (without: indirect keys beyond
 * those of an implicit region)
 */
function* updateKsm(device: Mlx5Device, imr: OdpMr, indexes: readonly number[]): Task {
  const { umemMutex } = imr.umem;
  const { sched } = device.kernel;
  if (!umemMutex.tryFast()) yield* umemMutex.lock();
  const ns = device.timing.updateNs.value;
  if (!sched.delayFast(ns)) yield* sched.delay(ns);
  sched.access(imr.object, true);
  for (const idx of indexes) {
    const child = imr.implicitChildren.get(idx);
    if (child === undefined) imr.ksm.delete(idx);
    else imr.ksm.set(idx, child);
  }
  device.counted.updates++;
  umemMutex.unlock();
}

/**
 * Makes the child of an index, or takes the one that another service has made meanwhile.
 * @kernel drivers/infiniband/hw/mlx5/odp.c implicit_get_child_mr (without: allocations that fail)
 */
function* implicitGetChildMr(device: Mlx5Device, imr: OdpMr, idx: number): Task<Mlx5Mr | number> {
  const size = device.options.leafPages * PAGE_SIZE;
  const ops = new Mlx5MnOps(device);
  const umem = yield* ibUmemOdpAllocChild(imr.umem, idx * size, size, ops);
  if (typeof umem === 'number') return umem;
  const va = idx * size;
  const child = new Mlx5Mr({
    key: device.takeKey(),
    pd: imr.pd,
    access: imr.access,
    va,
    iova: va,
    length: size,
    umem,
    parent: imr,
    object: device.kernel.allocIds(1),
    sched: device.kernel.sched,
  });
  if (!isOdp(child)) return -EIO;
  umem.private = child;
  ops.mr = child;
  yield* mlx5rUmrUpdateXlt(device, child, 0, umem.pages, MLX5_IB_UPD_XLT_ZAP | MLX5_IB_UPD_XLT_ENABLE);
  device.kernel.sched.access(imr.object, true);
  imr.childrenLock.lock();
  const winner = imr.implicitChildren.get(idx);
  if (winner !== undefined) {
    imr.childrenLock.unlock();
    yield* device.destroyChild(child);
    return winner;
  }
  imr.implicitChildren.set(idx, child);
  if (device.options.scheme === 'memory') {
    // The allocation in the store may sleep.
    if (device.odp.sleepUnderLock) yield* device.kernel.sched.delay(ALLOCATION_NS);
    device.odpMkeys.set(child.key, child);
  }
  imr.childrenLock.unlock();
  return child;
}

/**
 * An empty child leaves the array, and a work does the rest: a callback must not. Where the parent is being deregistered, all
 * is left to that. @kernel drivers/infiniband/hw/mlx5/odp.c destroy_unused_implicit_child_mr (all)
 */
function destroyUnusedImplicitChildMr(device: Mlx5Device, mr: OdpMr, imr: Mlx5Mr): void {
  const idx = Math.floor(mr.iova / (device.options.leafPages * PAGE_SIZE));
  if (!device.odpMkeys.has(imr.key)) return;
  device.kernel.sched.access(imr.object, true);
  imr.childrenLock.lock();
  const there = imr.implicitChildren.get(idx) === mr;
  if (there) {
    imr.usecount++;
    imr.implicitChildren.delete(idx);
    device.odpMkeys.delete(mr.key);
  }
  imr.childrenLock.unlock();
  if (!there) return;
  checkQueuedOnce(device, mr);
  device.dying.add(mr);
  device.queueWork(() => freeImplicitChildMrWork(device, mr, imr, idx));
}

/** @kernel drivers/infiniband/hw/mlx5/odp.c free_implicit_child_mr_work (all) */
function* freeImplicitChildMrWork(device: Mlx5Device, mr: OdpMr, imr: Mlx5Mr, idx: number): Task {
  yield* device.waitUnused(mr);
  if (isOdp(imr)) yield* updateKsm(device, imr, [idx]);
  yield* device.destroyChild(mr);
  device.dying.delete(mr);
  const late = device.drop(imr);
  if (late !== undefined) yield* late;
}

/** Ends the region of a key that nobody uses any more. @kernel drivers/infiniband/hw/mlx5/mr.c mlx5_revoke_mr */
export function* mlx5RevokeMr(device: Mlx5Device, mr: OdpMr): Task {
  const { umem } = mr;
  const { sched } = device.kernel;
  if (!umem.umemMutex.tryFast()) yield* umem.umemMutex.lock();
  mr.live = false;
  const ns = device.timing.updateNs.value;
  if (!sched.delayFast(ns)) yield* sched.delay(ns);
  mr.mtt.fill(0);
  umem.private = undefined;
  umem.umemMutex.unlock();
  yield* ibUmemOdpRelease(umem);
}
