import { writeFileSync } from 'node:fs';
import {
  DEFAULT_MAX_STEPS,
  encodeSchedule,
  formatStory,
  itfTrace,
  litmusModel,
  type LitmusReport,
  type MirrorDevicesFactory,
  parseRecordedTests,
  type Story,
  STRATEGIES,
  type StrategyName,
  tell,
} from '@hmm/explore';
import { HmmError, type Release } from '@hmm/kernel';
import { formatSourceError } from '@hmm/workload';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { fileReason, readInput } from './input.js';
import { Checkpoint } from './litmus/checkpoint.js';
import { type DevicesImport, vitestFile } from './litmus/export-test.js';
import { type LitmusSource, readLitmus } from './litmus/input.js';
import { formatLibrary, formatObserved } from './litmus/text.js';
import { exploreOnFleet } from './jobs/explore-on-fleet.js';
import { type Crew, type Exploration, type Explored, exploreTogether } from './jobs/explore-together.js';
import { localHand, threadHand } from './jobs/hands.js';
import type { PlainSearchOptions } from './jobs/task.js';
import { addSetting, jsonOption, positiveNumber, releaseOption, wholeNumber } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';
import { failAll } from './run-command.js';

interface LitmusOptions {
  readonly json: boolean;
  readonly observed?: string;
  readonly strategy: StrategyName;
  readonly seed: number;
  readonly bound?: number;
  readonly maxSeconds?: number;
  readonly maxExecutions?: number;
  readonly checkpoint?: string;
  readonly jobs?: number;
  readonly fleet?: string;
  readonly replay?: string;
  readonly export?: 'test' | 'itf';
  readonly set: ReadonlyMap<string, string>;
  readonly release?: Release;
}

/** The devices of litmus tests, and where an exported test gets them from. */
export interface LitmusDevices extends DevicesImport {
  readonly create: MirrorDevicesFactory;
  /** The application's module that calls `serveExplorations` with the same devices, for `--jobs`; without, all is done in one thread. */
  readonly worker?: URL;
}

/** `litmus FILE…`: every outcome that small concurrent tests can have. */
export function litmusCommand(devices: LitmusDevices): CommandBuilder {
  return (parent, host, done) => {
    const cmd = litmusOptions(
      subcommand(parent, host, 'litmus', [
        'litmus fault-vs-munmap.litmus',
        'litmus packages/explore/litmus --json',
        'litmus --observed tools/golden/linux-7.3/races.jsonl --release 7.3',
        'litmus big.litmus --max-seconds 600 --checkpoint big.json',
        'litmus big.litmus --jobs 8',
        'litmus big.litmus --fleet redis://localhost',
        'litmus broken.litmus --replay hmm1-a3b12a',
        'litmus broken.litmus --export test',
        'litmus fault-vs-munmap.litmus --export itf',
      ]),
    )
      .description('explore every interleaving of small concurrent tests')
      .argument('[files...]', 'litmus tests, or directories of them');
    cmd.action(async (paths: string[]) => {
      const options = cmd.opts<LitmusOptions>();
      const { release, set } = options;
      const settings = release === undefined ? set : new Map([...set, ['release', release]]);
      done(await litmus(paths, { ...options, set: settings }, devices, host));
    });
  };
}

function litmusOptions(cmd: Command): Command {
  return releaseOption(jsonOption(cmd))
    .option('--observed <file>', 'compare what the model allows with what a real kernel showed')
    .addOption(new Option('--strategy <name>', 'how to search').choices(STRATEGIES).default('dpor'))
    .option('--seed <n>', 'seed for the randomised strategies', wholeNumber, 1)
    .option('--bound <n>', 'preemptions (bounded), ordering constraints (pct)', wholeNumber)
    .option('--max-seconds <n>', 'give up on a test after this long', seconds)
    .option('--max-executions <n>', 'give up on a test after so many executions', wholeNumber)
    .option('--jobs <n>', 'explore on so many threads, and go on after a violation', positiveNumber)
    .addOption(
      new Option('--fleet <url>', 'have it explored by the workers of a queue in Redis').conflicts('jobs'),
    )
    .option('--checkpoint <file>', 'go on from this file, and leave there how far it got')
    .option('--replay <string>', 'run one schedule of one test, and tell its story')
    .addOption(
      new Option(
        '--export <what>',
        'write a vitest file for each test that breaks, or the states of an execution of each test (ITF)',
      ).choices(['test', 'itf']),
    )
    .option(
      '--set <key=value>',
      'a parameter of the test or a setting of the devices',
      addSetting,
      new Map(),
    );
}

