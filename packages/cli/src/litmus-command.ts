import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  compileLitmus,
  formatStory,
  type LitmusReport,
  type LitmusResult,
  type MirrorDevicesFactory,
  type ObservedReport,
  parseRecordedTests,
  runLitmus,
  runObserved,
  type SearchOptions,
  STRATEGIES,
  type StrategyName,
} from '@hmm/explore';
import { HmmError } from '@hmm/kernel';
import { formatCount, formatTable } from '@hmm/report';
import { formatSourceError, parseProgram } from '@hmm/workload';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { fileReason, readInput } from './input.js';
import { addSetting, jsonOption, wholeNumber } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';
import { failAll } from './run-command.js';

interface LitmusOptions {
  readonly json: boolean;
  readonly observed?: string;
  readonly strategy: StrategyName;
  readonly seed: number;
  readonly maxSeconds?: number;
  readonly set: ReadonlyMap<string, string>;
}

/** `litmus FILE…`: every outcome that small concurrent tests can have. */
export function litmusCommand(devices: MirrorDevicesFactory): CommandBuilder {
  return (parent, host, done) => {
    const cmd = litmusOptions(
      subcommand(parent, host, 'litmus', [
        'litmus fault-vs-munmap.litmus',
        'litmus packages/explore/litmus --json',
        'litmus --observed tools/golden/linux-6.12/races.jsonl',
      ]),
    )
      .description('explore every interleaving of small concurrent tests')
      .argument('[files...]', 'litmus tests, or directories of them');
    cmd.action(async (paths: string[]) => {
      const options = cmd.opts<LitmusOptions>();
      if (options.observed !== undefined) done(await observed(options.observed, options, devices, host));
      else if (paths.length === 0)
        done(fail(host.output, 'a litmus test is needed, or --observed and a recording'));
      else done(await library(paths, options, devices, host));
    });
  };
}

function litmusOptions(cmd: Command): Command {
  return jsonOption(cmd)
    .option('--observed <file>', 'compare what the model allows with what a real kernel showed')
    .addOption(new Option('--strategy <name>', 'how to search').choices(STRATEGIES).default('dpor'))
    .option('--seed <n>', 'seed of the strategies that roll dice', wholeNumber, 1)
    .option('--max-seconds <n>', 'give up on a test after this long', seconds)
    .option('--set <key=value>', 'a setting of the devices', addSetting, new Map());
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number of seconds is needed.');
  return value;
}

function searchOptions({ strategy, seed, maxSeconds }: LitmusOptions): SearchOptions {
  const now = (): number => performance.now() / 1000;
  return { strategy, seed, now, ...(maxSeconds === undefined ? {} : { maxSeconds }) };
}

/** Explores all tests of the files and directories given. */
async function library(
  paths: readonly string[],
  options: LitmusOptions,
  devices: MirrorDevicesFactory,
  host: CommandHost,
): Promise<number> {
  const { output } = host;
  const files: string[] = [];
  for (const path of paths) {
    const found = await litmusFiles(path);
    if (typeof found === 'string') return fail(output, found);
    files.push(...found);
  }
  const programs = [];
  for (const file of files) {
    const input = await readInput(file);
    if (!input.ok) return fail(output, input.message);
    const parsed = parseProgram(input.text, file);
    if (!parsed.ok) return failAll(output, parsed.errors.map(formatSourceError));
    const compiled = compileLitmus(parsed.program, file);
    if (!compiled.ok) return failAll(output, compiled.errors.map(formatSourceError));
    programs.push({ file, program: compiled.program });
  }
  const results: LitmusResult[] = [];
  for (const [at, { file, program }] of programs.entries()) {
    output.progress(`${at + 1} of ${programs.length}: ${program.name}`);
    try {
      results.push(runLitmus(program, devices, searchOptions(options)));
    } catch (error) {
      if (error instanceof HmmError) return fail(output, `${file}: ${error.message}`);
      throw error;
    }
  }
  output.progress('');
  const tests = results.map(({ report }) => report);
  output.data(options.json ? `${JSON.stringify({ version: 1, tests })}\n` : formatLibrary(results));
  return tests.every(({ verdict }) => verdict === 'ok') ? EXIT_OK : EXIT_FAILED;
}

