import { describe, expect, it } from 'vitest';
import {
  UvmEventTypeMapRemote,
  UvmEventTypeThrashingDetected,
  UvmEventTypeThrottlingStart,
} from '@hmm/nvidia-uvm-model';
import { type UvmThrashingLapse } from '@hmm/nvidia-uvm-model/internal';
import { Bench, params, sequence } from './setup.js';

function pingPong(bench: Bench, rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    bench.cpu([0]);
    bench.gpu([0], true);
  }
}

describe('the thrashing detector (uvm_perf_thrashing)', () => {
  it('finds the 64 KiB that go back and forth thrashing in the third round trip, then throttles', () => {
    const bench = new Bench(1);
    pingPong(bench, 2);
    expect(bench.events(UvmEventTypeThrashingDetected)).toHaveLength(0);
    pingPong(bench, 1);
    const pages = bench.events(UvmEventTypeThrashingDetected).map(([page]) => page);
    expect(pages).toEqual([...sequence(16)]);
    pingPong(bench, 1);
    expect(bench.events(UvmEventTypeThrottlingStart)).toHaveLength(1);
  });

  it('pins after ten throttlings: the GPU maps host memory, and both sides stop faulting', () => {
    const bench = new Bench(1);
    pingPong(bench, 40);
    const { counters } = bench.driver.tools;
    expect(counters.pinned).toBe(1);
    expect(bench.events(UvmEventTypeMapRemote).map(([, , cause]) => cause)).toEqual([2]);
    const faults = counters.gpuFaults + counters.cpuFaults;
    pingPong(bench, 5);
    expect(counters.gpuFaults + counters.cpuFaults).toBe(faults);
  });

  it('unpins after the pin time, and the pages migrate again', () => {
    const bench = new Bench(1);
    pingPong(bench, 40);
    const before = bench.driver.tools.counters.movedPages;
    bench.kernel.sched.now += 151e6;
    bench.driver.unpinUntil(bench.kernel.sched.now);
    bench.gpu([0], true);
    expect(bench.driver.tools.counters.movedPages).toBe(before + 1);
  });

  it('is blind to round trips slower than the lapse, and off when told so', () => {
    const slow = new Bench(1, { params: params({ uvm_perf_thrashing_lapse_usec: 5 }) });
    pingPong(slow, 10);
    const off = new Bench(1, { params: params({ uvm_perf_thrashing_enable: 0 }) });
    pingPong(off, 10);
    for (const bench of [slow, off]) expect(bench.driver.tools.counters.thrashingPages).toBe(0);
  });

  it('forgets a block after an epoch without thrashing, as often as uvm_perf_thrashing_max_resets says', () => {
    const foundAgain = (resets: number): number => {
      const bench = new Bench(1, { params: params({ uvm_perf_thrashing_max_resets: resets }) });
      for (let epoch = 0; epoch < 7; epoch++) {
        pingPong(bench, 3);
        bench.kernel.sched.now += 2.1e9;
      }
      // A page that nobody faults on is found only with its block.
      return bench.events(UvmEventTypeThrashingDetected).filter(([page]) => page === 15).length - 1;
    };
    expect([0, 1, 4].map(foundAgain)).toEqual([0, 1, 4]);
  });

  it('keeps every value through all of it', () => {
    const bench = new Bench(16);
    for (let round = 0; round < 60; round++) {
      const values = Uint32Array.of((round * 7) % 256);
      if (round % 2 === 0) bench.cpu([3], true, values);
      else bench.gpu([3], true, values);
      const seen = Uint32Array.of(0);
      if (round % 2 === 0) bench.gpu([3], false, seen);
      else bench.cpu([3], false, seen);
      expect(seen[0]).toBe((round * 7) % 256);
    }
  });
});

describe('the lapse that adapts (release 590)', () => {
  const lapse = (release = 590, values: Readonly<Record<string, number>> = {}): UvmThrashingLapse =>
    new Bench(1, { release, params: params(values) }).space.lapse;

  /** The lapse after votes: `n` times an event `since` ns ago. */
  const after = (at: UvmThrashingLapse, n: number, since: number): number => {
    for (let i = 0; i < n; i++) at.vote(since);
    return at.ns;
  };

  it('one vote against makes it an eighth longer, and is forgotten', () => {
    const at = lapse();
    expect([after(at, 1, 0), at.votes]).toEqual([562_500, 0]);
    expect(after(at, 1, 0)).toBe(632_812);
  });

  it('so do as many votes for it as the threshold says, of which half are kept', () => {
    const at = lapse();
    expect([after(at, 31, 500_000), at.votes]).toEqual([500_000, 31]);
    expect([after(at, 1, 500_000), at.votes]).toEqual([562_500, 16]);
    expect(after(lapse(590, { uvm_perf_lapse_vote_threshold: 2 }), 2, 600_000)).toBe(562_500);
  });

  it('it grows to half a second and an eighth at most, and falls only there: when the votes wrap', () => {
    const at = lapse();
    while (at.ns < 500_000_000) at.vote(0);
    const top = at.ns;
    expect(top).toBeLessThan(550_000_000);
    expect([after(at, 128, 0), at.votes]).toEqual([top, -128]);
    expect([after(at, 1, 0), at.votes]).toEqual([top - Math.floor(top / 8), 63]);
  });

  it('not before release 590, and not where it was set', () => {
    expect(after(lapse(580), 1, 0)).toBe(500_000);
    expect(after(lapse(590, { uvm_perf_thrashing_lapse_usec: 400 }), 1, 0)).toBe(400_000);
    expect(after(lapse(590, { uvm_perf_thrashing_lapse_usec: 500 }), 1, 0)).toBe(562_500);
  });

  it('hints on thrashing pages vote, each VA space for itself; nap, epoch and pin do not follow', () => {
    const fixed = new Bench(1);
    const adapting = new Bench(1, { release: 590 });
    const other = adapting.driver.openVaSpace();
    for (const bench of [fixed, adapting]) pingPong(bench, 12);
    expect(fixed.space.lapse.ns).toBe(500_000);
    expect(adapting.space.lapse.ns).toBeGreaterThan(500_000);
    expect(other.lapse.ns).toBe(500_000);
    expect(adapting.driver.global.thrashing.nap).toBe(500_000);
    expect(adapting.driver.tools.counters.throttled).not.toBe(fixed.driver.tools.counters.throttled);
  });
});
