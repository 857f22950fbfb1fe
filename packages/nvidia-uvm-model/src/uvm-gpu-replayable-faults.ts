import { type GpuCapability, gpuFaultServiceable } from '@hmm/gpu';
import { SP_PREEMPT, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { markFatal } from './uvm-fatal-fault.js';
import { cancelFatal, cancelFaults } from './uvm-fault-cancel.js';
import { UvmFaultBatch } from './uvm-fault-batch.js';
import { serviceAts, serviceHmm } from './uvm-hmm-fault-batch.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import type { UvmModuleParams } from './uvm-module-params.js';
import { maskWeight } from './uvm-page-mask.js';
import { faultsArrived, fetchBatch, flushFaultBuffer, flushModeOf, pushReplay } from './uvm-replay.js';
import type { UvmServiceBlockContext } from './uvm-service-block-context.js';
import { packUvmEvent, UvmEventTypeGpuFault } from './uvm-tools.js';
import {
  eventAccessType,
  UVM_FAULT_ACCESS_TYPE_PREFETCH,
  UVM_ID_CPU,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UvmEventFatalReasonInvalidAddress,
  UvmEventFatalReasonInvalidFaultType,
  UvmEventFatalReasonOutOfMemory,
  type UvmProcessorId,
} from './uvm-types.js';
import { thrashes } from './uvm-perf-thrashing.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import { tellRemoteMaps } from './uvm-va-block-map.js';
import type { UvmBlockWork } from './uvm-work.js';
import {
  FAULT_TAKEN,
  FAULT_THROTTLED,
  uvmVaBlockAddFault,
  uvmVaBlockServeRemotely,
  uvmVaBlockServiceLocked,
} from './uvm-va-block-service.js';

/** Replay policies. @uvm uvm_gpu_replayable_faults.h uvm_perf_fault_replay_policy_t */
export const UVM_PERF_FAULT_REPLAY_POLICY_BLOCK = 0;
export const UVM_PERF_FAULT_REPLAY_POLICY_BATCH = 1;
export const UVM_PERF_FAULT_REPLAY_POLICY_BATCH_FLUSH = 2;
export const UVM_PERF_FAULT_REPLAY_POLICY_ONCE = 3;

/** The driver's state of the replayable fault buffer. @uvm uvm_forward_decl.h uvm_replayable_fault_buffer_t */
export class UvmReplayableFaults {
  /** What of it is state. */
  static readonly state = declareState({
    batchSize: 'constant',
    coalesce: 'constant',
    replayPolicy: 'constant',
    updatePutRatio: 'constant',
    maxBatches: 'constant',
    maxThrottled: 'constant',
    reenableLapse: 'constant',
    prefetchFaultsSupported: 'constant',
    batch: { saved: 'scratch of one service, written before it is read' },
    cancelBatch: { saved: 'scratch of one service, written before it is read' },
    cachedPut: 'value',
    batchId: { saved: 'a total, which decides nothing' },
    batches: 'value',
    throttledBatches: 'value',
    lastReplay: 'value',
    interrupted: 'value',
    prefetchOffUntil: 'value',
    context: { saved: 'scratch of one service, written before it is read' },
  });

  readonly batchSize: number;
  readonly coalesce: boolean;
  readonly replayPolicy: number;
  readonly updatePutRatio: number;
  readonly maxBatches: number;
  readonly maxThrottled: number;
  /** ns that prefetch faults stay off after too many invalid ones; 0 keeps them on. */
  readonly reenableLapse: number;
  /** Prefetch instructions may raise faults at all. */
  readonly prefetchFaultsSupported: boolean;
  readonly batch: UvmFaultBatch;
  /** The batch of the cancel step, as large as the buffer; made when it is needed. */
  cancelBatch: UvmFaultBatch | undefined;
  /** PUT as last read from the hardware. */
  cachedPut = 0;
  batchId = 0;
  /** The present service call: batches and throttled batches so far. */
  batches = 0;
  throttledBatches = 0;
  /** When the last replay was pushed, ns. */
  lastReplay = -Infinity;
  /** The present service call was entered by an interrupt and has served no batch yet. */
  interrupted = false;
  /** When prefetch faults come on again, ns. */
  prefetchOffUntil = 0;

  /** What the services of a batch work on. */
  readonly context: UvmServiceBlockContext;

  /** For a GPU with `capability`. Pascal's prefetch faults are off unless a parameter has them on. */
  constructor(params: UvmModuleParams, capability: GpuCapability, context: UvmServiceBlockContext) {
    this.context = context;
    const forced = params.get('uvm_force_prefetch_fault_support') === 1;
    this.prefetchFaultsSupported = capability.prefetchFaults || (capability.replayableFaults && forced);
    this.batchSize = params.get('uvm_perf_fault_batch_count');
    this.coalesce = params.get('uvm_perf_fault_coalesce') === 1;
    this.replayPolicy = params.get('uvm_perf_fault_replay_policy');
    this.updatePutRatio = params.get('uvm_perf_fault_replay_update_put_ratio');
    this.maxBatches = params.get('uvm_perf_fault_max_batches_per_service');
    this.maxThrottled = params.get('uvm_perf_fault_max_throttle_per_service');
    this.reenableLapse = params.get('uvm_perf_reenable_prefetch_faults_lapse_msec') * 1e6;
    this.batch = new UvmFaultBatch(this.batchSize);
  }

  /** The limits of one service call are reached. */
  get isOver(): boolean {
    return this.batches >= this.maxBatches || this.throttledBatches >= this.maxThrottled;
  }

  /** A new service call begins. */
  interrupt(): void {
    this.batches = 0;
    this.throttledBatches = 0;
    this.interrupted = true;
  }
}

/**
 * Serves the replayable fault buffer until it is empty or the limits of one call are reached: fetch, preprocess, serve block by block,
 * replay by policy. A call that comes right after a replay goes on as the same call of the driver, which polls for a while; a later one is
 * a new interrupt.
 * @uvm uvm_gpu_replayable_faults.c uvm_parent_gpu_service_replayable_faults (without: errors of the hardware
 * and of pushes, partitions of a GPU)
 */
export function* uvmParentGpuServiceReplayableFaults(gpu: UvmParentGpu): Task {
  const { hw, kernel, replayable: state, tools, work } = gpu;
  enterService(gpu);
  let replayed = false;
  while (hw.faultBuffer.pending > 0 && !state.isOver) {
    if (!faultsArrived(gpu)) {
      if (replayed) break;
      state.interrupt();
    }
    const batch = fetchBatch(gpu);
    state.batchId++;
    tools.counters.batches++;
    work.batchFetched();
    if (kernel.sched.exploring) yield SP_PREEMPT;
    yield* serviceFaultBatch(gpu, batch);
    prefetchFaultControl(gpu, batch);
    state.batches++;
    if (batch.fatal > 0 && !batch.outOfMemory) {
      yield* cancelFaults(gpu, serviceFaultBatch);
      replayed = true;
      continue;
    }
    if (batch.outOfMemory) cancelFatal(gpu, batch);
    else if (batch.throttled > 0) state.throttledBatches++;
    replayed = replayBatch(gpu, batch) || replayed;
    if (batch.outOfMemory) break;
  }
  if (!replayed) pushReplay(gpu);
}

/** A fault that comes later than the driver polls needs an interrupt: a new call begins. */
function enterService({ clock, hw, replayable: state }: UvmParentGpu): void {
  const now = clock.time();
  if (now >= state.prefetchOffUntil) hw.prefetchFaults = state.prefetchFaultsSupported;
  if (state.isOver || now > clock.pollsUntil(state.lastReplay)) state.interrupt();
}

/**
 * Serves the entries of a batch, block by block, or VMA by VMA where they are system memory.
 * @uvm uvm_gpu_replayable_faults.c service_fault_batch (without: VA spaces that disappear,
 * errors of pushes)
 */
function* serviceFaultBatch(gpu: UvmParentGpu, batch: UvmFaultBatch): Task {
  const { kernel, replayable: state, work } = gpu;
  const { sched } = kernel;
  for (let at = 0; at < batch.count;) {
    const index = batch.order[at] ?? 0;
    const space = gpu.spaceOf(batch.instance[index] ?? 0);
    if (space === undefined) {
      at++;
      continue;
    }
    if (!space.lock.tryReadFast()) yield* space.lock.read();
    const block = space.isDead ? undefined : space.managedBlock(batch.vpn[index] ?? 0);
    if (block === undefined && space.hmm !== undefined) {
      // `mmap_lock` goes before the VA space's.
      space.lock.unlockRead();
      at =
        space.ats === undefined
          ? yield* serviceHmm(gpu, batch, space.hmm, at)
          : yield* serviceAts(gpu, batch, space.ats, space.hmm, at);
      continue;
    }
    if (block === undefined || !gpuFaultServiceable(batch.type[index] ?? 0)) {
      serveWithoutBlock(gpu, batch, index);
      space.lock.unlockRead();
      at++;
      continue;
    }
    const entering = state.interrupted ? work.interrupted(batch.cached) : 0;
    if (entering > 0) yield* sched.delay(entering);
    if (!block.lock.tryFast()) yield* block.lock.lock();
    const end = serviceFaultsOfBlock(gpu, batch, block, at);
    if (end < 0) yield* serveWithoutRoom(gpu, batch, block, at, ~end);
    at = end < 0 ? ~end : end;
    batch.services++;
    const ns = work.blockServed(space.id, batch.cached, serviceDone(state, batch));
    tellRemoteMaps(state.context, ns);
    // Who waits for the lock has it between two refusals.
    const after = batch.cached === 1 && batch.throttled > 0 ? work.refusalReturns() : 0;
    if (ns > after && !sched.delayFast(ns - after)) yield* sched.delay(ns - after);
    block.lock.unlock();
    space.lock.unlockRead();
    if (after > 0) yield* sched.delay(after);
  }
  const ns = work.batchServed(batch.cached, batch.throttled);
  if (ns > 0 && !sched.delayFast(ns)) yield* sched.delay(ns);
}

/** What the service that has just ended did. */
function serviceDone({ context: ctx }: UvmReplayableFaults, batch: UvmFaultBatch): UvmBlockWork {
  const { done } = ctx;
  done.copiesEnd = ctx.copiesEnd;
  if (batch.cached === 1) done.prefetched = maskWeight(ctx.prefetch);
  return done;
}

/** No block covers the address, or the fault cannot be served: prefetches are counted, the rest is fatal. */
function serveWithoutBlock({ tools }: UvmParentGpu, batch: UvmFaultBatch, index: number): void {
  const access = batch.access[index] ?? 0;
  if (!batch.cancelling) tools.counters.gpuFaults++;
  if (access === UVM_FAULT_ACCESS_TYPE_PREFETCH) {
    batch.invalidPrefetches++;
    return;
  }
  const fatalType = !gpuFaultServiceable(batch.type[index] ?? 0);
  const reason = fatalType ? UvmEventFatalReasonInvalidFaultType : UvmEventFatalReasonInvalidAddress;
  markFatal(batch, index, reason);
}

/**
 * Serves the entries from position `at` of the order that lie in `block`, whose lock is held.
 * @returns the position after them; its complement when there was no room for them.
 * @uvm uvm_gpu_replayable_faults.c service_fault_batch_block_locked (without: retries after an allocation
 * dropped the lock, other GPUs)
 */
function serviceFaultsOfBlock(
  { clock, id, replayable }: UvmParentGpu,
  batch: UvmFaultBatch,
  block: UvmVaBlock,
  at: number,
): number {
  const { context: ctx } = replayable;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT, clock.time());
  ctx.mapsLate = true;
  const page = (batch.vpn[batch.order[at] ?? 0] ?? 0) - block.start;
  ctx.done.gpu = id;
  clock.gpuService(block.range.space.id, id, batch.cached, thrashes(block, page), ctx);
  const end = gatherFaults(ctx, id, batch, block, at);
  return uvmVaBlockServiceLocked(ctx, block, id) ? end : ~end;
}

