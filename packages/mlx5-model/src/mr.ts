import { EFAULT, EINVAL, ENOENT, EOPNOTSUPP, EPERM, PAGE_SIZE, type Task } from '@hmm/kernel';
import {
  type AdviseSegment,
  IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT,
  IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE,
  ibAccessCheck,
  ibUmemGet,
  ibUmemOdpAllocImplicit,
  ibUmemOdpGet,
  ibUmemOdpRelease,
  ibUmemRelease,
  IMPLICIT_LENGTH,
  type RegisterRequest,
} from '@hmm/ib-core';
import type { MmStruct } from '@hmm/mm';
import { IB_ACCESS_HUGETLB, IB_ACCESS_ON_DEMAND } from '@hmm/rdma-nic';
import type { Mlx5Device } from './mlx5-device.js';
import { checkDeregistered, checkUnused } from './mlx5-invariants.js';
import { isOdp, Mlx5Mr, type Mlx5MrFields, type OdpMr } from './mlx5-mr.js';
import {
  MLX5_PF_FLAGS_DOWNGRADE,
  MLX5_PF_FLAGS_ENABLE,
  MLX5_PF_FLAGS_SNAPSHOT,
  Mlx5MnOps,
  mlx5RevokeMr,
  pagefaultMr,
} from './odp.js';
import { MLX5_IB_UPD_XLT_ENABLE, MLX5_IB_UPD_XLT_ZAP, mlx5rUmrUpdateXlt } from './umr.js';

/** Pages that a region has to stay below without the extended offset. */
const MAX_PAGES = 65_536;

/**
 * Registers a region of `mm`. @returns it, or a negative errno.
 * @kernel drivers/infiniband/hw/mlx5/mr.c mlx5_ib_reg_user_mr (without: caches of memory keys, relaxed
 * ordering, counters of pages)
 */
export function* mlx5IbRegUserMr(
  device: Mlx5Device,
  mm: MmStruct,
  pd: number,
  request: RegisterRequest,
): Task<Mlx5Mr | number> {
  const refusal = ibAccessCheck(request);
  if (refusal !== 0) return refusal;
  const { va, length, access } = request;
  if ((access & IB_ACCESS_ON_DEMAND) === 0) return yield* registerPinned(device, mm, pd, request);
  if (va === 0 && length === IMPLICIT_LENGTH) return registerImplicit(device, mm, pd, request);
  if ((access & IB_ACCESS_HUGETLB) !== 0) return -EOPNOTSUPP;
  if (!device.options.extendedOffset && length >= MAX_PAGES * PAGE_SIZE) return -EINVAL;
  return yield* createUserOdpMr(device, mm, pd, request);
}

/**
 * @kernel drivers/infiniband/hw/mlx5/mr.c create_user_odp_mr (without: the test of the adapter's
 * capabilities)
 */
function* createUserOdpMr(
  device: Mlx5Device,
  mm: MmStruct,
  pd: number,
  { va, length, access, iova = va, early = false }: RegisterRequest,
): Task<Mlx5Mr | number> {
  const ops = new Mlx5MnOps(device);
  const umem = yield* ibUmemOdpGet(device, mm, va, length, access, ops);
  if (typeof umem === 'number') return umem;
  const mr = new Mlx5Mr({ ...fresh(device), pd, access, va, iova, length, umem, parent: undefined });
  if (!isOdp(mr)) return -EINVAL;
  umem.private = mr;
  ops.mr = mr;
  device.mkeys.set(mr.key, mr);
  device.odpMkeys.set(mr.key, mr);
  const ret = early
    ? yield* mlx5rUmrUpdateXlt(device, mr, 0, umem.pages, MLX5_IB_UPD_XLT_ZAP | MLX5_IB_UPD_XLT_ENABLE)
    : yield* pagefaultMr(device, mr, iova, length, MLX5_PF_FLAGS_SNAPSHOT | MLX5_PF_FLAGS_ENABLE, false);
  if (ret >= 0) return mr;
  yield* mlx5IbDeregMr(device, mr);
  return ret;
}

/** @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_alloc_implicit_mr (without: allocations that fail) */
function registerImplicit(
  device: Mlx5Device,
  mm: MmStruct,
  pd: number,
  { access, iova = 0 }: RegisterRequest,
): Mlx5Mr | number {
  if (iova !== 0) return -EINVAL;
  const umem = ibUmemOdpAllocImplicit(device, mm, access);
  if (typeof umem === 'number') return umem;
  const length = device.addressEnd;
  const mr = new Mlx5Mr({ ...fresh(device), pd, access, va: 0, iova: 0, length, umem, parent: undefined });
  umem.private = mr;
  mr.live = true;
  device.mkeys.set(mr.key, mr);
  device.odpMkeys.set(mr.key, mr);
  return mr;
}

