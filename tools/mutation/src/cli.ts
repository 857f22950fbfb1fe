import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process, { argv, stderr, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure, type Score } from './measure.js';
import { describeFault } from './place.js';
import { mutationPage } from './report.js';

const PACKAGES = ['mmu-notifier', 'mm', 'mirror', 'migrate', 'machine', 'explore', 'report', 'workload'];

const USAGE = `usage: pnpm mutation [--sample N] [--seed N] [--least PERCENT] [--dry] [PACKAGE…]
Plants N faults in each package (all of ${PACKAGES.join(', ')} where none is named), one at a time, runs
the package's own tests, and writes the scores to docs/mutation.md, or with --dry nowhere.
exit code: 0 every score is PERCENT or more, 1 one is not, 2 wrong usage
example: pnpm mutation --sample 60 --seed 7 mm`;

/** Runs the command and returns its exit code. */
async function main(): Promise<number> {
  let options;
  try {
    options = parseArgs({
      args: argv.slice(2),
      allowPositionals: true,
      options: {
        sample: { type: 'string', default: '100' },
        seed: { type: 'string', default: '1' },
        least: { type: 'string', default: '0' },
        dry: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return misuse(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = options;
  if (values.help) {
    stdout.write(`${USAGE}\n`);
    return 0;
  }
  const [size, seed, least] = [values.sample, values.seed, values.least].map(Number);
  if (size === undefined || seed === undefined || least === undefined) return misuse('a number is missing');
  if (!(size >= 1) || !Number.isInteger(seed) || !(least >= 0)) return misuse('numbers are needed');
  const unknown = positionals.find((name) => !PACKAGES.includes(name));
  if (unknown !== undefined) return misuse(`${unknown}: no such package`);
  const names = positionals.length > 0 ? positionals : PACKAGES;
  return await run(names, size, seed, least, values.dry);
}

async function run(
  names: readonly string[],
  size: number,
  seed: number,
  least: number,
  dry: boolean,
): Promise<number> {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const page = join(root, 'docs/mutation.md');
  let enough = true;
  for (const name of names) {
    const score = await measure(root, name, size, seed);
    tell(score);
    enough &&= 100 * (score.killed + score.timedOut) >= least * score.planted;
    if (!dry) writeFileSync(page, mutationPage([score], existsSync(page) ? readFileSync(page, 'utf8') : ''));
  }
  return enough ? 0 : 1;
}

function tell(score: Score): void {
  const seen = score.killed + score.timedOut;
  stdout.write(`${score.package}: ${seen} of ${score.planted} seen (${score.timedOut} by time limit)\n`);
  for (const fault of score.survivors) stdout.write(`  survives: ${describeFault(fault)}\n`);
}

function misuse(message: string): number {
  stderr.write(`${message}\n${USAGE}\n`);
  return 2;
}

process.env['HMM_SEED'] ??= '1';
process.exitCode = await main();
