import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  compileLitmus,
  type LitmusProgram,
  type MirrorDevicesFactory,
  MUTANTS,
  type MutantsReport,
  runMutants,
} from '@hmm/explore';
import { formatTable } from '@hmm/report';
import { formatSourceError, parseProgram } from '@hmm/workload';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { fileReason, readInput } from './input.js';
import { jsonOption } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';

/** Seconds that one test may take to catch a bug. */
const MAX_SECONDS = 10;

interface MutantsOptions {
  readonly json: boolean;
  readonly library?: string;
}

/** `mutants [ID…]`: plants each historical bug, and says which tests catch it. */
export function mutantsCommand(devices: MirrorDevicesFactory): CommandBuilder {
  return (parent, host, done) => {
    const cmd = jsonOption(
      subcommand(parent, host, 'mutants', ['mutants', 'mutants B4 B39', 'mutants --json']),
    )
      .description('plant historical bugs, and see them caught')
      .argument('[ids...]', 'bugs of the catalogue (all without)')
      .option('--library <dir>', 'where the litmus tests are (default: the shipped ones)');
    cmd.action(async (ids: string[]) => {
      done(await mutants(ids, cmd.opts<MutantsOptions>(), devices, host));
    });
  };
}

async function mutants(
  ids: readonly string[],
  options: MutantsOptions,
  devices: MirrorDevicesFactory,
  { output }: CommandHost,
): Promise<number> {
  const unknown = ids.find((id) => !MUTANTS.some((mutant) => mutant.id === id));
  if (unknown !== undefined) return fail(output, `there is no bug ${unknown} in the catalogue (B1 … B58)`);
  const library = await readLibrary(options.library ?? shippedLibrary());
  if (typeof library === 'string') return fail(output, library);
  const now = (): number => performance.now() / 1000;
  const only = ids.length === 0 ? undefined : new Set(ids);
  const report = runMutants(library, devices, { now, maxSeconds: MAX_SECONDS }, only);
  output.data(options.json ? `${JSON.stringify(report)}\n` : formatMutants(report));
  return report.missed === 0 ? EXIT_OK : EXIT_FAILED;
}

/** The directory of the tests that come with `@hmm/explore`. */
function shippedLibrary(): string {
  return fileURLToPath(new URL('./litmus/', import.meta.resolve('@hmm/explore/package.json')));
}

/** The litmus tests of a directory by name, or what is wrong with it. */
async function readLibrary(directory: string): Promise<Map<string, LitmusProgram> | string> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    return `${directory}: ${fileReason(error)}`;
  }
  const library = new Map<string, LitmusProgram>();
  for (const name of names.filter((each) => each.endsWith('.litmus')).sort()) {
    const input = await readInput(join(directory, name));
    if (!input.ok) return input.message;
    const parsed = parseProgram(input.text, name);
    if (!parsed.ok) return parsed.errors.map(formatSourceError).join('\n');
    const compiled = compileLitmus(parsed.program, name);
    if (!compiled.ok) return compiled.errors.map(formatSourceError).join('\n');
    library.set(compiled.program.name, compiled.program);
  }
  return library;
}

function formatMutants(report: MutantsReport): string {
  const rows = report.mutants.map(({ id, title, expressible, caught_by, invariant, reason }) => [
    id,
    title,
    expressible ? (caught_by[0] ?? 'MISSED') : '–',
    invariant ?? reason ?? '',
  ]);
  const columns = [{ title: 'bug' }, { title: 'what was wrong' }, { title: 'caught by' }, { title: 'as' }];
  const total = `${report.caught} of ${report.caught + report.missed} bugs that the model can express are caught; ${report.mutants.length - report.caught - report.missed} it cannot express.`;
  return `${total}\n\n${formatTable(columns, rows)}\n`;
}
