/**
 * Page-table representations that were not chosen, beside the one that was: 256 K resident pages touched at random. The
 * reference of each is the pooled radix table.
 */
import { BATCH, consecutive, mapAnonymous, mega, populate, workbench } from './workbench.js';

const PAGES = 256 * 1024;
const ACCESSES = 2 * 1024 * 1024;
const PRESENT = 1;
const YOUNG = 8;

/** An entry as an object, where there is one a page. */
interface Entry {
  flags: number;
  pfn: number;
}

function randomPages(start: number): Float64Array {
  let state = 99;
  return Float64Array.from({ length: ACCESSES }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return start + ((state >>> 8) & (PAGES - 1));
  });
}

function timed(pass: (from: number, to: number) => void): number {
  pass(0, BATCH);
  const begun = performance.now();
  for (let at = 0; at < ACCESSES; at += BATCH) pass(at, at + BATCH);
  return mega(ACCESSES, performance.now() - begun);
}

/** The design in use: a walk through a cache of page tables. */
function pooled(): { value: number; start: number } {
  const bench = workbench(PAGES);
  const start = mapAnonymous(bench, PAGES);
  populate(bench, consecutive(start, PAGES));
  const vpns = randomPages(start);
  const value = timed((from, to) => {
    bench.tlb.touch(vpns, from, to, false);
  });
  return { value, start };
}

/** One object a page in a `Map` from page numbers. */
function mapOfObjects(): { value: number; reference: number } {
  const { value: reference, start } = pooled();
  const table = new Map<number, Entry>();
  for (let i = 0; i < PAGES; i++) table.set(start + i, { flags: PRESENT, pfn: i });
  const vpns = randomPages(start);
  const value = timed((from, to) => {
    for (let i = from; i < to; i++) {
      const entry = table.get(vpns[i] ?? 0);
      if (entry !== undefined && (entry.flags & PRESENT) !== 0) entry.flags |= YOUNG;
    }
  });
  return { value, reference };
}

/** An array of objects for each VMA. */
function arrayOfObjects(): { value: number; reference: number } {
  const { value: reference, start } = pooled();
  const table: Entry[] = Array.from({ length: PAGES }, (_, pfn) => ({ flags: PRESENT, pfn }));
  const vpns = randomPages(start);
  const value = timed((from, to) => {
    for (let i = from; i < to; i++) {
      const entry = table[(vpns[i] ?? 0) - start];
      if (entry !== undefined && (entry.flags & PRESENT) !== 0) entry.flags |= YOUNG;
    }
  });
  return { value, reference };
}

/** 64-bit entries in a `BigUint64Array` for each VMA. */
function bigEntries(): { value: number; reference: number } {
  const { value: reference, start } = pooled();
  const table = new BigUint64Array(PAGES).fill(1n);
  const vpns = randomPages(start);
  const value = timed((from, to) => {
    for (let i = from; i < to; i++) {
      const at = (vpns[i] ?? 0) - start;
      const entry = table[at] ?? 0n;
      if ((entry & 1n) !== 0n) table[at] = BigInt.asUintN(64, entry | 8n);
    }
  });
  return { value, reference };
}

export const benchmarks = [
  { name: 'not chosen: Map of objects', unit: 'M/s', run: mapOfObjects },
  { name: 'not chosen: array of objects', unit: 'M/s', run: arrayOfObjects },
  { name: 'not chosen: 64-bit entries', unit: 'M/s', run: bigEntries },
];
