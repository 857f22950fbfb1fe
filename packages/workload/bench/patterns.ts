/**
 * Speed of the access patterns, beside a bare loop that writes page numbers into the same column. Runs on `dist`.
 */
import {
  nextBatch,
  PatternBatch,
  Shuffled,
  Skewed,
  Stencil,
  Streaming,
  Strided,
  TiledMatmul,
  UniformRandom,
  Zipf,
  type AccessPattern,
} from '@hmm/workload/patterns';

const PAGES = 262_144;
const ACCESSES = 4_000_000;

/** Accesses a second: the median of five runs. */
function rate(work: () => number): number {
  const rates = Array.from({ length: 5 }, () => {
    const start = performance.now();
    const accesses = work();
    return (accesses / (performance.now() - start)) * 1000;
  });
  return rates.sort((a, b) => a - b)[2] ?? 0;
}

function run(pattern: AccessPattern, batch: PatternBatch): number {
  const end = Math.min(pattern.accesses, ACCESSES);
  let at = 0;
  while (at < end) at = nextBatch(pattern, batch, at, 1);
  return at;
}

function bareLoop(batch: PatternBatch): number {
  const { page, region, kind } = batch;
  for (let at = 0; at < ACCESSES; at += page.length) {
    for (let i = 0; i < page.length; i++) {
      page[i] = at + i;
      region[i] = 0;
      kind[i] = 0;
    }
  }
  return ACCESSES;
}

const patterns: readonly AccessPattern[] = [
  new Streaming({ pages: PAGES, passes: 16 }),
  new Strided({ pages: PAGES * 16, stride: 64 }),
  new UniformRandom({ pages: PAGES, accesses: ACCESSES }),
  new Skewed({ pages: PAGES, accesses: ACCESSES, exponent: 4 }),
  new Shuffled({ pages: PAGES, passes: 16 }),
  new Zipf({ pages: PAGES, accesses: ACCESSES, exponent: 1 }),
  new Stencil({ bytes: PAGES * 4096, rowBytes: 16384 }),
  new TiledMatmul({ rows: 2048 }),
];

/** `value` and `reference` are accesses a second. */
export const benchmarks = patterns.map((pattern) => ({
  name: `pattern: ${pattern.name}`,
  unit: 'accesses/s',
  run: (): { value: number; reference: number } => {
    const batch = new PatternBatch();
    return { value: rate(() => run(pattern, batch)), reference: rate(() => bareLoop(batch)) };
  },
}));
