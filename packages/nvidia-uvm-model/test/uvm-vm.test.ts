import { UNTRACED_COSTS } from '@hmm/nvidia-uvm-model';
import { expect, it } from 'vitest';
import { Bench } from './setup.js';

it('a CPU fault takes what it is charged, though its look-up and its way back are longer', () => {
  const costs = { ...UNTRACED_COSTS, cpuFault: 10_000, cpuCopy: 0, cpuCopyPage: 0 };
  const bench = new Bench(1, { costs });
  bench.cpu([0]);
  bench.gpu([0], true);
  const { sched } = bench.kernel;
  const before = sched.now;
  bench.cpu([0]);
  // And the store after it.
  expect(sched.now - before).toBeCloseTo(costs.cpuFault + costs.cpuWriteWarm, 0);
});
