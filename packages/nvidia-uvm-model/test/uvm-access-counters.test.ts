import {
  UvmEventMapRemoteCauseEviction,
  UvmEventMigrationCauseAccessCounters,
  UvmEventTypeAccessCounter,
  UvmEventTypeEviction,
  UvmEventTypeGpuFault,
  UvmEventTypeMapRemote,
  UvmEventTypeMigration,
} from '@hmm/nvidia-uvm-model';
import {
  UVM_ID_CPU,
  UVM_ID_GPU,
  uvmSetAccessedBy,
  uvmSetPreferredLocation,
} from '@hmm/nvidia-uvm-model/internal';
import { describe, expect, it } from 'vitest';
import { BASE, Bench, params, sequence } from './setup.js';

const ON = params({ uvm_perf_access_counter_migration_enable: 1, uvm_perf_access_counter_threshold: 64 });

/** Page `page` again and again. */
const often = (page: number, times: number): number[] => Array<number>(times).fill(page);

/** 2 MiB that the CPU wrote and the GPU maps remotely. */
function remotely(options: ConstructorParameters<typeof Bench>[1]): Bench {
  const bench = new Bench(512, options);
  bench.kernel.sched.runSync(uvmSetAccessedBy(bench.space, BASE, 512, UVM_ID_GPU));
  bench.cpu(sequence(512));
  bench.kernel.trace.clear();
  return bench;
}

describe('access counters', () => {
  it('are off by default over PCIe: nothing is counted', () => {
    const bench = remotely({});
    bench.gpu(often(3, 1000));
    expect(bench.driver.gpu.accessCounters.enabled).toBe(false);
    expect(bench.events(UvmEventTypeAccessCounter)).toEqual([]);
  });

  it('a granule that is used often enough across the link comes to the GPU, advice to map it or not', () => {
    const bench = remotely({ params: ON, release: 545 });
    bench.gpu(often(3, 63));
    expect(bench.events(UvmEventTypeAccessCounter)).toEqual([]);
    bench.gpu([3]);
    expect(bench.events(UvmEventTypeAccessCounter).map(([page, pages]) => [page, pages])).toEqual([[0, 512]]);
    expect(bench.events(UvmEventTypeMigration)).toEqual([[0, 16, UvmEventMigrationCauseAccessCounters]]);
    expect(bench.onGpu(512)).toEqual([...sequence(16)]);
    expect(bench.events(UvmEventTypeGpuFault)).toEqual([]);
  });

  it('pages that a policy is asked about one by one go where they go all at once', () => {
    const asks = {
      name: 'as proposed',
      selectResidency: (_block: object, _page: number, _faulting: number, proposed: 0 | 1) => proposed,
    };
    const all = remotely({ params: ON, release: 545 });
    const each = remotely({ params: ON, release: 545, policy: asks });
    const pages = Array.from({ length: 200 }, (_, i) => (i * 37) % 300);
    for (const bench of [all, each]) bench.gpu(pages);
    expect(all.events(UvmEventTypeMigration).length).toBeGreaterThan(0);
    expect(all.events(UvmEventTypeMigration)).toEqual(each.events(UvmEventTypeMigration));
    expect(all.onGpu(512)).toEqual(each.onGpu(512));
  });

  it('are cleared when served, and notify again', () => {
    const bench = remotely({ params: ON, release: 545 });
    bench.gpu(often(3, 64));
    bench.gpu([...often(500, 63), ...often(3, 100)]);
    expect(bench.driver.gpu.accessCounters.notifications).toBe(1);
    bench.gpu([500]);
    expect(bench.driver.gpu.accessCounters.notifications).toBe(2);
    expect(bench.onGpu(512)).toContain(500);
  });

  it('memory that prefers the CPU stays there', () => {
    const bench = remotely({ params: ON, release: 545 });
    bench.kernel.sched.runSync(uvmSetPreferredLocation(bench.space, BASE, 512, UVM_ID_CPU));
    bench.gpu(often(3, 64));
    expect(bench.driver.gpu.accessCounters.notifications).toBe(1);
    expect(bench.onGpu(512)).toEqual([]);
  });

  it.each([
    ['h100', 535, 0],
    ['h100', 545, 1],
    ['h100', 550, 0],
    ['h100', 580, 0],
    ['v100', 535, 1],
    ['v100', 570, 1],
  ])(
    'on a host with 4 KiB pages %s under release %i moves what is named, or only reports it',
    (gpu, release, moves) => {
      const bench = remotely({ params: ON, gpu, release });
      bench.gpu(often(3, 64));
      expect(bench.driver.gpu.accessCounters.notifications).toBe(1);
      expect(bench.events(UvmEventTypeMigration)).toHaveLength(moves);
    },
  );

  it('are on by default with ATS, unless uvm_ats_mode=0', () => {
    const counters = (ats: number): boolean =>
      new Bench(512, { gpu: 'gh200', params: params({ uvm_ats_mode: ats }) }).driver.gpu.accessCounters
        .enabled;
    expect([counters(1), counters(0)]).toEqual([true, false]);
  });

  it.each([
    [1, 1, true],
    [1, 0, false],
    [0, 1, false],
  ])(
    'enable=%i, map_remote_on_eviction=%i: what is evicted is mapped where it is: %s',
    (enable, map, mapped) => {
      const bench = new Bench(1536, {
        memoryPages: 1024,
        params: params({
          uvm_perf_access_counter_migration_enable: enable,
          uvm_perf_map_remote_on_eviction: map,
        }),
      });
      bench.gpu(sequence(1536), true);
      expect(bench.events(UvmEventTypeEviction)).toEqual([[0, 512, 0]]);
      const remote = bench.events(UvmEventTypeMapRemote);
      expect(remote).toEqual(mapped ? [[0, 512, UvmEventMapRemoteCauseEviction]] : []);
      const before = bench.events(UvmEventTypeGpuFault).length;
      bench.gpu([7]);
      expect(bench.events(UvmEventTypeGpuFault).length - before).toBe(mapped ? 0 : 1);
    },
  );
});
