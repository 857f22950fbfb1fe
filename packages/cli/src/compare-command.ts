import type { ClientFactory } from '@hmm/device';
import { cardsOn } from '@hmm/machine';
import {
  type CompareReport,
  compareWithExplicit,
  findDifferences,
  formatCompare,
  type ClientReport,
  type ProgramTraits,
} from '@hmm/report';
import { type ProgramFile, type Statement } from '@hmm/workload';
import { allocates, withExplicitMemory, withMemory } from '@hmm/workload/internal';
import { type CommandBuilder, subcommand } from './cli.js';
import { type RunRequest, runOnClient } from './client-run.js';
import { factoriesWithCosts } from './costs.js';
import { runOptions, sharedOptions, type RunOptions, releasedClient } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail, type Output } from './output.js';
import { fileSetting, readProgram } from './program-input.js';
import { failAll } from './run-command.js';

/** `compare FILE`: a program on every client, and what they do differently. */
export function compareCommand(
  usual: readonly ClientFactory[],
  defaultGpu: string,
  others: readonly ClientFactory[] = [],
): CommandBuilder {
  const factories = [...usual, ...others];
  return (parent, host, done) => {
    const cmd = sharedOptions(
      subcommand(parent, host, 'compare', [
        'compare first-example.hmm',
        'compare first-example.hmm --gpu p100-2016',
        `compare pingpong.hmm --client ${usual[0]?.name ?? ''}@6.12 --client ${usual[0]?.name ?? ''}@7.3`,
        'compare first-example.hmm --with-explicit',
        `compare pingpong.hmm ${usual.map(({ name }) => `--client ${name}`).join(' ')} --json`,
      ]),
    )
      .option('--with-explicit', 'compare with explicit memory and copies at launches too', false)
      .description('run a program under every driver: what differs, why, and what it costs')
      .argument('<file>', 'program (see the language in @hmm/workload)');
    cmd.action(async (file: string) => {
      const options = runOptions(cmd);
      const read = await readProgram(file, options, factories);
      if (!read.ok) {
        done(failAll(host.output, read.messages));
        return;
      }
      const gpu = options.gpu ?? fileSetting(read.request.program, 'gpu') ?? defaultGpu;
      const client = options.client ?? usual.map(({ name }) => name).join(',');
      const costed = await factoriesWithCosts(factories, options.costs);
      if (!costed.ok) {
        done(fail(host.output, costed.message));
        return;
      }
      const compared = compareClients(read.request, costed.factory, { ...options, client }, gpu);
      const { withExplicit } = cmd.opts<{ withExplicit: boolean }>();
      const report =
        withExplicit && typeof compared !== 'string'
          ? besideExplicit(compared, read.request, costed.factory)
          : compared;
      done(typeof report === 'string' ? fail(host.output, report) : show(report, options.json, host.output));
    });
  };
}

function show(report: CompareReport, json: boolean, output: Output): number {
  output.data(json ? `${JSON.stringify(report)}\n` : formatCompare(report));
  const fine = report.clients.every(({ failed, broken }) => failed.length === 0 && broken === undefined);
  return fine ? EXIT_OK : EXIT_FAILED;
}

/** Runs a program under each of the clients asked for (all without `--client`); a text says what is wrong instead. */
export function compareClients(
  request: RunRequest,
  factories: readonly ClientFactory[],
  options: Pick<RunOptions, 'client' | 'gpu'>,
  gpu: string,
): CompareReport | string {
  const names = options.client?.split(',') ?? factories.map(({ name }) => name);
  const clients: ClientReport[] = [];
  const rules = new Map(factories.map((factory) => [factory.name, factory.rules]));
  for (const name of names) {
    const asked = releasedClient(name);
    const found = factories.find((f) => f.name === asked.name);
    if (found === undefined)
      return `there is no client ${name} (clients: ${factories.map((f) => f.name).join(', ')})`;
    const factory = { ...found, name };
    rules.set(name, found.rules);
    const { release } = asked;
    const settings =
      release === undefined ? request.settings : new Map([...request.settings, ['release', release]]);
    const result = runAdapted({ ...request, settings }, factory, gpu, options.gpu !== undefined);
    if (typeof result === 'string') return result;
    clients.push(result);
  }
  const differences = findDifferences(clients, rules, traitsOf(request.program));
  return { version: 1, program: request.program.name, gpu, clients, differences };
}

