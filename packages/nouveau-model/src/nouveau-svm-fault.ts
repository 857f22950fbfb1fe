import { EINVAL, type Task } from '@hmm/kernel';
import { nvkmFaultAccess, type NouveauSvmFault } from './nouveau-svm-fault-record.js';
import { cancelFault, serveFaults } from './nouveau-svm-serve.js';
import type { NouveauSvm } from './nouveau-svm.js';
import type { NouveauSvmm } from './nouveau-svmm.js';
import { sort } from './sort.js';
import { TP_FAULT, TP_FAULT_BATCH } from './tracepoints.js';

/** Processing order of the access codes READ, WRITE, ATOMIC, PREFETCH: the weakest first. */
const PRIORITY: readonly number[] = [1, 2, 3, 0];

/**
 * The work item of the fault interrupt: reads every pending record, sorts them, handles them one by one, and has the
 * GPU replay once if any could be handled. What could not is cancelled, which kills the channel.
 * @kernel drivers/gpu/drm/nouveau/nouveau_svm.c nouveau_svm_fault (without: hubs and engines of a record)
 */
export function* nouveauSvmFault(svm: NouveauSvm): Task {
  if (!findPending(svm)) return;
  while (svm.get !== svm.put) if (!cacheFault(svm)) yield* cancelLost(svm);
  svm.drm.device.faultBuffer.discardTo(svm.get);
  yield* svm.drm.kernel.sched.delay(recordTime(svm));
  const rest = serveCached(svm);
  if (rest !== undefined) yield* rest;
}

/**
 * {@link nouveauSvmFault} as far as nobody has to be waited for, which allocates nothing.
 * @returns the rest as a task; undefined where there is none.
 */
export function nouveauSvmFaultFast(svm: NouveauSvm): Task | undefined {
  const { sched, injector } = svm.drm.kernel;
  if (sched.exploring || injector !== undefined) return nouveauSvmFault(svm);
  if (!findPending(svm)) return undefined;
  while (svm.get !== svm.put) cacheFault(svm);
  svm.drm.device.faultBuffer.discardTo(svm.get);
  const ns = recordTime(svm);
  return sched.delayFast(ns) ? serveCached(svm) : serveAfter(svm, ns);
}

/** Looks where the ring begins and ends. @returns false where it is empty. */
function findPending(svm: NouveauSvm): boolean {
  const { faultBuffer } = svm.drm.device;
  if (svm.get === svm.put) {
    svm.put = faultBuffer.put;
    svm.get = faultBuffer.get;
  }
  svm.faultNr = 0;
  return svm.get !== svm.put;
}

/** Reads the record at GET into the cache. @returns false when there was no memory for it: it stays in `svm.entry`. */
function cacheFault(svm: NouveauSvm): boolean {
  const { drm, entry, faults } = svm;
  const { faultBuffer } = drm.device;
  faultBuffer.read(svm.get, entry);
  svm.get = faultBuffer.next(svm.get);
  drm.counters.faults++;
  const access = nvkmFaultAccess(entry.access);
  if (drm.kernel.trace.on) drm.kernel.emit(TP_FAULT, entry.vpn, 1, access);
  const cached = faults[svm.faultNr] ?? allocFault(svm);
  if (cached === undefined) return false;
  svm.faultNr++;
  cached.inst = entry.instance;
  cached.vpn = entry.vpn;
  cached.access = access;
  cached.gpc = entry.gpc;
  cached.client = entry.client;
  cached.time = entry.timestamp;
  cached.svmm = undefined;
  return true;
}

/** Cancels the fault whose record was just read, and for which there is no memory. */
function* cancelLost(svm: NouveauSvm): Task {
  const { instance, vpn, access, gpc, client, timestamp } = svm.entry;
  const lost = {
    inst: instance,
    vpn,
    access: nvkmFaultAccess(access),
    gpc,
    client,
    time: timestamp,
    svmm: undefined,
  };
  yield* cancelFault(svm, lost, 'no memory for its record', -EINVAL);
}

/** What reading the cached records took, ns. */
function recordTime({ faultNr, drm }: NouveauSvm): number {
  return faultNr * drm.cost.record.value;
}

function* serveAfter(svm: NouveauSvm, ns: number): Task {
  yield* svm.drm.kernel.sched.delay(ns);
  const rest = serveCached(svm);
  if (rest !== undefined) yield* rest;
}

/** Sorts the cached records and serves them, as far as nobody has to be waited for. @returns the rest as a task. */
function serveCached(svm: NouveauSvm): Task | undefined {
  const { drm } = svm;
  drm.counters.batches++;
  drm.kernel.emit(TP_FAULT_BATCH, 0, svm.faultNr, 0);
  if (!ascends(svm))
    sort(svm.faults, svm.faultNr, drm.does.comparesLowBits ? nouveauSvmFaultCmp : compareFaults);
  svm.rules?.sorted(svm.faults, svm.faultNr);
  if (!svm.mutex.tryFast()) return lookupAndServe(svm);
  lookupSvmms(svm);
  svm.mutex.unlock();
  return serveFaults(svm);
}

function* lookupAndServe(svm: NouveauSvm): Task {
  yield* svm.mutex.lock();
  lookupSvmms(svm);
  svm.mutex.unlock();
  const rest = serveFaults(svm);
  if (rest !== undefined) yield* rest;
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

/** Pages from which on a difference of addresses is cut to what is wrong: 2 GiB. */
const CUT = 2 ** 19;

/**
 * Whether the cached faults come sorted, all of one instance, each at a page of its own and none 2 GiB from another: then both
 * comparisons leave them as they are.
 */
function ascends({ faults, faultNr }: NouveauSvm): boolean {
  const first = faults[0];
  if (first === undefined) return true;
  let vpn = first.vpn;
  for (let i = 1; i < faultNr; i++) {
    const fault = faults[i];
    if (fault === undefined || fault.inst !== first.inst || fault.vpn <= vpn) return false;
    vpn = fault.vpn;
  }
  return vpn - first.vpn < CUT;
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
