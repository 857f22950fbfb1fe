import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LitmusReport } from '@hmm/explore';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noRedis, RedisHere } from './redis-here.js';

const COMMAND = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const reason = process.env['HMM_TEST_BUILT'] === '1' ? noRedis : 'the command is not built';
const PATIENCE_MS = 240_000;

const folder = mkdtempSync(join(tmpdir(), 'hmm-fleet-'));
const redis = new RedisHere();

beforeAll(async () => {
  if (reason === undefined) await redis.start();
});
afterAll(() => {
  redis.stop();
});

interface Ran {
  readonly code: number | null;
  readonly data: string;
  readonly said: string;
}

/** A process of the command, and what comes of it. */
function hmm(...argv: string[]): { readonly child: ChildProcess; readonly ended: Promise<Ran> } {
  const child = spawn(process.execPath, [COMMAND, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [data, said] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (data += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
  const ended = new Promise<Ran>((resolve) =>
    child.on('close', (code) => {
      resolve({ code, data, said });
    }),
  );
  return { child, ended };
}

/** A worker that is at work. */
async function worker(): Promise<ReturnType<typeof hmm>> {
  const started = hmm('fleet', 'worker', '--fleet', redis.url);
  await new Promise((resolve) => started.child.stderr?.once('data', resolve));
  return started;
}

const litmusFile = (name: string, condition: string): string => {
  const path = join(folder, `${name}.litmus`);
  const text = `litmus ${name} "Pages go to the device while the CPU uses them."
set corrected = 1
malloc a 2pages
cpu write a = 5 step 1
open D0
 T0           | T1                 ;
 todev a rc e | cpu write a[0] = 7 ;
              | cpu read a[1] -> w ;
${condition}`;
  writeFileSync(path, text);
  return path;
};

const summary = ({ data }: Ran): unknown =>
  (JSON.parse(data) as { tests: LitmusReport[] }).tests.map(({ verdict, outcomes, violations }) => ({
    verdict,
    outcomes,
    broken: violations.map(({ invariant }) => invariant),
  }));

test(
  'three workers, of which one is killed, find what one job finds; what they leave goes on without them',
  async ({ skip }) => {
    if (reason !== undefined) skip(`skipped: ${reason}`);
    const path = litmusFile('breaks', 'forall e == 0');
    const workers = await Promise.all([worker(), worker(), worker()]);
    const together = hmm('litmus', path, '--fleet', redis.url, '--json').ended;
    setTimeout(() => workers[0].child.kill('SIGKILL'), 400);
    const one = await hmm('litmus', path, '--jobs', '1', '--json').ended;
    const several = await together;
    expect(several).toMatchObject({ code: one.code, said: '' });
    expect(summary(several)).toEqual(summary(one));
    const kept = ['--checkpoint', join(folder, 'checkpoint.json'), '--json'];
    await hmm('litmus', path, '--fleet', redis.url, '--max-executions', '10', ...kept).ended;
    const saved = JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8')) as { tests: unknown[][] };
    expect(saved.tests[0]?.[1]).toMatchObject({ saved: { complete: false } });
    expect(summary(await hmm('litmus', path, '--jobs', '1', ...kept).ended)).toEqual(summary(one));
    for (const { child } of workers) child.kill('SIGTERM');
    const ends = await Promise.all(workers.map(({ ended }) => ended));
    expect(ends.map(({ code }) => code)).toEqual([null, 0, 0]);
  },
  PATIENCE_MS,
);

test('a queue that cannot be had is one line and exit code 2', async ({ skip }) => {
  if (reason !== undefined) skip(`skipped: ${reason}`);
  const path = litmusFile('refused', 'forall w == 6');
  const wrong = await hmm('litmus', path, '--fleet', redis.url.replace('secret', 'wrong')).ended;
  expect(wrong).toMatchObject({ code: 2, data: '' });
  expect(wrong.said).toMatch(/redis:\/\/127.0.0.1:\d+ cannot be used: WRONGPASS/);
  expect(wrong.said).not.toContain('wrong@');
});
