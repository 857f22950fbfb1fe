import type { UvmFaultBatch } from './uvm-fault-batch.js';
import type { UvmParentGpu } from './uvm-gpu.js';
import { UvmEventTypeGpuFaultReplay } from './uvm-tools.js';

/**
 * Pushes a replay: everything that is stalled tries again.
 * @uvm uvm_gpu_replayable_faults.c push_replay_on_gpu (without: the push itself and errors of it)
 */
export function pushReplay({ clock, hw, replayable, tools }: UvmParentGpu): void {
  const now = clock.time();
  replayable.lastReplay = now;
  tools.counters.replays++;
  tools.record(UvmEventTypeGpuFaultReplay, now, 0, 0, replayable.batchId);
  hw.replay();
}

/**
 * Whether faults have arrived that no batch had yet: before the PUT that the driver knows, or, when everything up to it is taken,
 * by the time it looks after a replay.
 */
export function faultsArrived({ clock, hw, replayable: state }: UvmParentGpu): boolean {
  const { faultBuffer } = hw;
  if (state.interrupted || faultBuffer.get !== state.cachedPut) return true;
  return faultBuffer.putBy(clock.pollsUntil(state.lastReplay)) !== faultBuffer.get;
}

/**
 * Fetches a batch: up to the PUT that the driver knows, which is read anew only when everything up to it is taken. What arrives
 * later stays for the next batch.
 * @uvm uvm_gpu_replayable_faults.c fetch_fault_buffer_entries (without: entries that are not valid yet)
 */
export function fetchBatch({ clock, hw, replayable: state }: UvmParentGpu): UvmFaultBatch {
  const { batch } = state;
  const { faultBuffer } = hw;
  if (faultBuffer.get === state.cachedPut) {
    const arrival = faultBuffer.nextArrival;
    state.cachedPut = faultBuffer.putBy(
      state.interrupted ? clock.readsPut(arrival) : clock.pollsUntil(state.lastReplay),
    );
  }
  batch.fetch(faultBuffer, state.batchSize, state.coalesce, state.cachedPut);
  batch.sort();
  return batch;
}

/** How a flush learns how far the buffer is filled. */
export type FlushMode = 'cached-put' | 'update-put';

/**
 * Throws away the faults that wait, which the replay raises again where they still are: up to the PUT that the driver knows,
 * or, with `update-put`, up to where the hardware is by now.
 * @uvm uvm_gpu_replayable_faults.c fault_buffer_flush_locked (without: waits for the resource manager,
 * errors of the push)
 */
export function flushFaultBuffer({ clock, hw, replayable: state }: UvmParentGpu, mode: FlushMode): void {
  const { faultBuffer } = hw;
  if (mode === 'update-put') state.cachedPut = faultBuffer.putBy(clock.time());
  faultBuffer.discardTo(state.cachedPut);
}

/** After a batch with many duplicates it pays to read PUT. */
export function flushModeOf(batch: UvmFaultBatch, updatePutRatio: number): FlushMode {
  return batch.duplicates * 100 > batch.cached * updatePutRatio ? 'update-put' : 'cached-put';
}
