import { EBUSY, EFAULT, EINVAL, PAGE_SHIFT, PAGE_SIZE, type Task } from '@hmm/kernel';
import { mmuIntervalReadRetry } from '@hmm/mmu-notifier';
import {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_INOUT_FLAGS,
  HMM_PFN_LANES,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_RANGE_DEFAULT_TIMEOUT,
  hmmPfnToMapOrder,
  hmmRangeFaultUnlockedTimeout,
  type HmmRange,
} from '@hmm/mirror';
import { mmgetNotZero } from '@hmm/mm/internal';
import { TP_UMEM_ODP_RETRY, traceMap } from './tracepoints.js';
import { type IbUmemOdp, slotOf } from './umem-odp.js';

/** The pages are to be readable. @kernel include/linux/hmm.h HMM_PFN_VALID */
export const ODP_READ = HMM_PFN_VALID;
/** The pages are to be writable too. */
export const ODP_WRITE = HMM_PFN_REQ_WRITE;

/** Pages that a range record has room for without being made anew. */
const IDLE_PAGES = 16;

/**
 * Brings the list up to date over the bytes [userVirt, userVirt + bcnt): with `fault` every page of it is faulted in
 * where it must be, without it is what it is.
 * @param access {@link ODP_READ} or with {@link ODP_WRITE}; without `fault` it says nothing.
 * @returns the units of the range, with `umemMutex` held; or a negative errno with it free: `-EFAULT` (outside, or a page
 * cannot be had), `-EPERM` (a write where the VMA forbids it), `-EINVAL` (the process is gone, or a unit is not mapped
 * whole), `-EBUSY` (a second of retries).
 * @kernel drivers/infiniband/core/umem_odp.c ib_umem_odp_map_dma_and_lock (without: DMA mappings that fail,
 * reference counts of the task)
 */
export function* ibUmemOdpMapDmaAndLock(
  umem: IbUmemOdp,
  userVirt: number,
  bcnt: number,
  access: number,
  fault: boolean,
): Task<number> {
  const write = (access & ODP_WRITE) !== 0;
  const first = Math.floor(userVirt / PAGE_SIZE);
  const pages = Math.ceil((userVirt + bcnt) / PAGE_SIZE) - first;
  let ret: number;
  if (userVirt < umem.start || userVirt + bcnt > umem.end) ret = -EFAULT;
  else if (!mmgetNotZero(umem.owningMm)) ret = -EINVAL;
  else {
    const unit = 2 ** (umem.pageShift - PAGE_SHIFT);
    const start = first - (first % unit);
    const end = Math.ceil((first + pages) / unit) * unit;
    const request = fault ? HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0) : 0;
    ret = yield* mapRange(umem, start, end, request);
    umem.device.exits.put(umem.owningMm);
    if (fault && ret > 0 && umem.device.counts !== undefined) umem.device.counts.mapped += end - start;
  }
  traceMap(umem, first, pages, { write, fault }, ret);
  return ret;
}

/** Walks until nothing has changed since, then takes over what was found. */
function* mapRange(umem: IbUmemOdp, start: number, end: number, request: number): Task<number> {
  const range = takeRange(umem, start, end, request);
  if (typeof range === 'number') return range;
  const { umemMutex, owningMm: mm } = umem;
  const { sched } = mm.kernel;
  const deadline = sched.now + HMM_RANGE_DEFAULT_TIMEOUT;
  for (;;) {
    const ret = yield* hmmRangeFaultUnlockedTimeout(mm, range, HMM_RANGE_DEFAULT_TIMEOUT);
    if (ret !== 0) {
      giveRange(umem, range);
      return ret;
    }
    if (!umemMutex.tryFast()) yield* umemMutex.lock();
    if (!mmuIntervalReadRetry(range.notifier, range.notifierSeq)) break;
    umemMutex.unlock();
    if (umem.device.counts !== undefined) umem.device.counts.retries++;
    if (mm.kernel.trace.on) mm.kernel.emit(TP_UMEM_ODP_RETRY, start, end - start, 0);
    if (sched.now < deadline || umem.device.odp.endlessRetry) continue;
    giveRange(umem, range);
    return -EBUSY;
  }
  mm.kernel.sched.access(umem.listObject, true);
  if (!umem.device.odp.sharedList) adopt(umem, range);
  giveRange(umem, range);
  const whole = unitsAreWhole(umem, start, end);
  if (whole) return (end - start) / 2 ** (umem.pageShift - PAGE_SHIFT);
  umemMutex.unlock();
  return -EINVAL;
}

/** A record for a walk over the pages [start, end); a negative errno where the region has no subscription. */
function takeRange(umem: IbUmemOdp, start: number, end: number, request: number): HmmRange | number {
  const { notifier, idleRange, map } = umem;
  if (notifier === undefined) return -EINVAL;
  const pages = end - start;
  const shared = umem.device.odp.sharedList;
  const own = idleRange ?? {
    notifier,
    notifierSeq: 0,
    start,
    end,
    hmmPfns: new Int32Array(shared ? 0 : HMM_PFN_LANES * IDLE_PAGES),
    defaultFlags: 0,
    pfnFlagsMask: 0,
    devPrivateOwner: 0,
    shared,
  };
  umem.idleRange = undefined;
  own.notifier = notifier;
  own.start = start;
  own.end = end;
  own.defaultFlags = request;
  if (shared) own.hmmPfns = map.pfnList.subarray(slotOf(umem, start), slotOf(umem, end));
  else if (own.hmmPfns.length < HMM_PFN_LANES * pages) own.hmmPfns = new Int32Array(HMM_PFN_LANES * pages);
  return own;
}

function giveRange(umem: IbUmemOdp, range: HmmRange): void {
  umem.idleRange = range;
}

/** Copies what a walk of its own has found: the entries' own flags stay. */
function adopt(umem: IbUmemOdp, { start, end, hmmPfns }: HmmRange): void {
  const { pfnList } = umem.map;
  let slot = slotOf(umem, start);
  for (let at = 0; at < HMM_PFN_LANES * (end - start); at += HMM_PFN_LANES, slot += HMM_PFN_LANES) {
    pfnList[slot] =
      ((pfnList[slot] ?? 0) & HMM_PFN_INOUT_FLAGS) | ((hmmPfns[at] ?? 0) & ~HMM_PFN_INOUT_FLAGS);
    pfnList[slot + 1] = hmmPfns[at + 1] ?? 0;
  }
}

/** Whether every valid unit of the pages [start, end) that is not mapped yet is one CPU mapping. */
function unitsAreWhole(umem: IbUmemOdp, start: number, end: number): boolean {
  if (umem.pageShift === PAGE_SHIFT) return true;
  const { pfnList } = umem.map;
  const unit = 2 ** (umem.pageShift - PAGE_SHIFT);
  for (let vpn = start; vpn < end; vpn += unit) {
    const flags = pfnList[slotOf(umem, vpn)] ?? 0;
    if ((flags & HMM_PFN_VALID) === 0 || (flags & HMM_PFN_DMA_MAPPED) !== 0) continue;
    if (hmmPfnToMapOrder(flags) + PAGE_SHIFT < umem.pageShift) return false;
  }
  return true;
}
