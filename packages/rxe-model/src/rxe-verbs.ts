import { EFAULT, EINVAL, EOPNOTSUPP, EPERM, HmmError, type Task } from '@hmm/kernel';
import {
  type AdviseSegment,
  IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT,
  IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE,
  ibAccessCheck,
  ibUmemGet,
  ibUmemOdpGet,
  ibUmemOdpMapDmaAndLock,
  ibUmemOdpRelease,
  ibUmemRelease,
  ODP_READ,
  ODP_WRITE,
  type RegisterRequest,
} from '@hmm/ib-core';
import type { MmStruct } from '@hmm/mm';
import {
  IB_ACCESS_HUGETLB,
  IB_ACCESS_LOCAL_WRITE,
  IB_ACCESS_ON_DEMAND,
  IB_ACCESS_ZERO_BASED,
} from '@hmm/rdma-nic';
import type { RxeDevice } from './rxe-device.js';
import { isOdp, type RxeMr } from './rxe-mr.js';
import { SKB_OBJECT_BYTES } from './skb.js';
import { RxeMnOps, rxeOdpMapRangeAndLock } from './rxe-odp.js';

/** Bytes of an entry of a list of frames. */
const LIST_ENTRY_BYTES = 8;

/**
 * Registers a region of `mm`. @returns the region, or a negative errno.
 * @kernel drivers/infiniband/sw/rxe/rxe_verbs.c rxe_reg_user_mr (without: pools of objects, protection
 * domains)
 */
export function* rxeRegUserMr(
  rxe: RxeDevice,
  mm: MmStruct,
  pd: number,
  request: RegisterRequest,
): Task<RxeMr | number> {
  const { va, length, access } = request;
  const iova = request.iova ?? va;
  const refusal = ibAccessCheck(request);
  if (refusal !== 0) return refusal;
  if ((access & (IB_ACCESS_ZERO_BASED | IB_ACCESS_HUGETLB)) !== 0) return -EOPNOTSUPP;
  const odp = (access & IB_ACCESS_ON_DEMAND) !== 0;
  const umem = odp ? yield* rxeOdpMrInitUser(rxe, mm, request) : yield* ibUmemGet(mm, va, length, access);
  if (typeof umem === 'number') return umem;
  const mr: RxeMr = { key: rxe.takeKey(), pd, access, iova, length, va, umem, list: takeList(rxe, umem) };
  rxe.mrs.set(mr.key, mr);
  return mr;
}

/**
 * A region on demand: what the CPU has present is known from the start.
 * @kernel drivers/infiniband/sw/rxe/rxe_odp.c rxe_odp_mr_init_user (without: the test of the device's
 * capabilities)
 */
function* rxeOdpMrInitUser(
  rxe: RxeDevice,
  mm: MmStruct,
  { va, length, access, early = false }: RegisterRequest,
): Task<RxeMr['umem'] | number> {
  // The whole address space: implicit regions are not built.
  if (va === 0 && length >= Number.MAX_SAFE_INTEGER) return -EOPNOTSUPP;
  const ops = new RxeMnOps(rxe);
  const umem = yield* ibUmemOdpGet(rxe, mm, va, length, access, ops);
  if (typeof umem === 'number') return umem;
  ops.umem = umem;
  if (early) return umem;
  const mask = umem.writable ? ODP_READ | ODP_WRITE : ODP_READ;
  const ret = yield* ibUmemOdpMapDmaAndLock(umem, va, length, mask, false);
  if (ret < 0) {
    yield* ibUmemOdpRelease(umem);
    return ret;
  }
  umem.umemMutex.unlock();
  return umem;
}

/**
 * The memory of a list of 513 … 1024 frames, which comes from the cache of packets; undefined for another.
 * @kernel drivers/infiniband/core/umem_odp.c ib_init_umem_odp (all)
 */
function takeList(rxe: RxeDevice, umem: RxeMr['umem']): Uint8Array | undefined {
  if ('kind' in umem) return undefined;
  const bytes = umem.pages * LIST_ENTRY_BYTES;
  if (bytes <= SKB_OBJECT_BYTES / 2 || bytes > SKB_OBJECT_BYTES) return undefined;
  return rxe.kmalloc8k.alloc().fill(0);
}

/** Registers bytes that are not the modelled process's. */
export function rxeRegBuffer(rxe: RxeDevice, pd: number, access: number, bytes: Uint8Array): RxeMr {
  const mr: RxeMr = {
    key: rxe.takeKey(),
    pd,
    access,
    iova: 0,
    length: bytes.length,
    va: 0,
    umem: { kind: 'buffer', bytes },
    list: undefined,
  };
  rxe.mrs.set(mr.key, mr);
  return mr;
}

/**
 * Ends a region; afterwards nothing can be reached through its key.
 * @kernel drivers/infiniband/sw/rxe/rxe_verbs.c rxe_dereg_mr (without: bound memory windows, pools of
 * objects)
 */
export function* rxeDeregMr(rxe: RxeDevice, mr: RxeMr): Task {
  rxe.mrs.delete(mr.key);
  if (isOdp(mr)) yield* ibUmemOdpRelease(mr.umem);
  else if ('kind' in mr.umem) ibUmemRelease(rxe.system, mr.umem);
  if (mr.list !== undefined) rxe.kmalloc8k.release(mr.list);
}

/**
 * Advice about pieces of regions, done before it returns.
 * @returns 0, or `-EINVAL` (no such key for this use), `-EPERM` (writing through a region that may not), `-EFAULT`.
 * @kernel drivers/infiniband/sw/rxe/rxe_odp.c rxe_ib_advise_mr
 */
export function* rxeAdviseMr(
  rxe: RxeDevice,
  pd: number,
  advice: number,
  segments: readonly AdviseSegment[],
): Task<number> {
  if (advice > IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT) return -EOPNOTSUPP;
  for (const segment of segments) {
    const ret = yield* prefetch(rxe, pd, advice, segment);
    if (ret !== 0) return ret;
  }
  return 0;
}

/** @kernel drivers/infiniband/sw/rxe/rxe_odp.c rxe_ib_prefetch_sg_list */
function* prefetch(
  rxe: RxeDevice,
  pd: number,
  advice: number,
  { key, addr, length }: AdviseSegment,
): Task<number> {
  const mr = rxe.mrs.get(key);
  // The look-up asks for LOCAL_WRITE, whatever the advice.
  if (mr?.pd !== pd || (mr.access & IB_ACCESS_LOCAL_WRITE) === 0) return -EINVAL;
  if (!isOdp(mr)) {
    if (rxe.options.adviseAnyRegion)
      throw new HmmError('UNSAFE', 'advice takes the pages of a pinned region for a list of frames', { key });
    return -EINVAL;
  }
  const { umem } = mr;
  const write = advice === IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE;
  if (write && !umem.writable) return -EPERM;
  if (addr < umem.start || addr + length > umem.end) return -EFAULT;
  if (advice === IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT) {
    const ret = yield* ibUmemOdpMapDmaAndLock(umem, addr, length, ODP_READ, false);
    if (ret < 0) return ret;
  } else {
    const ret = yield* rxeOdpMapRangeAndLock(umem, addr, length, write);
    if (ret !== 0) return ret;
  }
  umem.umemMutex.unlock();
  return 0;
}