/** Explores tests: here, or by a fleet. */
function explored(
  tests: readonly Exploration[],
  options: LitmusOptions,
  devices: LitmusDevices,
  checkpoint: Checkpoint | undefined,
  output: CommandHost['output'],
): Promise<Explored> {
  const how = searchOptions(options);
  return options.fleet === undefined
    ? exploreTogether(tests, how, crewOf(options, devices), checkpoint, output)
    : exploreOnFleet(tests, how, options.fleet, devices.create, checkpoint, output);
}

/** Who explores: with one job this thread, with more as many others. */
function crewOf({ jobs = 1 }: LitmusOptions, { create, worker }: LitmusDevices): Crew {
  const hire = jobs === 1 || worker === undefined ? () => localHand(create) : () => threadHand(worker);
  return { size: jobs, hire };
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number of seconds is needed.');
  return value;
}

/** How each test is searched. Whoever asks for jobs has everything explored, so that their number makes no difference. */
function searchOptions(options: LitmusOptions): PlainSearchOptions {
  const { strategy, seed, bound, maxSeconds, maxExecutions, jobs, fleet } = options;
  return {
    strategy,
    seed,
    keepGoing: jobs !== undefined || fleet !== undefined,
    ...(bound === undefined ? {} : { bound }),
    ...(maxSeconds === undefined ? {} : { maxSeconds }),
    ...(maxExecutions === undefined ? {} : { maxExecutions }),
  };
}

async function litmus(
  paths: readonly string[],
  options: LitmusOptions,
  devices: LitmusDevices,
  host: CommandHost,
): Promise<number> {
  const { output } = host;
  const { strategy, maxSeconds, maxExecutions } = options;
  if (['random', 'pct'].includes(strategy) && maxSeconds === undefined && maxExecutions === undefined)
    return fail(output, `--strategy ${strategy} has no end: say --max-seconds or --max-executions`);
  let checkpoint: Checkpoint | undefined;
  if (options.checkpoint !== undefined) {
    if (strategy !== 'dpor') return fail(output, `--checkpoint is for --strategy dpor, not ${strategy}`);
    checkpoint = new Checkpoint(options.checkpoint);
    const problem = checkpoint.read();
    if (problem !== undefined) return fail(output, problem);
  }
  if (options.observed !== undefined)
    return await observed(options.observed, options, devices, checkpoint, host);
  if (paths.length === 0) return fail(output, 'a litmus test is needed, or --observed and a recording');
  const read = await readLitmus(paths, options.set, devices.create);
  if (!read.ok) return failAll(output, read.messages);
  const { sources } = read;
  if (options.replay === undefined) return await library(sources, options, devices, checkpoint, host);
  const [source] = sources;
  if (source === undefined || sources.length > 1) return fail(output, '--replay is for one litmus test');
  return replayed(source, options.replay, options, devices, host);
}

/** What a checkpoint must agree with, besides the test's own text. */
const settingsText = (set: ReadonlyMap<string, string>): string =>
  [...set].map(([key, value]) => `${key}=${value};`).join('');

/** Explores all tests of the files and directories given. */
async function library(
  sources: readonly LitmusSource[],
  options: LitmusOptions,
  devices: LitmusDevices,
  checkpoint: Checkpoint | undefined,
  { output }: CommandHost,
): Promise<number> {
  const tests = sources.map((source): Exploration => {
    const { file, text, program, set } = source;
    const { settings } = program;
    const task = {
      kind: 'litmus' as const,
      file,
      text,
      parameters: [...set.parameters],
      settings: [...settings],
    };
    return { name: program.name, text: settingsText(options.set) + text, task };
  });
  const { results: all, interrupted, problem } = await explored(tests, options, devices, checkpoint, output);
  if (problem !== undefined)
    return fail(output, messageOf(sources[problem.index] ?? { file: '' }, problem.error));
  const results = all.flatMap((each) => (each.kind === 'litmus' ? [each.result] : []));
  const reports = results.map(({ report }) => report);
  if (options.export === 'test') exportTests(sources, reports, devices, output);
  if (options.export === 'itf')
    for (const [i, source] of sources.entries())
      exportTrace(source, reports[i]?.counterexample?.replay ?? ANY_EXECUTION, devices, output);
  output.data(options.json ? `${JSON.stringify({ version: 1, tests: reports })}\n` : formatLibrary(results));
  return !interrupted && reports.every(({ verdict }) => verdict === 'ok') ? EXIT_OK : EXIT_FAILED;
}