/**
 * Serves the entries `at` … `end - 1` where no managed memory could be evicted. What is in the way may be system memory, whose
 * eviction sleeps: with the block lock dropped, once more from the top. Then from host memory, else they are fatal.
 */
function* serveWithoutRoom(
  { devmem, id, replayable }: UvmParentGpu,
  batch: UvmFaultBatch,
  block: UvmVaBlock,
  at: number,
  end: number,
): Task {
  const { context: ctx } = replayable;
  let outcome = false;
  while (!outcome && devmem !== undefined) {
    block.lock.unlock();
    const room = yield* devmem.evictOne();
    if (!block.lock.tryFast()) yield* block.lock.lock();
    if (!room) break;
    outcome = uvmVaBlockServiceLocked(ctx, block, id);
  }
  if (outcome || uvmVaBlockServeRemotely(ctx, block, id)) return;
  batch.outOfMemory = true;
  for (let i = at; i < end; i++) markFatal(batch, batch.order[i] ?? 0, UvmEventFatalReasonOutOfMemory);
}

/** Adds the entries from position `at` on that lie in `block` to the service. @returns the position after them. */
function gatherFaults(
  ctx: UvmServiceBlockContext,
  id: UvmProcessorId,
  batch: UvmFaultBatch,
  block: UvmVaBlock,
  at: number,
): number {
  const { done, startTime, tools } = ctx;
  const outer = block.start + block.pages;
  const instance = block.range.space.id;
  let previous = -1;
  let i = at;
  for (; i < batch.count; i++) {
    const index = batch.order[i] ?? 0;
    const vpn = batch.vpn[index] ?? 0;
    if (vpn >= outer || batch.instance[index] !== instance || !gpuFaultServiceable(batch.type[index] ?? 0))
      break;
    const access = batch.access[index] ?? 0;
    if (!batch.cancelling) tools.counters.gpuFaults++;
    if (vpn === previous) {
      batch.duplicates++;
      continue;
    }
    previous = vpn;
    const value = packUvmEvent(eventAccessType(access), id, UVM_ID_CPU, faultsOfPage(batch, i));
    if (!batch.cancelling) tools.record(UvmEventTypeGpuFault, startTime, vpn, 1, value);
    const found = uvmVaBlockAddFault(ctx, block, id, vpn - block.start, access);
    if (found === FAULT_THROTTLED) done.refused++;
    else if (found === FAULT_TAKEN) done.taken++;
  }
  batch.throttled += done.refused;
  return i;
}

