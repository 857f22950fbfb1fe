import { EINVAL, errnoName, type MaybeTask, type Task } from '@hmm/kernel';
import { type MmStruct, mmput } from '@hmm/mm';
import { mmputFast } from '@hmm/mm/internal';
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
import type { NouveauSvmRules } from './nouveau-svm-rules.js';
import type { NouveauSvm } from './nouveau-svm.js';
import type { NouveauSvmm } from './nouveau-svmm.js';
import { NVIF_VMM_PFNMAP_V0_A, NVIF_VMM_PFNMAP_V0_V, NVIF_VMM_PFNMAP_V0_W } from './nvif.js';
import { sort } from './sort.js';
import { TP_CANCEL, TP_FAULT, TP_FAULT_BATCH, TP_REPLAY } from './tracepoints.js';

/** Processing order of the access codes READ, WRITE, ATOMIC, PREFETCH: the weakest first. */
const PRIORITY: readonly number[] = [1, 2, 3, 0];

/**
 * The work item of the fault interrupt: reads every pending record, sorts them, handles them one by one, and has the
 * GPU replay once if any could be handled. What could not is cancelled, which kills the channel.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault (without: hubs and engines of a record)
 */
export function* nouveauSvmFault(svm: NouveauSvm): Task {
  const { drm } = svm;
  const { faultBuffer } = drm.device;
  if (svm.get === svm.put) {
    svm.put = faultBuffer.put;
    svm.get = faultBuffer.get;
    if (svm.get === svm.put) return;
  }
  yield* cacheFaults(svm);
  drm.counters.batches++;
  drm.kernel.emit(TP_FAULT_BATCH, 0, svm.faultNr, 0);
  sort(svm.faults, svm.faultNr, drm.does.comparesLowBits ? nouveauSvmFaultCmp : compareFaults);
  svm.rules?.sorted(svm.faults, svm.faultNr);
  if (!svm.mutex.tryFast()) yield* svm.mutex.lock();
  lookupSvmms(svm);
  svm.mutex.unlock();
  const handled = yield* handleFaults(svm);
  if (handled > 0) yield* nouveauSvmFaultReplay(svm);
}