function* registerPinned(
  device: Mlx5Device,
  mm: MmStruct,
  pd: number,
  { va, length, access, iova = va }: RegisterRequest,
): Task<Mlx5Mr | number> {
  const umem = yield* ibUmemGet(mm, va, length, access);
  if (typeof umem === 'number') return umem;
  const mr = new Mlx5Mr({ ...fresh(device), pd, access, va, iova, length, umem, parent: undefined });
  device.mkeys.set(mr.key, mr);
  return mr;
}

/** Registers bytes that are not the modelled process's. */
export function mlx5RegBuffer(device: Mlx5Device, pd: number, access: number, bytes: Uint8Array): Mlx5Mr {
  const umem = { kind: 'buffer' as const, bytes };
  const at = { va: 0, iova: 0, length: bytes.length };
  const mr = new Mlx5Mr({ ...fresh(device), pd, access, ...at, umem, parent: undefined });
  device.mkeys.set(mr.key, mr);
  return mr;
}

function fresh(device: Mlx5Device): Pick<Mlx5MrFields, 'key' | 'object' | 'sched'> {
  const { kernel } = device;
  return { key: device.takeKey(), object: kernel.allocIds(1), sched: kernel.sched };
}

/**
 * Ends a region: new faults do not find it, those that run are waited for, then the key is taken from the adapter, and of an
 * implicit one each child goes the same way.
 * @kernel drivers/infiniband/hw/mlx5/mr.c mlx5_ib_dereg_mr (without: signature and integrity regions, the
 * cache of memory keys)
 */
export function* mlx5IbDeregMr(device: Mlx5Device, mr: Mlx5Mr): Task {
  device.odpMkeys.delete(mr.key);
  yield* device.waitUnused(mr);
  device.mkeys.delete(mr.key);
  mr.live = false;
  checkUnused(device, mr);
  if (!isOdp(mr)) {
    if ('kind' in mr.umem) ibUmemRelease(device.system, mr.umem);
  } else if (mr.umem.isImplicitOdp) yield* deregImplicit(device, mr);
  else yield* mlx5RevokeMr(device, mr);
  mr.freed = true;
  checkDeregistered(device, mr);
}

function* deregImplicit(device: Mlx5Device, mr: OdpMr): Task {
  mr.umem.private = undefined;
  yield* ibUmemOdpRelease(mr.umem);
  for (const [idx, child] of [...mr.implicitChildren]) {
    mr.implicitChildren.delete(idx);
    mr.ksm.delete(idx);
    yield* device.destroyChild(child);
  }
}

/**
 * Advice about pieces of regions, done before it returns. @returns 0, `-ENOENT` (no such key on demand), `-EPERM` (another
 * protection domain, or writing through a region that may not), `-EFAULT`, `-EOPNOTSUPP`.
 * @kernel drivers/infiniband/hw/mlx5/odp.c mlx5_ib_advise_mr_prefetch (without: allocations that fail)
 */
export function* mlx5IbAdviseMr(
  device: Mlx5Device,
  pd: number,
  advice: number,
  segments: readonly AdviseSegment[],
): Task<number> {
  if (advice > IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT) return -EOPNOTSUPP;
  let flags = MLX5_PF_FLAGS_DOWNGRADE;
  if (advice === IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE) flags = 0;
  else if (advice === IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT) flags = MLX5_PF_FLAGS_SNAPSHOT;
  for (const { key, addr, length } of segments) {
    const mr = device.odpMkeys.get(key);
    if (mr === undefined) return -ENOENT;
    if (!isOdp(mr)) return -EINVAL;
    if (mr.pd !== pd) return -EPERM;
    if (advice === IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE && !mr.umem.writable) return -EPERM;
    if (addr < mr.iova || addr + length > mr.iova + mr.length) return -EFAULT;
    device.useMr(mr);
    const pages = yield* pagefaultMr(device, mr, addr, length, flags, false);
    const late = device.putMr(mr);
    if (late !== undefined) yield* late;
    if (pages < 0) return pages;
    mr.stats.prefetch += pages;
  }
  return 0;
}
