import { GPU_ACCESS_READ, GPU_ACCESS_WRITE, GpuChannel } from '@hmm/gpu';
import {
  UvmEventMapRemoteCausePolicy,
  UvmEventMigrationCauseCoherence,
  UvmEventMigrationCausePrefetch,
  UvmEventTypeFatalFault,
  UvmEventTypeGpuFault,
  UvmEventTypeGpuFaultReplay,
  UvmEventTypeMapRemote,
  UvmEventTypeMigration,
} from '@hmm/nvidia-uvm-model';
import { UVM_ID_CPU, uvmSetPreferredLocation } from '@hmm/nvidia-uvm-model/internal';
import { describe, expect, it } from 'vitest';
import { BASE, Bench, sequence } from './setup.js';

/** A channel of a copy engine, and its accesses to pages one after the other: whether each went through. */
function copies(
  bench: Bench,
  pages: readonly number[],
  access: number,
): { channel: GpuChannel; went: boolean[] } {
  const { hw } = bench.driver.gpu;
  const channel = new GpuChannel(bench.space.instance);
  const went = pages.map((page) =>
    bench.kernel.sched.runSync(hw.channelAccess(channel, BASE + page, access)),
  );
  return { channel, went };
}

describe('faults of copy engines, which cannot be replayed', () => {
  it('are served one by one: the page moves with what the tree adds, and the channel goes on', () => {
    const bench = new Bench(512);
    bench.cpu(sequence(512));
    const { channel, went } = copies(bench, [3, 7, 100], GPU_ACCESS_READ);
    expect(went).toEqual([true, true, true]);
    expect([channel.faulted, channel.killed]).toEqual([false, false]);
    expect(bench.events(UvmEventTypeGpuFault).map(([page]) => page)).toEqual([3, 100]);
    expect(bench.driver.gpu.nonReplayable.batchId).toBe(2);
    expect(bench.events(UvmEventTypeMigration).slice(0, 3)).toEqual([
      [0, 3, UvmEventMigrationCausePrefetch],
      [3, 1, UvmEventMigrationCauseCoherence],
      [4, 12, UvmEventMigrationCausePrefetch],
    ]);
    expect(bench.events(UvmEventTypeGpuFaultReplay)).toEqual([]);
  });

  it('map what is to stay in host memory', () => {
    const bench = new Bench(512);
    bench.kernel.sched.runSync(uvmSetPreferredLocation(bench.space, BASE, 512, UVM_ID_CPU));
    bench.cpu(sequence(512));
    expect(copies(bench, [3], GPU_ACCESS_WRITE).went).toEqual([true]);
    expect(bench.events(UvmEventTypeMapRemote)).toEqual([[3, 1, UvmEventMapRemoteCausePolicy]]);
    expect(bench.onGpu(512)).toEqual([]);
  });

  it('start the detector afresh instead of being throttled', () => {
    const bench = new Bench(1);
    for (let round = 0; round < 12; round++) {
      bench.cpu([0]);
      expect(copies(bench, [0], GPU_ACCESS_WRITE).went).toEqual([true]);
    }
    expect(bench.driver.tools.counters.throttled).toBe(0);
    expect(bench.driver.tools.counters.thrashingPages).toBe(0);
  });

  it('where nothing is kill the channel, and no other', () => {
    const bench = new Bench(512);
    const dead = copies(bench, [0, 4096, 1], GPU_ACCESS_READ);
    expect(dead.went).toEqual([true, false, false]);
    expect(dead.channel.killed).toBe(true);
    expect(bench.events(UvmEventTypeFatalFault)).toEqual([[4096, 1, 1]]);
    expect(bench.driver.log.join()).toContain('ENGINE CE');
    expect(copies(bench, [2], GPU_ACCESS_READ).went).toEqual([true]);
  });

  it('are fatal on a Pascal', () => {
    const bench = new Bench(512, { gpu: 'p100' });
    bench.cpu([0]);
    expect(copies(bench, [0], GPU_ACCESS_READ).went).toEqual([false]);
    expect(bench.events(UvmEventTypeGpuFault)).toEqual([]);
  });
});
