import {
  TRACED_FIGURES,
  UNTRACED_FIGURES,
  UvmEventTypeCpuFault,
  UvmEventTypeGpuFault,
  UvmEventTypeMigration,
} from '@hmm/nvidia-uvm-model';
import { describe, expect, it } from 'vitest';
import { BASE, Bench, sequence } from './setup.js';

/** ns from each fault of `kind` to the first migration after it. */
function delays({ kernel: { trace } }: Bench, kind: number): number[] {
  const found: number[] = [];
  let fault: number | undefined;
  for (let i = 0; i < trace.length; i++) {
    const event = trace.at(i);
    if (event.kind === kind) fault ??= event.time;
    if (event.kind !== UvmEventTypeMigration || fault === undefined) continue;
    found.push(event.time - fault);
    fault = undefined;
  }
  return found;
}

it('a CPU fault takes what it is charged, though its look-up and its way back are longer', () => {
  const charged = { ...UNTRACED_FIGURES.cpuFault, value: 10_000 };
  const free = { ...charged, value: 0 };
  const figures = { ...UNTRACED_FIGURES, cpuFault: charged, cpuCopy: free, cpuCopyPage: free };
  const bench = new Bench(1, { figures });
  bench.cpu([0]);
  bench.gpu([0], true);
  const { sched } = bench.kernel;
  const before = sched.now;
  bench.cpu([0]);
  // And the store after it.
  expect(sched.now - before).toBeCloseTo(charged.value + figures.cpuWrite.value, 0);
});

describe('when the copies of a fault begin', () => {
  it('the process’s first one to the GPU comes after all that a first service does', () => {
    const bench = new Bench(512);
    bench.cpu(sequence(512));
    bench.gpu([0, 100, 200]);
    const [first = 0, ...later] = delays(bench, UvmEventTypeGpuFault);
    expect(first).toBeGreaterThan(TRACED_FIGURES.gpuFirstService.value);
    expect(later).toHaveLength(2);
    for (const delay of later) expect(delay).toBeLessThan(TRACED_FIGURES.gpuFirstService.value / 2);
  });

  it('a host chunk that the GPU has no full copy of is zeroed before anything is copied into it', () => {
    const bench = new Bench(4);
    bench.gpu([3], true);
    bench.cpu([0]);
    const [delay = 0] = delays(bench, UvmEventTypeCpuFault);
    expect(delay).toBeGreaterThan(TRACED_FIGURES.hostChunkZero.value);
  });

  it('what comes to the GPU waits for what is evicted, and that for its host chunk', () => {
    const bench = new Bench(1024, { memoryPages: 512 });
    bench.gpu([3], true);
    bench.cpu([600]);
    bench.gpu([600]);
    const { trace } = bench.kernel;
    const moves = Array.from({ length: trace.length }, (_, i) => trace.at(i)).filter(
      ({ kind }) => kind === UvmEventTypeMigration,
    );
    const goes = moves.filter(({ page }) => page < BASE + 512).map(({ time }) => time);
    const comes = moves.filter(({ page }) => page >= BASE + 512).map(({ time }) => time);
    expect([goes.length > 0, comes.length > 0]).toEqual([true, true]);
    expect(Math.min(...comes)).toBeGreaterThan(Math.max(...goes));
  });
});
