import type { UvmDriver } from './uvm-driver.js';
import type { UvmFaultBatch } from './uvm-fault-batch.js';
import { UvmEventTypeGpuFaultReplay } from './uvm-tools.js';

/** Pushes a replay: everything that is stalled tries again. @uvm uvm_gpu_replayable_faults.c push_replay_on_gpu */
export function pushReplay(driver: UvmDriver): void {
  const { now } = driver.kernel.sched;
  driver.replayable.lastReplay = now;
  driver.tools.counters.replays++;
  driver.tools.record(UvmEventTypeGpuFaultReplay, now, 0, 0, driver.replayable.batchId);
  driver.gpu.replay();
}

/**
 * Whether faults have arrived that no batch had yet: before the PUT that the driver knows, or, when everything up to it is taken,
 * by the time it looks after a replay.
 */
export function faultsArrived(driver: UvmDriver): boolean {
  const { costs, replayable: state } = driver;
  const { faultBuffer } = driver.gpu;
  if (state.interrupted || faultBuffer.get !== state.cachedPut) return true;
  return faultBuffer.putBy(state.lastReplay + costs.gpuInterruptAfter) !== faultBuffer.get;
}

/**
 * Fetches a batch: up to the PUT that the driver knows, which is read anew only when everything up to it is taken. What arrives
 * later stays for the next batch.
 */
export function fetchBatch(driver: UvmDriver, batch: UvmFaultBatch): void {
  const { replayable: state } = driver;
  const { faultBuffer } = driver.gpu;
  if (faultBuffer.get === state.cachedPut) state.cachedPut = faultBuffer.putBy(putReadTime(driver));
  batch.fetch(faultBuffer, state.batchSize, state.coalesce, state.cachedPut);
  batch.sort();
}

/** When the driver reads PUT: a while after the fault that interrupts it, or right after its last replay. */
function putReadTime(driver: UvmDriver): number {
  const { costs, replayable: state } = driver;
  if (!state.interrupted) return state.lastReplay + costs.gpuInterruptAfter;
  return Math.max(driver.kernel.sched.now, driver.gpu.faultBuffer.nextArrival) + costs.putAfterInterrupt;
}

/** How a flush learns how far the buffer is filled. */
export type FlushMode = 'cached-put' | 'update-put';

/**
 * Throws away the faults that wait, which the replay raises again where they still are: up to the PUT that the driver knows,
 * or, with `update-put`, up to where the hardware is by now.
 * @uvm uvm_gpu_replayable_faults.c fault_buffer_flush_locked
 */
export function flushFaultBuffer(driver: UvmDriver, mode: FlushMode): void {
  const { replayable: state } = driver;
  const { faultBuffer } = driver.gpu;
  if (mode === 'update-put') state.cachedPut = faultBuffer.putBy(driver.kernel.sched.now);
  faultBuffer.discardTo(state.cachedPut);
}

/** After a batch with many duplicates it pays to read PUT. */
export function flushModeOf(driver: UvmDriver, batch: UvmFaultBatch): FlushMode {
  const many = batch.duplicates * 100 > batch.cached * driver.replayable.updatePutRatio;
  return many ? 'update-put' : 'cached-put';
}
