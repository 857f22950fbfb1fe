import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { addConformResult, type ConformResult, emptyConformResult } from '@hmm/conform';
import { HmmError, type KernelOptions, type Release } from '@hmm/kernel';
import { Option } from 'commander';
import { formatCount, formatShare, formatTable, wrapText } from '@hmm/report';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { fileReason, startsLikeGzip } from './input.js';
import { jsonOption, releaseOption } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';
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

/** `conform CORPUS…`: recordings of real devices and drivers replayed on the models. The first replayer is the default. */
export function conformCommand(first: CorpusReplayer, ...others: readonly CorpusReplayer[]): CommandBuilder {
  const replayers = [first, ...others];
  return (parent, host, done) => {
    const examples = [
      `conform ${first.example} --json`,
      ...others.map(({ client, example }) => `conform --client ${client} ${example}`),
    ];
    const cmd = jsonOption(releaseOption(subcommand(parent, host, 'conform', examples)))
      .description(`replay recordings of ${listed(replayers)}, operation by operation`)
      .argument('<corpus...>', 'corpora (JSON lines, gzip or plain), each on a machine of its own')
      .addOption(
        new Option('--client <name>', 'whose recordings they are')
          .choices(replayers.map(({ client }) => client))
          .default(first.client),
      );
    cmd.action(async (files: string[]) => {
      const { json, release, client } = cmd.opts<{ json: boolean; release?: Release; client: string }>();
      const replayer = replayers.find((known) => known.client === client) ?? first;
      const options = release === undefined ? {} : { release };
      const total = emptyConformResult();
      const recordings: ReadRecording[] = [];
      for (const file of files) {
        const message = await replayFile(replayer, options, file, total, host);
        if (message !== undefined) {
          done(fail(host.output, message));
          return;
        }
        recordings.push(await readRecording(file));
      }
      host.output.data(
        json ? `${JSON.stringify({ ...total, recordings })}\n` : formatConform(total, recordings),
      );
      done(total.matched === total.ops ? EXIT_OK : EXIT_FAILED);
    });
  };
}

function listed(replayers: readonly CorpusReplayer[]): string {
  const names = replayers.map(({ of }) => of);
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`;
}

/** Replays one file into `total`; what is wrong with the file, or undefined. */
async function replayFile(
  replayer: CorpusReplayer,
  options: KernelOptions,
  file: string,
  total: ConformResult,
  host: CommandHost,
): Promise<string | undefined> {
  try {
    const zipped = await startsLikeGzip(file);
    const { size } = await stat(file);
    const bytes = createReadStream(file);
    bytes.on('data', () => {
      host.output.progress(`${file}: ${formatShare(bytes.bytesRead, size)}`);
    });
    const result = await replayLines(replayer, options, bytes, zipped ? bytes.pipe(createGunzip()) : bytes);
    addConformResult(total, result);
    host.output.progress('');
    return undefined;
  } catch (error) {
    if (error instanceof HmmError)
      return error.data['line'] === undefined ? `${file}: ${error.message}` : lineMessage(file, error);
    return `${file}: ${fileReason(error)}`;
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
