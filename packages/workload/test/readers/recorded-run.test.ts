import { fc } from '@hmm/config/property';
import { describe, expect, it } from 'vitest';
import { RecordedRun } from '../../src/internal.js';
import { AGENT_CPU, AGENT_GPU, EventBatch, type TraceObservation } from '../../src/readers/index.js';

const COHERENCE = 2;
const EVICTION = 4;
const KIB64 = 65536;

function recorded(...seen: readonly TraceObservation[]): RecordedRun {
  const batch = new EventBatch(Math.max(1, seen.length));
  for (const row of seen) batch.push(row);
  const run = new RecordedRun();
  run.take(batch);
  return run;
}

function replayed(run: RecordedRun): (readonly [agent: number, page: number])[] {
  return [...run.replay()].flatMap((batch) =>
    Array.from({ length: batch.length }, (_, i) => [batch.agent[i] ?? 0, batch.page[i] ?? 0] as const),
  );
}

describe('a recording of unified memory', () => {
  it('is summed up as it was recorded', () => {
    const { kernels, transfers, cpuFunctions, ...counts } = recorded(
      { name: 'cpu_fault', time: 1, page: 100, label: 'main' },
      { name: 'kernel', time: 10, duration: 100, label: 'add' },
      { name: 'gpu_fault', time: 20, duration: 30, page: 100, value: 7, agent: AGENT_GPU },
      { name: 'htod', time: 30, duration: 5, page: 100, bytes: KIB64, flags: COHERENCE },
      { name: 'dtoh', time: 200, duration: 6, page: 100, bytes: 4096, flags: COHERENCE },
      { name: 'htod', time: 300, duration: 1, page: -1, bytes: 4096, flags: COHERENCE },
    ).totals();
    expect(kernels).toEqual([{ name: 'add', gpus: [0], launches: 1, ns: 100, faults: 1, faultNs: 30 }]);
    expect(transfers).toEqual([
      { way: 'to_device', cause: 'coherence', copies: 2, bytes: KIB64 + 4096, ns: 6 },
      { way: 'to_host', cause: 'coherence', copies: 1, bytes: 4096, ns: 6 },
    ]);
    expect(cpuFunctions).toEqual([{ name: 'main', faults: 1 }]);
    expect(counts).toEqual({ gpuFaultRows: 1, gpuFaults: 7, cpuFaults: 1, bothWays: 1, withoutAddress: 1 });
  });

  it('keeps GPUs apart: whose kernel faulted, where data went, and from one to the other', () => {
    const run = recorded(
      { name: 'kernel', time: 0, duration: 100, label: 'left', agent: AGENT_GPU },
      { name: 'kernel', time: 10, duration: 200, label: 'right', agent: AGENT_GPU + 1 },
      { name: 'gpu_fault', time: 20, duration: 5, page: 2, agent: AGENT_GPU },
      { name: 'htod', time: 22, page: 2, bytes: 4096, flags: COHERENCE, agent: AGENT_GPU },
      { name: 'gpu_fault', time: 30, duration: 6, page: 2, agent: AGENT_GPU + 1 },
      { name: 'dtod', time: 31, duration: 2, page: 2, bytes: 4096, flags: COHERENCE, agent: AGENT_GPU + 1 },
    );
    const { kernels, transfers, bothWays } = run.totals();
    expect(kernels).toEqual([
      { name: 'right', gpus: [1], launches: 1, ns: 200, faults: 1, faultNs: 6 },
      { name: 'left', gpus: [0], launches: 1, ns: 100, faults: 1, faultNs: 5 },
    ]);
    expect(transfers.map(({ way }) => way)).toEqual(['to_device', 'between_devices']);
    expect(bothWays).toBe(0);
    expect(replayed(run)).toEqual([
      [AGENT_CPU, 2],
      [AGENT_GPU, 2],
      [AGENT_GPU, 2],
      [AGENT_GPU + 1, 2],
      [AGENT_GPU + 1, 2],
    ]);
  });

  it('is replayed with its transfers: what first comes to the device was written before', () => {
    const run = recorded(
      { name: 'gpu_fault', time: 20, page: 2, agent: AGENT_GPU },
      { name: 'htod', time: 30, page: 2, bytes: 8192, flags: COHERENCE },
      { name: 'dtoh', time: 40, page: 3, bytes: 4096, flags: COHERENCE },
      { name: 'dtoh', time: 50, page: 2, bytes: 4096, flags: EVICTION },
    );
    expect(replayed(run)).toEqual([
      [AGENT_CPU, 2],
      [AGENT_CPU, 3],
      [AGENT_GPU, 2],
      [AGENT_GPU, 2],
      [AGENT_GPU, 3],
      [AGENT_CPU, 3],
    ]);
  });

  it('is replayed with an access of every page that moved, whatever moved and in whatever order', () => {
    const transfer = fc.record({
      page: fc.nat(2000),
      pages: fc.integer({ min: 1, max: 700 }),
      up: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(transfer, { maxLength: 20 }), (transfers) => {
        const rows = transfers.map(({ page, pages, up }, time): TraceObservation => {
          const bytes = pages * 4096;
          return { name: up ? 'htod' : 'dtoh', time, page, bytes, flags: COHERENCE };
        });
        const moved = transfers.reduce((sum, { pages }) => sum + pages, 0);
        const accesses = replayed(recorded(...rows));
        const written = accesses.length - moved;
        expect(written).toBeGreaterThanOrEqual(0);
        const first = accesses.slice(0, written);
        expect(first.every(([agent]) => agent === AGENT_CPU)).toBe(true);
        expect(new Set(first.map(([, page]) => page)).size).toBe(written);
      }),
      { seed: 11, numRuns: 50 },
    );
  });
});
