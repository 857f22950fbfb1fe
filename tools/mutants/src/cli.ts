import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { HmmError } from '@hmm/kernel';
import { formatTable } from '@hmm/report';
import { PATCHES, readCatalogue } from './catalogue.js';
import { MutantRunner, type MutantsReport, readLibrary } from './run-mutants.js';

// What `hmm mutants` starts: `cli.js [--json] [--jobs N] [--library DIR] [ID…]`.

const FAILED = 1;
const USAGE = 2;

process.exitCode = await mutants(process.argv.slice(2));

async function mutants(argv: string[]): Promise<number> {
  const options = {
    json: { type: 'boolean' },
    jobs: { type: 'string' },
    library: { type: 'string' },
  } as const;
  const { values, positionals: ids } = parseArgs({ args: argv, options, allowPositionals: true });
  const catalogue = readCatalogue(fileURLToPath(PATCHES));
  const unknown = ids.find((id) => !catalogue.some((mutant) => mutant.id === id));
  if (unknown !== undefined) return refuse(`there is no bug ${unknown} in the catalogue (B1 … B58)`);
  const folder =
    values.library ?? fileURLToPath(new URL('./litmus/', import.meta.resolve('@hmm/explore/package.json')));
  let runner: MutantRunner;
  try {
    runner = new MutantRunner(readLibrary(folder), Number(values.jobs ?? availableParallelism()));
  } catch (error) {
    return refuse(`${folder}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    const chosen = catalogue.filter(({ id }) => ids.length === 0 || ids.includes(id));
    const report = await runner.runAll(chosen, progressOf(chosen.length));
    process.stdout.write(values.json === true ? `${JSON.stringify(report)}\n` : formatMutants(report));
    return report.missed === 0 ? 0 : FAILED;
  } catch (error) {
    if (error instanceof HmmError) return refuse(error.message);
    throw error;
  } finally {
    await runner.close();
  }
}

function refuse(message: string): number {
  process.stderr.write(`error: ${message}\n`);
  return USAGE;
}

/** A line that says how many are done, where somebody watches. */
function progressOf(all: number): () => void {
  let done = 0;
  return () => {
    done++;
    if (process.stderr.isTTY) process.stderr.write(done < all ? `\r${done} of ${all} bugs` : '\r\x1b[K');
  };
}

function formatMutants(report: MutantsReport): string {
  const rows = report.mutants.map(({ id, title, releases, expressible, caught_by, invariant, reason }) => [
    id,
    title,
    releases,
    expressible ? (caught_by[0] ?? 'MISSED') : '–',
    invariant ?? reason ?? '',
  ]);
  const columns = [
    { title: 'bug' },
    { title: 'what was wrong' },
    { title: 'releases' },
    { title: 'caught by' },
    { title: 'as' },
  ];
  const total = `${report.caught} of ${report.caught + report.missed} bugs that the model can express are caught; ${report.mutants.length - report.caught - report.missed} it cannot express.`;
  return `${total}\n\n${formatTable(columns, rows)}\n`;
}
