import { Dpor, Explorer, NotifierRetry, type RetryOp } from '@hmm/explore';
import { RandomWalk, type Strategy } from '@hmm/explore/internal';
import { bareSteps } from './bare-steps.js';

const MAX_STEPS = 100;
const SECONDS = 1;
/** A device fault against a replacement of its page: the two-task test of the retry protocol. */
const TWO: readonly (readonly RetryOp[])[] = [[['fault', 1]], [['replace', 1]]];

interface Rates {
  readonly executions: number;
  readonly steps: number;
}

/** Explores the two-task test, 13 executions when reduced, again and again; thousands of executions and millions of steps a second. */
function rates(strategy: Strategy, restart: () => void): Rates {
  const model = new NotifierRetry(TWO);
  let executions = 0;
  let steps = 0;
  const begin = performance.now();
  let seconds = 0;
  while (seconds < SECONDS) {
    for (let i = 0; i < 50; i++) {
      const explorer = new Explorer(model, strategy, { maxSteps: MAX_STEPS });
      restart();
      explorer.run(13);
      executions += explorer.executions;
      steps += explorer.steps;
    }
    seconds = (performance.now() - begin) / 1000;
  }
  return { executions: executions / seconds, steps: steps / seconds };
}

const reduced = (): Rates => {
  const strategy = new Dpor(MAX_STEPS);
  return rates(strategy, () => {
    strategy.restart();
  });
};

export const benchmarks = [
  {
    name: 'two-task retry test, reduced search: executions',
    unit: 'K/s',
    goal: 100,
    run: () => ({ value: reduced().executions / 1e3, reference: bareSteps() }),
  },
  {
    name: 'two-task retry test, reduced search: steps',
    unit: 'M/s',
    goal: 2,
    run: () => ({ value: reduced().steps / 1e6, reference: bareSteps() }),
  },
  {
    name: 'two-task retry test, random walk: executions',
    unit: 'K/s',
    run: () => ({ value: rates(new RandomWalk(1), () => undefined).executions / 1e3 }),
  },
];
