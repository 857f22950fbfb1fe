import { GPU_CANCEL_ALL } from '@hmm/gpu';
import { EINVAL, errnoName, type Task } from '@hmm/kernel';
import { type MmStruct, mmput } from '@hmm/mm';
import { HMM_PFN_REQ_FAULT, HMM_PFN_REQ_WRITE } from '@hmm/mirror';
import { nouveauAtomicRangeFault, nouveauRangeFault, type PfnmapArgs } from './nouveau-range-fault.js';
import {
  FAULT_ACCESS_ATOMIC,
  FAULT_ACCESS_PREFETCH,
  FAULT_ACCESS_READ,
  FAULT_ACCESS_WRITE,
  nvkmFaultAccess,
  type NouveauSvmFault,
} from './nouveau-svm-fault-record.js';
import type { NouveauSvm } from './nouveau-svm.js';
import { NVIF_VMM_PFNMAP_V0_A, NVIF_VMM_PFNMAP_V0_V, NVIF_VMM_PFNMAP_V0_W } from './nvkm-vmm.js';
import { TP_CANCEL, TP_FAULT, TP_FAULT_BATCH, TP_REPLAY } from './tracepoints.js';

/** Processing order of the access codes READ, WRITE, ATOMIC, PREFETCH: the weakest first. */
const PRIORITY: readonly number[] = [1, 2, 3, 0];

/**
 * The work item of the fault interrupt: reads every pending record, sorts them, handles them one by one, and has the
 * GPU replay once if any could be handled. What could not is cancelled, which kills the channel.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault
 */
export function* nouveauSvmFault(svm: NouveauSvm): Task {
  const { drm } = svm;
  const { faultBuffer } = drm.gpu;
  if (svm.get === svm.put) {
    svm.put = faultBuffer.put;
    svm.get = faultBuffer.get;
    if (svm.get === svm.put) return;
  }
  yield* cacheFaults(svm);
  drm.counters.batches++;
  drm.kernel.emit(TP_FAULT_BATCH, 0, svm.faultNr, 0);
  const faults = svm.faults.slice(0, svm.faultNr).sort(nouveauSvmFaultCmp);
  yield* lookupSvmms(svm, faults);
  const handled = yield* handleFaults(svm, faults);
  if (handled > 0) yield* nouveauSvmFaultReplay(svm);
}

/** Reads the ring from GET to PUT into the cache and hands its entries back. */
function* cacheFaults(svm: NouveauSvm): Task {
  const { drm, entry, faults } = svm;
  const { faultBuffer } = drm.gpu;
  svm.faultNr = 0;
  while (svm.get !== svm.put) {
    faultBuffer.read(svm.get, entry);
    svm.get = faultBuffer.next(svm.get);
    drm.counters.faults++;
    const access = nvkmFaultAccess(entry.access);
    drm.kernel.emit(TP_FAULT, entry.vpn, 1, access);
    const cached = faults[svm.faultNr] ?? allocFault(svm);
    if (cached === undefined) {
      yield* cancel(svm, entry.instance, entry.vpn, access, 'no memory for its record', -EINVAL);
      continue;
    }
    svm.faultNr++;
    cached.inst = entry.instance;
    cached.vpn = entry.vpn;
    cached.access = access;
    cached.gpc = entry.gpc;
    cached.client = entry.client;
    cached.time = entry.timestamp;
    cached.svmm = undefined;
  }
  faultBuffer.discardTo(svm.get);
  yield* drm.kernel.sched.delay(svm.faultNr * drm.cost.record.value);
}

/** A fresh record of the cache, kept for later work items; undefined when there is no memory for it. */
function allocFault(svm: NouveauSvm): NouveauSvmFault | undefined {
  if (svm.drm.kernel.shouldFail('nouveau_svm_fault')) return undefined;
  const fault: NouveauSvmFault = { inst: 0, vpn: 0, access: 0, gpc: 0, client: 0, time: 0, svmm: undefined };
  svm.faults.push(fault);
  return fault;
}

/**
 * Order of handling: by instance, address, then access, the weakest first. So a store that follows a load of the
 * same page may be passed over with it, and faults again.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault_cmp
 */
export function nouveauSvmFaultCmp(a: NouveauSvmFault, b: NouveauSvmFault): number {
  if (a.inst !== b.inst) return a.inst - b.inst;
  if (a.vpn !== b.vpn) return a.vpn - b.vpn;
  return (PRIORITY[a.access] ?? 0) - (PRIORITY[b.access] ?? 0);
}

function* lookupSvmms(svm: NouveauSvm, faults: readonly NouveauSvmFault[]): Task {
  if (!svm.mutex.tryFast()) yield* svm.mutex.lock();
  for (const fault of faults) fault.svmm = svm.find(fault.inst);
  svm.mutex.unlock();
}

