import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { addConformResult, type ConformResult, emptyConformResult } from '@hmm/conform';
import { HmmError, type KernelOptions, type Release } from '@hmm/kernel';
import { Option } from 'commander';
import { formatCount, formatShare, formatTable, wrapText } from '@hmm/report';
import { Tinypool } from 'tinypool';
import { type CommandBuilder, subcommand } from './cli.js';
import { fileReason, startsLikeGzip } from './input.js';
import { jsonOption, positiveNumber, releaseOption } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail, type Output } from './output.js';
import { type ReadRecording, readRecording, recordingsLine } from './recorded-in.js';

/** How a device model replays recordings of the real device: the `conform` function of its entry of that name. */
export interface CorpusReplayer {
  /** For `--client`. */
  readonly client: string;
  /** What the recordings are of, after "recordings of". */
  readonly of: string;
  /** A corpus to show in the help. */
  readonly example: string;
  readonly conform: (lines: AsyncIterable<string>, options: KernelOptions) => Promise<ConformResult>;
}

/** A corpus to replay in another thread. */
export interface ConformJob {
  readonly client: string;
  readonly file: string;
  readonly options: KernelOptions;
}

/** What came of a file: its result, or what is wrong with it. */
export type ConformAnswer =
  { readonly ok: true; readonly result: ConformResult } | { readonly ok: false; readonly message: string };

/** One or more replayers; the first is the default. */
export type CorpusReplayers = readonly [CorpusReplayer, ...CorpusReplayer[]];

/**
 * `conform CORPUS…`: recordings of real devices and drivers replayed on the models.
 * @param worker the application's module whose default export does a `ConformJob` by {@link replayCorpus}, for `--jobs`.
 */
export function conformCommand(replayers: CorpusReplayers, worker?: URL): CommandBuilder {
  const [first, ...others] = replayers;
  return (parent, host, done) => {
    const examples = [
      `conform ${first.example} --json`,
      ...others.map(({ client, example }) => `conform --client ${client} ${example}`),
      ...(worker === undefined ? [] : ['conform recordings/*.jsonl.gz --jobs 4']),
    ];
    const cmd = jsonOption(releaseOption(subcommand(parent, host, 'conform', examples)))
      .description(`replay recordings of ${listed(replayers)}, operation by operation`)
      .argument('<corpus...>', 'corpora (JSON lines, gzip or plain), each on a machine of its own')
      .addOption(
        new Option('--client <name>', 'whose recordings they are')
          .choices(replayers.map(({ client }) => client))
          .default(first.client),
      );
    if (worker !== undefined) cmd.option('--jobs <n>', 'replay so many corpora at once', positiveNumber, 1);
    cmd.action(async (files: string[]) => {
      const { json, release, client, jobs = 1 } = cmd.opts<ConformOptions>();
      const options = release === undefined ? {} : { release };
      const asked = files.map((file): ConformJob => ({ client, file, options }));
      const answers =
        worker === undefined || jobs === 1
          ? oneByOne(replayers, asked, host.output)
          : inPool(worker, jobs, asked, host.output);
      const total = emptyConformResult();
      const recordings: ReadRecording[] = [];
      for await (const answer of answers) {
        if (!answer.ok) {
          done(fail(host.output, answer.message));
          return;
        }
        addConformResult(total, answer.result);
      }
      for (const file of files) recordings.push(await readRecording(file));
      host.output.data(
        json ? `${JSON.stringify({ ...total, recordings })}\n` : formatConform(total, recordings),
      );
      done(total.matched === total.ops ? EXIT_OK : EXIT_FAILED);
    });
  };
}

interface ConformOptions {
  readonly json: boolean;
  readonly release?: Release;
  readonly client: string;
  readonly jobs?: number;
}

async function* oneByOne(
  replayers: CorpusReplayers,
  jobs: readonly ConformJob[],
  output: Output,
): AsyncGenerator<ConformAnswer> {
  for (const job of jobs) {
    yield await replayCorpus(replayers, job, (share) => {
      output.progress(`${job.file}: ${share}`);
    });
    output.progress('');
  }
}

