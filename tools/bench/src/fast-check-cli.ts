import { Explorer, NotifierRetry, type RetryOp } from '@hmm/explore';
import { RandomWalk } from '@hmm/explore/internal';
import fc from 'fast-check';

/**
 * `node tools/bench/dist/fast-check.js`: how many random schedules of one test a second, here and by fast-check's scheduler,
 * in one process. The test is a device's fault against a replacement of its page, under the retry protocol.
 */

const SECONDS = 3;
const MAX_STEPS = 100;
const TWO: readonly (readonly RetryOp[])[] = [[['fault', 1]], [['replace', 1]]];

/** Schedules run, in ms. */
interface Rate {
  readonly schedules: number;
  readonly ms: number;
}

/** The protocol in promises, as a test with fast-check has it: every wait for `point` lets the other task go on. */
class RetryInPromises {
  private seq = 2;
  private cpu = 1;
  private device = 0;
  private readonly point: () => Promise<void>;

  constructor(scheduler: fc.Scheduler) {
    this.point = () => scheduler.schedule(Promise.resolve());
  }

  /** Whether the device maps what the CPU maps, or nothing. */
  get coherent(): boolean {
    return this.device === 0 || this.device === this.cpu;
  }

  /** The device faults: begin, read the CPU's entry, check under the lock, enter it. */
  async fault(): Promise<void> {
    for (;;) {
      await this.point();
      const seq = this.seq;
      // An invalidation is running.
      if (seq % 2 === 1) continue;
      await this.point();
      const pfn = this.cpu;
      await this.point();
      if (seq !== this.seq) continue;
      this.device = pfn;
      return;
    }
  }

  /** The CPU replaces the page: start, callback, change, end. */
  async replace(): Promise<void> {
    await this.point();
    this.seq++;
    await this.point();
    this.device = 0;
    await this.point();
    this.cpu++;
    await this.point();
    this.seq++;
  }
}

async function byFastCheck(): Promise<Rate> {
  let schedules = 0;
  const begun = performance.now();
  const property = fc.asyncProperty(fc.scheduler(), async (scheduler) => {
    const test = new RetryInPromises(scheduler);
    const tasks = [test.fault(), test.replace()];
    await scheduler.waitIdle();
    await Promise.all(tasks);
    schedules++;
    return test.coherent;
  });
  await fc.assert(property, { numRuns: 1e9, interruptAfterTimeLimit: SECONDS * 1000, seed: 1 });
  return { schedules, ms: performance.now() - begun };
}

function here(): Rate {
  const explorer = new Explorer(new NotifierRetry(TWO), new RandomWalk(1), { maxSteps: MAX_STEPS });
  const begun = performance.now();
  while (performance.now() - begun < SECONDS * 1000) explorer.run(1000);
  return { schedules: explorer.executions, ms: performance.now() - begun };
}

const perSecond = ({ schedules, ms }: Rate): number => Math.round((1000 * schedules) / ms);

const ours = perSecond(here());
const theirs = perSecond(await byFastCheck());
console.log('random schedules a second of the two-task retry test, invariants checked');
console.log(`@hmm/explore, each step checked    ${ours}`);
console.log(`fast-check, the end checked        ${theirs}`);
console.log(`ratio                              ${(ours / theirs).toFixed(1)}`);