/**
 * The comparison with the program's explicit form beside it: private memory and `vram`, copies at launches, run under the first of the
 * clients that can.
 */
export function besideExplicit(
  report: CompareReport,
  request: RunRequest,
  factories: readonly ClientFactory[],
): CompareReport {
  const without = (why: string): CompareReport => ({
    ...report,
    explicit: { run: null, why, comparisons: [] },
  });
  const explicit = withExplicitMemory(request.program);
  if (!explicit.ok) return without(explicit.message);
  let why = 'no client gives programs device memory';
  for (const { client, gpu } of report.clients) {
    const factory = factories.find(({ name }) => name === releasedClient(client).name);
    if (factory === undefined) continue;
    const result = runOnClient({ ...request, program: explicit.program }, factory, gpu);
    if (!result.ok || result.report.error !== null) {
      why = result.ok ? `${client}: ${result.report.error ?? ''}` : result.message;
      continue;
    }
    const run = { ...result.report, client: 'explicit' };
    const comparable = report.clients.filter((one) => one.error === null);
    const comparisons = comparable.map((one) => compareWithExplicit(one, run));
    return { ...report, explicit: { run, why: '', comparisons } };
  }
  return without(why);
}

/** What the program does that says which rules explain its differences. */
function traitsOf(program: ProgramFile): ProgramTraits {
  let forks = false;
  let gpuAtomics = false;
  const visit = (statements: readonly Statement[]): void => {
    for (const s of statements) {
      forks ||= s.kind === 'fork';
      gpuAtomics ||= s.kind === 'access' && s.agent === 'gpu' && s.access === 'atomic';
      if (s.kind === 'together') for (const thread of s.threads) visit(thread.body);
      else if ('body' in s) visit(s.body);
    }
  };
  visit([...program.body, ...program.threads.flatMap(({ body }) => body), ...program.final]);
  return { forks, gpuAtomics };
}

/**
 * Runs a program where this driver can: with its own kind of memory if the program's does not exist there, and, unless
 * the GPU was asked for, on its own default GPU if it refuses this one. What was changed is in the report.
 */
function runAdapted(
  request: RunRequest,
  factory: ClientFactory,
  gpu: string,
  asked: boolean,
): ClientReport | string {
  const changed: string[] = [];
  let on = gpu;
  const known = cardsOn(factory, gpu) !== undefined;
  if (!known && asked) return `${factory.name} knows no GPU ${gpu} (GPUs: ${factory.gpus.join(', ')})`;
  const first = runOnClient(request, factory, known ? gpu : (factory.gpus[0] ?? gpu));
  if (!first.ok) return first.message;
  let capability = first.client.capability();
  if (!known) changed.push(`it knows no ${gpu}: ran on ${first.client.gpu}`);
  else if (!capability.ok && !asked && factory.gpus[0] !== undefined) {
    on = factory.gpus[0];
    changed.push(`on ${gpu}, ${capability.reason}: ran on ${on}`);
    const second = runOnClient(request, factory, on);
    if (!second.ok) return second.message;
    capability = second.client.capability();
  }
  if (!known) on = first.client.gpu;
  if (!capability.ok) return first.report;
  const { program } = request;
  const { managedMemory, systemMemory, systemMemoryRefusal = '' } = capability.features;
  if (!systemMemory && managedMemory && allocates(program, 'malloc')) {
    const why = systemMemoryRefusal === '' ? '' : ` (${systemMemoryRefusal})`;
    changed.push(`on ${on} it does not reach malloc'd memory${why}: malloc became managed memory`);
    return reportOf({ ...request, program: withMemory(program, 'malloc', 'managed') }, factory, on, changed);
  }
  if (!managedMemory && systemMemory && allocates(program, 'managed')) {
    changed.push('it has no managed memory: managed became malloc');
    return reportOf({ ...request, program: withMemory(program, 'managed', 'malloc') }, factory, on, changed);
  }
  return changed.length === 0 ? first.report : reportOf(request, factory, on, changed);
}

function reportOf(
  request: RunRequest,
  factory: ClientFactory,
  gpu: string,
  changed: readonly string[],
): ClientReport | string {
  const result = runOnClient(request, factory, gpu, changed);
  return result.ok ? result.report : result.message;
}
