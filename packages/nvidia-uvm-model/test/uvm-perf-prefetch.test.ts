import { describe, expect, it } from 'vitest';
import { Bench, params, sequence } from './setup.js';

/** Serial GPU faults on fresh pages; the new pages of each. */
function newPages(pages: number, faults: readonly number[], threshold = 51): number[][] {
  const bench = new Bench(pages, { params: params({ uvm_perf_prefetch_threshold: threshold }) });
  let before = new Set<number>();
  return faults.map((page) => {
    bench.gpu([page]);
    const here = bench.onGpu(pages);
    const fresh = here.filter((p) => !before.has(p));
    before = new Set(here);
    return fresh;
  });
}

const range = (first: number, last: number): number[] =>
  sequence(last - first + 1).reduce<number[]>((a, i) => [...a, first + i], []);

describe('the density prefetcher (uvm_perf_prefetch)', () => {
  it('fills an ascending 2 MiB block in six faults: 64K, 64K, 128K, 256K, 512K, 1M', () => {
    const sizes = newPages(512, [0, 16, 40, 64, 128, 256]).map((p) => p.length);
    expect(sizes).toEqual([16, 16, 32, 64, 128, 256]);
  });

  it('takes the whole block after one fault at threshold 1, and nothing at threshold 100', () => {
    expect(newPages(512, [0], 1)).toEqual([range(0, 511)]);
    expect(newPages(512, [0, 16], 100)).toEqual([[0], [16]]);
  });

  it('never grows beyond 64 KiB with a stride of 32 pages: densities stay at exactly one half', () => {
    const strided = newPages(512, [0, 32, 64, 96, 128]);
    expect(strided.map((p) => p.length)).toEqual([16, 16, 16, 16, 16]);
  });

  it('grows a short block by what is inside it', () => {
    expect(newPages(532, [512 + 17, 512 + 3])).toEqual([range(528, 531), range(512, 527)]);
    expect(newPages(522, [512 + 4])).toEqual([range(512, 521)]);
  });

  it.each([
    [1, 1],
    [25, 3],
    [51, 6],
    [75, 20],
    [100, 512],
  ])('at threshold %i an ascending scan of a block takes %i faults', (threshold, faults) => {
    const bench = new Bench(512, { params: params({ uvm_perf_prefetch_threshold: threshold }) });
    bench.gpu(sequence(512));
    expect(bench.driver.tools.counters.gpuFaults).toBe(faults);
  });
});

describe('published counts', () => {
  it.each([
    [51, 6],
    [0, 1],
  ])(
    'at threshold %i the CPU faults %i times per 2 MiB block when it fills an array',
    (threshold, faults) => {
      const bench = new Bench(512 * 8, { params: params({ uvm_perf_prefetch_threshold: threshold }) });
      bench.cpu(sequence(512 * 8));
      expect(bench.cpuFaults).toBe(8 * faults);
    },
  );

  it.each([
    [51, 16],
    [0, 512],
  ])('at threshold %i one touched page a block brings %i pages', (threshold, pages) => {
    const bench = new Bench(512 * 8, { params: params({ uvm_perf_prefetch_threshold: threshold }) });
    bench.cpu(sequence(512 * 8));
    bench.gpu(sequence(8).map((i) => i * 512 + 200));
    const { bytes } = bench.driver.tools.counters;
    expect((bytes[2]?.toDevice ?? 0) + (bytes[3]?.toDevice ?? 0)).toBe(8 * pages * 4096);
  });
});
