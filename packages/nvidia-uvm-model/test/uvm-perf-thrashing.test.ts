import { describe, expect, it } from 'vitest';
import {
  UvmEventTypeMapRemote,
  UvmEventTypeThrashingDetected,
  UvmEventTypeThrottlingStart,
} from '@hmm/nvidia-uvm-model';
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
