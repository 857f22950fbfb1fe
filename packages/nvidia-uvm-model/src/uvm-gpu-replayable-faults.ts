import { type GpuCapability, gpuFaultServiceable } from '@hmm/gpu';
import { SP_PREEMPT, type Task } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
import { markFatal } from './uvm-fatal-fault.js';
import { cancelFatal, cancelFaults } from './uvm-fault-cancel.js';
import { UvmFaultBatch } from './uvm-fault-batch.js';
import { serviceAts, serviceHmm } from './uvm-hmm-fault-batch.js';
import type { UvmModuleParams } from './uvm-module-params.js';
import { maskTest } from './uvm-page-mask.js';
import { faultsArrived, fetchBatch, flushFaultBuffer, flushModeOf, pushReplay } from './uvm-replay.js';
import {
  batchTime,
  blockServiceTime,
  interruptTime,
  refusedAfter,
  serialServiceTime,
} from './uvm-service-time.js';
import { packUvmEvent, UvmEventTypeGpuFault } from './uvm-tools.js';
import {
  eventAccessType,
  UVM_FAULT_ACCESS_TYPE_PREFETCH,
  UVM_ID_CPU,
  UVM_ID_GPU,
  UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT,
  UvmEventFatalReasonInvalidAddress,
  UvmEventFatalReasonInvalidFaultType,
  UvmEventFatalReasonOutOfMemory,
} from './uvm-types.js';
import type { UvmVaBlock } from './uvm-va-block.js';
import {
  FAULT_TAKEN,
  FAULT_THROTTLED,
  uvmVaBlockAddFault,
  uvmVaBlockServeRemotely,
  uvmVaBlockServiceLocked,
} from './uvm-va-block-service.js';
import type { UvmVaSpace } from './uvm-va-space.js';

/** Replay policies. @uvm uvm_gpu_replayable_faults.h uvm_perf_fault_replay_policy_t */
export const UVM_PERF_FAULT_REPLAY_POLICY_BLOCK = 0;
export const UVM_PERF_FAULT_REPLAY_POLICY_BATCH = 1;
export const UVM_PERF_FAULT_REPLAY_POLICY_BATCH_FLUSH = 2;
export const UVM_PERF_FAULT_REPLAY_POLICY_ONCE = 3;

/** The driver's state of the replayable fault buffer. @uvm uvm_forward_decl.h uvm_replayable_fault_buffer_t */
export class UvmReplayableFaults {
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
  /** Virtual time of the last replay, ns. */
  lastReplay = -Infinity;
  /** The present service call was entered by an interrupt and has served no batch yet. */
  interrupted = false;
  /** No fault of the running kernel has been served yet. */
  firstOfKernel = true;
  /** Batches in a row, up to the one before, that were refused because of throttling. */
  refusals = 0;
  /** A service has met a thrashing page before. */
  metThrashing = false;
  /** When prefetch faults come on again, ns. */
  prefetchOffUntil = 0;

