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
  type NouveauSvmFault,
} from './nouveau-svm-fault-record.js';
import type { NouveauSvmRules } from './nouveau-svm-rules.js';
import type { NouveauSvm } from './nouveau-svm.js';
import { NVIF_VMM_PFNMAP_V0_A, NVIF_VMM_PFNMAP_V0_V, NVIF_VMM_PFNMAP_V0_W } from './nvif.js';
import { TP_CANCEL, TP_REPLAY } from './tracepoints.js';

/**
 * Serves the sorted faults, and has the GPU replay.
 * @returns what has to be waited for, as a task; undefined where there is nothing.
 */
export function serveFaults(svm: NouveauSvm): Task | undefined {
  const { item, args, drm } = svm;
  args.phys[0] = 0;
  item.at = 0;
  item.handled = 0;
  item.atomic = false;
  const waiting = serveFast(svm);
  if (waiting !== ALL_SERVED) return serveSlowly(svm, waiting);
  if (item.handled === 0) return undefined;
  const ns = drm.cost.command.value;
  if (!drm.kernel.sched.delayFast(ns)) return replayAfter(svm, ns);
  nouveauSvmFaultReplay(svm);
  return undefined;
}

/** {@link serveFast}: there is no process to serve the fault for. */
const NOBODY = 1;
/** {@link serveFast}: all faults are served. */
const ALL_SERVED = 2;

/**
 * Serves faults from `svm.item.at` on, as long as nobody has to be waited for and none fails.
 * @returns {@link ALL_SERVED}, or how the service of the fault at `svm.item.at` goes on: a task, a negative errno with which it
 * failed, {@link NOBODY}, or 0 where the process ends with it. The process is held but for nobody.
 */
function serveFast(svm: NouveauSvm): MaybeTask<number> {
  const { drm, faults, args, item } = svm;
  while (item.at < svm.faultNr) {
    const fault = faults[item.at];
    if (fault === undefined) break;
    const { svmm } = fault;
    if (svmm === undefined || !mmgetNotZero(svmm.mm)) return NOBODY;
    item.atomic = (item.atomic && drm.does.stickyAtomic) || fault.access === FAULT_ACCESS_ATOMIC;
    args.vpn = fault.vpn;
    args.pages = 1;
    const served: MaybeTask<number> = item.atomic
      ? nouveauAtomicRangeFault(svmm, args)
      : nouveauRangeFault(svmm, args, hmmFlags(fault.access));
    if (served !== 0 || !mmputFast(svmm.mm)) return served;
    handled(svm, fault);
  }
  return ALL_SERVED;
}

/** Goes on with the fault whose service is `first`, and with all others; then has the GPU replay. */
function* serveSlowly(svm: NouveauSvm, first: MaybeTask<number>): Task {
  const { item, drm } = svm;
  for (let waiting = first; waiting !== ALL_SERVED; waiting = serveFast(svm)) {
    const fault = svm.faults[item.at];
    if (fault === undefined) return;
    if (waiting === NOBODY) {
      yield* cancelFault(svm, fault, reasonOf(fault, -EINVAL), -EINVAL);
      item.at++;
      continue;
    }
    const ret: number = typeof waiting === 'number' ? waiting : yield* waiting;
    if (fault.svmm !== undefined && !mmputFast(fault.svmm.mm)) yield* mmput(fault.svmm.mm);
    if (ret === 0) handled(svm, fault);
    else yield* cancelRun(svm, fault, ret);
  }
  if (item.handled > 0) yield* replayAfter(svm, drm.cost.command.value);
}

/** The fault at `svm.item.at` is handled, and those behind it that are taken as handled with it. */
function handled(svm: NouveauSvm, fault: NouveauSvmFault): void {
  const { item, drm, args } = svm;
  const next = skipForward(svm, item.at);
  if (svm.rules !== undefined) keepsRules(svm, svm.rules, item.at, next, 0);
  item.handled++;
  item.at = next;
  if (fault.access === FAULT_ACCESS_WRITE && isReadOnly(args)) drm.channelOf(fault.inst)?.spin(fault.vpn);
}

/** Cancels the fault at `svm.item.at`, which failed with `errno`, and those behind it that are taken to have failed with it. */
function* cancelRun(svm: NouveauSvm, fault: NouveauSvmFault, errno: number): Task {
  const { item, drm, args } = svm;
  if (!drm.does.staleSkip) args.phys[0] = 0;
  const next = skipForward(svm, item.at);
  if (svm.rules !== undefined) keepsRules(svm, svm.rules, item.at, next, errno);
  for (; item.at < next; item.at++) yield* cancelAt(svm, item.at, reasonOf(fault, errno), errno);
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
function nouveauSvmFaultReplay({ drm }: NouveauSvm): void {
  drm.counters.replays++;
  drm.kernel.emit(TP_REPLAY, 0, 0, 0);
  drm.device.faultReplay();
}

function* replayAfter(svm: NouveauSvm, ns: number): Task {
  yield* svm.drm.kernel.sched.delay(ns);
  nouveauSvmFaultReplay(svm);
}

function* cancelAt(svm: NouveauSvm, at: number, reason: string, errno: number): Task {
  const fault = svm.faults[at];
  if (fault !== undefined) yield* cancelFault(svm, fault, reason, errno);
}

/**
 * Ends a fault that cannot be handled: the engine reports an error and the channel is killed.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault_cancel (without: hub and engine of the
 * cancelled client)
 */
export function* cancelFault(svm: NouveauSvm, fault: NouveauSvmFault, reason: string, errno: number): Task {
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