/** Faults of the batch on the page of the entry at position `at` of the order, the first of those on it. */
function faultsOfPage(batch: UvmFaultBatch, at: number): number {
  const { count, instance, merged, order, vpn } = batch;
  const first = order[at] ?? 0;
  let faults = 0;
  for (let i = at; i < count; i++) {
    const index = order[i] ?? 0;
    if (vpn[index] !== vpn[first] || instance[index] !== instance[first]) break;
    faults += merged[index] ?? 0;
  }
  return faults;
}

/** Too many invalid prefetches switch prefetch faults off for a while. */
function prefetchFaultControl({ clock, hw, replayable: state }: UvmParentGpu, batch: UvmFaultBatch): void {
  if (state.reenableLapse === 0 || batch.invalidPrefetches * 3 <= state.batchSize * 2) return;
  hw.prefetchFaults = false;
  state.prefetchOffUntil = clock.time() + state.reenableLapse;
}

/** Replays as the policy says after a batch. @returns whether a replay was pushed. */
function replayBatch(gpu: UvmParentGpu, batch: UvmFaultBatch): boolean {
  const { hw, replayable: state, tools } = gpu;
  state.interrupted = false;
  tools.counters.duplicateFaults += batch.duplicates;
  tools.counters.coalescedFaults += batch.coalesced;
  const policy = state.replayPolicy;
  if (policy === UVM_PERF_FAULT_REPLAY_POLICY_ONCE && hw.faultBuffer.pending > 0) return false;
  if (policy === UVM_PERF_FAULT_REPLAY_POLICY_BLOCK) for (let i = 1; i < batch.services; i++) pushReplay(gpu);
  if (policy === UVM_PERF_FAULT_REPLAY_POLICY_BATCH_FLUSH)
    flushFaultBuffer(gpu, flushModeOf(batch, state.updatePutRatio));
  pushReplay(gpu);
  return true;
}