  /** For a GPU with `capability`. Pascal's prefetch faults are off unless a parameter has them on. */
  constructor(params: UvmModuleParams, capability: GpuCapability) {
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
}

/**
 * Serves the replayable fault buffer until it is empty or the limits of one call are reached: fetch, preprocess, serve block by block, replay by policy. A call that
 * comes right after a replay goes on as the same call of the driver, which polls for a while; a later one is a new
 * interrupt.
 * @uvm uvm_gpu_replayable_faults.c uvm_parent_gpu_service_replayable_faults
 */
export function* uvmParentGpuServiceReplayableFaults(driver: UvmDriver): Task {
  const state = driver.replayable;
  const { gpu } = driver;
  enterService(driver);
  let replayed = false;
  while (gpu.faultBuffer.pending > 0) {
    if (state.batches >= state.maxBatches || state.throttledBatches >= state.maxThrottled) break;
    if (!faultsArrived(driver)) {
      if (replayed) break;
      interrupt(state);
    }
    const { batch } = state;
    fetchBatch(driver, batch);
    state.batchId++;
    driver.tools.counters.batches++;
    if (driver.kernel.sched.exploring) yield SP_PREEMPT;
    yield* serviceBatch(driver, batch);
    prefetchFaultControl(driver, batch);
    state.batches++;
    if (batch.fatal > 0 && !batch.outOfMemory) {
      yield* cancelFaults(driver, serviceBatch);
      replayed = true;
      continue;
    }
    if (batch.outOfMemory) cancelFatal(driver, batch);
    else if (batch.throttled > 0) state.throttledBatches++;
    replayed = replayBatch(driver, batch) || replayed;
    if (batch.outOfMemory) break;
  }
  if (!replayed) pushReplay(driver);
}

/** A fault that comes later than the driver polls needs an interrupt: a new call begins. */
function enterService(driver: UvmDriver): void {
  const state = driver.replayable;
  const { now } = driver.kernel.sched;
  driver.unpinUntil(now);
  if (now >= state.prefetchOffUntil) driver.gpu.prefetchFaults = state.prefetchFaultsSupported;
  const over = state.batches >= state.maxBatches || state.throttledBatches >= state.maxThrottled;
  if (over || now - state.lastReplay > driver.costs.gpuInterruptAfter) interrupt(state);
}

function interrupt(state: UvmReplayableFaults): void {
  state.batches = 0;
  state.throttledBatches = 0;
  state.interrupted = true;
}

function* serviceBatch(driver: UvmDriver, batch: UvmFaultBatch): Task {
  const { sched } = driver.kernel;
  for (let at = 0; at < batch.count;) {
    const index = batch.order[at] ?? 0;
    const space = driver.spaceOf(batch.instance[index] ?? 0);
    if (space === undefined) {
      at++;
      continue;
    }
    const block = space.block(batch.vpn[index] ?? 0);
    if (block !== undefined && gpuFaultServiceable(batch.type[index] ?? 0)) {
      const interrupt = batch.cached === 1 ? interruptTime(driver) : 0;
      if (interrupt > 0) yield* sched.delay(interrupt);
      if (!block.lock.tryFast()) yield* block.lock.lock();
      const end = serviceFaultsOfBlock(driver, batch, space, block, at);
      if (end < 0) yield* serveWithoutRoom(driver, batch, block, at, ~end);
      at = end < 0 ? ~end : end;
      batch.services++;
      const ns =
        batch.cached === 1 ? serialServiceTime(driver, space, block, batch) : blockServiceTime(driver);
      // Who waits for the lock has it between two refusals.
      const after = batch.cached === 1 && batch.throttled > 0 ? refusedAfter(driver) : 0;
      if (ns > after && !sched.delayFast(ns - after)) yield* sched.delay(ns - after);
      block.gpuSeen = true;
      block.lock.unlock();
      if (after > 0) yield* sched.delay(after);
      continue;
    }
    if (block === undefined && space.hmm !== undefined) {
      at =
        space.ats === undefined
          ? yield* serviceHmm(driver, batch, space, space.hmm, at)
          : yield* serviceAts(driver, batch, space.ats, space.hmm, at);
      continue;
    }
    serveWithoutBlock(driver, batch, index);
    at++;
  }
  if (batch.cached <= 1) return;
  const ns = batchTime(driver, batch);
  if (!sched.delayFast(ns)) yield* sched.delay(ns);
}

/** No block covers the address, or the fault cannot be served: prefetches are counted, the rest is fatal. */
function serveWithoutBlock(driver: UvmDriver, batch: UvmFaultBatch, index: number): void {
  const access = batch.access[index] ?? 0;
  if (!batch.cancelling) driver.tools.counters.gpuFaults++;
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
 */
function serviceFaultsOfBlock(
  driver: UvmDriver,
  batch: UvmFaultBatch,
  space: UvmVaSpace,
  block: UvmVaBlock,
  at: number,
): number {
  beginService(driver, space, block, batch, at);
  const end = gatherFaults(driver, batch, space, block, at);
  return uvmVaBlockServiceLocked(driver, driver.faultContext, block, UVM_ID_GPU) ? end : ~end;
}

/**
 * Serves the entries `at` … `end - 1` where no managed memory could be evicted. What is in the way may be system memory, whose
 * eviction sleeps: with the block lock dropped, once more from the top. Then from host memory, else they are fatal.
 */
function* serveWithoutRoom(
  driver: UvmDriver,
  batch: UvmFaultBatch,
  block: UvmVaBlock,
  at: number,
  end: number,
): Task {
  const ctx = driver.faultContext;
  let outcome = false;
  while (!outcome && driver.devmem !== undefined) {
    block.lock.unlock();
    const room = yield* driver.devmem.evictOne();
    if (!block.lock.tryFast()) yield* block.lock.lock();
    if (!room) break;
    outcome = uvmVaBlockServiceLocked(driver, ctx, block, UVM_ID_GPU);
  }
  if (outcome || uvmVaBlockServeRemotely(driver, ctx, block)) return;
  batch.outOfMemory = true;
  for (let i = at; i < end; i++) markFatal(batch, batch.order[i] ?? 0, UvmEventFatalReasonOutOfMemory);
}

/** Starts the context's clock: the moments of the hint and of the migration inside the service. */
function beginService(
  driver: UvmDriver,
  space: UvmVaSpace,
  block: UvmVaBlock,
  batch: UvmFaultBatch,
  at: number,
): void {
  const { costs, faultContext: ctx, replayable: state } = driver;
  const { now } = driver.kernel.sched;
  ctx.startTime = now;
  ctx.begin(UVM_MAKE_RESIDENT_CAUSE_REPLAYABLE_FAULT, now);
  ctx.hintTime = now + (state.refusals > 0 ? costs.gpuHintRefused : costs.gpuHint);
  ctx.migrationTime = ctx.hintTime + (state.refusals > 0 ? costs.gpuMigrationRefused : costs.gpuMigration);
  if (batch.cached === 1 && space.gpuFaults === 0) ctx.migrationTime += costs.gpuServiceFirst;
  ctx.mapTime = ctx.hintTime + costs.map;
  const page = (batch.vpn[batch.order[at] ?? 0] ?? 0) - block.start;
  const thrashes = block.thrashing?.pages !== undefined && maskTest(block.thrashing.thrashingPages, page);
  if (thrashes && !state.metThrashing) {
    state.metThrashing = true;
    ctx.migrationTime += costs.firstThrashing;
  }
}

function gatherFaults(
  driver: UvmDriver,
  batch: UvmFaultBatch,
  space: UvmVaSpace,
  block: UvmVaBlock,
  at: number,
): number {
  const ctx = driver.faultContext;
  const { counters } = driver.tools;
  const outer = block.start + block.pages;
  let previous = -1;
  let i = at;
  for (; i < batch.count; i++) {
    const index = batch.order[i] ?? 0;
    const vpn = batch.vpn[index] ?? 0;
    if (
      vpn >= outer ||
      batch.instance[index] !== space.instance.id ||
      !gpuFaultServiceable(batch.type[index] ?? 0)
    )
      break;
    const access = batch.access[index] ?? 0;
    if (!batch.cancelling) counters.gpuFaults++;
    if (vpn === previous) {
      batch.duplicates++;
      continue;
    }
    previous = vpn;
    const value = packUvmEvent(eventAccessType(access), UVM_ID_GPU, UVM_ID_CPU);
    if (!batch.cancelling) driver.tools.record(UvmEventTypeGpuFault, ctx.startTime, vpn, 1, value);
    const found = uvmVaBlockAddFault(driver, ctx, block, UVM_ID_GPU, vpn - block.start, access);
    if (found === FAULT_THROTTLED) batch.throttled++;
    else if (found === FAULT_TAKEN) space.gpuFaults++;
  }
  return i;
}

/** Too many invalid prefetches switch prefetch faults off for a while. */
function prefetchFaultControl(driver: UvmDriver, batch: UvmFaultBatch): void {
  const state = driver.replayable;
  if (state.reenableLapse === 0 || batch.invalidPrefetches * 3 <= state.batchSize * 2) return;
  driver.gpu.prefetchFaults = false;
  state.prefetchOffUntil = driver.kernel.sched.now + state.reenableLapse;
}

/** Replays as the policy says after a batch. @returns whether a replay was pushed. */
function replayBatch(driver: UvmDriver, batch: UvmFaultBatch): boolean {
  const state = driver.replayable;
  state.refusals = batch.throttled > 0 ? state.refusals + 1 : 0;
  state.interrupted = false;
  driver.tools.counters.duplicateFaults += batch.duplicates;
  driver.tools.counters.coalescedFaults += batch.coalesced;
  const policy = state.replayPolicy;
  if (policy === UVM_PERF_FAULT_REPLAY_POLICY_ONCE && driver.gpu.faultBuffer.pending > 0) return false;
  if (policy === UVM_PERF_FAULT_REPLAY_POLICY_BLOCK)
    for (let i = 1; i < batch.services; i++) pushReplay(driver);
  if (policy === UVM_PERF_FAULT_REPLAY_POLICY_BATCH_FLUSH)
    flushFaultBuffer(driver, flushModeOf(driver, batch));
  pushReplay(driver);
  return true;
}