/** A file itself, or the litmus tests in a directory, by name; a text is what is wrong with the path. */
async function litmusFiles(path: string): Promise<string[] | string> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path, { recursive: true });
    const files = names.filter((name) => name.endsWith('.litmus')).sort();
    return files.length === 0
      ? `${path}: no .litmus file is in there`
      : files.map((name) => join(path, name));
  } catch (error) {
    return `${path}: ${fileReason(error)}`;
  }
}

function formatLibrary(results: readonly LitmusResult[]): string {
  const rows = results.map(({ report: r }) => [
    r.name,
    r.verdict,
    formatCount(r.schedules),
    String(r.outcomes.length),
    r.seconds.toFixed(2),
  ]);
  const right = (title: string): { title: string; align: 'right' } => ({ title, align: 'right' });
  const columns = [
    { title: 'test' },
    { title: 'verdict' },
    right('schedules'),
    right('outcomes'),
    right('seconds'),
  ];
  const stories = results.flatMap(({ report, story }) =>
    story === undefined ? [] : [`${report.name}\n\n${formatStory(story)}`],
  );
  return `${[summary(results), formatTable(columns, rows), SCOPE, ...stories].join('\n\n')}\n`;
}

function summary(results: readonly LitmusResult[]): string {
  const count = (verdict: LitmusReport['verdict']): number =>
    results.filter(({ report }) => report.verdict === verdict).length;
  return `${count('ok')} hold in every interleaving, ${count('violated')} do not, ${count('incomplete')} were not finished.`;
}

const SCOPE = 'Not explored: the order of memory accesses within a step (sequentially consistent).';

/** Explores each test of a recording, and compares. */
async function observed(
  file: string,
  options: LitmusOptions,
  devices: MirrorDevicesFactory,
  host: CommandHost,
): Promise<number> {
  const { output } = host;
  const input = await readInput(file);
  if (!input.ok) return fail(output, input.message);
  let recorded;
  try {
    recorded = parseRecordedTests(input.text, file);
  } catch (error) {
    if (error instanceof HmmError) return fail(output, error.message);
    throw error;
  }
  const tests: ObservedReport[] = [];
  for (const [at, test] of recorded.entries()) {
    output.progress(`${at + 1} of ${recorded.length}: ${test.name}`);
    tests.push(runObserved(test, devices, searchOptions(options), options.set).report);
  }
  output.progress('');
  output.data(options.json ? `${JSON.stringify({ version: 1, tests })}\n` : formatObserved(tests));
  return tests.every((test) => test.covered === test.observed) ? EXIT_OK : EXIT_FAILED;
}

function formatObserved(tests: readonly ObservedReport[]): string {
  const sum = (of: (test: ObservedReport) => number): number =>
    tests.reduce((total, test) => total + of(test), 0);
  const rows = tests.map((t) => [
    t.name,
    `${t.covered} of ${t.observed}`,
    String(t.never_seen),
    formatCount(t.schedules),
    t.seconds.toFixed(2),
    t.violations.join(', '),
  ]);
  const right = (title: string): { title: string; align: 'right' } => ({ title, align: 'right' });
  const columns = [
    { title: 'test' },
    right('seen, allowed'),
    right('never seen'),
    right('schedules'),
    right('seconds'),
    { title: 'violations' },
  ];
  const total = `${sum((t) => t.covered)} of ${sum((t) => t.observed)} outcomes that the real kernel showed are allowed by the model.`;
  return `${total}\n\n${formatTable(columns, rows)}\n\n${SCOPE}\n`;
}
