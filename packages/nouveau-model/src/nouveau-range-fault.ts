import {
  EBUSY,
  EINVAL,
  HPAGE_PMD_ORDER,
  type MaybeTask,
  PAGE_SHIFT,
  SP_PREEMPT,
  type Task,
  alignDown,
} from '@hmm/kernel';
import { makeDeviceExclusive, makeDeviceExclusiveRange } from '@hmm/migrate';
import { FOLL_REMOTE, FOLL_WRITE, getUserPages } from '@hmm/mm';
import { NO_PFN, PG_dirty, PG_zone_device, folioPut } from '@hmm/mm/internal';
import {
  HMM_PFN_LANES,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  HMM_RANGE_DEFAULT_TIMEOUT,
  hmmPfnToMapOrder,
  hmmRangeFault,
  type HmmRange,
} from '@hmm/mirror';
import {
  MMU_NOTIFY_EXCLUSIVE,
  type MmuIntervalNotifier,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalNotifierTryInsert,
  mmuIntervalNotifierTryRemove,
  type MmuIntervalNotifierOps,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  mmuIntervalTryReadBegin,
  mmuNotifierRangeBlockable,
  type MmuNotifierRange,
} from '@hmm/mmu-notifier';
import type { NouveauSvmm } from './nouveau-svmm.js';
import {
  HPAGE_PMD_SHIFT,
  NVIF_VMM_PFNMAP_V0_A,
  NVIF_VMM_PFNMAP_V0_V,
  NVIF_VMM_PFNMAP_V0_VRAM,
  NVIF_VMM_PFNMAP_V0_W,
} from './nvif.js';
import { TP_PFNMAP, TP_RETRY } from './tracepoints.js';

/** What a fault maps: one page, or 2 MiB, from `vpn` on; the entry as `NvifVmm.pfnmap` takes it, 0 to map nothing. */
export interface PfnmapArgs {
  vpn: number;
  pages: number;
  readonly phys: Int32Array;
}

/**
 * The callback of a fault's own notifier: it only moves the sequence on, under the mutex under which the fault
 * checks it. What the GPU has mapped is the other notifier's business. Of the driver's own events, making a page
 * exclusive is passed over; a migration is not.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_range_invalidate (all)
 */
function rangeInvalidate(
  svmm: NouveauSvmm,
  sub: MmuIntervalNotifier,
  range: MmuNotifierRange,
  curSeq: number,
): boolean | Task<boolean> {
  if (range.event === MMU_NOTIFY_EXCLUSIVE && range.owner === svmm.drm.owner) return true;
  svmm.drm.calledBack();
  if (!svmm.mutex.tryFast()) {
    if (mmuNotifierRangeBlockable(range)) return svmm.drm.calledBackTask(setSeqTask(svmm, sub, curSeq));
    if (!svmm.mutex.tryLock()) return false;
  }
  mmuIntervalSetSeq(sub, curSeq);
  svmm.mutex.unlock();
  return true;
}

function* setSeqTask(svmm: NouveauSvmm, sub: MmuIntervalNotifier, curSeq: number): Task<boolean> {
  yield* svmm.mutex.lock();
  mmuIntervalSetSeq(sub, curSeq);
  svmm.mutex.unlock();
  return true;
}

/** The operations of the notifiers that the faults of a mirror watch their pages by. */
export function rangeNotifierOps(svmm: NouveauSvmm): MmuIntervalNotifierOps {
  return { invalidate: (self, range, curSeq) => rangeInvalidate(svmm, self, range, curSeq) };
}

/** The walk of one page, watched by `sub`. A mirror's faults are served one after the other, so they share one. */
function rangeOf(svmm: NouveauSvmm, sub: MmuIntervalNotifier, vpn: number, hmmFlags: number): HmmRange {
  const { range } = svmm;
  if (range === undefined) {
    const hmmPfns = new Int32Array(HMM_PFN_LANES);
    const { owner } = svmm.drm;
    svmm.range = {
      notifier: sub,
      notifierSeq: 0,
      start: vpn,
      end: vpn + 1,
      hmmPfns,
      defaultFlags: hmmFlags,
      pfnFlagsMask: 0,
      devPrivateOwner: owner,
    };
    return svmm.range;
  }
  range.notifier = sub;
  range.start = vpn;
  range.end = vpn + 1;
  range.hmmPfns[0] = 0;
  range.defaultFlags = hmmFlags;
  return range;
}

