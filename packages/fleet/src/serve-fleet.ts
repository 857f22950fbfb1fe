import type { Findings, Subtree } from '@hmm/explore';
import { HmmError } from '@hmm/kernel';
import { Queue, UnrecoverableError, Worker } from 'bullmq';
import { connect, LOCK_MS, QUEUE, shown } from './connection.js';
import { type FleetAnswer, type FleetJob, budgetOf, jobId, readJob } from './job.js';

/** Explores a job for so many executions. The parts that are left follow from the job alone, so that who does it again leaves the same. */
export type FleetWork = (
  job: FleetJob,
  budget: number,
) => Promise<{ readonly findings: Findings; readonly parts: readonly Subtree[] }>;

/** Seconds for which answers stay for those who have not read them. */
const KEEP_SECONDS = 86_400;

/**
 * Works for a fleet until `signal` says that it is enough; the job at hand is done first.
 * @throws HmmError `FLEET_URL`, `FLEET_UNREACHABLE`
 */
export async function serveFleet(
  url: string,
  work: FleetWork,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  shown(url);
  const connection = await connect(url);
  const queue = new Queue<unknown>(QUEUE, { connection });
  const worker = new Worker<unknown, FleetAnswer>(
    QUEUE,
    async ({ data }) => {
      try {
        const job = readJob(data);
        const { findings, parts } = await work(job, budgetOf(job));
        // First the parts are in the queue, then the job is done: who is killed in between does it again, to the same effect.
        const children = await addJobs(
          queue,
          parts.map((part) => ({ ...job, part, round: job.round + 1 })),
        );
        return { findings, children };
      } catch (error) {
        if (error instanceof HmmError)
          throw new UnrecoverableError(JSON.stringify({ code: error.code, message: error.message }));
        throw error;
      }
    },
    { connection, lockDuration: LOCK_MS, stalledInterval: LOCK_MS / 2, maxStalledCount: 1000 },
  );
  worker.on('error', (error) => {
    say(error.message);
  });
  say(`at work for ${shown(url)}`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
  await worker.close();
  await queue.close();
  connection.disconnect();
}

/** Puts jobs into the queue, those that are there already excepted. @returns their ids. */
export async function addJobs(queue: Queue<unknown>, jobs: readonly FleetJob[]): Promise<string[]> {
  const ids = jobs.map(jobId);
  const removeOnComplete = { age: KEEP_SECONDS };
  await queue.addBulk(
    jobs.map((data, at) => ({
      name: 'explore',
      data,
      opts: { jobId: ids[at] ?? '', removeOnComplete, removeOnFail: removeOnComplete },
    })),
  );
  return ids;
}
