import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { measure, type BenchmarkResult } from './benchmark.js';
import { countCpuTime } from './cpu-time.js';
import { loadBenchmarks, type BenchmarkCase } from './discover.js';

/** How benchmarks are run. */
export interface RunOptions {
  readonly repetitions: number;
  /** All in this process: faster to start, and one case's garbage and optimised code meet the next. */
  readonly together: boolean;
  /** CPU time instead of elapsed time: for a machine that others use as well. */
  readonly cpu: boolean;
}

/** A result, or why there is none. */
export type CaseOutcome =
  { readonly ok: true; readonly result: BenchmarkResult } | { readonly ok: false; readonly error: string };

/** Runs one benchmark, by default in a process of its own. */
export async function runCase(
  found: BenchmarkCase,
  { repetitions, together, cpu }: RunOptions,
): Promise<CaseOutcome> {
  if (together) {
    if (cpu) countCpuTime();
    const benchmark = (await loadBenchmarks(found.file)).find(({ name }) => name === found.name);
    if (benchmark === undefined)
      return { ok: false, error: `${found.file} has no benchmark "${found.name}"` };
    return outcomeOf(measure(benchmark, repetitions));
  }
  const script = fileURLToPath(new URL('../dist/case.js', import.meta.url));
  const clock = cpu ? 'cpu' : 'elapsed';
  const child = spawnSync(process.execPath, [script, found.file, found.name, String(repetitions), clock], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.status !== 0) return { ok: false, error: child.stderr.trim() };
  return outcomeOf(JSON.parse(child.stdout) as BenchmarkResult);
}

/** A figure of nothing, or of no number at all, is no measurement and reaches no goal. */
export function outcomeOf(result: BenchmarkResult): CaseOutcome {
  const { value, unit, repetitions } = result;
  if (value > 0) return { ok: true, result };
  const error = `could not be measured: ${String(value)} ${unit} in ${repetitions} ${repetitions === 1 ? 'repetition' : 'repetitions'}; try --repeat 3 or more`;
  return { ok: false, error };
}
