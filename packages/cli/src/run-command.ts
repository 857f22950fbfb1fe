import type { ClientFactory } from '@hmm/device';
import { findGpuPreset } from '@hmm/gpu';
import { cardsOn, gpusFor, Machine, type PlayMemory, sizeUnit, type TraceAgents } from '@hmm/machine';
import { type ColorDepth, formatResidencyMap, formatRun, type RunReport } from '@hmm/report';
import { EXAMPLE_WORKLOAD } from '@hmm/workload/patterns';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { simulatedAdvice } from './advice.js';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { factoryWithCosts } from './costs.js';
import { type DiagnosedRequest, diagnosedRun, residencyGrid } from './diagnosed-run.js';
import { type FailCondition, heldConditions, parseFailOn } from './fail-on.js';
import { type RunOptions, runOptions, sharedOptions, wholeNumber } from './options.js';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, fail, type Output } from './output.js';
import { allocates } from '@hmm/workload/internal';
import { fileSetting } from './program-input.js';
import { formatRecorded, formatReplayed, recordedGpu, replayDiffers } from './recorded-text.js';
import { readSubject, type Subject } from './subject.js';

/** Rows of the residency map with colours (two a line) and in letters, and columns where the width is not known. */
const MAP_ROWS = 32;
const LETTER_ROWS = 12;
const MAP_COLUMNS = 78;

/** Memory of a machine that is only asked what its driver can. */
const SMALL_MEMORY = { frames: 65_536, systemFrames: 16_384, maxTables: 1024 };

/** What can be run, for the help of commands that take it. */
export const SUBJECT_HELP = `program, trace of a real program, or workload (${EXAMPLE_WORKLOAD})`;

/** Adds the options that {@link subjectRequest} reads, beside the shared ones. */
export function subjectOptions(command: Command): Command {
  return sharedOptions(command)
    .addOption(
      new Option('--memory <kind>', 'memory of a trace or a workload').choices(['managed', 'malloc']),
    )
    .addOption(
      new Option('--agents <who>', "which processor issues the trace's accesses").choices([
        'recorded',
        'gpu',
        'cpu',
      ]),
    )
    .option('--warps <n>', "warps that share a trace's GPU accesses", wholeNumber);
}

/** `run WHAT`: a program, a trace or a workload on one client. */
export function runCommand(factories: readonly ClientFactory[]): CommandBuilder {
  return (parent, host, done) => {
    const client = factories[0]?.name ?? '';
    const cmd = subjectOptions(
      subcommand(parent, host, 'run', [
        `run first-example.hmm --client ${client}`,
        'run app.lackey.gz --memory malloc',
        `run ${EXAMPLE_WORKLOAD} --set vram=8 --fail-on "thrash>0.1"`,
      ]),
    )
      .description('run a program, a trace or a workload under one driver, and say what it cost and why')
      .option('--fail-on <conditions>', 'exit with 1 if one holds: thrash>0.1,time>5ms', failConditions, [])
      .option('--no-advice', 'do not try what would make it faster')
      .argument('<file>', SUBJECT_HELP);
    cmd.action(async (what: string) => {
      done(await runWhat(what, factories, cmd, host));
    });
  };
}

function failConditions(text: string, before: readonly FailCondition[]): readonly FailCondition[] {
  const read = parseFailOn(text);
  if (typeof read === 'string') throw new InvalidArgumentError(read);
  return [...before, ...read];
}

async function runWhat(
  what: string,
  factories: readonly ClientFactory[],
  cmd: Command,
  host: CommandHost,
): Promise<number> {
  const { output } = host;
  const options = runOptions(cmd);
  const { failOn, advice } = cmd.opts<{ failOn: readonly FailCondition[]; advice: boolean }>();
  const set = await subjectRequest(what, factories, cmd);
  if (!set.ok) return failAll(output, set.messages);
  const result = diagnosedRun(set.request);
  if (!result.ok) return fail(output, result.message);
  const { report } = result;
  const { subject } = set.request;
  const recorded = subject.kind === 'play' ? subject.play.recorded : undefined;
  const differs = recorded && replayDiffers(recorded, report);
  const tried = advice && differs === undefined ? simulatedAdvice(set.request, result) : null;
  const diagnosis = { ...result.diagnosis, advice: tried };
  const whole: RunReport = { version: 1, program: set.name, run: report, diagnosis };
  for (const note of set.notes) output.say(`note: ${note}`);
  if (differs !== undefined) output.say(`note: ${differs}`);
  if (options.json) output.data(`${JSON.stringify({ ...whole, ...(recorded ? { recorded } : {}) })}\n`);
  else {
    if (recorded) output.data(`${formatRecorded(recorded)}\n\n`);
    output.data(formatRun(whole));
    if (recorded) output.data(`\n${formatReplayed(recorded, report)}\n`);
    if (report.error === null && result.history.times.length > 1) {
      const depth = colorDepth();
      const rows = depth === 'none' ? LETTER_ROWS : MAP_ROWS;
      const grid = residencyGrid(result.history, process.stdout.columns || MAP_COLUMNS, rows);
      output.data(`\n${formatResidencyMap(grid, depth)}\n`);
    }
  }
  const held = heldConditions(failOn, report, diagnosis);
  for (const text of held) output.say(text);
  const fine = report.error === null && report.failed.length === 0 && report.broken === undefined;
  return fine && held.length === 0 ? EXIT_OK : EXIT_FAILED;
}

