import { fc } from '@hmm/config/property';
import { describe, expect, it } from 'vitest';
import {
  AntiDiagonal,
  BfsFrontier,
  HashBuild,
  HashProbe,
  InOrder,
  Interleaved,
  MatrixWalk,
  nextBatch,
  PatternBatch,
  Repeated,
  Shuffled,
  Skewed,
  Stencil,
  Streaming,
  Strided,
  TiledMatmul,
  UniformRandom,
  Zipf,
  permuted,
  type AccessPattern,
} from '../../src/patterns/index.js';
import { ACCESS_READ, ACCESS_WRITE } from '../../src/readers/index.js';

type Row = [region: number, page: number, kind: number];

/** All accesses of a pattern, through batches of `capacity` rows. */
function rows(pattern: AccessPattern, seed = 1, capacity = 1000): Row[] {
  const batch = new PatternBatch(capacity);
  const all: Row[] = [];
  for (let at = 0; at < pattern.accesses;) {
    at = nextBatch(pattern, batch, at, seed);
    for (let i = 0; i < batch.length; i++)
      all.push([batch.region[i] ?? 0, batch.page[i] ?? 0, batch.kind[i] ?? 0]);
  }
  return all;
}

const pages = (pattern: AccessPattern, seed = 1): number[] => rows(pattern, seed).map(([, page]) => page);

const graph = { vertices: 5000, edges: 30000 };

/** Each kind of pattern, small, with the most pages that any of its regions has. */
const ALL: readonly (readonly [AccessPattern, number])[] = [
  [new Streaming({ pages: 13, perPage: 3, passes: 2, writeShare: 0.3 }), 13],
  [new Streaming({ pages: 13, backwards: true, firstPage: 4 }), 17],
  [new Strided({ pages: 29, stride: 4 }), 29],
  [new Strided({ pages: 29, stride: 40, sparse: true }), 29],
  [new UniformRandom({ pages: 31, accesses: 200 }), 31],
  [new Shuffled({ pages: 37, passes: 3 }), 37],
  [new Skewed({ pages: 64, accesses: 200, exponent: 4 }), 64],
  [new Zipf({ pages: 50, accesses: 200, exponent: 1 }), 50],
  [new Zipf({ pages: 50, accesses: 200, exponent: 0.7 }), 50],
  [new Stencil({ bytes: 20 * 4096, rowBytes: 6000 }), 20],
  [
    new Stencil({
      bytes: 20 * 4096,
      rowBytes: 512,
      planeBytes: 8192,
      inputs: [0, 1],
      alongside: [2],
      outputs: [3],
    }),
    20,
  ],
  [new TiledMatmul({ rows: 70, columns: 50, inner: 90, tile: 16 }), 8],
  [new MatrixWalk({ rows: 10, rowBytes: 5000, order: 'columns' }), 13],
  [new MatrixWalk({ rows: 10, rowBytes: 5000, order: 'rows' }), 13],
  [new AntiDiagonal({ blocks: 4, block: 16, diagonal: 5, rowBytes: 260 }), 5],
  [new BfsFrontier(graph, 300), 30],
  [new HashBuild({ tablePages: 10, hashPages: 7 }), 10],
  [new HashProbe({ tablePages: 10, hashPages: 7, outputPages: 3 }), 10],
  [
    new InOrder([
      new Streaming({ pages: 5 }),
      new UniformRandom({ pages: 9, accesses: 20 }),
      new Streaming({ pages: 2 }),
    ]),
    9,
  ],
  [
    new Interleaved([new Streaming({ pages: 5 }), new UniformRandom({ region: 1, pages: 9, accesses: 20 })]),
    9,
  ],
  [new Repeated(new UniformRandom({ pages: 9, accesses: 20 }), 3), 9],
];

describe.each(ALL.map(([pattern, limit]) => [pattern.name, pattern, limit] as const))(
  '%s',
  (_, pattern, limit) => {
    it('gives the accesses it says, inside its pages, and the same again', () => {
      const all = rows(pattern);
      expect(all).toHaveLength(pattern.accesses);
      expect(Math.max(...all.map(([, page]) => page))).toBeLessThan(limit);
      expect(rows(pattern)).toEqual(all);
    });

    it('is the same in any parts, from anywhere', () => {
      const all = rows(pattern, 7);
      fc.assert(
        fc.property(fc.nat(pattern.accesses - 1), fc.integer({ min: 1, max: 300 }), (first, most) => {
          const count = Math.min(most, pattern.accesses - first);
          const batch = new PatternBatch(count + 2);
          batch.length = 2;
          pattern.fill(batch, first, count, 7);
          const part = Array.from({ length: count }, (_, i) => [
            batch.region[i + 2],
            batch.page[i + 2],
            batch.kind[i + 2],
          ]);
          expect(part).toEqual(all.slice(first, first + count));
          expect(batch.length).toBe(count + 2);
        }),
        { seed: 3, numRuns: 25 },
      );
    });
  },
);

