import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** A job of a workflow, as much of it as the rules look at. */
interface Job {
  readonly permissions?: unknown;
  readonly uses?: string;
  readonly secrets?: unknown;
  readonly steps?: readonly Step[];
}

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly on?: unknown;
  readonly permissions?: unknown;
  readonly jobs?: Readonly<Record<string, Job>>;
}

/** A commit of 40 digits. */
const PINNED = /^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/;
/** Events on which a workflow runs with rights that whoever caused them has not. */
const DANGEROUS = ['pull_request_target', 'workflow_run', 'issue_comment'];

/**
 * What is wrong with a workflow of GitHub, a sentence each that begins with the name of zizmor's rule of it: unpinned-uses, artipacked,
 * excessive-permissions, template-injection, dangerous-triggers, cache-poisoning, secrets-inherit, use-trusted-publishing. It is no zizmor: it
 * looks at these rules alone, in the forms that the workflows here have.
 */
export function workflowComplaints(file: string, text: string): string[] {
  const workflow = parse(text) as Workflow;
  const triggers = triggersOf(workflow.on);
  const complaints = DANGEROUS.filter((name) => triggers.includes(name)).map(
    (name) => `dangerous-triggers: it runs on ${name}`,
  );
  if (!isRecord(workflow.permissions) || Object.keys(workflow.permissions).length > 0)
    complaints.push('excessive-permissions: it gives permissions to all jobs, not to those that need them');
  for (const [name, job] of Object.entries(workflow.jobs ?? {}))
    complaints.push(...jobComplaints(job).map((complaint) => `${complaint} (job ${name})`));
  return complaints.map((complaint) => `${file}: ${complaint}`);
}

function jobComplaints(job: Job): string[] {
  const complaints: string[] = [];
  const given = isRecord(job.permissions) ? job.permissions : undefined;
  if (given === undefined) complaints.push('excessive-permissions: it does not say its permissions');
  if (job.secrets === 'inherit') complaints.push('secrets-inherit: it hands on every secret');
  if (job.uses !== undefined && !job.uses.startsWith('./')) complaints.push(...unpinned(job.uses));
  // A job that has something to give away runs none of the code that is in the repository.
  const trusted = given?.['id-token'] === 'write';
  for (const step of job.steps ?? []) complaints.push(...stepComplaints(step, trusted));
  return complaints;
}

function stepComplaints({ uses = '', run = '', with: given = {} }: Step, trusted: boolean): string[] {
  const complaints = uses === '' || uses.startsWith('./') ? [] : unpinned(uses);
  const isCheckout = uses.startsWith('actions/checkout@');
  if (isCheckout && given['persist-credentials'] !== false)
    complaints.push('artipacked: the checkout leaves credentials in the folder');
  if (trusted && isCheckout)
    complaints.push('cache-poisoning: a job with credentials has the code of the repository');
  if (uses.startsWith('actions/setup-node@') && given['cache'] !== undefined)
    complaints.push('cache-poisoning: a cache is shared by jobs that do not trust each other');
  if (run.includes('${{'))
    complaints.push('template-injection: a value is pasted into a script, not handed over by env');
  if (/NPM_TOKEN|NODE_AUTH_TOKEN/.test(run + JSON.stringify(given)))
    complaints.push('use-trusted-publishing: it publishes with a token');
  return complaints;
}

function unpinned(uses: string): string[] {
  return PINNED.test(uses) ? [] : [`unpinned-uses: ${uses} is no commit`];
}

function triggersOf(on: unknown): readonly string[] {
  if (typeof on === 'string') return [on];
  if (Array.isArray(on)) return on.map(String);
  return isRecord(on) ? Object.keys(on) : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The complaints about every workflow in a folder. */
export function workflowsComplaints(folder: string): string[] {
  const files = readdirSync(folder).filter((file) => /\.ya?ml$/.test(file));
  return files.flatMap((file) => workflowComplaints(file, readFileSync(join(folder, file), 'utf8')));
}