/** A request for a subject by name, or the lines to show. */
export type SubjectRequest =
  | {
      readonly ok: true;
      readonly request: DiagnosedRequest;
      readonly name: string;
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly messages: readonly string[] };

/** How a subject is taken, beside {@link RunOptions}. */
export interface SubjectOptions {
  readonly memory?: PlayMemory;
  readonly agents?: TraceAgents;
  readonly warps?: number;
}

/** Reads what the user named and chooses client and GPU. */
export async function subjectRequest(
  what: string,
  factories: readonly ClientFactory[],
  cmd: Command,
): Promise<SubjectRequest> {
  return makeSubjectRequest(what, factories, runOptions(cmd), cmd.opts<SubjectOptions>());
}

/** As {@link subjectRequest}, with options that come from elsewhere. */
export async function makeSubjectRequest(
  what: string,
  factories: readonly ClientFactory[],
  options: RunOptions,
  { memory, agents, warps }: SubjectOptions,
): Promise<SubjectRequest> {
  const read = await readSubject(what, options, { agents, lanes: warps }, factories);
  if (!read.ok) return read;
  const { subject } = read;
  const name = options.client ?? subjectSetting(subject, 'client');
  const chosen = name === undefined ? defaultClient(factories, subject) : chooseClient(factories, name);
  if (typeof chosen === 'string') return { ok: false, messages: [chosen] };
  const { recorded, gpus = 1 } = subject.kind === 'play' ? subject.play : { recorded: undefined };
  const own = subjectSetting(subject, 'gpu') ?? (recorded && recordedGpu(recorded, gpusFor(chosen), gpus));
  const gpu = chooseGpu(chosen, options.gpu ?? own);
  if (!gpu.ok) return { ok: false, messages: [gpu.message] };
  const costed = await factoryWithCosts(chosen, options.costs);
  if (!costed.ok) return { ok: false, messages: [costed.message] };
  const request = { subject, factory: costed.factory, gpu: gpu.gpu, memory, seed: options.seed };
  const title = subject.kind === 'play' ? subject.play.name : subject.request.program.name;
  const notes = [
    ...(subject.kind === 'play' ? subject.play.notes : []),
    ...sizeNotes(options, chosen),
    ...gpuNotes(gpu.gpu),
  ];
  return { ok: true, request: { ...request, hints: [], keepEvents: false }, name: title, notes };
}

/** In what unit sizes without one were taken. */
function sizeNotes({ set }: RunOptions, { settings }: ClientFactory): string[] {
  return [...set].flatMap(([key, value]) => {
    const unit = sizeUnit(settings[key]);
    return unit === undefined || !/^\d+$/.test(value) ? [] : [`${key}=${value} is ${value} ${unit}`];
  });
}

/** What the user should know of the figures of a GPU. */
function gpuNotes(gpu: string): string[] {
  const scale = findGpuPreset(gpu)?.serviceScale;
  if (scale?.from !== 'estimate') return [];
  return [`the driver's times on ${gpu} are those of the measured H100 times ${scale.value}, an estimate`];
}

/** The first client that can run a subject: one with managed memory for what needs that. */
function defaultClient(factories: readonly ClientFactory[], subject: Subject): ClientFactory | string {
  const managed = subject.kind === 'play' ? subject.play.cuda : allocates(subject.request.program, 'managed');
  const able = managed ? factories.find(hasManagedMemory) : undefined;
  return able ?? chooseClient(factories, undefined);
}

function hasManagedMemory(factory: ClientFactory): boolean {
  const { kernel, memory } = new Machine({ memory: SMALL_MEMORY });
  const made = factory.create({ kernel, memory, seed: 1 }, factory.gpus[0] ?? '', new Map());
  const capability = made.ok ? made.client.capability() : undefined;
  return capability?.ok === true && capability.features.managedMemory;
}

function subjectSetting(subject: Subject, key: string): string | undefined {
  return subject.kind === 'program' ? fileSetting(subject.request.program, key) : undefined;
}

/** The colours of standard output: none where it is no terminal, or where the user wants none. */
function colorDepth(): ColorDepth {
  if (!process.stdout.isTTY || (process.env['NO_COLOR'] ?? '') !== '') return 'none';
  const bits = process.stdout.getColorDepth();
  return bits >= 24 ? '24bit' : bits >= 8 ? '256' : bits >= 4 ? '16' : 'none';
}

/** The client called `name` (the first without one), or what is wrong with the name. */
export function chooseClient(
  factories: readonly ClientFactory[],
  name: string | undefined,
): ClientFactory | string {
  const chosen = name === undefined ? factories[0] : factories.find((factory) => factory.name === name);
  return chosen ?? `there is no client ${name ?? ''} (clients: ${factories.map((f) => f.name).join(', ')})`;
}

/** The GPU called `name` (the client's default without one), or what is wrong with the name. */
export function chooseGpu(
  factory: ClientFactory,
  name: string | undefined,
): { readonly ok: true; readonly gpu: string } | { readonly ok: false; readonly message: string } {
  const gpu = name ?? factory.gpus[0] ?? '';
  if (cardsOn(factory, gpu) !== undefined) return { ok: true, gpu };
  return { ok: false, message: `${factory.name} knows no GPU ${gpu} (GPUs: ${factory.gpus.join(', ')})` };
}

/** Shows several errors, one line each. */
export function failAll(output: Output, messages: readonly string[]): number {
  for (const message of messages) fail(output, message);
  return EXIT_USAGE;
}
