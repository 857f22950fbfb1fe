import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BenchmarkResult } from './benchmark.js';
import { discoverBenchmarks, type BenchmarkCase } from './discover.js';
import { runCase, type RunOptions } from './run.js';

const USAGE = `usage: hmm bench [--list] [--json] [--repeat N] [--together] [--cpu] [WORD…]
Runs the benchmarks of all packages whose "package name" line contains every WORD.
--cpu counts CPU time instead of elapsed time: for a machine that others use as well.
exit code: 0 all goals reached, 1 a goal missed or a benchmark failed, 2 wrong usage`;

/** Runs the command and returns its exit code. */
async function main(): Promise<number> {
  let options;
  try {
    options = parseArgs({
      allowPositionals: true,
      options: {
        list: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        together: { type: 'boolean', default: false },
        cpu: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        repeat: { type: 'string', default: '5' },
      },
    });
  } catch (error) {
    return misuse(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = options;
  const repetitions = Number(values.repeat);
  if (values.help) return told(USAGE);
  if (!Number.isInteger(repetitions) || repetitions < 1)
    return misuse(`--repeat ${values.repeat}: a count from 1 on is needed`);
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const all = await discoverBenchmarks(root);
  const chosen = all.filter((found) =>
    positionals.every((word) => `${found.package} ${found.name}`.includes(word)),
  );
  if (chosen.length === 0)
    return misuse(`no benchmark has "${positionals.join(' ')}" in its name; --list shows all`);
  if (values.list) return told(list(chosen, values.json));
  return runAll(chosen, { repetitions, together: values.together, cpu: values.cpu }, values.json);
}

async function runAll(cases: readonly BenchmarkCase[], options: RunOptions, json: boolean): Promise<number> {
  const results: object[] = [];
  let missed = 0;
  for (const found of cases) {
    const outcome = await runCase(found, options);
    if (!outcome.ok || outcome.result.met === false) missed++;
    results.push({
      package: found.package,
      ...(outcome.ok ? outcome.result : { name: found.name, error: outcome.error }),
    });
    if (!json)
      console.log(
        outcome.ok ? line(found, outcome.result) : `${found.package}: ${found.name}: ${outcome.error}`,
      );
  }
  if (json)
    console.log(
      JSON.stringify({
        version: 1,
        node: process.version,
        clock: options.cpu ? 'cpu' : 'elapsed',
        results,
        missed,
      }),
    );
  return missed === 0 ? 0 : 1;
}

function list(cases: readonly BenchmarkCase[], json: boolean): string {
  if (json)
    return JSON.stringify({
      version: 1,
      benchmarks: cases.map(({ package: of, name, unit }) => ({ package: of, name, unit })),
    });
  return cases.map((found) => `${found.package}: ${found.name} (${found.unit})`).join('\n');
}

function line(
  found: BenchmarkCase,
  { name, unit, value, range, reference, goal, met }: BenchmarkResult,
): string {
  const parts = [
    `${found.package}: ${name}: ${figure(value)} ${unit} (${figure(range[0])} to ${figure(range[1])})`,
  ];
  if (reference !== null) parts.push(`bare loop ${figure(reference)}`);
  if (goal !== null) parts.push(`goal ${figure(goal)} ${met === true ? 'reached' : 'MISSED'}`);
  return parts.join(', ');
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function told(text: string): number {
  console.log(text);
  return 0;
}

function misuse(what: string): number {
  console.error(`hmm bench: ${what}\n${USAGE}`);
  return 2;
}

process.exitCode = await main();