/** Reads the ring from GET to PUT into the cache and hands its entries back. */
function* cacheFaults(svm: NouveauSvm): Task {
  const { drm, entry, faults } = svm;
  const { faultBuffer } = drm.device;
  const { trace, sched } = drm.kernel;
  svm.faultNr = 0;
  while (svm.get !== svm.put) {
    faultBuffer.read(svm.get, entry);
    svm.get = faultBuffer.next(svm.get);
    drm.counters.faults++;
    const access = nvkmFaultAccess(entry.access);
    if (trace.on) drm.kernel.emit(TP_FAULT, entry.vpn, 1, access);
    const cached = faults[svm.faultNr] ?? allocFault(svm);
    if (cached === undefined) {
      const { instance, vpn, gpc, client, timestamp } = entry;
      const lost = { inst: instance, vpn, access, gpc, client, time: timestamp, svmm: undefined };
      yield* cancel(svm, lost, 'no memory for its record', -EINVAL);
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
  const ns = svm.faultNr * drm.cost.record.value;
  if (!sched.delayFast(ns)) yield* sched.delay(ns);
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
 * same page may be passed over with it, and faults again. A difference of addresses is cut to 32 bits: pages 2 GiB and more
 * apart come in a wrong order, and 4 GiB apart they are equal.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault_cmp (all)
 */
export function nouveauSvmFaultCmp(a: NouveauSvmFault, b: NouveauSvmFault): number {
  if (a.inst !== b.inst) return a.inst - b.inst;
  const apart = (a.vpn - b.vpn) << 12;
  if (apart !== 0) return apart;
  return (PRIORITY[a.access] ?? 0) - (PRIORITY[b.access] ?? 0);
}

/** As {@link nouveauSvmFaultCmp}, with differences as they are. */
function compareFaults(a: NouveauSvmFault, b: NouveauSvmFault): number {
  if (a.inst !== b.inst) return a.inst - b.inst;
  if (a.vpn !== b.vpn) return a.vpn - b.vpn;
  return (PRIORITY[a.access] ?? 0) - (PRIORITY[b.access] ?? 0);
}

/** Finds the mirror of each instance. Under the driver's `mutex`. */
function lookupSvmms(svm: NouveauSvm): void {
  let inst = -1;
  let svmm: NouveauSvmm | undefined;
  for (let i = 0; i < svm.faultNr; i++) {
    const fault = svm.faults[i];
    if (fault === undefined) return;
    if (fault.inst !== inst) svmm = svm.find(fault.inst);
    inst = fault.inst;
    fault.svmm = svmm;
  }
}

/** Handles sorted faults. Returns how many runs of them succeeded. */
function* handleFaults(svm: NouveauSvm): Task<number> {
  const { drm, faults, args } = svm;
  args.phys[0] = 0;
  let handled = 0;
  let atomic = false;
  for (let at = 0; at < svm.faultNr;) {
    const fault = faults[at];
    if (fault === undefined) break;
    const { svmm } = fault;
    if (svmm === undefined || !mmgetNotZero(svmm.mm)) {
      yield* cancel(svm, fault, reasonOf(fault, -EINVAL), -EINVAL);
      at++;
      continue;
    }
    atomic = (atomic && drm.does.stickyAtomic) || fault.access === FAULT_ACCESS_ATOMIC;
    args.vpn = fault.vpn;
    args.pages = 1;
    const served: MaybeTask<number> = atomic
      ? nouveauAtomicRangeFault(svmm, args)
      : nouveauRangeFault(svmm, args, hmmFlags(fault.access));
    const ret = typeof served === 'number' ? served : yield* served;
    if (!mmputFast(svmm.mm)) yield* mmput(svmm.mm);
    if (ret !== 0 && !drm.does.staleSkip) args.phys[0] = 0;
    const next = skipForward(svm, at);
    if (svm.rules !== undefined) keepsRules(svm, svm.rules, at, next, ret);
    if (ret === 0) {
      handled++;
      if (fault.access === FAULT_ACCESS_WRITE && isReadOnly(args)) drm.channelOf(fault.inst)?.spin(fault.vpn);
    } else for (let i = at; i < next; i++) yield* cancelAt(svm, i, reasonOf(fault, ret), ret);
    at = next;
  }
  return handled;
}

/** Whether something was mapped, but not for stores. */
function isReadOnly({ phys }: PfnmapArgs): boolean {
  return ((phys[0] ?? 0) & (NVIF_VMM_PFNMAP_V0_V | NVIF_VMM_PFNMAP_V0_W)) === NVIF_VMM_PFNMAP_V0_V;
}

/** What a fault asks of the process's page: nothing, presence, or the right to write too. */
function hmmFlags(access: number): number {
  if (access === FAULT_ACCESS_READ) return HMM_PFN_REQ_FAULT;
  if (access === FAULT_ACCESS_PREFETCH) return 0;
  return HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
}

/** @kernel include/linux/sched/mm.h mmget_not_zero (all) */
function mmgetNotZero(mm: MmStruct): boolean {
  if (mm.users <= 0) return false;
  mm.users++;
  return true;
}

/**
 * Index of the first fault after `at` that is not taken as handled with it. Taken are those of the same mirror below the end
 * of what was mapped, as long as that allows what *the handled fault's own* access needs. The rights looked at are those of the
 * last page that could be converted in this work item, also when this fault failed.
 */
function skipForward({ drm, faults, faultNr, args }: NouveauSvm, at: number): number {
  const fault = faults[at];
  if (fault === undefined) return at + 1;
  const need = needs(fault.access);
  if (((args.phys[0] ?? 0) & need) !== need) return at + 1;
  const limit = args.vpn + args.pages;
  const start = drm.does.skipsBelow ? 0 : args.vpn;
  let next = at + 1;
  for (; next < faultNr; next++) {
    const other = faults[next];
    if (other === undefined || other.svmm !== fault.svmm || other.vpn >= limit || other.vpn < start) break;
  }
  return next;
}

/** Tells what is asked where interleavings are explored about the faults from `at` to `next`, of which the first ended with `ret`. */
function keepsRules(
  { faults, args }: NouveauSvm,
  rules: NouveauSvmRules,
  at: number,
  next: number,
  ret: number,
): void {
  const first = faults[at];
  for (let i = at + 1; i < next; i++) {
    const other = faults[i];
    if (first === undefined || other === undefined) return;
    if (ret === 0) rules.passedOver(other, args);
    else rules.cancelledFor(other, first);
  }
}

function needs(access: number): number {
  switch (access) {
    case FAULT_ACCESS_PREFETCH:
      return 0;
    case FAULT_ACCESS_READ:
      return NVIF_VMM_PFNMAP_V0_V;
    case FAULT_ACCESS_WRITE:
      return NVIF_VMM_PFNMAP_V0_W;
    default:
      return NVIF_VMM_PFNMAP_V0_W | NVIF_VMM_PFNMAP_V0_A;
  }
}

/**
 * Has the GPU retry everything that is stalled.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault_replay (all)
 */
function* nouveauSvmFaultReplay(svm: NouveauSvm): Task {
  const { drm } = svm;
  const { sched } = drm.kernel;
  if (!sched.delayFast(drm.cost.command.value)) yield* sched.delay(drm.cost.command.value);
  drm.counters.replays++;
  drm.kernel.emit(TP_REPLAY, 0, 0, 0);
  drm.device.faultReplay();
}

function* cancelAt(svm: NouveauSvm, at: number, reason: string, errno: number): Task {
  const fault = svm.faults[at];
  if (fault !== undefined) yield* cancel(svm, fault, reason, errno);
}

/**
 * Ends a fault that cannot be handled: the engine reports an error and the channel is killed.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault_cancel (without: hub and engine of the
 * cancelled client)
 */
function* cancel(svm: NouveauSvm, fault: NouveauSvmFault, reason: string, errno: number): Task {
  const { drm } = svm;
  const { inst, vpn, access, client } = fault;
  yield* drm.kernel.sched.delay(drm.cost.command.value);
  drm.counters.cancels++;
  drm.kernel.emit(TP_CANCEL, vpn, 1, -errno);
  drm.device.faultCancel(inst, client, vpn);
  drm.channelOf(inst)?.kill(vpn, access, reason, errno);
}

function reasonOf({ svmm, vpn }: NouveauSvmFault, errno: number): string {
  if (svmm === undefined) return 'its channel has no SVM';
  if (svmm.mm.users <= 0) return 'the process is exiting';
  const { unmanaged } = svmm;
  if (vpn >= unmanaged.start && vpn < unmanaged.limit) return 'it lies in the unmanaged interval';
  return `the process cannot give the page (${errnoName(errno)})`;
}
