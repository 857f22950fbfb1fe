import { HmmError } from '@hmm/kernel';
import type { Checkpoint } from '../litmus/checkpoint.js';
import type { Output } from '../output.js';
import type { Hand } from './hands.js';
import type { WorkReport } from './messages.js';
import type { ExplorationTask, PlainSearchOptions, TestResult } from './task.js';
import { TestRun } from './test-run.js';

/** One test to explore. */
export interface Exploration {
  readonly name: string;
  /** What it is explored from: a checkpoint of another text is none of it. */
  readonly text: string;
  readonly task: ExplorationTask;
}

/** What came of them. */
export interface Explored {
  /** In the order of the tests, of those that were begun. */
  readonly results: readonly TestResult[];
  /** Stopped by a key press; what came later was not begun. */
  readonly interrupted: boolean;
  /** The first test that could not be set up. */
  readonly problem?: { readonly index: number; readonly error: HmmError };
}

/** Who explores. */
export interface Crew {
  /** How many at most. */
  readonly size: number;
  /** Gets another one. */
  hire(): Hand;
}

/** Explores tests, several at once and one by several, until Ctrl-C at the latest. */
export async function exploreTogether(
  tests: readonly Exploration[],
  options: PlainSearchOptions,
  crew: Crew,
  checkpoint: Checkpoint | undefined,
  output: Output,
): Promise<Explored> {
  const runs = tests.map(
    (test, index) => new TestRun(test, index, options, checkpoint?.find(test.name, test.text)),
  );
  const foreman = new Foreman(runs, crew, output);
  const stop = (): void => {
    foreman.stop();
  };
  process.on('SIGINT', stop);
  try {
    await foreman.work();
  } finally {
    process.off('SIGINT', stop);
    output.progress('');
    await foreman.end();
  }
  const { interrupted, problem } = foreman;
  const begun = runs.filter(({ result }) => result !== undefined);
  const results = begun.flatMap(({ result }) => result ?? []);
  if (problem !== undefined) return { results, interrupted, problem };
  if (checkpoint !== undefined) {
    for (const run of begun) checkpoint.keep(run.exploration.name, run.exploration.text, run.saved());
    checkpoint.write();
  }
  if (interrupted) output.say(`interrupted: ${results.length} of ${tests.length} tests were begun`);
  return { results, interrupted };
}

/** One who explores, as the foreman sees it. */
interface Worker {
  readonly hand: Hand;
  /** What it is at; undefined while it waits. */
  run: TestRun | undefined;
  /** Whether it makes a result rather than exploring. */
  concluding: boolean;
  /** Whether it was asked for a part, and has not answered, or had none when it last told how far it is. */
  asked: boolean;
}

/** Hands out tests, then parts of tests, so that nobody waits while there is work. */
class Foreman {
  interrupted = false;
  problem: { index: number; error: HmmError } | undefined;
  private readonly runs: readonly TestRun[];
  private readonly crew: Crew;
  private readonly output: Output;
  private readonly workers: Worker[] = [];
  private resolve: () => void = () => undefined;
  private reject: (why: Error) => void = () => undefined;

  constructor(runs: readonly TestRun[], crew: Crew, output: Output) {
    this.runs = runs;
    this.crew = crew;
    this.output = output;
  }

