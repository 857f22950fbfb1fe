import { GPU_ACCESS_READ } from '@hmm/gpu';
import { launchKernel } from '@hmm/nvidia-uvm-model';
import { describe, expect, it } from 'vitest';
import {
  UVM_PERF_FAULT_REPLAY_POLICY_BATCH,
  UVM_PERF_FAULT_REPLAY_POLICY_BATCH_FLUSH,
  UVM_PERF_FAULT_REPLAY_POLICY_BLOCK,
  UVM_PERF_FAULT_REPLAY_POLICY_ONCE,
} from '../src/uvm-gpu-replayable-faults.js';
import { BASE, Bench, params } from './setup.js';

/** Warps that each fault on a block of their own, and entries that the driver fetches at a time. */
const WARPS = 32;
const BATCH = 16;

/** Runs them under a replay policy. */
function counted(
  policy: number,
  limits: Readonly<Record<string, number>> = {},
): { batches: number; raised: number; replays: number } {
  const chosen = { uvm_perf_fault_replay_policy: policy, uvm_perf_fault_batch_count: BATCH, ...limits };
  const { driver, kernel, space } = new Bench(WARPS * 512, { params: params(chosen) });
  const pages = Int32Array.from({ length: WARPS }, (_, warp) => warp * 512);
  const warps = { shape: 'warps', lanes: WARPS, base: BASE, offset: 0, width: 1, values: undefined } as const;
  kernel.sched.runSync(launchKernel(space, { ...warps, access: GPU_ACCESS_READ, pages }));
  const { batches, replays } = driver.tools.counters;
  return { batches, raised: driver.gpu.hw.faultBuffer.put, replays };
}

describe('faults on 32 blocks, fetched 16 at a time', () => {
  it('are replayed after each block', () => {
    const { batches, replays } = counted(UVM_PERF_FAULT_REPLAY_POLICY_BLOCK);
    expect(replays).toBeGreaterThanOrEqual(BATCH * batches);
  });

  it('are replayed after each batch, and what waits meanwhile is served as it is', () => {
    expect(counted(UVM_PERF_FAULT_REPLAY_POLICY_BATCH)).toEqual({ batches: 2, raised: WARPS, replays: 2 });
  });

  it('are replayed after each batch, and what waits meanwhile is thrown away and raised anew', () => {
    const raised = WARPS + WARPS - BATCH;
    expect(counted(UVM_PERF_FAULT_REPLAY_POLICY_BATCH_FLUSH)).toEqual({ batches: 2, raised, replays: 2 });
  });

  it('are replayed when a call of the driver has served as many batches as it may', () => {
    const most = { uvm_perf_fault_max_batches_per_service: 1 };
    const { batches, replays } = counted(UVM_PERF_FAULT_REPLAY_POLICY_ONCE, most);
    expect([batches, replays]).toEqual([2, 2]);
  });

  it('are replayed once the buffer is empty', () => {
    expect(counted(UVM_PERF_FAULT_REPLAY_POLICY_ONCE)).toEqual({ batches: 2, raised: WARPS, replays: 1 });
  });
});