describe('orders', () => {
  it('of streams and strides', () => {
    expect(pages(new Streaming({ pages: 4, perPage: 2 }))).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    expect(pages(new Streaming({ pages: 3, backwards: true, firstPage: 10, passes: 2 }))).toEqual([
      12, 11, 10, 12, 11, 10,
    ]);
    expect(pages(new Strided({ pages: 7, stride: 3 }))).toEqual([0, 3, 6, 1, 4, 2, 5]);
    expect(pages(new Strided({ pages: 7, stride: 3, sparse: true }))).toEqual([0, 3, 6]);
    expect(pages(new Strided({ pages: 3, stride: 9 }))).toEqual([0, 1, 2]);
    const kinds = rows(new Streaming({ pages: 8, writeShare: 0.25 })).map(([, , kind]) => kind);
    expect(kinds.filter((kind) => kind === ACCESS_WRITE)).toHaveLength(2);
  });

  it('of random draws: a permutation has each page once, a seed changes it', () => {
    const pattern = new Shuffled({ pages: 1000, passes: 2 });
    const drawn = pages(pattern);
    expect(drawn.slice(0, 1000).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(drawn.slice(1000)).not.toEqual(drawn.slice(0, 1000));
    expect(pages(pattern, 2)).not.toEqual(pages(pattern, 1));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.integer(), (n, seed) => {
        expect(new Set(Array.from({ length: n }, (_, i) => permuted(i, n, seed))).size).toBe(n);
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  it('of the distributions: shares of the hottest pages are those of the law', () => {
    const share = (pattern: AccessPattern, page: number): number =>
      pages(pattern).filter((at) => at === page).length / pattern.accesses;
    const accesses = 100_000;
    for (const exponent of [0.6, 1, 1.4]) {
      const law = Array.from({ length: 1000 }, (_, i) => (i + 1) ** -exponent);
      const total = law.reduce((a, b) => a + b);
      const zipf = new Zipf({ pages: 1000, accesses, exponent, hotFirst: true });
      for (const rank of [0, 1, 2, 9]) expect(share(zipf, rank)).toBeCloseTo((law[rank] ?? 0) / total, 2);
    }
    expect(share(new Skewed({ pages: 16, accesses, exponent: 4 }), 0)).toBeCloseTo(0.5, 2);
    expect(share(new UniformRandom({ pages: 10, accesses }), 3)).toBeCloseTo(0.1, 2);
    const scattered = new Zipf({ pages: 1000, accesses: 5000, exponent: 1.4 });
    const hottest = pages(scattered).filter((page) => page === permuted(0, 1000, 1)).length;
    expect(hottest / 5000).toBeGreaterThan(0.25);
  });

  it('of a tiled product: each tile of C is written once, after its tiles of A and B', () => {
    const all = rows(new TiledMatmul({ rows: 64, tile: 32 }));
    expect(all).toHaveLength(4 * (2 * 2 + 1) * 32);
    const written = all.filter(([region]) => region === 2);
    expect(written.every(([, , kind]) => kind === ACCESS_WRITE)).toBe(true);
    expect(written).toHaveLength(4 * 32);
    expect(all.slice(0, 128).every(([region, , kind]) => region < 2 && kind === ACCESS_READ)).toBe(true);
    expect(all.slice(128, 160).every(([region]) => region === 2)).toBe(true);
    expect(new Set(all.filter(([region]) => region === 0).map(([, page]) => page)).size).toBe(4);
  });

  it('of a matrix by columns: every row before any next page of a row', () => {
    expect(pages(new MatrixWalk({ rows: 3, rowBytes: 8192, order: 'columns' }))).toEqual([0, 2, 4, 1, 3, 5]);
    expect(pages(new MatrixWalk({ rows: 3, rowBytes: 8192, order: 'rows' }))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('of a stencil: above, below, here, then the write', () => {
    const all = rows(new Stencil({ bytes: 3 * 4096, rowBytes: 4096 }));
    expect(all.slice(4, 8)).toEqual([
      [0, 0, ACCESS_READ],
      [0, 2, ACCESS_READ],
      [0, 1, ACCESS_READ],
      [1, 1, ACCESS_WRITE],
    ]);
  });

  it('can be written to arrays of the caller', () => {
    const mine = { region: new Uint8Array(4), page: new Uint32Array(8), kind: new Uint8Array(8) };
    const batch = new PatternBatch(mine);
    expect(nextBatch(new Streaming({ pages: 9 }), batch, 2, 0)).toBe(6);
    expect(Array.from(mine.page)).toEqual([2, 3, 4, 5, 0, 0, 0, 0]);
  });
});
