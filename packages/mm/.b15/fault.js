import { dupMm, mmput, sysMmap, sysMunmap } from '@hmm/mm';
import { Tlb } from '@hmm/mm/internal';
import { consecutive, mapAnonymous, mega, populate, workbench } from './workbench.js';
const PAGES = 1024 * 1024;
/** Write faults on untouched anonymous memory, one page at a time, beside a loop that fills columns of the same size. */
function firstTouch() {
  const bench = workbench(PAGES);
  const start = mapAnonymous(bench, PAGES);
  const vpns = consecutive(start, PAGES);
  const from = performance.now();
  populate(bench, vpns);
  const value = mega(PAGES, performance.now() - from);
  const entries = new Int32Array(2 * PAGES);
  const flags = new Int32Array(PAGES);
  const counts = new Uint16Array(2 * PAGES);
  const begun = performance.now();
  for (let i = 0; i < PAGES; i++) {
    entries[2 * i] = 1;
    entries[2 * i + 1] = i;
    flags[i] = 1;
    counts[i] = 1;
    counts[PAGES + i] = 1;
  }
  return { value, reference: mega(PAGES, performance.now() - begun) };
}
/** fork of a process with 1 M resident pages, beside a copy of its page-table entries alone. */
function fork() {
  const bench = workbench(PAGES);
  const start = mapAnonymous(bench, PAGES);
  populate(bench, consecutive(start, PAGES));
  const from = performance.now();
  const child = bench.run(dupMm(bench.mm));
  const value = mega(PAGES, performance.now() - from);
  if (typeof child !== 'number') bench.run(mmput(child));
  const entries = new Int32Array(2 * PAGES).fill(3);
  const copy = new Int32Array(2 * PAGES);
  const begun = performance.now();
  for (let i = 0; i < 2 * PAGES; i += 2) {
    const entry = (entries[i] ?? 0) & ~2;
    entries[i] = entry;
    copy[i] = entry;
    copy[i + 1] = entries[i + 1] ?? 0;
  }
  return { value, reference: mega(PAGES, performance.now() - begun) };
}
/** Exit of a process with 1 M resident pages. */
function unmap() {
  const bench = workbench(PAGES);
  const start = mapAnonymous(bench, PAGES);
  populate(bench, consecutive(start, PAGES));
  const from = performance.now();
  bench.run(sysMunmap(bench.mm, start, PAGES));
  return { value: mega(PAGES, performance.now() - from) };
}
/** Model state that 1 M resident pages add to the process's memory, contents being uniform. */
function bytesPerPage() {
  const bench = workbench(PAGES);
  const start = mapAnonymous(bench, PAGES);
  const vpns = consecutive(start, PAGES);
  const before = process.memoryUsage().rss;
  populate(bench, vpns);
  return { value: (process.memoryUsage().rss - before) / PAGES };
}
/** mmap of 64 TiB, a write at each end, munmap. */
function sparse() {
  const bench = workbench(1024);
  const pages = 2 ** 34;
  const tlb = new Tlb(bench.mm);
  const from = performance.now();
  const start = bench.run(sysMmap(bench.mm, 0, pages, 3, 0x22));
  populate({ ...bench, tlb }, Float64Array.of(start, start + pages - 1));
  bench.run(sysMunmap(bench.mm, start, pages));
  return { value: performance.now() - from };
}
export const benchmarks = [
  { name: 'first touch, a write fault a page', unit: 'M/s', goal: 1, run: firstTouch },
  { name: 'fork of 1 M resident pages', unit: 'M pages/s', goal: 10, run: fork },
  { name: 'munmap of 1 M resident pages', unit: 'M pages/s', run: unmap },
  { name: 'model state a resident page', unit: 'bytes/page', goal: 24, run: bytesPerPage },
  { name: 'map 64 TiB, touch both ends, unmap', unit: 'ms', goal: 5, run: sparse },
];