/**
 * Serves a load, a store or a prefetch: has the process's page table filled as `hmmFlags` (`HMM_PFN_REQ_*`) ask,
 * and maps on the GPU what is there, wherever it is. Nothing moves. One second of retries at most. A plain number where nobody
 * had to be waited for.
 * @returns 0, `-EBUSY` (time is up), or what `hmm_range_fault` failed with.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_range_fault (all)
 */
export function nouveauRangeFault(svmm: NouveauSvmm, args: PfnmapArgs, hmmFlags: number): MaybeTask<number> {
  const { mm, drm } = svmm;
  const { sched } = drm.kernel;
  const sub = sched.exploring ? undefined : mmuIntervalNotifierTryInsert(mm, args.vpn, 1, svmm.rangeOps);
  if (sub === undefined) return rangeFaultTask(svmm, args, hmmFlags);
  if (typeof sub === 'number') return sub;
  const range = rangeOf(svmm, sub, args.vpn, hmmFlags);
  range.notifierSeq = mmuIntervalTryReadBegin(sub);
  if (range.notifierSeq === 0 || !mm.mmapLock.tryReadFast())
    return rangeFaultLoop(svmm, range, args, undefined);
  const walked = hmmRangeFault(mm, range);
  if (typeof walked !== 'number') return rangeFaultLoop(svmm, range, args, walked);
  mm.mmapLock.unlockRead();
  if (walked !== 0 || !sched.delayFast(drm.cost.rangeFault.value) || !svmm.mutex.tryFast())
    return rangeFaultLoop(svmm, range, args, undefined);
  if (mmuIntervalReadRetry(sub, range.notifierSeq) || !grants(svmm, range)) {
    svmm.mutex.unlock();
    return rangeFaultLoop(svmm, range, args, undefined);
  }
  convertPfn(svmm, range, args);
  const ret = pfnmap(svmm, args);
  if (!sched.delayFast(mapTime(svmm, args, ret))) return rangeFaultEnd(svmm, sub, args, ret);
  svmm.mutex.unlock();
  return mmuIntervalNotifierTryRemove(sub) ? ret : removed(sub, ret);
}

/** {@link nouveauRangeFault} where its notifier has to be waited for. */
function* rangeFaultTask(svmm: NouveauSvmm, args: PfnmapArgs, hmmFlags: number): Task<number> {
  const sub = yield* mmuIntervalNotifierInsert(svmm.mm, args.vpn, 1, svmm.rangeOps);
  if (typeof sub === 'number') return sub;
  return yield* rangeFaultLoop(svmm, rangeOf(svmm, sub, args.vpn, hmmFlags), args, undefined);
}

/** Ends a fault whose page is mapped. */
function* rangeFaultEnd(
  svmm: NouveauSvmm,
  sub: MmuIntervalNotifier,
  args: PfnmapArgs,
  ret: number,
): Task<number> {
  yield* svmm.drm.kernel.sched.delay(mapTime(svmm, args, ret));
  svmm.mutex.unlock();
  return yield* removed(sub, ret);
}

function* removed(sub: MmuIntervalNotifier, ret: number): Task<number> {
  yield* mmuIntervalNotifierRemove(sub);
  return ret;
}

