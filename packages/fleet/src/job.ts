import { createHash } from 'node:crypto';
import { type Findings, type Subtree, STRATEGIES } from '@hmm/explore';
import { HmmError } from '@hmm/kernel';
import { z } from 'zod';

const counts = z.array(z.int()).readonly();

/** What a search that begins in the middle has on its stack. */
const strategy = z.strictObject({
  states: z.int(),
  started: z.boolean(),
  exhausted: z.boolean(),
  agent: counts,
  enabled: counts,
  backtrack: counts,
  done: counts,
  dead: counts,
  given: counts,
  decisionStart: counts,
  decisions: z.strictObject({ values: counts, options: counts }),
  sleeping: z.strictObject({
    asleep: counts,
    from: counts,
    to: counts,
    opened: counts,
    recorded: counts,
    object: counts,
    mode: counts,
  }),
  floor: z.int(),
}) satisfies z.ZodType<Subtree['strategy']>;

const settings = z.array(z.tuple([z.string(), z.string()]).readonly()).readonly();

const task = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('litmus'),
    file: z.string(),
    text: z.string(),
    parameters: z.array(z.tuple([z.string(), z.number()]).readonly()).readonly(),
    settings,
  }),
  z.strictObject({ kind: z.literal('observed'), file: z.string(), text: z.string(), settings }),
]);

const options = z.strictObject({
  strategy: z.enum(STRATEGIES).optional(),
  seed: z.int().optional(),
  bound: z.int().optional(),
  keepGoing: z.boolean().optional(),
});

const job = z.strictObject({
  version: z.literal(1),
  task,
  options,
  part: z.strictObject({ strategy }).nullable(),
  /** How many parts of parts this is: later ones are larger. */
  round: z.int(),
});

/** A part of an exploration, as it waits in the queue: data, which is looked at before anything is done with it. */
export type FleetJob = z.infer<typeof job>;
/** A test, as plain data. */
export type FleetTask = z.infer<typeof task>;
/** How to search, as plain data. */
export type FleetOptions = z.infer<typeof options>;

const replayed = { replay: z.string() };
const findings = z.strictObject({
  found: z.strictObject({
    executions: z.number(),
    schedules: z.number(),
    steps: z.number(),
    outcomes: z.array(z.strictObject({ text: z.string(), count: z.number(), ...replayed })).readonly(),
    violations: z
      .array(z.strictObject({ invariant: z.string(), detail: z.string(), ...replayed }))
      .readonly(),
  }),
  states: z.number(),
  seconds: z.number(),
  complete: z.boolean(),
}) satisfies z.ZodType<Findings>;

const answer = z.strictObject({
  findings,
  /** Ids of the jobs that have what is left. */
  children: z.array(z.string()).readonly(),
});

/** What a worker leaves in the queue of a job that is done. */
export type FleetAnswer = z.infer<typeof answer>;

/** The job of what came out of the queue. @throws HmmError `FLEET_JOB` where it is none */
export function readJob(value: unknown): FleetJob {
  return checked(job, value, 'job');
}

/** The answer of a job that is done. @throws HmmError `FLEET_JOB` where it is none */
export function readAnswer(value: unknown): FleetAnswer {
  return checked(answer, value, 'answer');
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const why = z.prettifyError(read.error).replaceAll('\n', '; ');
  throw new HmmError('FLEET_JOB', `the queue has something that is no ${what} of this version: ${why}`, {});
}

/** The id of a job: a hash of what is explored, and of the choices that it begins with. The same part is the same job. */
export function jobId({ task: what, options: how, part }: FleetJob): string {
  return createHash('sha256')
    .update(JSON.stringify([what, how, part]))
    .digest('hex');
}

const FIRST_BUDGET = 64;
const MOST_DOUBLINGS = 7;

/** Executions after which a worker puts what is left of a job back into the queue. Few at first, so that all soon have work. */
export function budgetOf({ round }: FleetJob): number {
  return FIRST_BUDGET << Math.min(round, MOST_DOUBLINGS);
}