/** Handles sorted faults. Returns how many runs of them succeeded. */
function* handleFaults(svm: NouveauSvm, faults: readonly NouveauSvmFault[]): Task<number> {
  const { drm } = svm;
  const args: PfnmapArgs = { vpn: 0, pages: 1, phys: 0 };
  let handled = 0;
  let atomic = false;
  for (let at = 0; at < faults.length;) {
    const fault = faults[at];
    if (fault === undefined) break;
    if (!drm.quirks.stickyAtomic) atomic = false;
    if (fault.access === FAULT_ACCESS_ATOMIC) atomic = true;
    const ret = yield* handleFault(fault, atomic, args);
    const next = skipForward(faults, at, args);
    if (ret === 0) handled++;
    else {
      for (const failed of faults.slice(at, next)) {
        yield* cancel(svm, failed.inst, failed.vpn, failed.access, reasonOf(fault, ret), ret);
      }
    }
    at = next;
  }
  return handled;
}

/** Handles one fault: 0, or the negative errno for which it has to be cancelled. `args` says what was mapped. */
function* handleFault(fault: NouveauSvmFault, atomic: boolean, args: PfnmapArgs): Task<number> {
  const { svmm, vpn } = fault;
  args.vpn = vpn;
  args.pages = 1;
  args.phys = 0;
  if (svmm === undefined) return -EINVAL;
  // The window is the one page, cut at the unmanaged interval: nothing is left of it inside.
  if (vpn >= svmm.unmanaged.start && vpn < svmm.unmanaged.limit) return -EINVAL;
  if (!mmgetNotZero(svmm.mm)) return -EINVAL;
  const ret = atomic
    ? yield* nouveauAtomicRangeFault(svmm, args)
    : yield* nouveauRangeFault(svmm, args, hmmFlags(fault.access));
  yield* mmput(svmm.mm);
  return ret;
}

/** What a fault asks of the process's page: nothing, presence, or the right to write too. */
function hmmFlags(access: number): number {
  if (access === FAULT_ACCESS_READ) return HMM_PFN_REQ_FAULT;
  if (access === FAULT_ACCESS_PREFETCH) return 0;
  return HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
}

/** @kernel include/linux/sched/mm.h mmget_not_zero */
function mmgetNotZero(mm: MmStruct): boolean {
  if (mm.users <= 0) return false;
  mm.users++;
  return true;
}

/**
 * Index of the first fault after `at` that is not taken as handled with it. Taken are those below the end of what
 * was mapped, as long as the mapping allows what *the handled fault's own* access needs.
 */
function skipForward(faults: readonly NouveauSvmFault[], at: number, args: PfnmapArgs): number {
  const fault = faults[at];
  const limit = args.vpn + args.pages;
  const enough = fault !== undefined && (args.phys & needs(fault.access)) === needs(fault.access);
  let next = at + 1;
  while (enough && next < faults.length) {
    const other = faults[next];
    if (other === undefined || other.svmm !== fault.svmm || other.vpn >= limit) break;
    next++;
  }
  return next;
}

function needs(access: number): number {
  switch (access) {
    case FAULT_ACCESS_PREFETCH:
      return 0;
    case FAULT_ACCESS_READ:
      return NVIF_VMM_PFNMAP_V0_V;
    case FAULT_ACCESS_WRITE:
      return NVIF_VMM_PFNMAP_V0_V | NVIF_VMM_PFNMAP_V0_W;
    default:
      return NVIF_VMM_PFNMAP_V0_V | NVIF_VMM_PFNMAP_V0_W | NVIF_VMM_PFNMAP_V0_A;
  }
}

/** Has the GPU retry everything that is stalled. @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault_replay */
function* nouveauSvmFaultReplay(svm: NouveauSvm): Task {
  const { drm } = svm;
  yield* drm.kernel.sched.delay(drm.cost.command.value);
  drm.counters.replays++;
  drm.kernel.emit(TP_REPLAY, 0, 0, 0);
  drm.gpu.replay();
}

/** Ends a fault that cannot be handled: the engine reports an error and the channel is killed. @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault_cancel */
function* cancel(
  svm: NouveauSvm,
  inst: number,
  vpn: number,
  access: number,
  reason: string,
  errno: number,
): Task {
  const { drm } = svm;
  yield* drm.kernel.sched.delay(drm.cost.command.value);
  drm.counters.cancels++;
  drm.kernel.emit(TP_CANCEL, vpn, 1, -errno);
  drm.gpu.cancel(inst, vpn, GPU_CANCEL_ALL);
  drm.channelOf(inst)?.kill(vpn, access, reason, errno);
}

function reasonOf(fault: NouveauSvmFault, errno: number): string {
  if (fault.svmm === undefined) return 'its channel has no SVM';
  if (fault.svmm.mm.users <= 0) return 'the process is exiting';
  const { unmanaged } = fault.svmm;
  if (fault.vpn >= unmanaged.start && fault.vpn < unmanaged.limit) return 'it lies in the unmanaged interval';
  return `the process cannot give the page (${errnoName(errno)})`;
}
