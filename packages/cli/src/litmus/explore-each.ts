import type { Search } from '@hmm/explore';
import { HmmError } from '@hmm/kernel';
import type { Output } from '../output.js';
import type { Checkpoint } from './checkpoint.js';

/** One test to explore. */
export interface Job<T> {
  readonly name: string;
  /** What it is explored from: a checkpoint of another text is none of it. */
  readonly text: string;
  /** Sets its initial state up. */
  start(): { readonly search: Search; result(): T };
}

/** What came of them. */
export interface Explored<T> {
  readonly results: readonly T[];
  /** Stopped by a key press; what came later was not begun. */
  readonly interrupted: boolean;
  /** A test that could not be set up. */
  readonly problem?: string;
}

/** Milliseconds of work between two looks at what else has happened. */
const PATIENCE_MS = 50;

/** Explores tests one after the other, until Ctrl-C at the latest. */
export async function exploreEach<T>(
  jobs: readonly Job<T>[],
  checkpoint: Checkpoint | undefined,
  output: Output,
): Promise<Explored<T>> {
  const results: T[] = [];
  let interrupted = false;
  const stop = (): void => {
    interrupted = true;
  };
  const stopped = (): boolean => interrupted;
  process.on('SIGINT', stop);
  try {
    for (const [at, job] of jobs.entries()) {
      output.progress(`${at + 1} of ${jobs.length}: ${job.name}`);
      const running = job.start();
      const saved = checkpoint?.find(job.name, job.text);
      if (saved !== undefined) running.search.resume(saved);
      await explore(running.search, stopped);
      results.push(running.result());
      const now = checkpoint === undefined ? undefined : running.search.save();
      if (now !== undefined) checkpoint?.keep(job.name, job.text, now);
      if (stopped()) break;
    }
  } catch (error) {
    if (!(error instanceof HmmError)) throw error;
    return { results, interrupted, problem: error.message };
  } finally {
    process.off('SIGINT', stop);
    output.progress('');
  }
  checkpoint?.write();
  if (stopped()) output.say(`interrupted: ${results.length} of ${jobs.length} tests were begun`);
  return { results, interrupted };
}

async function explore(search: Search, stopped: () => boolean): Promise<void> {
  let last = performance.now();
  while (search.advance() && !stopped()) {
    if (performance.now() - last < PATIENCE_MS) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    last = performance.now();
  }
}
