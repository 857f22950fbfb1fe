import { GPU_PRESETS, gpuPreset } from '@hmm/gpu';
import { Kernel } from '@hmm/kernel';
import { Machine, runProgram } from '@hmm/machine';
import { parseProgram } from '@hmm/workload';
import { fc } from '@hmm/config/property';
import { describe, expect, test } from 'vitest';
import { linkPages } from '../src/timing/uvm-link-pages.js';
import { UvmTiming } from '../src/timing/uvm-timing.js';
import { uvmFactory } from '../src/uvm-factory.js';
import { UVM_ID_CPU, UVM_ID_GPU } from '../src/uvm-types.js';

const recorded = gpuPreset('h100').link;

/** Virtual time of a prefetch of 16 MiB each way, ns. */
function prefetches(gpu: string): { toGpu: number; toCpu: number } {
  const times = ['cpu', 'gpu', 'cpu'].map((_, at, places) => {
    const machine = new Machine({ memory: { frames: 32_768, systemFrames: 16_384, maxTables: 2048 } });
    const made = uvmFactory().create(
      { kernel: machine.kernel, memory: machine.memory, seed: 1 },
      gpu,
      new Map(),
    );
    if (!made.ok) throw new Error(made.message);
    machine.addDevice('D0', made.client);
    const lines = places.slice(0, at + 1).map((place) => `prefetch a to ${place}`);
    const parsed = parseProgram(`managed a 16MiB\ncpu write a = 1\n${lines.join('\n')}`, 'link');
    if (!parsed.ok) throw new Error('no program');
    return runProgram(machine, parsed.program).timeNs;
  });
  return { toGpu: (times[1] ?? 0) - (times[0] ?? 0), toCpu: (times[2] ?? 0) - (times[1] ?? 0) };
}

describe('predicted times obey the link', () => {
  const managed = GPU_PRESETS.filter(({ capability }) => capability.replayableFaults);

  test.each(managed.map(({ name }) => name))('on %s no prefetch beats it', (name) => {
    const { link } = gpuPreset(name);
    const bytes = 16 * 2 ** 20;
    const { toGpu, toCpu } = prefetches(name);
    expect(toGpu).toBeGreaterThanOrEqual(bytes / link.toDeviceGBs.value);
    expect(toCpu).toBeGreaterThanOrEqual(bytes / link.toHostGBs.value);
  });

  test('more bandwidth is never slower, and the recorded link costs what was fitted', () => {
    const call = (gbs: number, pages: number, to: typeof UVM_ID_CPU | typeof UVM_ID_GPU): number => {
      const figure = { ...recorded.toDeviceGBs, value: gbs };
      const link = { ...recorded, toDeviceGBs: figure, toHostGBs: figure };
      const timing = new UvmTiming(new Kernel().sched, 1, undefined, linkPages(link, recorded, 1));
      timing.spaceOpened(0);
      return timing.migrated({ space: 0, to, pages, chunks: 0, copied: pages, zeroed: 0 });
    };
    const gbs = fc.double({ min: 1, max: 1000, noNaN: true });
    fc.assert(
      fc.property(gbs, gbs, fc.integer({ min: 1, max: 1e6 }), fc.boolean(), (a, b, pages, up) => {
        const to = up ? UVM_ID_GPU : UVM_ID_CPU;
        expect(call(Math.max(a, b), pages, to)).toBeLessThanOrEqual(call(Math.min(a, b), pages, to));
        expect(call(a, pages, to)).toBeGreaterThanOrEqual((pages * 4096) / a);
      }),
      { seed: 2, numRuns: 300 },
    );
    expect(linkPages(recorded, recorded, 1)).toEqual({ toGpu: 0, toCpu: 0 });
  });
});
