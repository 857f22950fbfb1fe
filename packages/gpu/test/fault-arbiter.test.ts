import { Prng } from '@hmm/kernel';
import { describe, expect, it } from 'vitest';
import { deliverFaults, type Tpc } from '../src/fault-arbiter.js';
import { gpuPreset } from '../src/presets.js';
import { SmFaults } from '../src/sm-faults.js';

const path = gpuPreset('h100').faultPath;

/** An SM with the `count` threads from `first` on, all of whose accesses fault. */
function stalled(block: number, count: number): SmFaults {
  const sm = new SmFaults(path, 128, 14, 'read');
  const accesses = { page: (thread: number) => thread * 64, tryAccess: () => false };
  sm.addBlock(block, block * 128 + count, accesses);
  sm.start(accesses);
  return sm;
}

function delivered(clusters: readonly (readonly Tpc[])[], seed = 1): { thread: number; ns: number }[] {
  const list: { thread: number; ns: number }[] = [];
  deliverFaults(clusters, { path, when: 'start', prng: new Prng(seed) }, (thread, ns) =>
    list.push({ thread, ns }),
  );
  return list;
}

describe('the way of faults to the buffer', () => {
  it('each outstanding fault arrives once, at the pace of the MMU: 256 in 5.3 µs', () => {
    const clusters = Array.from({ length: 8 }, (_, c) =>
      Array.from({ length: 4 }, (_, t) => [stalled(c * 4 + t, 128)]),
    );
    const list = delivered(clusters);
    expect(list).toHaveLength(32 * 14);
    expect(new Set(list.map(({ thread }) => thread)).size).toBe(32 * 14);
    expect((list[255]?.ns ?? 0) / 1000).toBeCloseTo(5.3, 1);
  });

  it('clusters take turns, whatever each has: 32 of a batch of 256 are of each of eight', () => {
    const clusters = Array.from({ length: 8 }, (_, c) =>
      Array.from({ length: 3 + (c % 2) * 4 }, (_, t) => [stalled(c * 8 + t, 128)]),
    );
    const shares = new Array<number>(8).fill(0);
    for (const { thread } of delivered(clusters).slice(0, 256)) {
      const cluster = Math.floor(thread / 1024);
      shares[cluster] = (shares[cluster] ?? 0) + 1;
    }
    expect(shares).toEqual(new Array(8).fill(32));
  });

  it('the SMs of a TPC begin together and alternate; the next TPC begins later', () => {
    const first = delivered([[[stalled(0, 128), stalled(1, 128)], [stalled(2, 128)]]], 3).slice(0, 4);
    const blocks = first.map(({ thread }) => Math.floor(thread / 128));
    expect(new Set(blocks).size).toBeLessThanOrEqual(2);
  });

  it('TPCs keep their order from replay to replay, but for neighbours that drift past each other', () => {
    /** The TPC of each first fault of eight, before a replay and after it. */
    const orders = (drift: number, seed: number): [number[], number[]] => {
      const tpcs = Array.from({ length: 8 }, (_, t) => [stalled(t, 128)]);
      const drifting = { ...path, rankDrift: { ...path.rankDrift, value: drift } };
      const prng = new Prng(seed);
      const order = (when: 'start' | 'replay'): number[] => {
        const list: number[] = [];
        deliverFaults([tpcs], { path: drifting, when, prng }, (thread) =>
          list.push(Math.floor(thread / 128)),
        );
        return [...new Set(list)];
      };
      for (const [sm] of tpcs) if (sm !== undefined) sm.fresh = false;
      return [order('start'), order('replay')];
    };
    const moves = ([before, after]: [number[], number[]]): number[] =>
      before.map((tpc, at) => Math.abs(after.indexOf(tpc) - at));
    const seeds = Array.from({ length: 20 }, (_, i) => i + 1);
    const moved = (drift: number): number =>
      seeds.flatMap((seed) => moves(orders(drift, seed))).reduce((a, b) => a + b);
    expect(moved(0)).toBe(0);
    // By a quarter of the scale: some change places, and far fewer than in a new order each time.
    expect(moved(path.rankDrift.value)).toBeGreaterThan(10);
    expect(moved(path.rankDrift.value)).toBeLessThan(moved(10) / 2);
  });

  it('up to three TPCs have a compute cluster each and begin within 15 faults of a replay; four do not', () => {
    const lastBegin = (tpcs: number, seed: number): number => {
      const cluster = Array.from({ length: tpcs }, (_, t) => [stalled(t, 128)]);
      const threads: number[] = [];
      deliverFaults([cluster], { path, when: 'replay', prng: new Prng(seed) }, (thread) =>
        threads.push(thread),
      );
      return Math.max(
        ...cluster.map((_, t) => threads.findIndex((thread) => Math.floor(thread / 128) === t)),
      );
    };
    const seeds = Array.from({ length: 100 }, (_, seed) => seed + 1);
    expect(Math.max(...seeds.map((seed) => lastBegin(3, seed)))).toBeLessThanOrEqual(16);
    expect(Math.max(...seeds.map((seed) => lastBegin(4, seed)))).toBeGreaterThan(16);
  });

  it('an SM without faults delivers none', () => {
    expect(delivered([[[new SmFaults(path, 128, 14, 'read')]], []])).toEqual([]);
  });
});
