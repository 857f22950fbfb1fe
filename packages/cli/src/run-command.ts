import type { ClientFactory } from '@hmm/machine';
import { formatRun } from '@hmm/report';
import { type CommandBuilder, subcommand } from './cli.js';
import { runOnClient } from './client-run.js';
import { runOptions, sharedOptions } from './options.js';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, fail, type Output } from './output.js';
import { fileSetting, readProgram } from './program-input.js';

/** `run FILE`: a program on one client. */
export function runCommand(factories: readonly ClientFactory[]): CommandBuilder {
  return (parent, host, done) => {
    const client = factories[0]?.name ?? '';
    const cmd = sharedOptions(
      subcommand(parent, host, 'run', [
        `run first-example.hmm --client ${client}`,
        'run pingpong.hmm --set rounds=100 --gpu h100 --json',
      ]),
    )
      .description('run a program under one driver, and say what it cost and why')
      .argument('<file>', 'program (see the language in @hmm/workload)');
    cmd.action(async (file: string) => {
      done(await runFile(file, factories, cmd, host.output));
    });
  };
}

async function runFile(
  file: string,
  factories: readonly ClientFactory[],
  cmd: Parameters<typeof runOptions>[0],
  output: Output,
): Promise<number> {
  const options = runOptions(cmd);
  const read = await readProgram(file, options, factories);
  if (!read.ok) return failAll(output, read.messages);
  const { request } = read;
  const chosen = chooseClient(factories, options.client ?? fileSetting(request.program, 'client'));
  if (typeof chosen === 'string') return fail(output, chosen);
  const gpu = chooseGpu(chosen, options.gpu ?? fileSetting(request.program, 'gpu'));
  if (!gpu.ok) return fail(output, gpu.message);
  const result = runOnClient(request, chosen, gpu.gpu);
  if (!result.ok) return fail(output, result.message);
  const { report } = result;
  const whole = { version: 1, program: request.program.name, run: report } as const;
  output.data(options.json ? `${JSON.stringify(whole)}\n` : formatRun(whole));
  return report.error === null && report.failed.length === 0 ? EXIT_OK : EXIT_FAILED;
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
  if (factory.gpus.includes(gpu)) return { ok: true, gpu };
  return { ok: false, message: `${factory.name} knows no GPU ${gpu} (GPUs: ${factory.gpus.join(', ')})` };
}

/** Shows several errors, one line each. */
export function failAll(output: Output, messages: readonly string[]): number {
  for (const message of messages) fail(output, message);
  return EXIT_USAGE;
}
