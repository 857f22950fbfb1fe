import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { ClientFactory } from '@hmm/device';
import {
  chromeTrace,
  eventsCsv,
  eventsJson,
  htmlReport,
  perfettoTrace,
  type RunReport,
  traceArchive,
} from '@hmm/report';
import { EXAMPLE_WORKLOAD } from '@hmm/workload/patterns';
import { type Command, Option } from 'commander';
import { simulatedAdvice } from './advice.js';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { diagnosedRun, type DiagnosedRun, residencyGrid } from './diagnosed-run.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';
import { runOptions } from './options.js';
import {
  failAll,
  makeSubjectRequest,
  SUBJECT_HELP,
  type SubjectOptions,
  subjectOptions,
  type SubjectRequest,
  subjectRequest,
} from './run-command.js';
import { agentNames, LockRecorder, timelineOf } from './subject-exports.js';

const FORMATS = ['perfetto', 'chrome', 'csv', 'json', 'html', 'archive'] as const;
type Format = (typeof FORMATS)[number];

const ENDINGS: Readonly<Record<string, Format>> = {
  pftrace: 'perfetto',
  'perfetto-trace': 'perfetto',
  csv: 'csv',
  json: 'json',
  html: 'html',
  tar: 'archive',
};

/** Columns and rows of the residency map in an HTML file. */
const MAP_COLUMNS = 160;
const MAP_ROWS = 64;

/** `export WHAT -o FILE`: runs it and writes what happened for another tool. */
export function exportCommand(factories: readonly ClientFactory[]): CommandBuilder {
  return (parent, host, done) => {
    const cmd = subjectOptions(
      subcommand(parent, host, 'export', [
        'export first-example.hmm -o first.pftrace',
        `export first-example.hmm --client ${factories.map(({ name }) => name).join(',')} -o both.tar`,
        `export ${EXAMPLE_WORKLOAD} --client ${factories.at(-1)?.name ?? ''} -o workload.html`,
      ]),
    )
      .description('run it, and write its events for Perfetto, Chrome, a spreadsheet, or as an HTML page')
      .addOption(
        new Option('--to <format>', "the format; told from the file's ending without it").choices(FORMATS),
      )
      .option('--locks', 'with who holds which lock when', false)
      .requiredOption('-o, --output <path>', 'file to write')
      .argument('<file>', SUBJECT_HELP);
    cmd.action(async (what: string) => {
      done(await exportWhat(what, factories, cmd, host));
    });
  };
}

async function exportWhat(
  what: string,
  factories: readonly ClientFactory[],
  cmd: Command,
  host: CommandHost,
): Promise<number> {
  const { output } = host;
  const options = cmd.opts<{ to?: Format; output: string; locks: boolean }>();
  const format = options.to ?? ENDINGS[/\.([\w-]+)$/.exec(options.output)?.[1] ?? ''];
  if (format === undefined)
    return fail(output, `${options.output}: the ending tells no format: use --to ${FORMATS.join('|')}`);
  if (format === 'archive') return archived(what, options.output, factories, cmd, host);
  const set = await subjectRequest(what, factories, cmd);
  if (!set.ok) return failAll(output, set.messages);
  const locks: LockRecorder[] = [];
  const onMachine = options.locks
    ? (k: ConstructorParameters<typeof LockRecorder>[0]): void => {
        locks.push(new LockRecorder(k));
      }
    : undefined;
  const run = diagnosedRun({ ...set.request, keepEvents: true, onMachine });
  if (!run.ok) return fail(output, run.message);
  for (const note of set.notes) output.say(`note: ${note}`);
  const problem = writePieces(options.output, pieces(format, run, set, locks[0]));
  if (problem !== undefined) return fail(output, problem);
  output.say(`${options.output}: ${run.machine.kernel.trace.length} events as ${format}`);
  if (run.report.error !== null) output.say(run.report.error);
  return run.report.error === null ? EXIT_OK : EXIT_FAILED;
}

/** Runs it under each client that is named, and writes the traces as one archive. */
async function archived(
  what: string,
  path: string,
  factories: readonly ClientFactory[],
  cmd: Command,
  { output }: CommandHost,
): Promise<number> {
  const shared = runOptions(cmd);
  const names = shared.client?.split(',') ?? factories.map(({ name }) => name);
  const traces: { readonly name: string; readonly pieces: Iterable<Uint8Array> }[] = [];
  let title = what;
  for (const name of names) {
    const set = await makeSubjectRequest(
      what,
      factories,
      { ...shared, client: name },
      cmd.opts<SubjectOptions>(),
    );
    if (!set.ok) return failAll(output, set.messages);
    const run = diagnosedRun({ ...set.request, keepEvents: true });
    if (!run.ok) return fail(output, run.message);
    if (run.report.error !== null) return fail(output, `${name}: ${run.report.error}`);
    title = set.name;
    traces.push({ name, pieces: perfettoTrace(timelineOf(run, `${set.name} under ${name}`, [])) });
  }
  const problem = writePieces(path, traceArchive(title, traces));
  if (problem !== undefined) return fail(output, problem);
  output.say(`${path}: ${names.join(' and ')} on one timeline; open it in ui.perfetto.dev`);
  return EXIT_OK;
}

function pieces(
  format: Exclude<Format, 'archive'>,
  run: Extract<DiagnosedRun, { ok: true }>,
  set: Extract<SubjectRequest, { ok: true }>,
  locks: LockRecorder | undefined,
): Iterable<string | Uint8Array> {
  const { kernel } = run.machine;
  const timeline = (): ReturnType<typeof timelineOf> =>
    timelineOf(run, `${set.name} under ${run.report.client}`, locks?.holds ?? []);
  switch (format) {
    case 'perfetto':
      return perfettoTrace(timeline());
    case 'chrome':
      return chromeTrace(timeline());
    case 'csv':
      return eventsCsv(kernel.trace, agentNames(kernel));
    case 'json':
      return eventsJson(kernel.trace, agentNames(kernel));
    case 'html': {
      const diagnosis = { ...run.diagnosis, advice: simulatedAdvice(set.request, run) };
      const report: RunReport = { version: 1, program: set.name, run: run.report, diagnosis };
      return [htmlReport(report, timeline(), residencyGrid(run.history, MAP_COLUMNS, MAP_ROWS))];
    }
  }
}

/** Writes a file whole or not at all; one line on what went wrong. */
export function writePieces(path: string, written: Iterable<string | Uint8Array>): string | undefined {
  const unfinished = `${path}.unfinished`;
  let file = -1;
  try {
    file = openSync(unfinished, 'w');
    for (const piece of written) {
      if (typeof piece === 'string') writeSync(file, piece);
      else writeSync(file, piece);
    }
    closeSync(file);
    renameSync(unfinished, path);
    return undefined;
  } catch (error) {
    if (file >= 0) rmSync(unfinished, { force: true });
    return `${path}: this file cannot be written (${error instanceof Error ? error.message : 'unknown error'})`;
  }
}
