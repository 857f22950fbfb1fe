import type { ClientFactory } from '@hmm/device';
import { compileLitmus, type MirrorDevicesFactory, runLitmus, type SearchOptions } from '@hmm/explore';
import { NEWEST_EXACT_RELEASE } from '@hmm/kernel';
import type { AdviceReport } from '@hmm/report';
import { formatSourceError } from '@hmm/workload';
import { simulatedAdvice } from '../advice.js';
import type { ClientRun } from '../client-run.js';
import { diagnosedRun, type DiagnosedRequest, runSubject } from '../diagnosed-run.js';
import { requestOf, fileSetting } from '../program-input.js';
import { chooseClient, chooseGpu } from '../run-command.js';
import { ADVISED, type ReportCase } from './case.js';

/** 512 MiB of system memory, as much for devices: more than any report has, and quickly made. */
const SMALL = { frames: 262_144, systemFrames: 131_072, maxTables: 8192 };

/** What became of a report on the model. */
export interface ReportedRun {
  readonly name: string;
  readonly client: string;
  /** The GPU, or the device; empty for a litmus test. */
  readonly gpu: string;
  readonly release: string;
  /** `passed`: what people saw is seen. `failed`: it is not. */
  readonly result: 'passed' | 'failed';
  /** Why it failed; for a litmus test that passed, how much was explored. */
  readonly reason: string;
  /** What helps, tried. */
  readonly advice: TriedAdvice | undefined;
  /** The best of what the model itself tried on the program; undefined where nothing helps, or nothing was tried. */
  readonly found: AdviceReport | undefined;
}

/** Advice that was simulated. */
export interface TriedAdvice {
  readonly text: string;
  /** The whole program without it and with it, virtual ns. */
  readonly before_ns: number;
  readonly after_ns: number;
  /** So many times faster. */
  readonly gain: number;
}

/** How reports are run. */
export interface ReportOptions {
  readonly search?: SearchOptions;
  /** Whether the model tries advice of its own; a run for each piece of it. */
  readonly tryAdvice?: boolean;
  /** Name of the client of litmus tests that name none. Default: it has no name. */
  readonly usualClient?: string;
}

/** Runs a report: a program without and with its advice, or every interleaving of a litmus test. */
export function runReport(
  report: ReportCase,
  factories: readonly ClientFactory[],
  devices: MirrorDevicesFactory,
  { search = {}, tryAdvice = true, usualClient = '' }: ReportOptions = {},
): ReportedRun {
  return report.program.kind === 'litmus'
    ? exploreReport(report, devices, search, usualClient)
    : runProgramReport(report, factories, tryAdvice);
}

function exploreReport(
  { name, path, program }: ReportCase,
  devices: MirrorDevicesFactory,
  options: SearchOptions,
  usualClient: string,
): ReportedRun {
  const release = fileSetting(program, 'release') ?? NEWEST_EXACT_RELEASE;
  const client = fileSetting(program, 'client') ?? usualClient;
  const none = { name, client, gpu: '', release, advice: undefined, found: undefined };
  const compiled = compileLitmus(program, path);
  if (!compiled.ok)
    return { ...none, result: 'failed', reason: compiled.errors.map(formatSourceError).join('; ') };
  const settings = new Map([...compiled.program.settings, ['release', release] as const]);
  const { report } = runLitmus({ ...compiled.program, settings }, devices, options);
  const { counterexample, schedules, verdict } = report;
  if (verdict !== 'violated') {
    const all = verdict === 'ok' ? 'all that there are' : 'of more than that';
    return { ...none, result: 'passed', reason: `it holds in ${schedules} executions, ${all}` };
  }
  const detail = counterexample === null ? '' : `: ${counterexample.invariant} ${counterexample.detail}`;
  return { ...none, result: 'failed', reason: `${verdict}${detail}` };
}

function runProgramReport(
  report: ReportCase,
  factories: readonly ClientFactory[],
  tryAdvice: boolean,
): ReportedRun {
  const { name, program } = report;
  const asked = requestFor(report, factories, false);
  if (typeof asked === 'string') return notRun(name, asked);
  const watched = tryAdvice ? diagnosedRun(asked) : undefined;
  const before = watched ?? runSubject(asked, undefined);
  const wrong = wrongWith(before);
  if (!before.ok || wrong !== undefined) return notRun(name, wrong ?? 'it was not run');
  const ran = {
    name,
    client: asked.factory.name,
    gpu: before.client.gpu,
    release: fileSetting(program, 'release') ?? NEWEST_EXACT_RELEASE,
    found: watched?.ok === true ? simulatedAdvice(asked, watched)?.[0] : undefined,
  };
  if (report.advice === undefined) return { ...ran, result: 'passed', reason: '', advice: undefined };
  const advised = requestFor(report, factories, true);
  const after = typeof advised === 'string' ? undefined : runSubject(advised, undefined);
  const still = after === undefined ? 'the advice cannot be run' : wrongWith(after);
  if (after?.ok !== true || still !== undefined)
    return { ...ran, result: 'failed', reason: `with the advice: ${still ?? ''}`, advice: undefined };
  const [before_ns, after_ns] = [before.report.time_ns, after.report.time_ns];
  const advice = { text: report.advice, before_ns, after_ns, gain: before_ns / after_ns };
  return { ...ran, result: 'passed', reason: '', advice };
}

/** What is wrong with a run: that it ended early, or an assertion that does not hold. */
function wrongWith(run: ClientRun): string | undefined {
  if (!run.ok) return run.message;
  const { broken, error, failed } = run.report;
  return error ?? failed[0] ?? broken?.[0]?.detail;
}

function notRun(name: string, reason: string): ReportedRun {
  return {
    name,
    client: '',
    gpu: '',
    release: '',
    result: 'failed',
    reason,
    advice: undefined,
    found: undefined,
  };
}

function requestFor(
  { path, program, text }: ReportCase,
  factories: readonly ClientFactory[],
  advised: boolean,
): DiagnosedRequest | string {
  const factory = chooseClient(factories, fileSetting(program, 'client'));
  if (typeof factory === 'string') return factory;
  const gpu = chooseGpu(factory, fileSetting(program, 'gpu'));
  if (!gpu.ok) return gpu.message;
  const set = new Map(advised ? [[ADVISED, '1']] : []);
  const options = { json: false, seed: 1, set, gpu: undefined, client: undefined };
  const read = requestOf(text, path, options, factories);
  if (!read.ok) return read.messages.join('; ');
  const subject = { kind: 'program', request: { ...read.request, memory: SMALL } } as const;
  return { subject, factory, gpu: gpu.gpu, memory: undefined, seed: 1, hints: [], keepEvents: false };
}

/** By how much advice helps: so many times faster, or that it works where the program as it was reported does not. */
export function gainOf(advice: ReportedRun['advice']): string {
  if (advice === undefined) return '';
  return advice.gain > 1.005 ? `${advice.gain.toFixed(2)}x` : 'works';
}
