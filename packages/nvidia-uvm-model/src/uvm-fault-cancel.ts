import { UTLBS } from '@hmm/gpu';
import type { Task } from '@hmm/kernel';
import type { UvmDriver } from './uvm-driver.js';
import { recordFatal } from './uvm-fatal-fault.js';
import { UvmFaultBatch } from './uvm-fault-batch.js';
import { flushFaultBuffer, pushReplay } from './uvm-replay.js';

/** Serves the entries of a batch, marking those that cannot be. */
type ServeBatch = (driver: UvmDriver, batch: UvmFaultBatch) => Task;

/**
 * The cancel step after a batch with fatal faults. What was fetched may be stale by now, so everything is thrown away,
 * raised anew by a replay, and served once more; only what still cannot be served is cancelled, by address or, on GPUs
 * that cannot do that, by uTLB.
 * @uvm uvm_gpu_replayable_faults.c cancel_faults_precise
 */
export function* cancelFaults(driver: UvmDriver, serve: ServeBatch): Task {
  const { gpu, replayable: state } = driver;
  const batch = (state.cancelBatch ??= new UvmFaultBatch(gpu.faultBuffer.size, true));
  if (gpu.preset.capability.preciseCancel) {
    yield* refetch(driver, batch, serve, state.coalesce);
    cancelFatal(driver, batch);
  } else yield* cancelByUtlb(driver, batch, serve);
  flushFaultBuffer(driver, 'update-put');
  pushReplay(driver);
}

function* refetch(driver: UvmDriver, batch: UvmFaultBatch, serve: ServeBatch, coalesce: boolean): Task {
  const { gpu } = driver;
  flushFaultBuffer(driver, 'update-put');
  pushReplay(driver);
  gpu.retryStalled();
  driver.replayable.cachedPut = gpu.faultBuffer.putBy(Infinity);
  batch.fetch(gpu.faultBuffer, gpu.faultBuffer.size, coalesce, driver.replayable.cachedPut);
  batch.sort();
  yield* serve(driver, batch);
}

/** Ends the accesses of all fatal entries, one by one and to the page. */
export function cancelFatal(driver: UvmDriver, batch: UvmFaultBatch): void {
  for (let i = 0; i < batch.count; i++) {
    const cancel = batch.cancel[i] ?? 0;
    if (cancel === 0) continue;
    recordEntry(driver, batch, i);
    driver.gpu.cancel(batch.instance[i] ?? 0, batch.vpn[i] ?? 0, cancel - 1);
  }
}

/**
 * A uTLB may be cancelled once nothing but fatal faults comes through it: the others are served and replayed first, round
 * by round. Prefetches raise no faults meanwhile.
 * @uvm uvm_gpu_replayable_faults.c cancel_faults_all / uvm_hal cancel_faults_targeted
 */
function* cancelByUtlb(driver: UvmDriver, batch: UvmFaultBatch, serve: ServeBatch): Task {
  const { gpu } = driver;
  const prefetched = gpu.prefetchFaults;
  gpu.prefetchFaults = false;
  for (let round = 0; round < 2 * UTLBS; round++) {
    yield* refetch(driver, batch, serve, false);
    if (batch.fatal === 0) break;
    const utlb = fatalUtlb(batch);
    if (utlb < 0) continue;
    let vpn = 0;
    for (let i = 0; i < batch.count; i++) {
      if (batch.utlb[i] !== utlb) continue;
      vpn = batch.vpn[i] ?? 0;
      recordEntry(driver, batch, i);
    }
    gpu.cancelUtlb(utlb, vpn);
  }
  gpu.prefetchFaults = prefetched;
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

function recordEntry(driver: UvmDriver, batch: UvmFaultBatch, i: number): void {
  const space = driver.spaceOf(batch.instance[i] ?? 0);
  if (space === undefined) return;
  recordFatal(driver, space, batch.vpn[i] ?? 0, batch.access[i] ?? 0, batch.reason[i] ?? 0, 'GRAPHICS');
}