/** Walks until what was read can be mapped. `running` is a walk that was begun, under `mmap_lock`. */
function* rangeFaultLoop(
  svmm: NouveauSvmm,
  range: HmmRange,
  args: PfnmapArgs,
  running: Task<number> | undefined,
): Task<number> {
  const { sched } = svmm.drm.kernel;
  const { notifier: sub } = range;
  const deadline = sched.now + HMM_RANGE_DEFAULT_TIMEOUT;
  let walking = running;
  for (;;) {
    if (sched.now > deadline) return yield* removed(sub, -EBUSY);
    if (walking === undefined) {
      range.notifierSeq = yield* mmuIntervalReadBegin(sub);
      if (!svmm.mm.mmapLock.tryReadFast()) yield* svmm.mm.mmapLock.read();
    }
    const walked: MaybeTask<number> = walking ?? hmmRangeFault(svmm.mm, range);
    walking = undefined;
    const ret = typeof walked === 'number' ? walked : yield* walked;
    svmm.mm.mmapLock.unlockRead();
    if (ret === -EBUSY) {
      yield* retry(svmm, args.vpn, 0);
      continue;
    }
    if (ret !== 0) return yield* removed(sub, ret);
    const { value: ns } = svmm.drm.cost.rangeFault;
    if (!sched.delayFast(ns)) yield* sched.delay(ns);
    if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
    const stale = mmuIntervalReadRetry(sub, range.notifierSeq);
    if (!stale && grants(svmm, range)) break;
    svmm.mutex.unlock();
    if (!stale) yield* bringIn(svmm, args.vpn);
    yield* retry(svmm, args.vpn, 1);
  }
  convertPfn(svmm, range, args);
  const ret = pfnmap(svmm, args);
  const ns = mapTime(svmm, args, ret);
  if (!sched.delayFast(ns)) yield* sched.delay(ns);
  svmm.mutex.unlock();
  if (!mmuIntervalNotifierTryRemove(sub)) yield* mmuIntervalNotifierRemove(sub);
  return ret;
}

/**
 * Whether a walk gave what was asked for. Of a page in device memory that is read-only it does not: the driver's own pages are
 * reported as they are. The real driver does not look, maps such a page read-only, and the store faults for ever. Where that is
 * mended, a write fault of the CPU's brings it home.
 */
function grants({ drm }: NouveauSvmm, { hmmPfns, defaultFlags }: HmmRange): boolean {
  return drm.does.readOnlyVram || ((hmmPfns[0] ?? 0) & defaultFlags) === defaultFlags;
}

/**
 * Serves an atomic: takes the page away from the CPU, in system memory, and maps it on the GPU with the atomic bit.
 * Any CPU access gives it back. A page in device memory comes home first.
 * @returns 0, `-EBUSY` (one second is up), `-EINVAL` (the page cannot be had for one device alone).
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_atomic_range_fault (all)
 */
export function* nouveauAtomicRangeFault(svmm: NouveauSvmm, args: PfnmapArgs): Task<number> {
  const sub = yield* mmuIntervalNotifierInsert(svmm.mm, args.vpn, 1, svmm.rangeOps);
  if (typeof sub === 'number') return sub;
  const ret = yield* atomicFaultLoop(svmm, sub, args);
  yield* mmuIntervalNotifierRemove(sub);
  return ret;
}

function* atomicFaultLoop(svmm: NouveauSvmm, sub: MmuIntervalNotifier, args: PfnmapArgs): Task<number> {
  const { mm, drm } = svmm;
  const { sched } = drm.kernel;
  const deadline = sched.now + HMM_RANGE_DEFAULT_TIMEOUT;
  for (;;) {
    if (sched.now > deadline) return -EBUSY;
    if (!drm.does.retriesOwnExclusive) yield* bringIn(svmm, args.vpn);
    const seq = yield* mmuIntervalReadBegin(sub);
    if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
    const pfn = yield* makeExclusive(svmm, args.vpn);
    mm.mmapLock.unlockRead();
    if (pfn === NO_PFN) return -EINVAL;
    yield* sched.delay(drm.cost.exclusive.value);
    if (!svmm.mutex.tryFast()) yield* svmm.mutex.lock();
    const current = !mmuIntervalReadRetry(sub, seq);
    let ret = 0;
    if (current) {
      setEntry(svmm, args, pfn, NVIF_VMM_PFNMAP_V0_V | NVIF_VMM_PFNMAP_V0_W | NVIF_VMM_PFNMAP_V0_A);
      ret = pfnmap(svmm, args);
      yield* sched.delay(mapTime(svmm, args, ret));
    }
    svmm.mutex.unlock();
    // While the folio is locked nobody can take the page back: it is unlocked only after the mapping is made.
    drm.memory.map.unlock(drm.memory.map.folio(pfn));
    folioPut(drm.memory, pfn);
    if (current) return ret;
    yield* retry(svmm, args.vpn, 1);
  }
}

