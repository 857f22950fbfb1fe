import type { Findings, Subtree } from '@hmm/explore';
import { HmmError } from '@hmm/kernel';
import { type Job, Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { connect, QUEUE, shown } from './connection.js';
import { type FleetJob, jobId, readAnswer, readJob } from './job.js';
import { addJobs } from './serve-fleet.js';

/** Milliseconds after which jobs are looked at though nothing was heard of them. */
const LOOK_MS = 2000;

/** What a fleet has found, and the parts that nobody has explored. */
export interface FleetFindings {
  readonly parts: readonly Findings[];
  readonly left: readonly (Subtree | null)[];
}

/** A queue, as somebody sees it who has tests explored. */
export class Fleet {
  private readonly redis: Redis;
  private readonly events: QueueEvents;
  private readonly queue: Queue<unknown>;

  private constructor(redis: Redis, events: QueueEvents) {
    this.redis = redis;
    this.events = events;
    this.queue = new Queue(QUEUE, { connection: redis });
  }

  /** @throws HmmError `FLEET_URL`, `FLEET_UNREACHABLE` */
  static async at(url: string): Promise<Fleet> {
    shown(url);
    const redis = await connect(url);
    const events = new QueueEvents(QUEUE, { connection: redis.duplicate() });
    await events.waitUntilReady();
    return new Fleet(redis, events);
  }

  /**
   * Has jobs explored, and the parts that become of them, until none is left.
   * @param goesOn is asked now and then, with what was found since it was asked last; false is the end.
   * @throws HmmError of the worker that could not set the test up
   */
  async explore(
    jobs: readonly FleetJob[],
    goesOn: (found: readonly Findings[]) => boolean,
  ): Promise<FleetFindings> {
    const waiting = new Set(await addJobs(this.queue, jobs));
    const finished = new Set<string>();
    const parts: Findings[] = [];
    let wake = (): void => undefined;
    const heard = ({ jobId: id }: { jobId: string }): void => {
      if (waiting.has(id)) wake();
    };
    this.events.on('completed', heard).on('failed', heard);
    try {
      for (let told = 0; waiting.size > 0; told = parts.length) {
        for (const id of [...waiting]) {
          const answer = await this.answerOf(id, jobs);
          if (answer === undefined) continue;
          waiting.delete(id);
          finished.add(id);
          parts.push(answer.findings);
          for (const child of answer.children) if (!finished.has(child)) waiting.add(child);
        }
        if (!goesOn(parts.slice(told))) break;
        if (parts.length > told || waiting.size === 0) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, LOOK_MS);
        });
      }
      return { parts, left: await this.take(waiting) };
    } finally {
      this.events.off('completed', heard).off('failed', heard);
      // Nobody asks for the answers again.
      await Promise.all([...finished].map((id) => this.queue.remove(id)));
    }
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    await this.events.close();
    await this.queue.close();
    this.redis.disconnect();
  }

  private async answerOf(
    id: string,
    jobs: readonly FleetJob[],
  ): Promise<ReturnType<typeof readAnswer> | undefined> {
    const job = await this.queue.getJob(id);
    if (job === undefined) {
      // Somebody else had the same explored, and has cleared it away.
      await addJobs(
        this.queue,
        jobs.filter((each) => jobId(each) === id),
      );
      return undefined;
    }
    if (job.finishedOn === undefined) return undefined;
    if (await job.isFailed()) {
      await job.remove();
      throw failureOf(job);
    }
    return readAnswer(job.returnvalue);
  }

  /** Takes jobs back out of the queue. @returns their parts. */
  private async take(ids: ReadonlySet<string>): Promise<(Subtree | null)[]> {
    const left: (Subtree | null)[] = [];
    for (const id of ids) {
      const job = await this.queue.getJob(id);
      if (job === undefined) continue;
      left.push(readJob(job.data).part);
      // One that a worker is at cannot be taken away from it, and does no harm.
      await job.remove().catch(() => undefined);
    }
    return left;
  }
}

/** What a worker said when it could not do a job. */
function failureOf({ failedReason }: Job<unknown>): Error {
  try {
    const { code, message } = JSON.parse(failedReason) as { code?: unknown; message?: unknown };
    if (typeof code === 'string' && typeof message === 'string') return new HmmError(code, message, {});
  } catch {
    // It was no error of a test.
  }
  return new HmmError('FLEET_WORKER', `a worker of the fleet failed: ${failedReason}`, {});
}
