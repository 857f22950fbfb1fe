import { UTLBS } from '@hmm/gpu/internal';
import type { Task } from '@hmm/kernel';
import type { UvmParentGpu } from './uvm-gpu.js';
import { recordFatal } from './uvm-fatal-fault.js';
import { UvmFaultBatch } from './uvm-fault-batch.js';
import { flushFaultBuffer, pushReplay } from './uvm-replay.js';

/** Serves the entries of a batch, marking those that cannot be. */
type ServeBatch = (gpu: UvmParentGpu, batch: UvmFaultBatch) => Task;

/**
 * The cancel step after a batch with fatal faults. What was fetched may be stale by now, so everything is thrown away,
 * raised anew by a replay, and served once more; only what still cannot be served is cancelled, by address or, on GPUs
 * that cannot do that, by uTLB.
 * @uvm uvm_gpu_replayable_faults.c cancel_faults_precise (without: cancels by the virtual address of
 * subcontexts, timeouts)
 */
export function* cancelFaults(gpu: UvmParentGpu, serve: ServeBatch): Task {
  const { hw, replayable: state } = gpu;
  const batch = (state.cancelBatch ??= new UvmFaultBatch(hw.faultBuffer.size, true));
  if (hw.preset.capability.preciseCancel) {
    yield* refetch(gpu, batch, serve, state.coalesce);
    cancelFatal(gpu, batch);
  } else yield* cancelByUtlb(gpu, batch, serve);
  flushFaultBuffer(gpu, 'update-put');
  pushReplay(gpu);
}

function* refetch(gpu: UvmParentGpu, batch: UvmFaultBatch, serve: ServeBatch, coalesce: boolean): Task {
  const { hw, replayable } = gpu;
  flushFaultBuffer(gpu, 'update-put');
  pushReplay(gpu);
  hw.retryStalled();
  replayable.cachedPut = hw.faultBuffer.putBy(Infinity);
  batch.fetch(hw.faultBuffer, hw.faultBuffer.size, coalesce, replayable.cachedPut);
  batch.sort();
  yield* serve(gpu, batch);
}

/** Ends the accesses of all fatal entries, one by one and to the page. */
export function cancelFatal(gpu: UvmParentGpu, batch: UvmFaultBatch): void {
  for (let i = 0; i < batch.count; i++) {
    const cancel = batch.cancel[i] ?? 0;
    if (cancel === 0) continue;
    recordEntry(gpu, batch, i);
    gpu.hw.cancel(batch.instance[i] ?? 0, batch.vpn[i] ?? 0, cancel - 1);
  }
}

/**
 * A uTLB may be cancelled once nothing but fatal faults comes through it: the others are served and replayed first, round
 * by round. Prefetches raise no faults meanwhile.
 * @uvm uvm_gpu_replayable_faults.c cancel_faults_all (without: cancels by the virtual address of
 * subcontexts) / uvm_hal cancel_faults_targeted
 */
function* cancelByUtlb(gpu: UvmParentGpu, batch: UvmFaultBatch, serve: ServeBatch): Task {
  const { hw } = gpu;
  const prefetched = hw.prefetchFaults;
  hw.prefetchFaults = false;
  for (let round = 0; round < 2 * UTLBS; round++) {
    yield* refetch(gpu, batch, serve, false);
    if (batch.fatal === 0) break;
    const utlb = fatalUtlb(batch);
    if (utlb < 0) continue;
    let vpn = 0;
    for (let i = 0; i < batch.count; i++) {
      if (batch.utlb[i] !== utlb) continue;
      vpn = batch.vpn[i] ?? 0;
      recordEntry(gpu, batch, i);
    }
    hw.cancelUtlb(utlb, vpn);
  }
  hw.prefetchFaults = prefetched;
}

/** A uTLB with fatal faults only; -1 when there is none yet. */
function fatalUtlb(batch: UvmFaultBatch): number {
  const mixed = new Set<number>();
  for (let i = 0; i < batch.count; i++) if (batch.cancel[i] === 0) mixed.add(batch.utlb[i] ?? 0);
  for (let i = 0; i < batch.count; i++) {
    const utlb = batch.utlb[i] ?? 0;
    if (batch.cancel[i] !== 0 && !mixed.has(utlb)) return utlb;
  }
  return -1;
}

function recordEntry(gpu: UvmParentGpu, batch: UvmFaultBatch, i: number): void {
  const space = gpu.spaceOf(batch.instance[i] ?? 0);
  if (space === undefined) return;
  recordFatal(space, batch.vpn[i] ?? 0, batch.access[i] ?? 0, batch.reason[i] ?? 0, 'GRAPHICS');
}