  /** Until all is done. */
  async work(): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.distribute();
    await done;
  }

  /** Begins nothing more, and has those stop who are at something. */
  stop(): void {
    this.interrupted = true;
    for (const run of this.runs) this.endRun(run);
    this.distribute();
  }

  /** Ends the workers. */
  async end(): Promise<void> {
    await Promise.all(this.workers.map(({ hand }) => hand.end()));
  }

  private distribute(): void {
    for (const worker of this.workers) if (worker.run === undefined) this.give(worker);
    while (this.workers.length < this.crew.size && this.nextRun() !== undefined) this.give(this.hire());
    const idle = this.crew.size - this.workers.filter(({ run }) => run !== undefined).length;
    if (idle === this.crew.size) {
      this.resolve();
      return;
    }
    const done = this.runs.filter(({ result }) => result !== undefined).length;
    const first = this.workers.find(({ run }) => run !== undefined)?.run;
    this.output.progress(`${done + 1} of ${this.runs.length}: ${first?.exploration.name ?? ''}`);
    this.askFor(idle);
  }

  /** Asks those who explore for `parts`, unless they were asked already. */
  private askFor(parts: number): void {
    let missing = parts;
    for (const worker of this.workers) {
      const { run, concluding, asked, hand } = worker;
      if (missing === 0) return;
      if (run === undefined || concluding || run.ended) continue;
      missing--;
      if (asked) continue;
      worker.asked = true;
      hand.post({ kind: 'split', states: run.states });
    }
  }

  private hire(): Worker {
    const worker: Worker = { hand: this.crew.hire(), run: undefined, concluding: false, asked: false };
    this.workers.push(worker);
    worker.hand.listen(
      (report) => {
        this.heard(worker, report);
      },
      (why) => {
        const name = worker.run?.exploration.name;
        const of = name === undefined ? '' : ` that explored ${name}`;
        this.workers.splice(this.workers.indexOf(worker), 1);
        this.refused(worker, new HmmError('WORKER', `a worker${of} ended: ${why}`, {}));
      },
    );
    return worker;
  }

  /** The next test that somebody can do something for. */
  private nextRun(): TestRun | undefined {
    const { problem } = this;
    const open = problem === undefined ? this.runs : this.runs.slice(0, problem.index);
    return (
      open.find((run) => run.isBegun && (run.hasPart || (run.isExplored && !this.isConcluded(run)))) ??
      open.find((run) => !run.isBegun && !run.ended)
    );
  }

  private isConcluded(run: TestRun): boolean {
    return this.workers.some((worker) => worker.concluding && worker.run === run);
  }

  private give(worker: Worker): void {
    const run = this.nextRun();
    if (run === undefined) return;
    const { task } = run.exploration;
    worker.run = run;
    worker.asked = false;
    worker.concluding = run.isExplored && !run.hasPart;
    if (worker.concluding) {
      worker.hand.post({ kind: 'conclude', task, options: run.options, findings: run.saved() });
      return;
    }
    const options = run.limited();
    const part = run.begin(worker);
    worker.hand.post({ kind: 'explore', task, options, part, states: run.statesIfShared });
  }

  private endRun(run: TestRun): void {
    run.ended = true;
    for (const { hand, run: at, concluding } of this.workers)
      if (at === run && !concluding) hand.post({ kind: 'stop' });
  }

  private heard(worker: Worker, report: WorkReport): void {
    const { run } = worker;
    if (run === undefined) return;
    switch (report.kind) {
      case 'goes-on':
        this.goesOn(worker, run, report.executions);
        return;
      case 'split':
        if (report.part === undefined) return;
        worker.asked = false;
        run.add(report.part);
        break;
      case 'explored':
        run.explored(worker, report.findings, report.left);
        if (report.result !== undefined) run.result = report.result;
        worker.run = undefined;
        break;
      case 'concluded':
        run.result = report.result;
        worker.run = undefined;
        break;
      case 'refused':
        this.refused(worker, new HmmError(report.code, report.message, report.data));
        return;
      case 'broken':
        this.reject(new Error(report.stack));
        return;
    }
    this.distribute();
  }

  /** A worker has told how far it is: the limits are looked at, and it may have a part to give away now. */
  private goesOn(worker: Worker, run: TestRun, executions: number): void {
    run.progress(worker, executions);
    if (run.ended) this.endRun(run);
    worker.asked = false;
    this.distribute();
  }

  /** The test that `worker` was at cannot be explored: what comes before it is explored to its end, nothing that comes later. */
  private refused(worker: Worker, error: HmmError): void {
    const index = worker.run?.index ?? 0;
    worker.run = undefined;
    if (this.problem === undefined || index < this.problem.index) this.problem = { index, error };
    for (const run of this.runs) {
      if (run.index < index) continue;
      run.running.delete(worker);
      this.endRun(run);
    }
    this.distribute();
  }
}
