import { describe, expect, it } from 'vitest';
import { UvmEventTypeEviction, type UvmPerfPolicy } from '@hmm/nvidia-uvm-model';
import { Bench, params, sequence } from './setup.js';

const BLOCKS = 6;
const pagesOfBlocks = (blocks: readonly number[]): number[] => blocks.map((block) => block * 512);

function evicted(bench: Bench): number[] {
  return bench.events(UvmEventTypeEviction).map(([page]) => page / 512);
}

describe('physical memory and eviction (uvm_pmm_gpu)', () => {
  it('evicts the block that no service used for longest', () => {
    const bench = new Bench(512 * BLOCKS, { memoryPages: 512 * 3 });
    bench.gpu(pagesOfBlocks([0, 1, 2]), true);
    bench.gpu([512 * 0 + 100], true);
    bench.gpu(pagesOfBlocks([3, 4]), true);
    expect(evicted(bench)).toEqual([1, 2]);
  });

  it('takes a block that has gone home before any other', () => {
    const bench = new Bench(512 * BLOCKS, { memoryPages: 512 * 3 });
    bench.gpu(pagesOfBlocks([0, 1, 2]), true);
    bench.cpu(sequence(16).map((i) => 1024 + i));
    bench.gpu(pagesOfBlocks([3]), true);
    expect(evicted(bench)).toEqual([]);
    expect(bench.driver.tools.counters.evictions).toBe(1);
  });

  it('loses no byte when the data is three times the memory', () => {
    const bench = new Bench(512 * BLOCKS, { memoryPages: 512 * 2 });
    const pages = sequence(BLOCKS * 16).map((i) => i * 32);
    bench.gpu(
      pages,
      true,
      Uint32Array.from(pages, (p) => p % 251),
    );
    const seen = new Uint32Array(pages.length);
    bench.cpu(pages, false, seen);
    expect([...seen]).toEqual(Array.from(pages, (p) => p % 251));
    expect(bench.driver.tools.counters.evictions).toBeGreaterThan(3);
  });

  it('serves from host memory when eviction is forbidden and memory is used up', () => {
    const bench = new Bench(512 * 2, {
      memoryPages: 512,
      params: params({ uvm_global_oversubscription: 0 }),
    });
    bench.gpu([0, 512], true, Uint32Array.of(4, 5));
    expect(bench.driver.tools.counters).toMatchObject({ evictions: 0, remoteMaps: 1, fatalFaults: 0 });
    const seen = new Uint32Array(2);
    bench.cpu([0, 512], false, seen);
    expect([...seen]).toEqual([4, 5]);
  });
});

describe('policies that replace the driver’s', () => {
  it('a sequential 64 KiB prefetcher: the faulting region and the next one, whatever the density', () => {
    const sequential: UvmPerfPolicy = {
      name: 'sequential-64k',
      prefetch(block, _destination, faulted, prefetch) {
        for (let page = 0; page < block.pages; page++) {
          if (((faulted[page >>> 5] ?? 0) & (1 << (page & 31))) === 0) continue;
          const first = page - (page % 16);
          for (let p = first; p < Math.min(first + 32, block.pages); p++) {
            prefetch[p >>> 5] = (prefetch[p >>> 5] ?? 0) | (1 << (p & 31));
          }
        }
        return true;
      },
    };
    const bench = new Bench(512, { policy: sequential });
    bench.gpu([0, 100]);
    expect(bench.onGpu(512)).toEqual([...sequence(32), ...sequence(32).map((i) => 96 + i)]);
  });

  it('an LFU evictor: the block that fewest services used goes, not the oldest', () => {
    const lfu: UvmPerfPolicy = {
      name: 'lfu',
      selectVictim: (candidates) => {
        let best = 0;
        for (const [i, c] of candidates.entries()) if (c.uses < (candidates[best]?.uses ?? 0)) best = i;
        return best;
      },
    };
    const bench = new Bench(512 * BLOCKS, { memoryPages: 512 * 3, policy: lfu });
    bench.gpu([0, 100, 200, 512, 600, 1024], true);
    bench.gpu([512 * 3], true);
    expect(evicted(bench)).toEqual([2]);
  });
});