/** Takes a page from the CPU: its frame, the folio locked and with a reference; {@link NO_PFN} when it cannot be had. */
function* makeExclusive({ mm, drm }: NouveauSvmm, vpn: number): Task<number> {
  if (mm.kernel.does.exclusivePageByPage)
    return Math.max(yield* makeDeviceExclusive(mm, vpn, drm.owner), NO_PFN);
  const pages: number[] = [];
  const got = yield* makeDeviceExclusiveRange(mm, vpn, vpn + 1, pages, drm.owner);
  return got > 0 ? (pages[0] ?? NO_PFN) : NO_PFN;
}

/**
 * Has the CPU's page table map the page writable, in system memory: it comes home from device memory, and from a
 * device that has it for itself. Before an atomic this is done before the sequence is read, so that what it does to the
 * address space is not taken for a reason to do it again.
 */
function* bringIn(svmm: NouveauSvmm, vpn: number): Task {
  const { mm } = svmm;
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  yield* getUserPages(mm, vpn, 1, FOLL_WRITE | FOLL_REMOTE, undefined);
  mm.mmapLock.unlockRead();
}

/**
 * What a snapshot becomes on the GPU: a page of the CPU's own size where alignment gives it, in device memory if it
 * is there, writable if the CPU may write.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_hmm_convert_pfn (without: warnings for ranges of
 * more than a page)
 */
function convertPfn(svmm: NouveauSvmm, range: HmmRange, args: PfnmapArgs): void {
  const [flags = 0, pfn = 0] = range.hmmPfns;
  if ((flags & HMM_PFN_VALID) === 0) {
    args.phys[0] = 0;
    return;
  }
  const { map } = svmm.drm.memory;
  let phys = NVIF_VMM_PFNMAP_V0_V;
  if (((map.flags[pfn] ?? 0) & PG_zone_device) !== 0) phys |= NVIF_VMM_PFNMAP_V0_VRAM;
  if ((flags & HMM_PFN_WRITE) !== 0) phys |= NVIF_VMM_PFNMAP_V0_W;
  const faulting = args.vpn;
  if (hmmPfnToMapOrder(flags) >= HPAGE_PMD_ORDER) {
    args.vpn = alignDown(faulting, HPAGE_PMD_ORDER);
    args.pages = 2 ** HPAGE_PMD_ORDER;
  }
  setEntry(svmm, args, pfn - (faulting - args.vpn), phys);
}

/** Sets the entry. Where that defect is mended, a host page that the GPU may write is dirty from now on. */
function setEntry({ drm }: NouveauSvmm, args: PfnmapArgs, pfn: number, phys: number): void {
  args.phys[0] = phys;
  args.phys[1] = pfn;
  const { map } = drm.memory;
  if (!drm.does.neverMarksDirty && (phys & NVIF_VMM_PFNMAP_V0_W) !== 0) map.set(map.folio(pfn), PG_dirty);
}

/** Writes the GPU's entries of `args`. Under the svmm's mutex. @returns 0 or a negative errno. */
function pfnmap(svmm: NouveauSvmm, args: PfnmapArgs): number {
  const { kernel, counters } = svmm.drm;
  const [phys = 0] = args.phys;
  const ret = svmm.vmm.pfnmap(args.vpn, args.pages === 1 ? PAGE_SHIFT : HPAGE_PMD_SHIFT, args.phys, 1);
  if (ret !== 0 || (phys & NVIF_VMM_PFNMAP_V0_V) === 0) return ret;
  if ((phys & NVIF_VMM_PFNMAP_V0_VRAM) === 0) counters.remoteMaps += args.pages;
  if (kernel.trace.on) kernel.emit(TP_PFNMAP, args.vpn, args.pages, phys);
  return 0;
}

/** How long that took, ns: nothing where nothing was mapped. */
function mapTime({ drm }: NouveauSvmm, { phys }: PfnmapArgs, ret: number): number {
  return ret === 0 && ((phys[0] ?? 0) & NVIF_VMM_PFNMAP_V0_V) !== 0 ? drm.cost.pfnmap.value : 0;
}

function* retry(svmm: NouveauSvmm, vpn: number, why: number): Task {
  const { kernel, counters } = svmm.drm;
  counters.retries++;
  kernel.emit(TP_RETRY, vpn, 1, why);
  if (kernel.sched.exploring) yield SP_PREEMPT;
}
