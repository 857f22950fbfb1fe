import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { HmmError, type KernelOptions, type Release } from '@hmm/kernel';
import { formatCount, formatShare, formatTable, wrapText } from '@hmm/report';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { fileReason, startsLikeGzip } from './input.js';
import { jsonOption, releaseOption } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';

/** The stable result of a replay of recorded scripts. */
export interface ConformResult {
  readonly version: 1;
  readonly scripts: number;
  readonly ops: number;
  readonly matched: number;
  readonly families: Readonly<
    Record<
      string,
      {
        readonly scripts: number;
        readonly scripts_matched: number;
        readonly ops: number;
        readonly matched: number;
      }
    >
  >;
  readonly mismatches: readonly {
    readonly script: string;
    readonly line: number;
    readonly op: string;
    readonly expected: unknown;
    readonly got: unknown;
  }[];
}

/** How a device model replays recordings of the real device: the functions of its `conform` entry. */
export interface CorpusReplayer<Result extends ConformResult> {
  readonly conform: (lines: AsyncIterable<string>, options: KernelOptions) => Promise<Result>;
  readonly emptyConformResult: () => Result;
  readonly addConformResult: (into: Result, from: Result) => void;
}

/** `conform CORPUS…`: recordings of the real kernel's test device replayed on the model. */
export function conformCommand<Result extends ConformResult>(
  replayer: CorpusReplayer<Result>,
): CommandBuilder {
  return (parent, host, done) => {
    const cmd = jsonOption(
      releaseOption(
        subcommand(parent, host, 'conform', [
          'conform tools/golden/linux-6.12/public.jsonl.gz --json',
          'conform tools/golden/linux-7.3/public.jsonl.gz --release 7.3',
        ]),
      ),
    )
      .description("replay recordings of the real kernel's HMM test device, operation by operation")
      .argument('<corpus...>', 'corpora (JSON lines, gzip or plain), each on a machine of its own');
    cmd.action(async (files: string[]) => {
      const { json, release } = cmd.opts<{ json: boolean; release?: Release }>();
      const options = release === undefined ? {} : { release };
      const total = replayer.emptyConformResult();
      for (const file of files) {
        const message = await replayFile(replayer, options, file, total, host);
        if (message !== undefined) {
          done(fail(host.output, message));
          return;
        }
      }
      host.output.data(json ? `${JSON.stringify(total)}\n` : formatConform(total));
      done(total.matched === total.ops ? EXIT_OK : EXIT_FAILED);
    });
  };
}

/** Replays one file into `total`; what is wrong with the file, or undefined. */
async function replayFile<Result extends ConformResult>(
  replayer: CorpusReplayer<Result>,
  options: KernelOptions,
  file: string,
  total: Result,
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
    replayer.addConformResult(total, result);
    host.output.progress('');
    return undefined;
  } catch (error) {
    if (error instanceof HmmError)
      return error.data['line'] === undefined ? `${file}: ${error.message}` : lineMessage(file, error);
    return `${file}: ${fileReason(error)}`;
  }
}

/** Replays the lines of `text`, which comes from `file`. An error of either rejects, whoever is reading when it comes. */
async function replayLines<Result extends ConformResult>(
  replayer: CorpusReplayer<Result>,
  options: KernelOptions,
  file: Readable,
  text: Readable,
): Promise<Result> {
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

function formatConform(result: ConformResult): string {
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
  return [wrapText(summary), formatTable(columns, rows), ...mismatches].join('\n\n') + '\n';
}