/** The answers in the order of the files, whichever is done first. */
async function* inPool(
  worker: URL,
  threads: number,
  jobs: readonly ConformJob[],
  output: Output,
): AsyncGenerator<ConformAnswer> {
  const pool = new Tinypool({
    filename: worker.href,
    minThreads: 1,
    maxThreads: Math.min(threads, jobs.length),
  });
  try {
    const answers = jobs.map(async (job): Promise<ConformAnswer> => {
      try {
        return (await pool.run(job)) as ConformAnswer;
      } catch (error) {
        return { ok: false, message: `${job.file}: the worker ended: ${String(error)}` };
      }
    });
    for (const [at, answer] of answers.entries()) {
      output.progress(`${at} of ${jobs.length} corpora`);
      yield await answer;
    }
  } finally {
    output.progress('');
    await pool.destroy();
  }
}

function listed(replayers: readonly CorpusReplayer[]): string {
  const names = replayers.map(({ of }) => of);
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`;
}

/**
 * Replays one file.
 * @param told called with how much of it has been read.
 */
export async function replayCorpus(
  replayers: CorpusReplayers,
  { client, file, options }: ConformJob,
  told: (share: string) => void = () => undefined,
): Promise<ConformAnswer> {
  const replayer = replayers.find((known) => known.client === client) ?? replayers[0];
  try {
    const zipped = await startsLikeGzip(file);
    const { size } = await stat(file);
    const bytes = createReadStream(file);
    bytes.on('data', () => {
      told(formatShare(bytes.bytesRead, size));
    });
    const text = zipped ? bytes.pipe(createGunzip()) : bytes;
    return { ok: true, result: await replayLines(replayer, options, bytes, text) };
  } catch (error) {
    if (!(error instanceof HmmError)) return { ok: false, message: `${file}: ${fileReason(error)}` };
    const placed = error.data['line'] !== undefined;
    return { ok: false, message: placed ? lineMessage(file, error) : `${file}: ${error.message}` };
  }
}

/** Replays the lines of `text`, which comes from `file`. An error of either rejects, whoever is reading when it comes. */
async function replayLines(
  replayer: CorpusReplayer,
  options: KernelOptions,
  file: Readable,
  text: Readable,
): Promise<ConformResult> {
  const lines = createInterface({ input: text, crlfDelay: Infinity });
  const failure = new Promise<never>((_, reject) => {
    for (const source of [file, text, lines]) source.on('error', reject);
  });
  try {
    return await Promise.race([replayer.conform(lines, options), failure]);
  } finally {
    lines.close();
    file.destroy();
    text.destroy();
  }
}

function lineMessage(file: string, error: HmmError): string {
  return `${file}:${error.data['line'] ?? ''}: ${error.message.replace(/^line \d+: /, '')}`;
}

function formatConform(result: ConformResult, recordings: readonly ReadRecording[]): string {
  const rows = Object.entries(result.families).map(([name, family]) => [
    name,
    `${formatCount(family.scripts_matched)} of ${formatCount(family.scripts)}`,
    `${formatCount(family.matched)} of ${formatCount(family.ops)}`,
  ]);
  const summary = `${formatCount(result.matched)} of ${formatCount(result.ops)} operations agree with the recorded kernel, in ${formatCount(result.scripts)} scripts.`;
  const columns = [
    { title: 'family' },
    { title: 'scripts that agree', align: 'right' as const },
    { title: 'operations that agree', align: 'right' as const },
  ];
  const mismatches = result.mismatches.map(
    (m) =>
      `${m.script}, line ${m.line}: ${m.op}\n  recorded ${JSON.stringify(m.expected)}\n  model    ${JSON.stringify(m.got)}`,
  );
  return (
    [wrapText(summary), wrapText(recordingsLine(recordings)), formatTable(columns, rows), ...mismatches].join(
      '\n\n',
    ) + '\n'
  );
}
