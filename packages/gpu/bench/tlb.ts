import { GPU_ACCESS_NEEDS, GPU_PTE_VALID, GPU_PTE_WRITE, GpuPageTable } from '@hmm/gpu';
import { TLB_BATCH } from '@hmm/gpu/internal';

const BASE = 0x7f0000000;
const PAGES = 262_144;
const ROUNDS = 64;
const NEEDS = GPU_ACCESS_NEEDS[1] ?? 0;

function residentTable(): GpuPageTable {
  const table = new GpuPageTable(1024);
  table.map(BASE, PAGES, 0, GPU_PTE_VALID | GPU_PTE_WRITE);
  return table;
}

function batches(pages: Int32Array, work: (from: number, to: number) => void): number {
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round++) {
    for (let from = 0; from < pages.length; from += TLB_BATCH)
      work(from, Math.min(pages.length, from + TLB_BATCH));
  }
  return (ROUNDS * pages.length) / (performance.now() - start) / 1000;
}

/** A bare loop of the same shape: read a page number, look its flags up in a flat table, test them. */
function flatLoop(pages: Int32Array): number {
  const flags = new Int32Array(PAGES).fill(3);
  let faults = 0;
  const rate = batches(pages, (from, to) => {
    for (let i = from; i < to; i++) if (((flags[pages[i] ?? 0] ?? 0) & NEEDS) !== NEEDS) faults++;
  });
  return faults === 0 ? rate : 0;
}

function resident(pages: Int32Array): { value: number; reference: number } {
  const table = residentTable();
  const value = batches(pages, (from, to) => table.tlb.access(BASE, pages, from, to, NEEDS));
  return { value, reference: flatLoop(pages) };
}

const sequential = Int32Array.from({ length: PAGES }, (_, i) => i);
const local = Int32Array.from({ length: PAGES }, (_, i) => (i * 40503) % 2048);

/** How fast resident pages are touched. */
export const benchmarks: readonly {
  readonly name: string;
  readonly unit: string;
  readonly goal?: number;
  run(): { value: number; reference?: number };
}[] = [
  {
    name: 'GPU access of resident pages, sequential',
    unit: 'M/s',
    goal: 50,
    run: () => resident(sequential),
  },
  {
    name: 'GPU access of resident pages, 2,048 pages at random',
    unit: 'M/s',
    goal: 50,
    run: () => resident(local),
  },
  {
    name: 'the design not taken: a walk for each access',
    unit: 'M/s',
    run: () => {
      const table = residentTable();
      let faults = 0;
      const value = batches(sequential, (from, to) => {
        for (let i = from; i < to; i++)
          if ((table.flags(BASE + (sequential[i] ?? 0)) & NEEDS) !== NEEDS) faults++;
      });
      return { value: faults === 0 ? value : 0 };
    },
  },
];
