import { BATCH, consecutive, mapAnonymous, mega, populate, workbench } from './workbench.js';

const SEQUENTIAL_PAGES = 16 * 1024 * 1024;
const RANDOM_PAGES = 1024 * 1024;
const PRESENT = 1;
const YOUNG = 8;

/** Sequential accesses through the range interface, beside a loop that marks an array of the same size. */
function sequential(): { value: number; reference: number } {
  const bench = workbench(SEQUENTIAL_PAGES);
  const start = mapAnonymous(bench, SEQUENTIAL_PAGES);
  populate(bench, consecutive(start, SEQUENTIAL_PAGES));
  const time = (): number => {
    const from = performance.now();
    for (let at = 0; at < SEQUENTIAL_PAGES; at += BATCH) bench.tlb.touchRange(start + at, BATCH, false);
    return mega(SEQUENTIAL_PAGES, performance.now() - from);
  };
  time();
  const value = time();
  const flat = new Int32Array(2 * SEQUENTIAL_PAGES).fill(PRESENT);
  markRange(flat, 0, flat.length);
  const from = performance.now();
  for (let at = 0; at < flat.length; at += 2 * BATCH) markRange(flat, at, at + 2 * BATCH);
  return { value, reference: mega(SEQUENTIAL_PAGES, performance.now() - from) };
}

function markRange(entries: Int32Array, from: number, to: number): void {
  for (let i = from; i < to; i += 2) {
    const entry = entries[i] ?? 0;
    if ((entry & PRESENT) !== 0) entries[i] = entry | YOUNG;
  }
}

/** Random accesses in batches of page numbers, beside a loop over the same numbers and a flat array. */
function random(): { value: number; reference: number } {
  const bench = workbench(RANDOM_PAGES);
  const start = mapAnonymous(bench, RANDOM_PAGES);
  populate(bench, consecutive(start, RANDOM_PAGES));
  const count = 4 * RANDOM_PAGES;
  let state = 12345;
  const vpns = Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return start + ((state >>> 8) & (RANDOM_PAGES - 1));
  });
  const time = (): number => {
    const from = performance.now();
    for (let at = 0; at < count; at += BATCH) bench.tlb.touch(vpns, at, at + BATCH, false);
    return mega(count, performance.now() - from);
  };
  time();
  const value = time();
  const flat = new Int32Array(2 * RANDOM_PAGES).fill(PRESENT);
  markEach(flat, vpns, start, 0, count);
  const from = performance.now();
  for (let at = 0; at < count; at += BATCH) markEach(flat, vpns, start, at, at + BATCH);
  return { value, reference: mega(count, performance.now() - from) };
}

function markEach(entries: Int32Array, vpns: Float64Array, start: number, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const at = 2 * ((vpns[i] ?? 0) - start);
    const entry = entries[at] ?? 0;
    if ((entry & PRESENT) !== 0) entries[at] = entry | YOUNG;
  }
}

export const benchmarks = [
  { name: 'touch 16 M resident pages in sequence', unit: 'M/s', goal: 100, run: sequential },
  { name: 'touch at random among 1 M resident pages', unit: 'M/s', goal: 30, run: random },
];