/** What went wrong with a test, with the file, and the place of a setting of the test that is wrong. */
function messageOf(
  { file, program, set }: Pick<LitmusSource, 'file'> & Partial<LitmusSource>,
  { message, data }: HmmError,
): string {
  const key = String(data['key']);
  const place = set?.settings.has(key) === true ? undefined : program?.settingPlaces.get(key);
  return place === undefined
    ? `${file}: ${message}`
    : formatSourceError({ file, line: place.line, column: place.column, message });
}

/** Writes a vitest file into the present directory for each test that breaks. */
function exportTests(
  sources: readonly LitmusSource[],
  reports: readonly LitmusReport[],
  devices: LitmusDevices,
  output: CommandHost['output'],
): void {
  for (const [i, { name, counterexample }] of reports.entries()) {
    const source = sources[i];
    if (source === undefined || counterexample === null) continue;
    const path = `${name}.test.ts`;
    try {
      writeFileSync(path, vitestFile(source, counterexample, devices));
    } catch (error) {
      fail(output, `${path}: ${fileReason(error)}`);
      continue;
    }
    output.say(`wrote ${path}`);
  }
}

/** The schedule that leaves everything open. */
const ANY_EXECUTION = encodeSchedule({ agents: [], decisions: [] });

/** Writes the states that a schedule of a test goes through into the present directory. */
function exportTrace(
  { file, program }: LitmusSource,
  replay: string,
  devices: LitmusDevices,
  output: CommandHost['output'],
): void {
  const path = `${program.name}.itf.json`;
  const trace = itfTrace(litmusModel(program, devices.create), file, replay, DEFAULT_MAX_STEPS);
  try {
    writeFileSync(path, `${JSON.stringify(trace, undefined, 1)}\n`);
    output.say(`wrote ${path}`);
  } catch (error) {
    fail(output, `${path}: ${fileReason(error)}`);
  }
}

/** Runs one schedule. */
function replayed(
  source: LitmusSource,
  replay: string,
  options: LitmusOptions,
  devices: LitmusDevices,
  { output }: CommandHost,
): number {
  const { file, program } = source;
  let story: Story;
  try {
    story = tell(litmusModel(program, devices.create), replay, DEFAULT_MAX_STEPS);
  } catch (error) {
    if (error instanceof HmmError) return fail(output, messageOf(source, error));
    throw error;
  }
  const { violation, outcome, steps } = story;
  if (violation?.invariant === 'REPLAY_DIVERGED')
    return fail(output, `${file}: the schedule is of another test or version: ${violation.detail}`);
  if (options.export === 'itf') exportTrace(source, story.replay, devices, output);
  const { invariant = null, detail = null } = violation ?? {};
  const json = { version: 1, name: program.name, replay: story.replay, invariant, detail, outcome, steps };
  output.data(options.json ? `${JSON.stringify(json)}\n` : `${formatStory(story)}\n`);
  return violation === undefined ? EXIT_OK : EXIT_FAILED;
}

/** Explores each test of a recording, and compares. */
async function observed(
  file: string,
  options: LitmusOptions,
  devices: LitmusDevices,
  checkpoint: Checkpoint | undefined,
  { output }: CommandHost,
): Promise<number> {
  const input = await readInput(file);
  if (!input.ok) return fail(output, input.message);
  let recorded;
  try {
    recorded = parseRecordedTests(input.text, file);
  } catch (error) {
    if (error instanceof HmmError) return fail(output, error.message);
    throw error;
  }
  const lines = input.text.split('\n').filter((line) => line.trim() !== '');
  const tests = recorded.map((test, index): Exploration => {
    const task = { kind: 'observed' as const, file, text: lines[index] ?? '', settings: [...options.set] };
    return {
      name: test.name,
      text: settingsText(options.set) + JSON.stringify({ ...test, outcomes: [] }),
      task,
    };
  });
  const { results: all, interrupted, problem } = await explored(tests, options, devices, checkpoint, output);
  if (problem !== undefined) return fail(output, messageOf({ file }, problem.error));
  const results = all.flatMap((each) => (each.kind === 'observed' ? [each.result] : []));
  const reports = results.map(({ report }) => report);
  output.data(options.json ? `${JSON.stringify({ version: 1, tests: reports })}\n` : formatObserved(results));
  const allowed = reports.every((test) => test.covered === test.observed);
  return allowed && !interrupted ? EXIT_OK : EXIT_FAILED;
}
